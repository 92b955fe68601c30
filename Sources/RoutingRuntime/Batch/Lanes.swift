/// A group of endpoints side by side: four, so that the five heads' sums of a group stay in the
/// sixteen vector registers that every x86-64 processor has.
typealias Lanes = SIMD4<Double>

/// Endpoints in a group.
let laneCount = Lanes.scalarCount

/// The group of an endpoint, and its place there; no endpoint has a negative number.
@inline(always)
func lanePlace(_ endpoint: Int) -> (group: Int, lane: Int) {
  let number = UInt(bitPattern: endpoint)
  return (
    Int(bitPattern: number / UInt(laneCount)), Int(bitPattern: number % UInt(laneCount))
  )
}

// Lane by lane, since that is what the compiler makes vector instructions of; what the standard
// library has for it goes through masks, or takes the lanes one by one.

/// The larger of each pair; `a` where one is NaN.
@inline(always)
func larger(_ a: Lanes, _ b: Lanes) -> Lanes {
  Lanes(
    b[0] > a[0] ? b[0] : a[0], b[1] > a[1] ? b[1] : a[1], b[2] > a[2] ? b[2] : a[2],
    b[3] > a[3] ? b[3] : a[3])
}

/// The smaller of each pair; `a` where one is NaN.
@inline(always)
func smaller(_ a: Lanes, _ b: Lanes) -> Lanes {
  Lanes(
    b[0] < a[0] ? b[0] : a[0], b[1] < a[1] ? b[1] : a[1], b[2] < a[2] ? b[2] : a[2],
    b[3] < a[3] ? b[3] : a[3])
}

/// `a` where `x` is above `limit`, else `b`.
@inline(always)
func choose(_ x: Lanes, above limit: Double, _ a: Lanes, _ b: Lanes) -> Lanes {
  Lanes(
    x[0] > limit ? a[0] : b[0], x[1] > limit ? a[1] : b[1], x[2] > limit ? a[2] : b[2],
    x[3] > limit ? a[3] : b[3])
}

/// The largest lane; no lane may be NaN.
@inline(always)
func largest(_ x: Lanes) -> Double {
  let (low, high) = (x[1] > x[0] ? x[1] : x[0], x[3] > x[2] ? x[3] : x[2])
  return high > low ? high : low
}

/// One value for all endpoints of a group.
@inline(always)
func all(_ value: Double) -> Lanes { Lanes(repeating: value) }

/// The powers of e of each lane, within two units in the last place; for |x| up to 700.
///
/// By e^x = 2^n · e^r with |r| ≤ ln 2 / 2, and the series of e^r up to r¹³, whose rest is below
/// 1e-17: no lane waits for another, as four calls of `exp` would.
@inline(always)
func exponential(_ x: Lanes) -> Lanes {
  // Adding it rounds to a whole number, which the sum's last bits hold.
  let shifter = 6_755_399_441_055_744.0
  let shifted = x * 1.442_695_040_888_963_4 + shifter
  let n = shifted - shifter
  let r = x - n * 0.693_147_180_369_123_8 - n * 1.908_214_929_270_587_7e-10
  var sum = r * 1.605_904_383_682_161_5e-10 + 2.087_675_698_786_809_9e-9
  sum = r * sum + 2.505_210_838_544_172e-8
  sum = r * sum + 2.755_731_922_398_589e-7
  sum = r * sum + 2.755_731_922_398_589e-6
  sum = r * sum + 2.480_158_730_158_73e-5
  sum = r * sum + 1.984_126_984_126_984e-4
  sum = r * sum + 1.388_888_888_888_889e-3
  sum = r * sum + 8.333_333_333_333_333e-3
  sum = r * sum + 4.166_666_666_666_666_4e-2
  sum = r * sum + 1.666_666_666_666_666_6e-1
  sum = r * sum + 0.5
  sum = r * sum + 1
  sum = r * sum + 1
  let exponents = SIMD4<UInt64>(
    shifted[0].bitPattern, shifted[1].bitPattern, shifted[2].bitPattern, shifted[3].bitPattern)
  let powers = (exponents &<< 52) &+ 0x3ff0_0000_0000_0000
  return sum
    * Lanes(
      Double(bitPattern: powers[0]), Double(bitPattern: powers[1]),
      Double(bitPattern: powers[2]), Double(bitPattern: powers[3]))
}
