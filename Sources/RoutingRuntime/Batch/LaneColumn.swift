/// Eight endpoints side by side.
typealias Lanes = SIMD8<Double>

/// The larger of each pair; the standard library's `pointwiseMax` takes the lanes one by one.
@inline(__always)
func larger(_ a: Lanes, _ b: Lanes) -> Lanes { a.replacing(with: b, where: b .> a) }

/// The smaller of each pair.
@inline(__always)
func smaller(_ a: Lanes, _ b: Lanes) -> Lanes { a.replacing(with: b, where: b .< a) }

/// What a batch reads of each endpoint, one column each.
enum LaneColumn: Int, CaseIterable {
  // The emulated engine's running step, and when the next prompt could start after it.
  case validUntil, uplink, downlink, isBusy, stepStart, stepEnd, blur, afterEnd, slot, queuedTokens
  // The step that has room for a prompt, and those after it.
  case budget, laterBudget, base, laterBase, tokenBase, tokenSlope, laterTokenSlope
  case batch, laterBatch, context, laterContext
  case attention, tokens, decodeBase, slowness
  // The engine's step model.
  case perContext, perToken, perAttention, anyPrefill
  case knot0, knot1, knot2, knot3, knot4, knot5
  // Sums that fade, scaled to the sheet's epoch.
  case fastWork, work, slowWork, mediumWork, latestSum, latestCount
  // What only events change.
  case pending, decoding, lastBoundary, recentTPOT, recentRatio, recentExcess, recentOutput
  case averageBatch, waiting, running, usage, snapshotTime, hasSnapshot
  // The live correction of both targets, scaled to the epoch.
  case ttftLogarithm, tpotLogarithm
  /// The factor by which the endpoint's group scales the terms.
  case ttftScale, tpotScale

  static let count = LaneColumn.allCases.count
}

/// The rows of all endpoints in columns of eight, and which rows must be read anew.
struct LaneColumns: Sendable {
  private(set) var endpointCount = 0
  /// ``groupCount`` × ``LaneColumn/count``, a group's columns together.
  private var values: [Lanes] = []
  /// One bit an endpoint: its row is no longer true.
  private var stale: [UInt8] = []
  /// The time to which fading sums are scaled.
  private(set) var epoch = 0.0

  var groupCount: Int { stale.count }

  mutating func addEndpoint() {
    if endpointCount % 8 == 0 {
      values.append(contentsOf: repeatElement(Lanes(repeating: 0), count: LaneColumn.count))
      stale.append(0)
      // Lanes without an endpoint must come to an end with any prompt.
      values[(stale.count - 1) * LaneColumn.count + LaneColumn.budget.rawValue] =
        Lanes(repeating: .infinity)
    }
    endpointCount += 1
    markStale(endpointCount - 1)
  }

  mutating func markStale(_ endpoint: Int) { stale[endpoint >> 3] |= 1 << UInt8(endpoint & 7) }

  mutating func markAllStale() {
    for endpoint in 0..<endpointCount { markStale(endpoint) }
  }

  /// Scales fading sums to a time near `time`, so that no factor overflows.
  mutating func moveEpoch(near time: Double) {
    guard abs(time - epoch) > Self.longestEpoch else { return }
    epoch = time
    markAllStale()
  }

  /// The endpoints of a group, as bits, that must be read anew before they are asked at `time`.
  func unread(group: Int, at time: Double) -> UInt8 {
    var bits = stale[group]
    let expired = (self[group, .uplink] + time) .>= self[group, .validUntil]
    if any(expired) {
      for lane in 0..<min(8, endpointCount - 8 * group) where expired[lane] {
        bits |= 1 << UInt8(lane)
      }
    }
    return bits
  }

  mutating func markRead(group: Int) { stale[group] = 0 }

  subscript(group: Int, column: LaneColumn) -> Lanes {
    values[group * LaneColumn.count + column.rawValue]
  }

  mutating func set(_ column: LaneColumn, _ value: Double, _ endpoint: Int) {
    values[(endpoint >> 3) * LaneColumn.count + column.rawValue][endpoint & 7] = value
  }

  /// 343 of the shortest half-lives: their factor, 2³⁴³, is far from overflow.
  private static let longestEpoch = 60_000.0
}
