import Foundation

/// A bounded sample of rows, for how closely each dispatch-time column follows an outcome.
///
/// The rows with the smallest hashes are kept, so that neither their order nor the number of rows
/// decides; up to 8,192 rows the sample is the log.
struct OutcomeSample: Sendable {
  private struct Row {
    var hash: UInt64
    var values: [Float]
    var isCut: [Bool]
    var outcomes: [Float]
  }

  private var rows: [Row] = []
  private var largestHash = UInt64.max
  private let capacity: Int

  /// Fewer rows than this show nothing.
  private static let fewest = 100

  init(capacity: Int = 8_192) { self.capacity = capacity }

  mutating func add(_ row: DatasetRow, hash: UInt64) {
    guard hash <= largestHash else { return }
    let columns = DatasetColumn.knownAtDispatch
    rows.append(
      Row(
        hash: hash, values: columns.map { Float(row.value($0)) },
        isCut: columns.map { row.value($0) >= row.ceiling($0) },
        outcomes: [row.ttftMilliseconds, row.e2eMilliseconds, row.tpotMilliseconds]
          .map { Float($0) }))
    if rows.count >= 2 * capacity { shrink() }
  }

  private mutating func shrink() {
    rows.sort { $0.hash < $1.hash }
    rows.removeLast(max(0, rows.count - capacity))
    largestHash = rows.last?.hash ?? .max
  }

  /// The closest correlation of each column with each outcome, by column name.
  ///
  /// Values, logarithms and ranks are tried, on all rows and on those in which the value was not cut
  /// off: a column filled from the outcome and clipped to what is possible still gives itself away
  /// where it was not clipped.
  func correlations() -> [String: OutcomeCorrelation] {
    var kept = self
    kept.shrink()
    var found: [String: OutcomeCorrelation] = [:]
    for (position, column) in DatasetColumn.knownAtDispatch.enumerated() {
      let largest = (0..<3).map { kept.closest(position, $0) }
      found[column.rawValue] = OutcomeCorrelation(
        ttft: largest[0], e2e: largest[1], tpot: largest[2])
    }
    return found
  }

  private func closest(_ column: Int, _ outcome: Int) -> Double {
    let known = rows.filter { $0.values[column].isFinite && $0.outcomes[outcome].isFinite }
    let extremes = Self.crowdedEnds(known.map { $0.values[column] })
    let inner = known.filter {
      !$0.isCut[column] && !extremes.contains($0.values[column])
    }
    let sets = inner.count >= max(Self.fewest, known.count / 20) ? [known, inner] : [known]
    return sets.map { set in
      Self.closest(
        set.map { Double($0.values[column]) }, set.map { Double($0.outcomes[outcome]) })
    }.max() ?? 0
  }

  /// The smallest and the largest value where many rows share it: something was cut off there.
  private static func crowdedEnds(_ values: [Float]) -> [Float] {
    guard let low = values.min(), let high = values.max() else { return [] }
    return [low, high].filter { end in values.count { $0 == end } > values.count / 20 }
  }

  private static func closest(_ x: [Double], _ y: [Double]) -> Double {
    guard x.count >= fewest else { return 0 }
    func correlation(_ a: [Double], _ b: [Double]) -> Double {
      var moments = PairMoments()
      for (left, right) in zip(a, b) { moments.add(left, right) }
      return abs(moments.correlation)
    }
    var best = correlation(x, y)
    if x.allSatisfy({ $0 >= 0 }), y.allSatisfy({ $0 >= 0 }) {
      best = max(best, correlation(x.map { log1p($0) }, y.map { log1p($0) }))
    }
    // Sorting is dear, and what follows an outcome bent also follows it roughly.
    return best > 0.5 ? max(best, correlation(ranks(x), ranks(y))) : best
  }

  /// Positions in ascending order; equal values share their mean position.
  static func ranks(_ values: [Double]) -> [Double] {
    let order = values.indices.sorted { values[$0] < values[$1] }
    var ranks = [Double](repeating: 0, count: values.count)
    var start = 0
    while start < order.count {
      var end = start
      while end < order.count, values[order[end]] == values[order[start]] { end += 1 }
      for place in start..<end { ranks[order[place]] = Double(start + end - 1) / 2 }
      start = end
    }
    return ranks
  }
}
