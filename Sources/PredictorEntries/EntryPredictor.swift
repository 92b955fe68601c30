public import RoutingRuntime

/// Predicts entries with one model; a value for one thread.
public struct EntryPredictor {
  /// The number that the API answers with.
  public enum Head: Sendable, Hashable {
    /// The mean.
    case mean
    /// The quantile of the smallest fitted level (0.5, 0.9, 0.95, 0.99) that is no lower.
    case quantile(Double)

    /// Positions among the fitted heads; the answer is the largest of them, so that levels never
    /// cross.
    fileprivate var positions: ClosedRange<Int> {
      switch self {
      case .mean: 0...0
      case .quantile(let level):
        1...((RoutingRuntime.HeadValues.levels.firstIndex { $0 >= level } ?? 3) + 1)
      }
    }
  }

  /// The least latency that is ever predicted, ms.
  private static let floorMilliseconds = 0.05

  private let predictor: Predictor
  private var row = [Double](repeating: 0, count: Feature.count)

  /// Predicts with `predictor`.
  public init(_ predictor: Predictor) { self.predictor = predictor }

  /// One head of TTFT and of TPOT, ms, at least 0.05.
  ///
  /// - Complexity: O(terms); allocates.
  public mutating func predict(
    _ entry: PredictorEntry, head: Head
  ) -> (ttftMilliseconds: Double, tpotMilliseconds: Double) {
    entry.fill(&row)
    let group = predictor.group(endpoint: "", accelerator: entry.podType).group
    var (ttft, tpot) = (Self.floorMilliseconds, Self.floorMilliseconds)
    for position in head.positions {
      let parts = predictor.contributions(row, group: group, head: position)
      ttft = max(ttft, parts.ttft.reduce(0, +))
      tpot = max(tpot, parts.tpot.reduce(0, +))
    }
    return (ttft, tpot)
  }

  /// All heads.
  public mutating func heads(_ entry: PredictorEntry) -> (ttft: HeadValues, tpot: HeadValues) {
    let values = [Head.mean, .quantile(0.5), .quantile(0.9), .quantile(0.95), .quantile(0.99)]
      .map { predict(entry, head: $0) }
    func target(
      _ head: ((ttftMilliseconds: Double, tpotMilliseconds: Double)) -> Double
    ) -> HeadValues {
      HeadValues(
        mean: head(values[0]), p50: head(values[1]), p90: head(values[2]), p95: head(values[3]),
        p99: head(values[4]))
    }
    return (target(\.ttftMilliseconds), target(\.tpotMilliseconds))
  }
}
