internal import Glibc

/// How much one parameter of a policy matters.
public struct ParameterSensitivity: Sendable, Hashable, Codable {
  /// Its name.
  public var name: String
  /// The values tried around the optimum, all else as tuned.
  public var values: [Double]
  /// The objective's cost at each; 0 is the baseline's.
  public var costs: [Double]
  /// Spearman's rank correlation of the parameter and the cost over the whole search; `nan`
  /// without enough evaluations.
  public var rankCorrelation: Double

  /// The highest cost less the lowest among the values tried.
  public var swing: Double { (costs.max() ?? 0) - (costs.min() ?? 0) }

  /// The rank correlation of two series; ties share their mean rank.
  ///
  /// - Complexity: O(*n* log *n*).
  public static func rankCorrelation(_ left: [Double], _ right: [Double]) -> Double {
    guard left.count == right.count, left.count >= 3 else { return .nan }
    let (a, b) = (ranks(left), ranks(right))
    let mean = Double(left.count - 1) / 2
    var (ab, aa, bb) = (0.0, 0.0, 0.0)
    for index in a.indices {
      ab += (a[index] - mean) * (b[index] - mean)
      aa += (a[index] - mean) * (a[index] - mean)
      bb += (b[index] - mean) * (b[index] - mean)
    }
    return aa > 0 && bb > 0 ? ab / (aa * bb).squareRoot() : .nan
  }

  private static func ranks(_ values: [Double]) -> [Double] {
    let order = values.indices.sorted { values[$0] < values[$1] }
    var result = [Double](repeating: 0, count: values.count)
    var start = 0
    while start < order.count {
      var end = start + 1
      while end < order.count, values[order[end]] == values[order[start]] { end += 1 }
      for position in start..<end { result[order[position]] = Double(start + end - 1) / 2 }
      start = end
    }
    return result
  }
}
