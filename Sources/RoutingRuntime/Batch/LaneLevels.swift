/// What the quantile levels of one target are multiplied by in each load regime.
struct LaneLevels: Sendable {
  private var idle: SIMD8<Double>
  private var queued: SIMD8<Double>
  private var crowded: SIMD8<Double>

  /// From the factors of the heads in each of the three regimes.
  init(_ factors: [SIMD8<Double>]) {
    (idle, queued, crowded) = (factors[0], factors[1], factors[2])
  }

  /// Multiplies the levels of eight endpoints, as `LiveCorrection.corrected` does those of one.
  ///
  /// - Parameters:
  ///   - pending: Requests without a first token.
  ///   - factors: Of the endpoints; `nil` where all are 1.
  @inline(__always)
  func correct(_ heads: inout LaneHeads, pending: Lanes, factors: Lanes?) {
    // Levels that cross are raised first: no factor lifts what is not above the level below.
    heads.uncross()
    let (isQueued, isCrowded) = (pending .>= 1, pending .>= 5)
    heads.p50 *= level(1, isQueued, isCrowded)
    heads.p90 *= level(2, isQueued, isCrowded)
    heads.p95 *= level(3, isQueued, isCrowded)
    heads.p99 *= level(4, isQueued, isCrowded)
    if let factors {
      heads.mean *= factors
      heads.p50 *= factors
      heads.p90 *= factors
      heads.p95 *= factors
      heads.p99 *= factors
    }
    heads.raise(to: Predictor.floorMilliseconds)
  }

  @inline(__always)
  private func level(
    _ index: Int, _ isQueued: SIMDMask<SIMD8<Int64>>, _ isCrowded: SIMDMask<SIMD8<Int64>>
  ) -> Lanes {
    all(idle[index])
      .replacing(with: all(queued[index]), where: isQueued)
      .replacing(with: all(crowded[index]), where: isCrowded)
  }
}
