import Foundation

/// Stretches of the judged block with about equally many requests, for everything that resamples.
///
/// Requests that share a queue err together, and so do those of one overload: a block must outlast
/// such an episode, or chance looks smaller than it is. Its length follows from the load itself, by
/// the autocorrelation of what the requests met.
struct TimeBlocks {
  /// The block of every request of the judged block.
  let blockOfRow: [Int]
  let count: Int

  /// The most blocks: more say nothing new about chance.
  static let most = 48
  /// The fewest, however long the episodes: fewer say nothing about chance.
  static let fewest = 8
  /// Stretches whose autocorrelation is looked at.
  private static let fine = 96

  /// 48 blocks, fewer where episodes are long or where there are under 480 requests.
  init(requests: [EvaluatedRequest]) {
    let total = requests.count
    let order = requests.indices.sorted {
      (requests[$0].receivedNanoseconds, $0) < (requests[$1].receivedNanoseconds, $1)
    }
    let most = max(1, min(Self.most, total / 10))
    count = min(most, max(Self.fewest, Self.episodes(requests, order)))
    var assigned = [Int](repeating: 0, count: total)
    for (rank, row) in order.enumerated() { assigned[row] = rank * count / max(total, 1) }
    blockOfRow = assigned
  }

  /// The sum of each block over the chosen samples of a target's columns.
  ///
  /// - Parameters:
  ///   - samples: Positions in `columns`.
  ///   - value: The summand of one sample.
  func sums(
    _ columns: TargetColumns, _ samples: [Int], _ value: (Int) -> Double
  ) -> [Double] {
    var totals = [Double](repeating: 0, count: count)
    for sample in samples { totals[blockOfRow[columns.rows[sample]]] += value(sample) }
    return totals
  }

  /// How many stretches are long enough to be strangers to each other: twice the lag at which the
  /// load, seen in the logarithm of TTFT, has forgotten itself.
  private static func episodes(_ requests: [EvaluatedRequest], _ order: [Int]) -> Int {
    let rows = order.filter { requests[$0].actualTTFTMilliseconds > 0 }
    let stretches = min(fine, rows.count / 5)
    guard stretches > fewest else { return most }
    var totals = [Double](repeating: 0, count: stretches)
    var counts = totals
    for (rank, row) in rows.enumerated() {
      let stretch = rank * stretches / rows.count
      totals[stretch] += log(requests[row].actualTTFTMilliseconds)
      counts[stretch] += 1
    }
    let levels = zip(totals, counts).map { $0 / $1 }
    let lag = forgettingLag(levels)
    return stretches / (2 * lag)
  }

  /// The first lag at which the autocorrelation of `series` is below 1/e.
  static func forgettingLag(_ series: [Double]) -> Int {
    let mean = series.reduce(0, +) / Double(max(series.count, 1))
    let centred = series.map { $0 - mean }
    let variance = centred.reduce(0) { $0 + $1 * $1 }
    guard variance > 0 else { return 1 }
    for lag in 1..<max(2, series.count / 2) {
      let covariance = zip(centred, centred.dropFirst(lag)).reduce(0) { $0 + $1.0 * $1.1 }
      if covariance < variance / M_E { return lag }
    }
    return max(1, series.count / 2)
  }
}
