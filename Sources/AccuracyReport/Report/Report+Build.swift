import Foundation

/// Limits that requests are asked to meet, milliseconds; empty picks round ones near the data.
public struct ServiceLevelLimits: Sendable, Hashable {
  /// For TTFT.
  public var ttftMilliseconds: [Double]
  /// For TPOT.
  public var tpotMilliseconds: [Double]

  /// Limits in milliseconds.
  public init(ttftMilliseconds: [Double] = [], tpotMilliseconds: [Double] = []) {
    self.ttftMilliseconds = ttftMilliseconds
    self.tpotMilliseconds = tpotMilliseconds
  }

  func limits(_ target: LatencyTarget, requests: [EvaluatedRequest]) -> [Double] {
    let given = target == .ttft ? ttftMilliseconds : tpotMilliseconds
    return given.isEmpty ? ServiceLevel.limits(near: requests.map { $0.actual(target) }) : given
  }
}

extension Report {
  /// Evaluates a challenger, compares it with the champion, and lets the gate decide.
  ///
  /// - Parameters:
  ///   - requests: The judged block, in any order.
  ///   - challenger: The new model, one prediction per request.
  ///   - champion: The serving model on the same requests, if there is one.
  ///   - baseline: The constant predictor of the training block.
  ///   - gate: The bounds in force.
  ///   - dataFindings: What ``DataChecks`` said.
  ///   - drift: Features in training and in the judged block.
  ///   - limits: Limits for the classification tables.
  ///   - title: The page's title.
  /// - Throws: ``AccuracyReportError/noRequests`` or
  ///   ``AccuracyReportError/predictionCount(model:expected:actual:)``.
  /// - Complexity: O(requests × dimensions); about 20 MB for 30,000 requests.
  public static func build(
    requests: [EvaluatedRequest], challenger: EvaluatedModel, champion: EvaluatedModel? = nil,
    baseline: ConstantBaseline, gate: Gate = Gate(), dataFindings: [DataFinding] = [],
    drift: [FeatureDistribution] = [], limits: ServiceLevelLimits = ServiceLevelLimits(),
    title: String = "Accuracy report"
  ) throws(AccuracyReportError) -> Report {
    let decision = try gate.decide(
      requests: requests, challenger: challenger, champion: champion, baseline: baseline,
      dataFindings: dataFindings)
    guard let first = requests.map(\.receivedNanoseconds).min(),
      let last = requests.map(\.receivedNanoseconds).max()
    else { throw .noRequests }
    let evaluation = Evaluation(requests: requests, limits: limits)
    let constant = baseline.model(count: requests.count)
    return Report(
      title: title,
      block: JudgedBlock(
        requestCount: requests.count,
        censoredCount: requests.count { !$0.actualTTFTMilliseconds.isFinite },
        firstNanoseconds: first, lastNanoseconds: last),
      decision: decision, challenger: evaluation.model(challenger),
      champion: champion.map { evaluation.model($0) }, baseline: evaluation.model(constant),
      comparison: evaluation.comparison(challenger, champion, constant),
      dataFindings: dataFindings,
      drift: drift.map {
        DriftRow(feature: $0, stabilityIndex: $0.stabilityIndex, mark: $0.drift)
      }.sorted { $0.stabilityIndex > $1.stabilityIndex })
  }
}

/// What all models of one report share: the cuts, the blocks and the resamples.
private struct Evaluation {
  let requests: [EvaluatedRequest]
  let limits: [LatencyTarget: [Double]]
  let blocks: TimeBlocks
  let bootstrap: BlockBootstrap
  let slicings: [Slicing]
  let coarse: [Slicing]

  init(requests: [EvaluatedRequest], limits: ServiceLevelLimits) {
    self.requests = requests
    self.limits = Dictionary(
      uniqueKeysWithValues: LatencyTarget.allCases.map {
        ($0, limits.limits($0, requests: requests))
      })
    blocks = TimeBlocks(requests: requests)
    bootstrap = BlockBootstrap(blockCount: blocks.count)
    slicings = SliceDimension.allCases.map { Slicing($0, requests: requests) }
    coarse = [.endpoint, .promptLength, .backlog, .decoding, .cachedShare].map {
      Slicing($0, requests: requests, binCount: 4)
    }
  }

