/// The linearly interpolated quantile of ascending values; `nan` when there is none.
///
/// - Parameter level: 0…1; 0.5 is the median.
func quantile(ofSorted sorted: [Double], _ level: Double) -> Double {
  guard let last = sorted.last else { return .nan }
  let position = min(max(level, 0), 1) * Double(sorted.count - 1)
  let lower = Int(position)
  guard lower + 1 < sorted.count else { return last }
  let fraction = position - Double(lower)
  return sorted[lower] + fraction * (sorted[lower + 1] - sorted[lower])
}

/// The median of finite values in any order; `nan` when there is none.
func median(_ values: [Double]) -> Double {
  quantile(ofSorted: values.filter(\.isFinite).sorted(), 0.5)
}

/// The bins of one feature: up to `count` of about equal size, fewer when values repeat.
struct QuantileBins {
  /// The largest value of each bin, ascending.
  let upperBounds: [Double]
  /// The smallest value of each bin, ascending.
  let lowerBounds: [Double]

  init(_ values: [Double], count: Int) {
    let sorted = values.filter(\.isFinite).sorted()
    var uppers: [Double] = []
    for step in stride(from: 1, through: max(count, 1), by: 1) {
      let bound = quantile(ofSorted: sorted, Double(step) / Double(max(count, 1)))
      if bound.isFinite, uppers.last.map({ bound > $0 }) ?? true { uppers.append(bound) }
    }
    var lowers: [Double] = []
    var position = 0
    for bound in uppers {
      lowers.append(position < sorted.count ? sorted[position] : bound)
      while position < sorted.count, sorted[position] <= bound { position += 1 }
    }
    upperBounds = uppers
    lowerBounds = lowers
  }

  /// The bin of a value; values beyond the last bound fall in the last bin, `nan` in none.
  func index(of value: Double) -> Int? {
    guard value.isFinite, !upperBounds.isEmpty else { return nil }
    var (low, high) = (0, upperBounds.count - 1)
    while low < high {
      let middle = (low + high) / 2
      if value <= upperBounds[middle] { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
