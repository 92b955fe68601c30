/// The step features summed between two seen step ends, for calibration.
public struct StepTrace: Sendable {
  /// One row: summed ``StepFeature``s, then the elapsed and the predicted ms.
  public private(set) var rows: [Double] = []
  private var sum = [Double](repeating: 0, count: StepFeature.count)

  /// An empty trace.
  public init() {}

  /// Values per row.
  public static let rowSize = StepFeature.count + 2

  mutating func add(_ step: StepComposition) {
    StepFeature.accumulate(step, weight: 1, into: &sum)
  }

  mutating func record(elapsedMilliseconds: Double, predictedMilliseconds: Double) {
    rows.append(contentsOf: sum)
    rows.append(elapsedMilliseconds)
    rows.append(predictedMilliseconds)
  }

  mutating func clear() {
    for index in sum.indices { sum[index] = 0 }
  }
}
