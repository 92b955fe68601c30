import Foundation

/// One feature's distribution in training and in the judged block, over the same bins.
public struct FeatureDistribution: Sendable, Codable, Hashable {
  /// The feature's name.
  public var name: String
  /// Its unit; empty when it has none.
  public var unit: String
  /// The upper bound of every bin but the last, ascending.
  public var bounds: [Double]
  /// Training rows per bin; one more than ``bounds``.
  public var trainingCounts: [Int]
  /// Judged rows per bin; as long as ``trainingCounts``.
  public var judgedCounts: [Int]

  /// Counts made elsewhere, for example from quantiles kept beside a model.
  public init(
    name: String, unit: String, bounds: [Double], trainingCounts: [Int], judgedCounts: [Int]
  ) {
    self.name = name
    self.unit = unit
    self.bounds = bounds
    self.trainingCounts = trainingCounts
    self.judgedCounts = judgedCounts
  }

  /// Bins at the training block's quantiles; values that are not finite are left out.
  ///
  /// - Parameter binCount: 2 or more; fewer bins come out when values repeat.
  public init(
    name: String, unit: String, training: [Double], judged: [Double], binCount: Int = 10
  ) {
    let bins = QuantileBins(training, count: binCount)
    var trainingCounts = [Int](repeating: 0, count: max(bins.upperBounds.count, 1))
    var judgedCounts = trainingCounts
    for value in training { if let bin = bins.index(of: value) { trainingCounts[bin] += 1 } }
    for value in judged { if let bin = bins.index(of: value) { judgedCounts[bin] += 1 } }
    self.init(
      name: name, unit: unit, bounds: Array(bins.upperBounds.dropLast()),
      trainingCounts: trainingCounts, judgedCounts: judgedCounts)
  }

  /// Population stability index: `Σ (q − p) ln(q / p)` over the bins, each count raised by ½ so
  /// that an empty bin stays finite.
  public var stabilityIndex: Double {
    guard trainingCounts.count == judgedCounts.count, trainingCounts.count > 1 else { return 0 }
    let bins = Double(trainingCounts.count)
    let trained = Double(trainingCounts.reduce(0, +)) + bins / 2
    let judged = Double(judgedCounts.reduce(0, +)) + bins / 2
    return zip(trainingCounts, judgedCounts).reduce(0) { total, counts in
      let p = (Double(counts.0) + 0.5) / trained
      let q = (Double(counts.1) + 0.5) / judged
      return total + (q - p) * log(q / p)
    }
  }

  /// The conventional reading of the index.
  public var drift: DriftMark {
    switch stabilityIndex {
    case ..<0.1: .stable
    case ..<0.25: .moderate
    default: .large
    }
  }
}

/// The conventional marks of the population stability index.
public enum DriftMark: String, Sendable, Codable {
  /// Below 0.1.
  case stable
  /// 0.1 to 0.25.
  case moderate
  /// 0.25 and above.
  case large
}
