/// Eight endpoints side by side.
typealias Lanes = SIMD8<Double>

/// The larger of each pair; the standard library's `pointwiseMax` takes the lanes one by one.
@inline(__always)
func larger(_ a: Lanes, _ b: Lanes) -> Lanes { a.replacing(with: b, where: b .> a) }

/// The smaller of each pair.
@inline(__always)
func smaller(_ a: Lanes, _ b: Lanes) -> Lanes { a.replacing(with: b, where: b .< a) }

/// The largest lane; no lane may be NaN.
@inline(__always)
func largest(_ x: Lanes) -> Double {
  let (a, b) = (x.lowHalf, x.highHalf)
  let four = a.replacing(with: b, where: b .> a)
  let (c, d) = (four.lowHalf, four.highHalf)
  let two = c.replacing(with: d, where: d .> c)
  return max(two[0], two[1])
}

/// One value for all eight.
@inline(__always)
func all(_ value: Double) -> Lanes { Lanes(repeating: value) }

/// What a batch knows of eight endpoints: one element a ``LaneColumn``.
typealias LaneRows = Span<Lanes>

extension Span<Lanes> {
  /// A column of the endpoints' rows.
  @inline(__always)
  subscript(column: LaneColumn) -> Lanes { self[column.rawValue] }
}

extension MutableSpan<Lanes> {
  /// Writes one endpoint's value of a column.
  @inline(__always)
  mutating func set(_ column: LaneColumn, _ value: Double, _ lane: Int) {
    self[column.rawValue][lane] = value
  }

  /// Writes a feature of all eight endpoints.
  @inline(__always)
  mutating func set(_ feature: Feature, _ value: Lanes) { self[Int(feature.rawValue)] = value }
}
