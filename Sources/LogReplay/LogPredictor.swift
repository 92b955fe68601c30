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
    run(rows).predictions
  }

  /// The features of each row at its dispatch, shape `[rows.count × Feature.count]`, row by row.
  public func features(rows: Range<Int>? = nil) -> [Double] {
    run(rows, keepsFeatures: true).features
  }

  /// Both at once.
  public func predictionsAndFeatures(
    rows: Range<Int>? = nil
  ) -> (predictions: [Prediction], features: [Double]) {
    let collected = run(rows, keepsFeatures: true)
    return (collected.predictions, collected.features)
  }

  private func run(_ rows: Range<Int>?, keepsFeatures: Bool = false) -> Collector {
    let range = rows ?? 0..<log.rows.count
    var collector = Collector(log: log, keepsFeatures: keepsFeatures)
    collector.predictions.reserveCapacity(range.count)
    Replay(log, predictor: predictor).run(range, observer: &collector)
    return collector
  }

  private struct Collector: ReplayObserver {
    let log: ReplayLog
    let keepsFeatures: Bool
    var predictions: [Prediction] = []
    var features: [Double] = []
    private var row = [Double](repeating: 0, count: Feature.count)

    init(log: ReplayLog, keepsFeatures: Bool) {
      self.log = log
      self.keepsFeatures = keepsFeatures
    }

    mutating func willDispatch(
      _ index: Int, _ request: RequestShape, to endpoint: Int, of pool: inout EndpointPool,
      at time: Double
    ) {
      guard var prediction = pool.predict(request, on: endpoint, at: time) else { return }
      prediction.ttft.delay(by: log.dispatchDelay(index))
      predictions.append(prediction)
      if keepsFeatures {
        pool.features(request, on: endpoint, at: time, into: &row)
        features += row
      }
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
