internal import Glibc

/// The search's randomness: SplitMix64, whose state can be saved.
///
/// - Source: Steele, Lea and Flood (2014), doi:10.1145/2660193.2660195.
struct SeededGenerator: RandomNumberGenerator, Sendable, Hashable, Codable {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }

  /// Uniform in 0..<1.
  mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// Uniform in 0..<count.
  mutating func index(below count: Int) -> Int {
    Int(next().multipliedFullWidth(by: UInt64(max(count, 1))).high)
  }

  /// Standard normal, by Box and Muller.
  mutating func normal() -> Double {
    let radius = (-2 * log(max(uniform(), 0x1p-53))).squareRoot()
    return radius * cos(2 * Double.pi * uniform())
  }
}
