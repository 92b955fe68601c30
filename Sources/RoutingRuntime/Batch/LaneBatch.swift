/// One request on all endpoints: what is computed once for all groups of eight.
struct LaneBatch {
  let program: LaneProgram
  let moment: LaneMoment
  let need: HeadNeed
  /// How much logarithms of corrections have faded; both targets' fade alike.
  let fade: Double
  let ttftLevels: LaneLevels
  let tpotLevels: LaneLevels
  private var ttftConstants = LaneHeads()
  private var tpotConstants = LaneHeads()
  private var ttftShared = LaneHeads()
  private var tpotShared = LaneHeads()
  private var isSharedOutside = false

  init(
    _ program: LaneProgram, _ moment: LaneMoment, need: HeadNeed, fade: Double,
    ttft: LiveCorrection, tpot: LiveCorrection, _ slots: inout MutableSpan<Lanes>
  ) {
    self.program = program
    self.moment = moment
    self.need = need
    self.fade = fade
    ttftLevels = ttft.laneLevels
    tpotLevels = tpot.laneLevels
    ttftConstants = LaneHeads(program.ttftIntercepts)
    tpotConstants = LaneHeads(program.tpotIntercepts)
    for feature in program.sharedFeatures { slots.set(feature, all(moment.shared(feature))) }
    program.shared.prepare(&slots)
    ttftShared.add(program.shared.ttft, slots.span, need: need)
    tpotShared.add(program.shared.tpot, slots.span, need: need)
    isSharedOutside = program.shared.isOutside(slots.span)[0]
  }

  /// Computes the features of eight endpoints.
  @inline(__always)
  func load(_ rows: LaneRows, matched: Lanes, _ slots: inout MutableSpan<Lanes>) -> LaneForecast {
    let newTokens = larger(all(1), moment.promptTokens - matched)
    let forecast = LaneForecast(
      rows, promptTokens: moment.promptTokens, newTokens: newTokens, at: moment.time)
    slots.write(
      rows, forecast, moment, matched: matched, newTokens: newTokens, needs: program.needs)
    for feature in program.loadedFeatures { slots.set(feature, rows.kept(feature)) }
    program.moving.prepare(&slots)
    return forecast
  }

  /// The TTFT of eight endpoints whose features are loaded.
  @inline(__always)
  func ttft(_ rows: LaneRows, _ slots: Span<Lanes>) -> LaneHeads {
    var heads = LaneHeads(rows, .ttftMean, need: need)
    heads.add(ttftShared, need: need)
    heads.add(program.moving.ttft, slots, need: need)
    heads.finish(scale: rows[.ttftScale], ttftConstants)
    ttftLevels.correct(
      &heads, pending: rows[.pending],
      factors: LiveCorrection.factors(logarithms: rows[.ttftLogarithm] * fade))
    return heads
  }

  /// The TPOT of eight endpoints whose features are loaded.
  @inline(__always)
  func tpot(_ rows: LaneRows, _ slots: Span<Lanes>) -> LaneHeads {
    var heads = LaneHeads(rows, .tpotMean, need: need)
    heads.add(tpotShared, need: need)
    heads.add(program.moving.tpot, slots, need: need)
    heads.finish(scale: rows[.tpotScale], tpotConstants)
    tpotLevels.correct(
      &heads, pending: rows[.pending],
      factors: LiveCorrection.factors(logarithms: rows[.tpotLogarithm] * fade))
    return heads
  }

  /// Of eight endpoints whose features are loaded, those where some lies outside its range.
  @inline(__always)
  func isExtrapolating(_ rows: LaneRows, _ slots: Span<Lanes>) -> SIMDMask<SIMD8<Int64>> {
    guard !isSharedOutside else { return SIMDMask(repeating: true) }
    return program.moving.isOutside(slots) .| (rows[.isKeptOutside] .> 0)
  }
}

extension LaneProgram {
  /// Sums the terms that only events change, of eight endpoints.
  func keep(
    _ rows: inout MutableSpan<Lanes>, need: HeadNeed, _ slots: inout MutableSpan<Lanes>
  ) {
    for feature in keptFeatures { slots.set(feature, rows.span.kept(feature)) }
    kept.prepare(&slots)
    var (ttft, tpot) = (LaneHeads(), LaneHeads())
    ttft.add(kept.ttft, slots.span, need: need)
    tpot.add(kept.tpot, slots.span, need: need)
    ttft.write(to: &rows, .ttftMean)
    tpot.write(to: &rows, .tpotMean)
    guard need == .all else { return }
    rows[LaneColumn.isKeptOutside.rawValue] =
      all(0).replacing(with: 1, where: kept.isOutside(slots.span))
  }
}
