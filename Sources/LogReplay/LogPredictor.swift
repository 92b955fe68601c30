public import CoefficientFile
internal import RequestLog
public import RoutingRuntime

/// Predicts every request of a log as serving would have: from what was known at its dispatch, with
/// the live correction fed by the outcomes seen before it.
public struct LogPredictor: Sendable {
  private let log: ReplayLog
  private let predictor: Predictor

  /// - Throws: ``RefusalError`` when this runtime cannot use `model`.
  public init(_ log: ReplayLog, model: GlideModel) throws(RefusalError) {
    self.log = log
    predictor = try Predictor.compile(model).get()
  }

  /// One prediction per row of `rows` (all, when `nil`), in order of dispatch.
  ///
  /// TTFT counts from arrival, as the log does: the dispatch delay, known by then, is included.
  ///
  /// - Complexity: O(*n* log *c*) for *c* requests in flight.
  public func predictions(rows: Range<Int>? = nil) -> [Prediction] {
    var predictions: [Prediction] = []
    visit(rows: rows) { _, prediction, _ in predictions.append(prediction) }
    return predictions
  }

  /// Calls `body` with each row's index, prediction and `Feature.count` features, in order of
  /// dispatch.
  public func visit(
    rows: Range<Int>? = nil, _ body: (Int, Prediction, [Double]) -> Void
  ) {
    withoutActuallyEscaping(body) { body in
      var visitor = Visitor(log: log, body: body)
      Replay(log, predictor: predictor).run(rows ?? 0..<log.rows.count, observer: &visitor)
    }
  }

  private struct Visitor: ReplayObserver {
    let log: ReplayLog
    let body: (Int, Prediction, [Double]) -> Void
    private var row = [Double](repeating: 0, count: Feature.count)

    init(log: ReplayLog, body: @escaping (Int, Prediction, [Double]) -> Void) {
      self.log = log
      self.body = body
    }

    mutating func willDispatch(
      _ index: Int, _ request: RequestShape, to endpoint: Int, of pool: inout EndpointPool,
      at time: Double
    ) {
      guard var prediction = pool.predict(request, on: endpoint, at: time) else { return }
      prediction.ttft.delay(by: log.dispatchDelay(index))
      pool.features(request, on: endpoint, at: time, into: &row)
      body(index, prediction, row)
    }

    mutating func didReceiveFirstToken(_ index: Int, at time: Double) {}
    mutating func didFinish(_ index: Int, at time: Double) {}
  }
}

extension HeadValues {
  /// Adds `milliseconds` that have passed already to every head.
  fileprivate mutating func delay(by milliseconds: Double) {
    mean += milliseconds
    p50 += milliseconds
    p90 += milliseconds
    p95 += milliseconds
    p99 += milliseconds
  }
}
