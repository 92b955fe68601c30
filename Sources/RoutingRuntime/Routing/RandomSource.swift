/// A small generator, seeded by the host: SplitMix64.
///
/// - Source: Steele, Lea and Flood (2014), doi:10.1145/2660193.2660195.
struct RandomSource: Sendable {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  /// Uniform over all 64-bit numbers.
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  /// Uniform in 0..<1.
  mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// Uniform in 0..<`count`; `count` is at least 1.
  mutating func index(below count: Int) -> Int {
    Int(truncatingIfNeeded: next().multipliedFullWidth(by: UInt64(count)).high)
  }
}
