import Foundation

/// Decides whether a challenger may replace the champion.
///
/// A pure function of its inputs: the same block and the same models give the same decision.
public struct Gate: Sendable {
  /// The bounds in force.
  public var configuration: GateConfiguration

  /// A gate with documented bounds.
  public init(configuration: GateConfiguration = GateConfiguration()) {
    self.configuration = configuration
  }

  /// Judges a challenger on a block that neither model was fitted on.
  ///
  /// - Parameters:
  ///   - requests: The judged block.
  ///   - challenger: The new model, one prediction per request.
  ///   - champion: The serving model, if there is one.
  ///   - baseline: The constant predictor of the training block; used while there is no champion.
  ///   - dataFindings: What ``DataChecks`` said about the log; any blocking one refuses it.
  /// - Throws: ``AccuracyReportError/predictionCount(model:expected:actual:)``.
  public func decide(
    requests: [EvaluatedRequest], challenger: EvaluatedModel, champion: EvaluatedModel?,
    baseline: ConstantBaseline, dataFindings: [DataFinding] = []
  ) throws(AccuracyReportError) -> GateDecision {
    try checkCount(challenger, requests.count)
    if let champion { try checkCount(champion, requests.count) }
    let reference = champion ?? baseline.model(count: requests.count)
    let judged = requests.filter { $0.actualTTFTMilliseconds.isFinite }.count
    var checks = [sizeCheck(judged)]
    if judged >= configuration.minimumRequests {
      let blocks = TimeBlocks(requests: requests)
      let bootstrap = BlockBootstrap(blockCount: blocks.count)
      for target in LatencyTarget.allCases {
        let pair = ModelPair(
          target: target, requests: requests, challenger: challenger, reference: reference,
          isFirst: champion == nil, blocks: blocks, bootstrap: bootstrap)
        checks.append(finiteCheck(pair))
        guard pair.challenger.columns.count >= configuration.minimumRequests else { continue }
        checks += plausibilityChecks(pair, champion: champion)
        checks += overallChecks(pair, isFirst: champion == nil)
        checks += coverageChecks(pair, isFirst: champion == nil)
        if champion != nil { checks += sliceChecks(pair, requests: requests) }
      }
    }
    return decision(checks, dataFindings, reference: reference.name, isFirst: champion == nil)
  }

  private func checkCount(
    _ model: EvaluatedModel, _ expected: Int
  ) throws(AccuracyReportError) {
    guard model.predictions.count == expected else {
      throw .predictionCount(
        model: model.name, expected: expected, actual: model.predictions.count)
    }
  }

  private func decision(
    _ checks: [GateCheck], _ findings: [DataFinding], reference: String, isFirst: Bool
  ) -> GateDecision {
    let blocking = findings.filter { $0.severity == .block }
    let failed = checks.filter { !$0.passed }
    let outcome: GateOutcome
    var reasons = blocking.map { GateReason($0.sentence) }
    if !blocking.isEmpty {
      outcome = .dataRefused
    } else if checks.first?.passed == false {
      outcome = .tooLittleData
    } else if failed.contains(where: { $0.name.hasSuffix("plausibility") }) {
      outcome = .dataRefused
    } else {
      outcome = failed.isEmpty ? .promoted : .challengerRejected
    }
    reasons += failed.prefix(8).map { GateReason($0.sentence) }
    if failed.count > 8 {
      reasons.append(GateReason("\(failed.count - 8) further checks failed; see the table."))
    }
    if reasons.isEmpty {
      reasons = [
        GateReason(
          isFirst
            ? "First model: it beats the constant predictor on both targets."
            : "Better than or equal to \(reference) within the stated bounds, overall and in "
              + "every large slice (\(checks.count) checks).")
      ]
    }
    return GateDecision(
      outcome: outcome, reasons: reasons, checks: checks, reference: reference)
  }
}

/// One target of two models on the same requests.
struct ModelPair {
  let target: LatencyTarget
  let challenger: SliceAnalysis
  let reference: SliceAnalysis
  /// How a sentence names the reference's number.
  let referencePhrase: String

  init(
    target: LatencyTarget, requests: [EvaluatedRequest], challenger: EvaluatedModel,
    reference: EvaluatedModel, isFirst: Bool, blocks: TimeBlocks, bootstrap: BlockBootstrap
  ) {
    self.target = target
    referencePhrase = isFirst ? "the constant predictor's" : "the champion's"
    self.challenger = SliceAnalysis(
      columns: TargetColumns(
        target, requests: requests, predictions: challenger.predictions,
        alsoFiniteIn: reference.predictions), blocks: blocks, bootstrap: bootstrap)
    self.reference = SliceAnalysis(
      columns: TargetColumns(
        target, requests: requests, predictions: reference.predictions,
        alsoFiniteIn: challenger.predictions), blocks: blocks, bootstrap: bootstrap)
  }

  /// The losses that are compared as ratios.
  enum Loss: String, CaseIterable {
    case mape = "MAPE"
    case mae = "MAE"
    case p90Pinball = "p90 pinball loss"
  }

  /// A loss of both models: the ratio challenger / reference and its log's standard error.
  struct Ratio {
    let estimate: Double
    let logStandardError: Double
  }

  func ratio(_ loss: Loss, samples: [Int]) -> Ratio {
    let (blocks, bootstrap) = (challenger.blocks, challenger.bootstrap)
    let above = blocks.sums(challenger.columns, samples) { Self.value(loss, challenger, $0) }
    let below = blocks.sums(reference.columns, samples) { Self.value(loss, reference, $0) }
    return Ratio(
      estimate: above.reduce(0, +) / below.reduce(0, +),
      logStandardError: bootstrap.logStandardError(above, below))
  }

  private static func value(_ loss: Loss, _ model: SliceAnalysis, _ sample: Int) -> Double {
    let actual = model.columns.actual[sample]
    switch loss {
    case .mape: return abs(model.pointHead[sample] - actual) / actual
    case .mae: return abs(model.columns.levels[0][sample] - actual)
    case .p90Pinball:
      return pinballLoss(
        level: 0.9, observed: actual, predicted: model.columns.levels[1][sample])
    }
  }
}
