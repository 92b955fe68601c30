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
      var pairs: [ModelPair] = []
      for target in LatencyTarget.allCases {
        let pair = ModelPair(
          target: target, requests: requests, challenger: challenger, reference: reference,
          isFirst: champion == nil, blocks: blocks, bootstrap: bootstrap)
        checks.append(finiteCheck(pair))
        guard pair.challenger.columns.count >= configuration.minimumRequests else { continue }
        checks += plausibilityChecks(pair, champion: champion, baseline: baseline)
        checks += overallChecks(pair, isFirst: champion == nil)
        checks += coverageChecks(pair, isFirst: champion == nil)
        if champion != nil { checks += sliceChecks(pair, requests: requests) }
        pairs.append(pair)
      }
      if champion == nil, !pairs.isEmpty { checks.append(gainCheck(pairs)) }
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
            ? "First model: it beats the constant predictor, and is worse for neither latency."
            : "Better than or equal to \(reference) within the stated bounds, overall and in "
              + "every large slice (\(checks.count) checks).")
      ]
      // What would have failed with more requests is said, though it does not decide.
      let doubtful = checks.filter {
        $0.slice == Self.everything && $0.unit == "×" && $0.bound > 1 && $0.measured > $0.bound
      }
      reasons += doubtful.prefix(3).map { GateReason($0.sentence) }
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

    /// A margin of error as this loss sees it: of a miss by some milliseconds, a pinball loss counts
    /// about a third.
    var share: Double { self == .p90Pinball ? 1.0 / 3 : 1 }
  }

  /// A loss of both models: the ratio challenger / reference and its log's standard error.
  struct Ratio {
    let estimate: Double
    let logStandardError: Double
  }

  func ratio(_ loss: Loss, samples: [Int]) -> Ratio {
    let sums = sums(loss, samples: samples)
    return Ratio(
      estimate: sums.ratio,
      logStandardError: challenger.bootstrap.logStandardError(sums.challenger, sums.reference))
  }

  /// A loss of both models, summed by block.
  struct Sums {
    let challenger: [Double]
    let reference: [Double]
    /// Requests.
    let counts: [Double]
    /// What a margin is a share of: requests for relative losses, else outcomes, milliseconds.
    let scales: [Double]

    var ratio: Double { challenger.reduce(0, +) / reference.reduce(0, +) }
    var scale: Double { scales.reduce(0, +) }

    /// By how much the challenger's loss exceeds `factor` times the reference's and the margin.
    func excess(over factor: Double, margin: Double) -> PairedExcess {
      PairedExcess(
        losses: challenger,
        allowances: zip(reference, scales).map { factor * $0 + margin * $1 }, weights: counts)
    }
  }

  func sums(_ loss: Loss, samples: [Int]) -> Sums {
    let blocks = challenger.blocks
    let counts = blocks.sums(challenger.columns, samples) { _ in 1 }
    let columns = challenger.columns
    return Sums(
      challenger: blocks.sums(columns, samples) { Self.value(loss, challenger, $0) },
      reference: blocks.sums(reference.columns, samples) { Self.value(loss, reference, $0) },
      counts: counts,
      scales: loss == .mape ? counts : blocks.sums(columns, samples) { columns.actual[$0] })
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
