/// What a batch reads of each endpoint, one column each.
enum LaneColumn: Int, CaseIterable {
  // The emulated engine's running step, and when the next prompt could start after it.
  case validUntil, uplink, links, isBusy, stepStart, stepEnd, blur, afterEnd, slot, queuedTokens
  // The step that has room for a prompt, and those after it.
  case budget, laterBudget, base, laterBase, tokenSlope, laterTokenSlope, laterBatch, laterContext
  case attention, tokens, decodeBase, slowness, roomLimit
  // The engine's step model.
  case perContext, perAttention, perFarAttention, perPromptToken, anyPrefill
  case knot0, knot1, knot2, knot3, knot4, knot5
  // Sums that fade, scaled to the sheet's epoch.
  case fastWork, work, slowWork, mediumWork, latestSum, latestCount
  // What only events change.
  case pending, decoding, isUsed, lastBoundary, recentTPOT, recentRatio, recentExcess, recentOutput
  case averageBatch, waiting, running, usage, snapshotTime, hasSnapshot
  // The live correction of both targets, scaled to the epoch.
  case ttftLogarithm, tpotLogarithm, ttftDeadZone, tpotDeadZone
  /// The factor by which the endpoint's group scales the terms.
  case ttftScale, tpotScale
  // Sums of the terms that only events change; of each target five in a row.
  case ttftMean, ttftP50, ttftP90, ttftP95, ttftP99
  case tpotMean, tpotP50, tpotP90, tpotP95, tpotP99
  /// By how much features that only events change lie outside their training ranges.
  case excess

  static let count = LaneColumn.allCases.count
}

/// The rows of all endpoints in groups, and which rows must be read anew.
struct LaneColumns: Sendable {
  /// How true a group's rows are.
  struct GroupState: Sendable {
    /// One bit an endpoint: something happened there.
    var stale: UInt8 = 0
    /// One bit an endpoint: its metrics were scraped.
    var scraped: UInt8 = 0
    /// One bit an endpoint: an outcome corrected its TTFT.
    var ttftCorrected: UInt8 = 0
    /// One bit an endpoint: an outcome corrected its TPOT.
    var tpotCorrected: UInt8 = 0
    /// One bit an endpoint: its engine or its model are new.
    var renewed: UInt8 = 0
    /// Which sums of kept terms are true.
    var kept = HeadNeed.none
    /// No row ends to be true by itself before this time.
    var expiry = -Double.infinity

    /// One bit an endpoint: some of its row is no longer true.
    var changed: UInt8 { stale | scraped | ttftCorrected | tpotCorrected | renewed }

    /// The endpoints, as bits, whose engines end a step before a prompt sent at `time` arrives.
    @inline(always)
    func expired(_ rows: LaneRows, at time: Double) -> UInt8 {
      guard time >= expiry else { return 0 }
      var bits: UInt8 = 0
      let (uplink, validUntil) = (rows[.uplink], rows[.validUntil])
      for lane in 0..<laneCount {
        bits |= uplink[lane] + time >= validUntil[lane] ? 1 << UInt8(lane) : 0
      }
      return bits
    }

    /// The rows are true again.
    @inline(always)
    mutating func wasRead(_ rows: LaneRows, kept: HeadNeed) {
      let earliest = -largest(rows[.uplink] - rows[.validUntil])
      // A little early, since rounding may bring an end forward.
      self = Self(
        kept: kept,
        expiry: earliest.isFinite ? earliest - 1e-9 * max(abs(earliest), 1) : .infinity)
    }
  }

  private(set) var endpointCount = 0
  /// ``groupCount`` × ``LaneColumn/count``, a group's columns together.
  var values: [Lanes] = []
  var groups: [GroupState] = []
  /// The largest token budget of an engine so far.
  var largestBudget = 0.0
  /// The time to which fading sums are scaled.
  private(set) var epoch = 0.0

  var groupCount: Int { groups.count }

  mutating func addEndpoint() {
    if endpointCount % laneCount == 0 {
      // Lanes without an endpoint never end to be true, and come to an end with any prompt.
      let first = values.count
      values.append(contentsOf: repeatElement(all(0), count: LaneColumn.count))
      values[first + LaneColumn.budget.rawValue] = all(.infinity)
      values[first + LaneColumn.validUntil.rawValue] = all(.infinity)
      groups.append(GroupState())
    }
    endpointCount += 1
    markAllStale(endpointCount - 1)
  }

  @inline(always)
  mutating func markStale(_ endpoint: Int) {
    let (group, lane) = lanePlace(endpoint)
    groups[group].stale |= 1 &<< UInt8(truncatingIfNeeded: lane)
  }

  /// The endpoint's step model has changed.
  mutating func markRenewed(_ endpoint: Int) {
    let (group, lane) = lanePlace(endpoint)
    groups[group].renewed |= 1 &<< UInt8(truncatingIfNeeded: lane)
  }

  @inline(always)
  mutating func markScraped(_ endpoint: Int) {
    let (group, lane) = lanePlace(endpoint)
    groups[group].scraped |= 1 &<< UInt8(truncatingIfNeeded: lane)
  }

  @inline(always)
  mutating func markTTFTCorrected(_ endpoint: Int) {
    let (group, lane) = lanePlace(endpoint)
    groups[group].ttftCorrected |= 1 &<< UInt8(truncatingIfNeeded: lane)
  }

  @inline(always)
  mutating func markTPOTCorrected(_ endpoint: Int) {
    let (group, lane) = lanePlace(endpoint)
    groups[group].tpotCorrected |= 1 &<< UInt8(truncatingIfNeeded: lane)
  }

  /// Nothing that is known of the endpoint is true any more.
  private mutating func markAllStale(_ endpoint: Int) {
    markStale(endpoint)
    markScraped(endpoint)
    markTTFTCorrected(endpoint)
    markTPOTCorrected(endpoint)
    markRenewed(endpoint)
  }

  mutating func markAllStale() {
    for endpoint in 0..<endpointCount { markAllStale(endpoint) }
  }

  /// Scales fading sums to a time near `time`, so that no factor overflows.
  mutating func moveEpoch(near time: Double) {
    guard abs(time - epoch) > Self.longestEpoch else { return }
    epoch = time
    markAllStale()
  }

  /// 343 of the shortest half-lives: their factor, 2³⁴³, is far from overflow.
  private static let longestEpoch = 60_000.0
}
