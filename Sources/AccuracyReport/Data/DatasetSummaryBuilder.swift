import Foundation

extension DatasetSummary {
  /// Summarizes a log one row at a time; memory does not grow with the log.
  public struct Builder: Sendable {
    private var summary = DatasetSummary()
    private let previousLast: Int64?
    private var pool = GroupAccumulator()
    private var endpoints: [String: GroupAccumulator] = [:]
    private var gateways: [String: GroupAccumulator] = [:]
    private var minutes: [Int64: (count: Int, logTTFT: Double, timed: Int)] = [:]
    private var exact = RepeatCounter()
    private var content = RepeatCounter()
    private var counts = OddityCounts()
    private var sample = OutcomeSample()

    /// - Parameter previous: What the champion learned from; tells which rows are new.
    public init(previous: DatasetSummary? = nil) {
      previousLast = previous?.lastNanoseconds
    }

    /// Tells of lines that the ingest put aside.
    public mutating func addQuarantined(_ count: Int) { summary.quarantinedCount += count }

    /// Takes in one row, in any order.
    public mutating func add(_ row: DatasetRow) {
      summary.rowCount += 1
      if previousLast.map({ row.receivedNanoseconds > $0 }) ?? true {
        summary.newerRowCount += 1
      }
      summary.statusCounts["\(row.status)", default: 0] += 1
      summary.modelCounts[row.model, default: 0] += 1
      pool.add(row)
      endpoints[row.endpoint, default: GroupAccumulator()].add(row)
      gateways[row.gateway, default: GroupAccumulator()].add(row)
      counts.add(row)
      addMinute(row)
      addHashes(row)
    }

    private mutating func addMinute(_ row: DatasetRow) {
      let minute = row.receivedNanoseconds / 60_000_000_000
      var held = minutes[minute] ?? (0, 0, 0)
      held.count += 1
      if row.ttftMilliseconds > 0, row.ttftMilliseconds.isFinite {
        held.logTTFT += log(row.ttftMilliseconds)
        held.timed += 1
      }
      minutes[minute] = held
    }

    private mutating func addHashes(_ row: DatasetRow) {
      var hash = StableHash()
      hash.combine(row.endpoint)
      for value in [
        row.inputTokens, row.outputTokens, row.ttftMilliseconds, row.e2eMilliseconds,
      ] { hash.combine(value) }
      content.add(hash.value)
      hash.combine(UInt64(bitPattern: row.receivedNanoseconds))
      exact.add(hash.value)
      sample.add(row, hash: hash.value)
    }

    /// The summary of every row so far.
    public func build() -> DatasetSummary {
      var built = summary
      built.pool = pool.summary
      built.firstNanoseconds = built.pool.firstNanoseconds
      built.lastNanoseconds = built.pool.lastNanoseconds
      built.endpoints = endpoints.mapValues(\.summary)
      built.gateways = gateways.mapValues(\.summary)
      built.shares = counts.shares(rows: summary.rowCount)
      built.shares.duplicated = exact.share
      built.shares.repeatedContent = content.share
      built.outcomeCorrelations = sample.correlations()
      (built.slots, built.largestGapSeconds) = slotted()
      return built
    }

    private func slotted() -> ([TimeSlot], Double) {
      let held = minutes.keys.sorted()
      guard let first = held.first, let last = held.last else { return ([], 0) }
      var gap: Int64 = 0
      for (earlier, later) in zip(held, held.dropFirst()) { gap = max(gap, later - earlier - 1) }
      let width = max(1, (last - first + 240) / 240)
      let slotCount = Int((last - first) / width) + 1
      var totals = [(count: Int, logTTFT: Double, timed: Int)](
        repeating: (0, 0, 0), count: slotCount)
      for minute in held {
        guard let one = minutes[minute] else { continue }
        let slot = Int((minute - first) / width)
        totals[slot].count += one.count
        totals[slot].logTTFT += one.logTTFT
        totals[slot].timed += one.timed
      }
      let slots = totals.map { total in
        TimeSlot(
          count: total.count,
          ttftMilliseconds: total.timed > 0
            ? exp(total.logTTFT / Double(total.timed)) : .nan)
      }
      return (slots, Double(gap) * 60)
    }
  }
}

/// One group's running totals.
private struct GroupAccumulator: Sendable {
  private var count = 0
  private var first = Int64.max
  private var last = Int64.min
  private var accelerators: [String: Int] = [:]
  private var sketches = DatasetColumn.allCases.map { _ in LogSketch() }
  private var residuals = PairMoments()
  private var spread = RatioSketch()
  private var engineTotal = 0.0
  private var replayTotal = 0.0

  mutating func add(_ row: DatasetRow) {
    count += 1
    first = min(first, row.receivedNanoseconds)
    last = max(last, row.receivedNanoseconds)
    accelerators[row.accelerator, default: 0] += 1
    for (index, column) in DatasetColumn.allCases.enumerated() {
      sketches[index].add(row.value(column), at: row.receivedNanoseconds)
    }
    if row.ttftMilliseconds > 0, row.championTTFTMilliseconds > 0 {
      residuals.add(log(row.ttftMilliseconds), log(row.championTTFTMilliseconds))
      spread.add(row.ttftMilliseconds / row.championTTFTMilliseconds)
    }
    let engine = row.waiting + row.running
    if engine.isFinite, row.replayedInFlight.isFinite {
      engineTotal += engine
      replayTotal += row.replayedInFlight
    }
  }

  var summary: GroupSummary {
    var columns: [String: ColumnSummary] = [:]
    for (column, sketch) in zip(DatasetColumn.allCases, sketches) {
      columns[column.rawValue] = sketch.summary
    }
    return GroupSummary(
      count: count, firstNanoseconds: first, lastNanoseconds: last, accelerators: accelerators,
      columns: columns,
      residual: ResidualSummary(
        count: residuals.count, ratio: exp(residuals.meanDifference),
        logSpread: spread.logSpread,
        correlation: residuals.count > 1 ? residuals.correlation : .nan),
      engineOverReplay: replayTotal > 0 ? engineTotal / replayTotal : .nan)
  }
}

private struct OddityCounts: Sendable {
  private var above = 0
  private var equal = 0
  private var unusable = 0
  private var inconsistent = 0
  private var late = 0
  private var dispatched = 0

  mutating func add(_ row: DatasetRow) {
    let (ttft, e2e) = (row.ttftMilliseconds, row.e2eMilliseconds)
    if row.status == 200, !(ttft.isFinite && e2e.isFinite && ttft >= 0 && e2e >= 0) {
      unusable += 1
    }
    if ttft > e2e { above += 1 }
    if ttft == e2e, row.outputTokens > 1 { equal += 1 }
    let delay = row.dispatchDelayMilliseconds
    if delay.isFinite, ttft > 0 {
      dispatched += 1
      // Within 2 %, or later: the engine would have answered at once.
      if delay > 0.98 * ttft { late += 1 }
    }
    let (logged, derived) = (row.loggedTPOTMilliseconds, row.tpotMilliseconds)
    if logged.isFinite, derived.isFinite, abs(logged - derived) > 0.1 * abs(derived) + 0.05 {
      inconsistent += 1
    }
  }

  func shares(rows: Int) -> OddityShares {
    func share(_ count: Int) -> Double { rows > 0 ? Double(count) / Double(rows) : 0 }
    return OddityShares(
      ttftAboveE2E: share(above), ttftEqualsE2E: share(equal), unusableLatency: share(unusable),
      inconsistentTPOT: share(inconsistent),
      dispatchedAtFirstToken: dispatched >= 100 ? Double(late) / Double(dispatched) : 0)
  }
}
