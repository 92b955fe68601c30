internal import Glibc

/// Seeded noise for simulations: uniform, normal, exponential and log-normal numbers.
///
/// - Source: Steele, Lea and Flood (2014), doi:10.1145/2660193.2660195, for the generator.
public struct NoiseSource: RandomNumberGenerator, Sendable {
  private var state: UInt64

  /// A source whose sequence `seed` determines.
  public init(seed: UInt64) { state = seed }

  /// Uniform over all 64-bit numbers.
  public mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  /// Uniform in 0..<1.
  public mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// Uniform in 0..<`count`; `count` is at least 1.
  public mutating func index(below count: Int) -> Int {
    Int(truncatingIfNeeded: next().multipliedFullWidth(by: UInt64(max(count, 1))).high)
  }

  /// Exponential with mean 1.
  public mutating func exponential() -> Double { -log(1 - uniform()) }

  /// Standard normal: the sum of the four 16-bit parts of one draw, made exact in its first four
  /// moments by a cubic.
  ///
  /// The sum of four uniforms has excess kurtosis −0.3; with x standardized, the cubic
  /// 0.949 x + 0.0186 x³ brings it to that of the normal. Beyond ±4.06 nothing is drawn.
  public mutating func normal() -> Double {
    let bits = next()
    let sum =
      (bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48)
    let x = (Double(sum) - 131_070) * Self.normalScale
    return x * (Self.linear + Self.cubic * x * x)
  }

  /// Log-normal with mean 1.
  ///
  /// - Parameter sigma: The logarithm's standard deviation.
  public mutating func logNormal(sigma: Double) -> Double {
    sigma > 0 ? exp(sigma * normal() - 0.5 * sigma * sigma) : 1
  }

  /// The reciprocal standard deviation of the sum of four uniform 16-bit numbers.
  private static let normalScale = 1 / (65_536 * 0.577_350_269_189_625_8)
  private static let linear = 0.949_037
  private static let cubic = 0.018_641
}
