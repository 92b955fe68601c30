/// A group of endpoints side by side: four, so that the five heads' sums of a group stay in the
/// sixteen vector registers that every x86-64 processor has.
typealias Lanes = SIMD4<Double>

/// Endpoints in a group.
let laneCount = Lanes.scalarCount

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
  max(max(x[0], x[1]), max(x[2], x[3]))
}

/// One value for all endpoints of a group.
@inline(always)
func all(_ value: Double) -> Lanes { Lanes(repeating: value) }

/// What a batch knows of a group: one element a ``LaneColumn``.
typealias LaneRows = Span<Lanes>

extension Span<Lanes> {
  /// A column of the endpoints' rows.
  @inline(always)
  subscript(column: LaneColumn) -> Lanes { self[column.rawValue] }
}

extension MutableSpan<Lanes> {
  /// Writes one endpoint's value of a column.
  @inline(always)
  mutating func set(_ column: LaneColumn, _ value: Double, _ lane: Int) {
    self[column.rawValue][lane] = value
  }

  /// Writes a feature of all endpoints.
  @inline(always)
  mutating func set(_ feature: Feature, _ value: Lanes) { self[Int(feature.rawValue)] = value }
}
