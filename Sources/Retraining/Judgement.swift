internal import AccuracyReport
internal import CoefficientFile
internal import LogReplay
internal import RequestLog
internal import RoutingRuntime

/// What one model says about a stretch of a log, in the report's terms.
struct Judgement {
  /// Requests of the stretch, by dispatch.
  private(set) var requests: [EvaluatedRequest] = []
  /// What the model said at each one's dispatch.
  private(set) var predictions: [AccuracyReport.Prediction] = []
  /// The features of each request, shape `[requests.count × Feature.count]`.
  private(set) var features: [Float] = []
  /// Each term's mean absolute share of the mean head's prediction.
  private(set) var shares: (ttft: [Double], tpot: [Double]) = ([], [])

  /// Rows that are replayed before the stretch, so that the state is warm.
  private static let warmUpRows = 4_000

  /// Replays `model` over rows `range`.
  ///
  /// - Throws: ``RefusalError`` when this runtime cannot use the model.
  init(_ model: GlideModel, log: LoadedLog, range: Range<Int>) throws(RefusalError) {
    let predictor = try Predictor.compile(model).get()
    let start = max(0, range.lowerBound - Self.warmUpRows)
    var totals = ShareTotals(terms: (model.ttft.terms.count, model.tpot.terms.count))
    var (requests, predictions, features) = (self.requests, self.predictions, self.features)
    try LogPredictor(log.replay, model: model).visit(rows: start..<range.upperBound) {
      index, prediction, row in
      guard index >= range.lowerBound else { return }
      requests.append(Self.request(log, index, row))
      predictions.append(Self.prediction(prediction))
      for value in row { features.append(Float(value)) }
      totals.add(predictor.contributions(row, group: 0, head: 0))
    }
    self.requests = requests
    self.predictions = predictions
    self.features = features
    shares = totals.shares
  }

  /// The values of `feature` over the stretch.
  func values(_ feature: Feature) -> [Double] {
    stride(from: Int(feature.rawValue), to: features.count, by: Feature.count).map {
      Double(features[$0])
    }
  }

  private static func request(
    _ log: LoadedLog, _ index: Int, _ row: [Double]
  ) -> EvaluatedRequest {
    let logged = log.replay.rows[index]
    let symbols = log.replay.symbols
    func feature(_ feature: Feature) -> Double { row[Int(feature.rawValue)] }
    let isComplete = log.replay.isComplete(index)
    let prompt = max(feature(.promptTokens), 1)
    return EvaluatedRequest(
      requestID: log.requestID(index), receivedNanoseconds: logged.receivedNanoseconds,
      status: Int(logged.status), endpoint: symbols.name(logged.endpoint) ?? "",
      accelerator: symbols.name(logged.accelerator) ?? "",
      model: symbols.name(logged.model) ?? "", inputTokens: feature(.promptTokens),
      cachedShare: feature(.matchedPrefixTokens) / prompt,
      backlogMilliseconds: feature(.queueMilliseconds),
      decodingRequests: feature(.decodingRequests),
      outputTokens: Double(max(logged.outputTokens, 0)),
      actualTTFTMilliseconds: isComplete ? logged.ttftMilliseconds : .nan,
      actualTPOTMilliseconds: isComplete ? logged.tpotMilliseconds : .nan)
  }

  static func prediction(_ given: RoutingRuntime.Prediction) -> AccuracyReport.Prediction {
    func heads(_ values: RoutingRuntime.HeadValues) -> AccuracyReport.HeadValues {
      AccuracyReport.HeadValues(
        mean: values.mean, p50: values.p50, p90: values.p90, p95: values.p95, p99: values.p99)
    }
    return AccuracyReport.Prediction(
      ttft: heads(given.ttft), tpot: heads(given.tpot), isExtrapolating: given.isExtrapolating)
  }
}

/// Sums of the terms' contributions.
private struct ShareTotals {
  private var ttft: [Double]
  private var tpot: [Double]

  init(terms: (ttft: Int, tpot: Int)) {
    ttft = [Double](repeating: 0, count: terms.ttft + 1)
    tpot = [Double](repeating: 0, count: terms.tpot + 1)
  }

  mutating func add(_ parts: (ttft: [Double], tpot: [Double])) {
    for index in ttft.indices { ttft[index] += abs(parts.ttft[index]) }
    for index in tpot.indices { tpot[index] += abs(parts.tpot[index]) }
  }

  var shares: (ttft: [Double], tpot: [Double]) {
    (Self.normalized(ttft), Self.normalized(tpot))
  }

  private static func normalized(_ sums: [Double]) -> [Double] {
    let total = sums.reduce(0, +)
    return total > 0 ? sums.map { $0 / total } : sums
  }
}
