import Foundation

extension DensityGrid {
  /// Bins predicted medians against outcomes; axes reach from the 0.1th to the 99.9th percentile
  /// of both, and what lies beyond falls on the border.
  init(_ columns: TargetColumns, side: Int) {
    let actual = columns.actual
    let predicted = columns.levels[0].map { max($0, 1e-6) }
    let (a, p) = (actual.sorted(), predicted.sorted())
    let lower = min(quantile(ofSorted: a, 0.001), quantile(ofSorted: p, 0.001))
    let upper = max(quantile(ofSorted: a, 0.999), quantile(ofSorted: p, 0.999))
    self.init(
      side: side, lowerMilliseconds: lower.isFinite ? lower * 0.9 : 1,
      upperMilliseconds: upper.isFinite ? max(upper * 1.1, lower * 2) : 10, cells: [],
      counts: [])
    let start = log(lowerMilliseconds)
    let width = (log(upperMilliseconds) - start) / Double(side)
    func position(_ value: Double) -> Int {
      Int(min(max((log(value) - start) / width, 0), Double(side - 1)))
    }
    var held = [Int](repeating: 0, count: side * side)
    for (outcome, said) in zip(actual, predicted) {
      held[position(said) * side + position(outcome)] += 1
    }
    for (cell, count) in held.enumerated() where count > 0 {
      cells.append(cell)
      counts.append(count)
    }
  }
}

/// Groups one target's errors along some axis.
struct ResidualBins {
  let columns: TargetColumns

  /// Bins of equal width; empty ones are left out.
  func equallyWide(_ values: [Double], count: Int) -> [ResidualBin] {
    guard let lower = values.min(), let upper = values.max(), upper > lower else { return [] }
    let width = (upper - lower) / Double(count)
    var members = [[Int]](repeating: [], count: count)
    for (sample, row) in columns.rows.enumerated() {
      members[min(Int((values[row] - lower) / width), count - 1)].append(sample)
    }
    return members.enumerated().compactMap { bin, samples in
      self.bin(samples, lower + Double(bin) * width, lower + Double(bin + 1) * width)
    }
  }

  /// Bins of about equal size; fewer when values repeat.
  func equallyFull(_ values: [Double], count: Int) -> [ResidualBin] {
    let bins = QuantileBins(columns.rows.map { values[$0] }, count: count)
    var members = [[Int]](repeating: [], count: bins.upperBounds.count)
    for (sample, row) in columns.rows.enumerated() {
      if let bin = bins.index(of: values[row]) { members[bin].append(sample) }
    }
    return members.enumerated().compactMap { bin, samples in
      self.bin(samples, bins.lowerBounds[bin], bins.upperBounds[bin])
    }
  }

  private func bin(_ samples: [Int], _ lower: Double, _ upper: Double) -> ResidualBin? {
    guard !samples.isEmpty else { return nil }
    let (median, p90) = (columns.levels[0], columns.levels[1])
    let ratios = samples.map { median[$0] / columns.actual[$0] }.sorted()
    let covered = samples.count { columns.actual[$0] <= p90[$0] }
    return ResidualBin(
      lower: lower, upper: upper, count: samples.count,
      ratioP10: quantile(ofSorted: ratios, 0.1), ratioP50: quantile(ofSorted: ratios, 0.5),
      ratioP90: quantile(ofSorted: ratios, 0.9),
      p90Coverage: Double(covered) / Double(samples.count))
  }
}
