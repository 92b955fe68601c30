import Foundation

/// A 64-bit generator of known quality and four lines; the same seed gives the same stream.
///
/// - Source: Steele, Lea, Flood (2014), doi:10.1145/2660193.2660195.
struct SplitMix64: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}

/// An estimate with its 95 % interval.
public struct Interval: Sendable, Codable, Hashable {
  /// The estimate on the data as it is.
  public var estimate: Double
  /// The lower end.
  public var lower: Double
  /// The upper end.
  public var upper: Double

  /// An interval made of its parts.
  public init(estimate: Double, lower: Double, upper: Double) {
    self.estimate = estimate
    self.lower = lower
    self.upper = upper
  }
}

/// Resamples whole stretches of time, since neighbouring requests share queues and err together.
///
/// Statistics are ratios of sums, so a resample needs only each block's sums: the cost of an
/// interval does not grow with the number of requests.
///
/// - Source: Künsch (1989), doi:10.1214/aos/1176347265 (block bootstrap).
struct BlockBootstrap {
  /// How often each block is drawn, `[resample][block]`.
  private let weights: [[Double]]
  let blockCount: Int

  init(blockCount: Int, resampleCount: Int = 400, seed: UInt64 = 0x0067_6C69_6465) {
    self.blockCount = blockCount
    var random = SplitMix64(seed: seed)
    weights = (0..<resampleCount).map { _ in
      var drawn = [Double](repeating: 0, count: blockCount)
      for _ in 0..<blockCount { drawn[Int.random(in: 0..<blockCount, using: &random)] += 1 }
      return drawn
    }
  }

  /// Every resample's `Σ numerators / Σ denominators` that is finite.
  func ratios(_ numerators: [Double], _ denominators: [Double]) -> [Double] {
    weights.compactMap { drawn in
      var (above, below) = (0.0, 0.0)
      for block in 0..<blockCount {
        above += drawn[block] * numerators[block]
        below += drawn[block] * denominators[block]
      }
      let ratio = above / below
      return ratio.isFinite ? ratio : nil
    }
  }

  /// A ratio of sums with its 95 % percentile interval.
  func interval(_ numerators: [Double], _ denominators: [Double]) -> Interval {
    let estimate = numerators.reduce(0, +) / denominators.reduce(0, +)
    let sorted = ratios(numerators, denominators).sorted()
    let (low, high) = (quantile(ofSorted: sorted, 0.025), quantile(ofSorted: sorted, 0.975))
    // A ratio of sums of losses or counts is never negative.
    return Interval(
      estimate: estimate, lower: max(min(low, 0), estimate + (low - estimate) * widening),
      upper: estimate + (high - estimate) * widening)
  }

  /// What few blocks cost: Student's quantile over the normal one, and the missing degree of freedom.
  var widening: Double {
    guard blockCount > 2 else { return 1 }
    let count = Double(blockCount)
    return studentScore(upperTail: 0.025, freedom: count - 1) / 1.959964
      * (count / (count - 1)).squareRoot()
  }

  /// The standard error of a ratio of sums.
  func standardError(_ numerators: [Double], _ denominators: [Double]) -> Double {
    standardDeviation(ratios(numerators, denominators))
  }

  /// The standard error of the logarithm of a positive ratio of sums.
  func logStandardError(_ numerators: [Double], _ denominators: [Double]) -> Double {
    standardDeviation(ratios(numerators, denominators).filter { $0 > 0 }.map { log($0) })
  }

  private func standardDeviation(_ values: [Double]) -> Double {
    guard values.count > 1 else { return 0 }
    let mean = values.reduce(0, +) / Double(values.count)
    let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    return (squares / Double(values.count - 1)).squareRoot()
  }
}

/// The number of standard errors that a one-sided normal tail of `probability` lies away.
///
/// - Parameter probability: Strictly between 0 and 0.5.
/// - Source: Abramowitz and Stegun 26.2.23; absolute error below 4.5e-4.
func normalScore(upperTail probability: Double) -> Double {
  let t = (-2 * log(min(max(probability, 1e-300), 0.5))).squareRoot()
  let above = 2.515517 + t * (0.802853 + t * 0.010328)
  let below = 1 + t * (1.432788 + t * (0.189269 + t * 0.001308))
  return t - above / below
}
