/// One request on all endpoints: what is computed once for all groups.
struct LaneBatch {
  private let predictor: Predictor
  // Of the predictor, held so that no group must.
  private let moving: LanePart
  private let loadedFeatures: [Feature]
  let moment: LaneMoment
  let need: HeadNeed
  /// How much logarithms of corrections have faded; both targets' fade alike.
  let fade: Double
  let ttftLevels: LaneLevels
  let tpotLevels: LaneLevels
  private var ttftShared = LaneHeads()
  private var tpotShared = LaneHeads()
  /// By how much features shared by all lie outside their training ranges.
  private var sharedExcess = all(0)

  init(
    _ predictor: Predictor, _ moment: LaneMoment, need: HeadNeed, fade: Double,
    ttft: LaneLevels, tpot: LaneLevels, _ slots: inout MutableSpan<Lanes>
  ) {
    self.predictor = predictor
    moving = predictor.lanes.moving
    loadedFeatures = predictor.lanes.loadedFeatures
    self.moment = moment
    self.need = need
    self.fade = fade
    ttftLevels = ttft
    tpotLevels = tpot
    for feature in predictor.lanes.sharedFeatures {
      slots.set(feature, all(moment.shared(feature)))
    }
    predictor.lanes.shared.prepare(&slots)
    ttftShared.add(predictor.lanes.shared.ttft, slots.span, need: need)
    tpotShared.add(predictor.lanes.shared.tpot, slots.span, need: need)
    if need == .all { sharedExcess = predictor.lanes.shared.excess(slots.span) }
  }

  /// Computes the features of a group.
  @inline(always)
  func load(_ rows: LaneRows, matched: Lanes, _ slots: inout MutableSpan<Lanes>) -> LaneForecast {
    let newTokens = larger(all(1), moment.promptTokens - matched)
    let forecast = LaneForecast(
      rows, promptTokens: moment.promptTokens, newTokens: newTokens,
      hasLargeSteps: moment.hasLargeSteps, at: moment.time)
    slots.write(
      rows, forecast, moment, matched: matched, newTokens: newTokens, needs: predictor.lanes.needs)
    for feature in loadedFeatures { slots.set(feature, rows.kept(feature)) }
    moving.prepare(&slots)
    return forecast
  }

  /// The TTFT of a group whose features are loaded.
  @inline(always)
  func ttft(_ rows: LaneRows, _ slots: Span<Lanes>) -> LaneHeads {
    var heads = LaneHeads(rows, .ttftMean, need: need)
    heads.add(ttftShared, need: need)
    heads.add(moving.ttft, slots, need: need)
    heads.finish(scale: rows[.ttftScale], predictor.lanes.ttftConstants, need: need)
    heads.raise(
      to: Predictor.forecastShare * slots[Int(Feature.forecastMilliseconds.rawValue)], need: need)
    ttftLevels.correct(
      &heads, need: need, pending: rows[.pending],
      factors: LiveCorrection.factors(logarithms: rows[.ttftLogarithm] * fade))
    return heads
  }

  /// The TPOT of a group whose features are loaded.
  @inline(always)
  func tpot(_ rows: LaneRows, _ slots: Span<Lanes>) -> LaneHeads {
    var heads = LaneHeads(rows, .tpotMean, need: need)
    heads.add(tpotShared, need: need)
    heads.add(moving.tpot, slots, need: need)
    heads.finish(scale: rows[.tpotScale], predictor.lanes.tpotConstants, need: need)
    tpotLevels.correct(
      &heads, need: need, pending: rows[.pending],
      factors: LiveCorrection.factors(logarithms: rows[.tpotLogarithm] * fade))
    return heads
  }

  /// The mean of ``ttft(_:_:)`` alone.
  @inline(always)
  func meanTTFT(_ rows: LaneRows, _ slots: Span<Lanes>) -> Lanes {
    var sum = rows[.ttftMean] + ttftShared.mean
    let terms = moving.ttft.span
    for index in terms.indices { sum += terms[index].mean * slots[terms[index].slot] }
    let mean = larger(
      predictor.lanes.ttftConstants.mean + rows[.ttftScale] * sum,
      Predictor.forecastShare * slots[Int(Feature.forecastMilliseconds.rawValue)])
    return Self.corrected(mean, logarithms: rows[.ttftLogarithm] * fade)
  }

  /// The mean of ``tpot(_:_:)`` alone.
  @inline(always)
  func meanTPOT(_ rows: LaneRows, _ slots: Span<Lanes>) -> Lanes {
    var sum = rows[.tpotMean] + tpotShared.mean
    let terms = moving.tpot.span
    for index in terms.indices { sum += terms[index].mean * slots[terms[index].slot] }
    return Self.corrected(
      predictor.lanes.tpotConstants.mean + rows[.tpotScale] * sum,
      logarithms: rows[.tpotLogarithm] * fade)
  }

  @inline(always)
  private static func corrected(_ mean: Lanes, logarithms: Lanes) -> Lanes {
    var mean = mean
    if let factors = LiveCorrection.factors(logarithms: logarithms) { mean *= factors }
    return larger(mean, all(Predictor.floorMilliseconds))
  }

  /// By how much the features of a group, loaded, lie outside their training ranges.
  @inline(always)
  func excess(_ rows: LaneRows, _ slots: Span<Lanes>) -> Lanes {
    larger(larger(moving.excess(slots), rows[.excess]), sharedExcess)
  }
}

extension LaneProgram {
  /// Sums the terms that only events change, of a group.
  @inline(always)
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
    rows[LaneColumn.excess.rawValue] = kept.excess(slots.span)
  }
}
