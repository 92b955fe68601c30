internal import CoefficientFile

/// The heads of one target on eight endpoints.
struct LaneHeads: Sendable {
  var mean = all(0)
  var p50 = all(0)
  var p90 = all(0)
  var p95 = all(0)
  var p99 = all(0)

  /// Five columns in a row; without need of all, the first alone.
  @inline(__always)
  init(_ rows: Span<Lanes>, _ first: LaneColumn, need: HeadNeed) {
    mean = rows[first.rawValue]
    guard need == .all else { return }
    p50 = rows[first.rawValue + 1]
    p90 = rows[first.rawValue + 2]
    p95 = rows[first.rawValue + 3]
    p99 = rows[first.rawValue + 4]
  }

  init() {}

  /// The same five values for all.
  init(_ values: [Double]) {
    mean = all(values[0])
    p50 = all(values[1])
    p90 = all(values[2])
    p95 = all(values[3])
    p99 = all(values[4])
  }

  /// Adds other sums to all heads, or to the mean alone.
  @inline(__always)
  mutating func add(_ other: LaneHeads, need: HeadNeed) {
    mean += other.mean
    guard need == .all else { return }
    p50 += other.p50
    p90 += other.p90
    p95 += other.p95
    p99 += other.p99
  }

  /// Writes the heads into five columns in a row.
  func write(to rows: inout MutableSpan<Lanes>, _ first: LaneColumn) {
    rows[first.rawValue] = mean
    rows[first.rawValue + 1] = p50
    rows[first.rawValue + 2] = p90
    rows[first.rawValue + 3] = p95
    rows[first.rawValue + 4] = p99
  }

  /// Adds terms to all heads, or to the mean alone.
  @inline(__always)
  mutating func add(_ terms: [LaneTerm], _ slots: Span<Lanes>, need: HeadNeed) {
    guard need == .all else {
      addToMean(terms, slots)
      return
    }
    // Four endpoints at a time: their sums stay in registers while each term is read once.
    var half = HalfHeads(
      mean: mean.lowHalf, p50: p50.lowHalf, p90: p90.lowHalf, p95: p95.lowHalf, p99: p99.lowHalf)
    half.addLow(terms, slots)
    let low = half
    half = HalfHeads(
      mean: mean.highHalf, p50: p50.highHalf, p90: p90.highHalf, p95: p95.highHalf,
      p99: p99.highHalf)
    half.addHigh(terms, slots)
    mean = Lanes(lowHalf: low.mean, highHalf: half.mean)
    p50 = Lanes(lowHalf: low.p50, highHalf: half.p50)
    p90 = Lanes(lowHalf: low.p90, highHalf: half.p90)
    p95 = Lanes(lowHalf: low.p95, highHalf: half.p95)
    p99 = Lanes(lowHalf: low.p99, highHalf: half.p99)
  }

  private mutating func addToMean(_ terms: [LaneTerm], _ slots: Span<Lanes>) {
    let terms = terms.span
    var (low, high) = (mean.lowHalf, mean.highHalf)
    for index in terms.indices {
      let x = slots[terms[index].slot]
      low += terms[index].coefficients.mean * x.lowHalf
      high += terms[index].coefficients.mean * x.highHalf
    }
    mean = Lanes(lowHalf: low, highHalf: high)
  }

  /// The sums, scaled by the endpoints' groups, and the constants.
  @inline(__always)
  mutating func finish(scale: Lanes, _ constants: LaneHeads) {
    mean = constants.mean + scale * mean
    p50 = constants.p50 + scale * p50
    p90 = constants.p90 + scale * p90
    p95 = constants.p95 + scale * p95
    p99 = constants.p99 + scale * p99
  }

  /// Raises levels to the level below.
  @inline(__always)
  mutating func uncross() {
    p90 = larger(p90, p50)
    p95 = larger(p95, p90)
    p99 = larger(p99, p95)
  }

  /// Raises heads to `floor` and to the level below.
  @inline(__always)
  mutating func raise(to floor: Double) {
    mean = larger(mean, all(floor))
    p50 = larger(p50, all(floor))
    uncross()
  }

  /// One endpoint's.
  @inline(__always)
  subscript(lane: Int) -> HeadValues {
    HeadValues(mean: mean[lane], p50: p50[lane], p90: p90[lane], p95: p95[lane], p99: p99[lane])
  }

  /// The head that decides at `level`: 0 for the mean, else the nearest level not below it.
  func deciding(_ level: Double) -> Lanes {
    if level <= 0 { return mean }
    if level <= 0.5 { return p50 }
    if level <= 0.9 { return p90 }
    return level <= 0.95 ? p95 : p99
  }
}

/// Which heads somebody will look at: none, the mean alone, or all.
enum HeadNeed: Int, Comparable {
  case none, mean, all

  static func < (a: HeadNeed, b: HeadNeed) -> Bool { a.rawValue < b.rawValue }
}

/// A term of a target: where its value is found, and what each head multiplies it by.
struct LaneTerm: Sendable {
  var slot: Int
  var coefficients: LaneCoefficients
}

/// The calibrated coefficients of a term, each four times, so that none must be spread when used.
struct LaneCoefficients: Sendable {
  var mean: SIMD4<Double>
  var p50: SIMD4<Double>
  var p90: SIMD4<Double>
  var p95: SIMD4<Double>
  var p99: SIMD4<Double>

  /// `nil` for a term that no head uses.
  init?(_ target: TargetModel, term: Int) {
    let values = target.heads.prefix(5).map { $0.coefficients[term] * $0.calibration }
    guard values.count == 5, values.contains(where: { $0 != 0 }) else { return nil }
    mean = SIMD4(repeating: values[0])
    p50 = SIMD4(repeating: values[1])
    p90 = SIMD4(repeating: values[2])
    p95 = SIMD4(repeating: values[3])
    p99 = SIMD4(repeating: values[4])
  }
}

/// The heads of four endpoints.
private struct HalfHeads {
  var mean: SIMD4<Double>
  var p50: SIMD4<Double>
  var p90: SIMD4<Double>
  var p95: SIMD4<Double>
  var p99: SIMD4<Double>

  mutating func addLow(_ terms: [LaneTerm], _ slots: Span<Lanes>) {
    let terms = terms.span
    var sums = self
    for index in terms.indices {
      sums.add(terms[index].coefficients, slots[terms[index].slot].lowHalf)
    }
    self = sums
  }

  mutating func addHigh(_ terms: [LaneTerm], _ slots: Span<Lanes>) {
    let terms = terms.span
    var sums = self
    for index in terms.indices {
      sums.add(terms[index].coefficients, slots[terms[index].slot].highHalf)
    }
    self = sums
  }

  @inline(__always)
  private mutating func add(_ coefficients: LaneCoefficients, _ x: SIMD4<Double>) {
    mean += coefficients.mean * x
    p50 += coefficients.p50 * x
    p90 += coefficients.p90 * x
    p95 += coefficients.p95 * x
    p99 += coefficients.p99 * x
  }
}