  func model(_ model: EvaluatedModel) -> ModelEvaluation {
    let outside = model.predictions.count { $0.isExtrapolating }
    return ModelEvaluation(
      name: model.name, fileSizeBytes: model.fileSizeBytes, provenance: model.provenance,
      terms: model.terms,
      extrapolatingShare: Double(outside) / Double(max(requests.count, 1)),
      ttft: target(.ttft, model), tpot: target(.tpot, model))
  }

  private func target(_ target: LatencyTarget, _ model: EvaluatedModel) -> TargetEvaluation {
    let columns = TargetColumns(target, requests: requests, predictions: model.predictions)
    let analysis = SliceAnalysis(columns: columns, blocks: blocks, bootstrap: bootstrap)
    let residuals = ResidualBins(columns: columns)
    return TargetEvaluation(
      metrics: TargetMetrics(
        columns, samples: Array(columns.rows.indices), blocks: blocks, bootstrap: bootstrap),
      slices: slicings.flatMap { analysis.metrics($0) },
      worstCohorts: analysis.worstCohorts(
        coarse, minimumCount: max(50, columns.count / 100), limit: 8),
      serviceLevels: ServiceLevel.rows(
        target, requests: requests, predictions: model.predictions,
        limitsMilliseconds: limits[target] ?? []),
      density: DensityGrid(columns, side: 64),
      overTime: residuals.equallyWide(requests.map { Double($0.receivedNanoseconds) }, count: 40),
      overBacklog: residuals.equallyFull(requests.map(\.backlogMilliseconds), count: 20),
      overDecoding: residuals.equallyFull(requests.map(\.decodingRequests), count: 20))
  }

  func comparison(
    _ challenger: EvaluatedModel, _ champion: EvaluatedModel?, _ constant: EvaluatedModel
  ) -> [ComparisonRow] {
    LatencyTarget.allCases.flatMap { target -> [ComparisonRow] in
      let new = rows(target, challenger)
      let old = champion.map { rows(target, $0) }
      let flat = rows(target, constant)
      let pair = ModelPair(
        target: target, requests: requests, challenger: challenger,
        reference: champion ?? constant, isFirst: champion == nil, blocks: blocks,
        bootstrap: bootstrap)
      return new.indices.map { index in
        ComparisonRow(
          target: target, metric: new[index].metric, unit: new[index].unit,
          challenger: new[index].value, champion: old?[index].value,
          baseline: flat[index].value, ratio: new[index].loss.map { pair.interval($0) })
      }
    }
  }

  private typealias Row = (metric: String, unit: String, value: Double, loss: ModelPair.Loss?)

  private func rows(_ target: LatencyTarget, _ model: EvaluatedModel) -> [Row] {
    let columns = TargetColumns(target, requests: requests, predictions: model.predictions)
    let metrics = TargetMetrics(
      columns, samples: Array(columns.rows.indices), blocks: blocks, bootstrap: bootstrap)
    var rows: [Row] = [
      ("MAPE, better head", "share", metrics.mape.estimate, .mape),
      ("MAPE, mean head", "share", metrics.mapeMean, nil),
      ("MAPE, median head", "share", metrics.mapeP50, nil),
      ("median APE", "share", metrics.medianAPE, nil),
      ("MAE, median head", "ms", metrics.maeMilliseconds, .mae),
      ("RMSE, mean head", "ms", metrics.rmseMilliseconds, nil),
      ("R², mean head", "", metrics.rSquared, nil),
      ("bias, mean head", "ms", metrics.biasMilliseconds, nil),
      ("CRPS, approximated", "ms", metrics.crpsMilliseconds, nil),
    ]
    for judged in metrics.levels {
      let name = "p\(Int((judged.level * 100).rounded()))"
      rows.append(
        (
          "pinball loss \(name)", "ms", judged.pinballMilliseconds,
          name == "p90" ? .p90Pinball : nil
        ))
    }
    for judged in metrics.levels {
      let name = "p\(Int((judged.level * 100).rounded()))"
      rows.append(("coverage \(name)", "share", judged.coverage.estimate, nil))
    }
    return rows
  }
}

extension ModelPair {
  /// A loss of the challenger over the reference's, with its interval over all requests.
  func interval(_ loss: Loss) -> Interval {
    let samples = Array(challenger.columns.rows.indices)
    let ratio = ratio(loss, samples: samples)
    let half = 1.959964 * ratio.logStandardError
    return Interval(
      estimate: ratio.estimate, lower: ratio.estimate * exp(-half),
      upper: ratio.estimate * exp(half))
  }
}
