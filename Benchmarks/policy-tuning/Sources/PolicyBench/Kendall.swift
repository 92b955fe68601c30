/// How well two rankings agree.
struct Kendall {
  /// Kendall's τ-b over all pairs.
  var all = Double.nan
  /// Over the pairs that the first ranking tells apart.
  var resolved = Double.nan
  /// Pairs that it does not.
  var tiedPairs = 0

  /// Compares two scores of the same items.
  ///
  /// - Parameter isTied: Whether the first ranking does not tell a pair apart.
  /// - Source: Kendall (1945), doi:10.1093/biomet/33.3.239.
  init(_ first: [Double], _ second: [Double], isTied: (Int, Int) -> Bool) {
    var (sum, left, right) = (0, 0, 0)
    var (resolvedSum, resolvedCount) = (0, 0)
    for a in first.indices {
      for b in first.indices where b > a {
        let x = Self.sign(first[a] - first[b])
        let y = Self.sign(second[a] - second[b])
        sum += x * y
        left += x * x
        right += y * y
        if isTied(a, b) {
          tiedPairs += 1
        } else {
          resolvedSum += x * y
          resolvedCount += 1
        }
      }
    }
    all = Double(sum) / (Double(left) * Double(right)).squareRoot()
    resolved = Double(resolvedSum) / Double(max(resolvedCount, 1))
  }

  private static func sign(_ value: Double) -> Int { value > 0 ? 1 : value < 0 ? -1 : 0 }
}

/// Student's t.
enum Student {
  /// The 97.5 % quantile for `freedom` degrees of freedom.
  static func quantile(_ freedom: Int) -> Double {
    let table = [
      12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
      2.145, 2.131, 2.120, 2.110, 2.101, 2.093,
    ]
    return freedom < 1 ? .infinity : freedom <= table.count ? table[freedom - 1] : 2.0
  }

  /// The mean of paired values with its 95 % half-width.
  static func interval(_ values: [Double]) -> (mean: Double, halfWidth: Double) {
    let count = Double(values.count)
    let mean = values.reduce(0, +) / count
    let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    let error = (squares / max(count - 1, 1) / count).squareRoot()
    return (mean, error * quantile(values.count - 1))
  }
}
