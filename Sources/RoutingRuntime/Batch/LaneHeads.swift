internal import CoefficientFile

/// The heads of one target on a group of endpoints.
struct LaneHeads: Sendable {
  var mean = all(0)
  var p50 = all(0)
  var p90 = all(0)
  var p95 = all(0)
  var p99 = all(0)

  /// Five columns in a row; without need of all, the first alone.
  @inline(always)
  init(_ rows: LaneRows, _ first: LaneColumn, need: HeadNeed) {
    mean = rows[first]
    guard need == .all else { return }
    p50 = rows[first, 1]
    p90 = rows[first, 2]
    p95 = rows[first, 3]
    p99 = rows[first, 4]
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
  @inline(always)
  mutating func add(_ other: LaneHeads, need: HeadNeed) {
    mean += other.mean
    guard need == .all else { return }
    p50 += other.p50
    p90 += other.p90
    p95 += other.p95
    p99 += other.p99
  }

  /// Writes the heads into five columns in a row.
  func write(to rows: LaneRows, _ first: LaneColumn) {
    rows[first] = mean
    rows[first, 1] = p50
    rows[first, 2] = p90
    rows[first, 3] = p95
    rows[first, 4] = p99
  }

  /// Adds terms to all heads, or to the mean alone.
  @inline(always)
  mutating func add(_ terms: LaneTerms, _ slots: LaneSlots, need: HeadNeed) {
    switch need {
    case .none, .mean:
      mean = terms.mean(slots, from: mean)
      return
    case .center:
      (mean, p50) = terms.center(slots, from: (mean, p50))
      return
    case .all: break
    }
    let terms = terms.all
    var sums = self
    for index in terms.indices {
      let x = slots[terms[index].slot]
      sums.mean += terms[index].mean * x
      sums.p50 += terms[index].p50 * x
      sums.p90 += terms[index].p90 * x
      sums.p95 += terms[index].p95 * x
      sums.p99 += terms[index].p99 * x
    }
    self = sums
  }

  /// The sums, scaled by the endpoints' groups, and the constants.
  @inline(always)
  mutating func finish(scale: Lanes, _ constants: LaneHeads, need: HeadNeed) {
    mean = constants.mean + scale * mean
    guard need == .all else { return }
    p50 = constants.p50 + scale * p50
    p90 = constants.p90 + scale * p90
    p95 = constants.p95 + scale * p95
    p99 = constants.p99 + scale * p99
  }

  /// Raises all heads, or the mean alone, to at least `least`.
  @inline(always)
  mutating func raise(to least: Lanes, need: HeadNeed) {
    mean = larger(mean, least)
    guard need == .all else { return }
    p50 = larger(p50, least)
    p90 = larger(p90, least)
    p95 = larger(p95, least)
    p99 = larger(p99, least)
  }

  /// Raises levels to the level below.
  @inline(always)
  mutating func uncross() {
    p90 = larger(p90, p50)
    p95 = larger(p95, p90)
    p99 = larger(p99, p95)
  }

  /// One endpoint's.
  @inline(always)
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

/// Which heads somebody will look at: none, the mean alone, the mean and the median, or all.
enum HeadNeed: Int, Comparable {
  case none, mean, center, all

  static func < (a: HeadNeed, b: HeadNeed) -> Bool { a.rawValue < b.rawValue }
}

/// A term of a target: where its value is found, and the heads' calibrated coefficients, each as
/// often as there are lanes, so that none must be spread when used.
struct LaneTerm: Sendable {
  var slot: Int
  var mean: Lanes
  var p50: Lanes
  var p90: Lanes
  var p95: Lanes
  var p99: Lanes

  /// `nil` for a term that no head uses.
  init?(_ target: TargetModel, term: Int) {
    let values = target.heads.prefix(5).map { $0.coefficients[term] * $0.calibration }
    guard values.count == 5, values.contains(where: { $0 != 0 }) else { return nil }
    slot = 0
    mean = all(values[0])
    p50 = all(values[1])
    p90 = all(values[2])
    p95 = all(values[3])
    p99 = all(values[4])
  }
  /// Whether a head that is needed uses it.
  func isUsed(_ need: HeadNeed) -> Bool {
    switch need {
    case .none: false
    case .mean: mean[0] != 0
    case .center: mean[0] != 0 || p50[0] != 0
    case .all: true
    }
  }
}

/// A term of a mean and a median.
struct LaneCenterTerm: Sendable {
  var slot: Int
  var mean: Double
  var p50: Double

  init(_ term: LaneTerm) { (slot, mean, p50) = (term.slot, term.mean[0], term.p50[0]) }
}
