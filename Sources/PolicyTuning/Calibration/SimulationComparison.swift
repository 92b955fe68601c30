internal import FleetSimulation
internal import Glibc
internal import LogReplay
internal import RequestLog

/// Simulated outcomes of logged decisions beside the logged ones.
struct SimulationComparison {
  /// One quantity in both worlds, by request.
  struct Pair {
    var logged: [Double] = []
    var simulated: [Double] = []

    mutating func add(_ logged: Double, _ simulated: Double) {
      guard logged.isFinite, simulated.isFinite else { return }
      self.logged.append(logged)
      self.simulated.append(simulated)
    }

    /// The mean absolute logarithm of simulated over logged quantiles, weighted.
    func discrepancy(_ levels: [(Double, Double)]) -> Double {
      guard !logged.isEmpty else { return 0 }
      let (left, right) = (logged.sorted(), simulated.sorted())
      var (sum, weights) = (0.0, 0.0)
      for (level, weight) in levels {
        let ratio =
          max(Self.sortedQuantile(right, level), Self.floorMilliseconds)
          / max(Self.sortedQuantile(left, level), Self.floorMilliseconds)
        sum += weight * abs(log(ratio))
        weights += weight
      }
      return sum / weights
    }

    /// The mean absolute logarithm of simulated over logged medians of windows of `rows` requests.
    func windowDiscrepancy(rows: Int) -> Double {
      let count = max(1, logged.count / max(rows, 1))
      var sum = 0.0
      for window in 0..<count where !logged.isEmpty {
        let range = (window * logged.count / count)..<((window + 1) * logged.count / count)
        let left = Self.quantile(Array(logged[range]), 0.5)
        let right = Self.quantile(Array(simulated[range]), 0.5)
        sum += abs(log(max(right, Self.floorMilliseconds) / max(left, Self.floorMilliseconds)))
      }
      return sum / Double(count)
    }

    /// Latencies below this do not differ to anybody, ms.
    private static let floorMilliseconds = 0.1

    static func quantile(_ values: [Double], _ level: Double) -> Double {
      sortedQuantile(values.sorted(), level)
    }

    static func sortedQuantile(_ sorted: [Double], _ level: Double) -> Double {
      guard !sorted.isEmpty else { return .nan }
      let position = level * Double(sorted.count - 1)
      let lower = Int(position)
      guard lower + 1 < sorted.count else { return sorted[sorted.count - 1] }
      return sorted[lower] + (position - Double(lower)) * (sorted[lower + 1] - sorted[lower])
    }

    static func mean(_ values: [Double]) -> Double {
      values.isEmpty ? .nan : values.reduce(0, +) / Double(values.count)
    }
  }

  var ttft = Pair()
  var tpot = Pair()
  var e2e = Pair()
  var cached = Pair()
  var usage = Pair()

  /// Compares the rows that `isIncluded` and that completed in both worlds.
  ///
  /// - Parameter outcomes: Of the rows from `firstRow` on.
  init(
    _ log: TuningLog, _ outcomes: [RequestOutcome], firstRow: Int, rows: Range<Int>,
    isIncluded: (Int) -> Bool = { _ in true }
  ) {
    for row in rows where log.replay.isComplete(row) && isIncluded(row) {
      let (logged, outcome) = (log.replay.rows[row], outcomes[row - firstRow])
      guard outcome.status == .completed else { continue }
      let delay = log.replay.dispatchDelay(row)
      ttft.add(logged.ttftMilliseconds - delay, outcome.ttftMilliseconds)
      e2e.add(logged.e2eMilliseconds - delay, outcome.e2eMilliseconds)
      if logged.outputTokens >= 2 { tpot.add(logged.tpotMilliseconds, outcome.tpotMilliseconds) }
      if logged.cachedTokens >= 0 {
        cached.add(Double(logged.cachedTokens), Double(outcome.cachedTokens))
      }
      if logged.kvCacheUsage.isFinite, outcome.snapshotUsage.isFinite {
        usage.add(Double(logged.kvCacheUsage), Double(outcome.snapshotUsage))
      }
    }
  }

  /// The mean absolute logarithm of simulated over logged quantiles of TTFT and TPOT, and of mean
  /// E2E; those that the proof bounds count more.
  var discrepancy: Double {
    guard !ttft.logged.isEmpty else { return .infinity }
    let means = log(max(Pair.mean(e2e.simulated), 0.1) / max(Pair.mean(e2e.logged), 0.1))
    return 0.4 * ttft.discrepancy(Self.levels) + 0.4 * tpot.discrepancy(Self.levels)
      + 0.2 * abs(means)
  }

  private static let levels: [(Double, Double)] = [
    (0.1, 0.5), (0.25, 1), (0.5, 2), (0.75, 1), (0.9, 2), (0.99, 0.5),
  ]

  /// Simulated cached tokens that differ from the logged, as a share of the logged.
  var cacheMismatch: Double {
    let total = cached.logged.reduce(0, +)
    guard total > 0 else { return 0 }
    var difference = 0.0
    for index in cached.logged.indices {
      difference += abs(cached.logged[index] - cached.simulated[index])
    }
    let net = abs(cached.simulated.reduce(0, +) - total)
    return (difference + net) / total
  }

  /// Mean simulated over mean logged KV usage; `nan` without usage.
  var usageRatio: Double {
    let logged = Pair.mean(usage.logged)
    return logged > 0 ? Pair.mean(usage.simulated) / logged : .nan
  }
}
