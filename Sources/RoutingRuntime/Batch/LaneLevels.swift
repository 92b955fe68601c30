/// What the quantile levels of one target are multiplied by in each load regime.
struct LaneLevels: Sendable {
  private var idle: SIMD8<Double>
  private var queued: SIMD8<Double>
  private var crowded: SIMD8<Double>

  /// From the factors of the heads in each of the three regimes.
  init(_ factors: [SIMD8<Double>]) {
    (idle, queued, crowded) = (factors[0], factors[1], factors[2])
  }

  /// Multiplies the levels of a group, as `LiveCorrection.corrected` does those of one endpoint.
  ///
  /// - Parameters:
  ///   - pending: Requests without a first token.
  ///   - factors: Of the endpoints; `nil` where all are 1.
  @inline(always)
  func correct(_ heads: inout LaneHeads, need: HeadNeed, pending: Lanes, factors: Lanes?) {
    if let factors { heads.mean *= factors }
    heads.mean = larger(heads.mean, all(Predictor.floorMilliseconds))
    guard need == .all else { return }
    // Levels that cross are raised first: no factor lifts what is not above the level below.
    heads.uncross()
    heads.p50 *= level(1, pending)
    heads.p90 *= level(2, pending)
    heads.p95 *= level(3, pending)
    heads.p99 *= level(4, pending)
    if let factors {
      heads.p50 *= factors
      heads.p90 *= factors
      heads.p95 *= factors
      heads.p99 *= factors
    }
    heads.p50 = larger(heads.p50, all(Predictor.floorMilliseconds))
    heads.uncross()
  }

  /// The factors of a level; requests are counted in whole numbers.
  @inline(always)
  private func level(_ index: Int, _ pending: Lanes) -> Lanes {
    let loaded = choose(pending, above: 4.5, all(crowded[index]), all(queued[index]))
    return choose(pending, above: 0.5, loaded, all(idle[index]))
  }
}
