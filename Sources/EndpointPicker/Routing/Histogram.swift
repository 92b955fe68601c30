/// Counts values by size, as Prometheus' histograms do.
struct Histogram: Sendable, Hashable {
  /// The upper ends of all buckets but the last, which is unbounded; ascending.
  let bounds: [Double]
  /// Values per bucket, not cumulative.
  private(set) var counts: [UInt64]
  private(set) var sum = 0.0

  init(bounds: [Double]) {
    self.bounds = bounds
    counts = [UInt64](repeating: 0, count: bounds.count + 1)
  }

  var count: UInt64 { counts.reduce(0, +) }

  /// Counts `value`; what is no number is ignored.
  mutating func observe(_ value: Double) {
    guard value.isFinite else { return }
    var (low, high) = (0, bounds.count)
    while low < high {
      let middle = (low + high) / 2
      if value <= bounds[middle] { high = middle } else { low = middle + 1 }
    }
    counts[low] += 1
    sum += value
  }

  /// Buckets for seconds to the first token.
  static let timeToFirstToken = Histogram(bounds: [
    0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1, 1.5, 2, 3, 5, 8,
    12, 20, 30, 60,
  ])
  /// Buckets for seconds per output token.
  static let timePerOutputToken = Histogram(bounds: [
    0.001, 0.002, 0.004, 0.006, 0.008, 0.01, 0.0125, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.075,
    0.1, 0.15, 0.2, 0.3, 0.5, 1,
  ])
}

/// Actual and predicted latencies of the requests for one model, in seconds.
struct LatencyHistograms: Sendable, Hashable {
  var ttft = Histogram.timeToFirstToken
  var predictedTTFT = Histogram.timeToFirstToken
  var tpot = Histogram.timePerOutputToken
  var predictedTPOT = Histogram.timePerOutputToken
}
