/// One request on all endpoints: what is computed once for all groups.
struct LaneBatch {
  // Of the predictor, which whoever asks holds as long as the batch.
  private let moving: LaneTables
  private let needs: LaneNeeds
  private let ttftConstants: LaneHeads
  private let tpotConstants: LaneHeads
  let moment: LaneMoment
  let need: HeadNeed
  /// How much logarithms of corrections have faded; both targets' fade alike.
  let fade: Double
  /// Where all heads are needed.
  let levels: (ttft: LaneLevels, tpot: LaneLevels)?
  private var ttftShared = LaneHeads()
  private var tpotShared = LaneHeads()
  /// By how much features shared by all lie outside their training ranges.
  private var sharedExcess = all(0)

  @inline(always)
  init(
    _ program: LaneProgram, _ moment: LaneMoment, need: HeadNeed, fade: Double,
    levels: (ttft: LaneLevels, tpot: LaneLevels)?, _ slots: LaneSlots
  ) {
    moving = program.moving
    needs = program.needs(need)
    ttftConstants = program.ttftConstants
    tpotConstants = program.tpotConstants
    self.moment = moment
    self.need = need
    self.fade = fade
    self.levels = levels
    let shared = program.shared
    for index in shared.features.indices {
      slots.set(shared.features[index], all(moment.shared(shared.features[index])))
    }
    shared.prepare(slots, need: need)
    ttftShared.add(shared.ttft, slots, need: need)
    tpotShared.add(shared.tpot, slots, need: need)
    if need == .all { sharedExcess = shared.excess(slots) }
  }

  /// Computes the features of a group.
  @inline(always)
  func load(_ rows: LaneRows, matched: Lanes, _ slots: LaneSlots) -> LaneForecast {
    let newTokens = larger(all(1), moment.promptTokens - matched)
    let forecast = LaneForecast(
      rows, promptTokens: moment.promptTokens, newTokens: newTokens,
      hasLargeSteps: moment.hasLargeSteps, at: moment.time)
    slots.write(rows, forecast, moment, matched: matched, newTokens: newTokens, needs: needs)
    moving.load(rows, slots)
    moving.prepare(slots, need: need)
    return forecast
  }

  /// The TTFT of a group whose features are loaded.
  @inline(always)
  func ttft(_ rows: LaneRows, _ slots: LaneSlots) -> LaneHeads {
    var heads = LaneHeads(rows, .ttftMean, need: need)
    heads.add(ttftShared, need: need)
    heads.add(moving.ttft, slots, need: need)
    heads.finish(scale: rows[.ttftScale], ttftConstants, need: need)
    heads.raise(
      to: Predictor.forecastShare * slots[Int(Feature.forecastMilliseconds.rawValue)], need: need)
    levels?.ttft.correct(
      &heads, need: need, pending: rows[.pending],
      factors: LiveCorrection.factors(
        logarithms: rows[.ttftLogarithm] * fade, deadZones: rows[.ttftDeadZone]))
    return heads
  }

  /// The TPOT of a group whose features are loaded.
  @inline(always)
  func tpot(_ rows: LaneRows, _ slots: LaneSlots) -> LaneHeads {
    var heads = LaneHeads(rows, .tpotMean, need: need)
    heads.add(tpotShared, need: need)
    heads.add(moving.tpot, slots, need: need)
    heads.finish(scale: rows[.tpotScale], tpotConstants, need: need)
    levels?.tpot.correct(
      &heads, need: need, pending: rows[.pending],
      factors: LiveCorrection.factors(
        logarithms: rows[.tpotLogarithm] * fade, deadZones: rows[.tpotDeadZone]))
    return heads
  }

  /// The mean of ``ttft(_:_:)`` alone.
  @inline(always)
  func meanTTFT(_ rows: LaneRows, _ slots: LaneSlots) -> Lanes {
    let sum = moving.ttft.mean(slots, from: rows[.ttftMean] + ttftShared.mean)
    let mean = larger(
      ttftConstants.mean + rows[.ttftScale] * sum,
      Predictor.forecastShare * slots[Int(Feature.forecastMilliseconds.rawValue)])
    return Self.corrected(
      mean, logarithms: rows[.ttftLogarithm] * fade, deadZones: rows[.ttftDeadZone])
  }

  /// The mean of ``tpot(_:_:)`` alone.
  @inline(always)
  func meanTPOT(_ rows: LaneRows, _ slots: LaneSlots) -> Lanes {
    let sum = moving.tpot.mean(slots, from: rows[.tpotMean] + tpotShared.mean)
    return Self.corrected(
      tpotConstants.mean + rows[.tpotScale] * sum, logarithms: rows[.tpotLogarithm] * fade,
      deadZones: rows[.tpotDeadZone])
  }

  /// The corrected mean and the raw median of the TTFT.
  @inline(always)
  func centerTTFT(_ rows: LaneRows, _ slots: LaneSlots) -> (mean: Lanes, median: Lanes) {
    let sums = moving.ttft.center(
      slots, from: (rows[.ttftMean] + ttftShared.mean, rows[.ttftP50] + ttftShared.p50))
    let scale = rows[.ttftScale]
    let least = Predictor.forecastShare * slots[Int(Feature.forecastMilliseconds.rawValue)]
    return (
      Self.corrected(
        larger(ttftConstants.mean + scale * sums.mean, least),
        logarithms: rows[.ttftLogarithm] * fade, deadZones: rows[.ttftDeadZone]),
      larger(ttftConstants.p50 + scale * sums.p50, least)
    )
  }

  /// The corrected mean and the raw median of the TPOT.
  @inline(always)
  func centerTPOT(_ rows: LaneRows, _ slots: LaneSlots) -> (mean: Lanes, median: Lanes) {
    let sums = moving.tpot.center(
      slots, from: (rows[.tpotMean] + tpotShared.mean, rows[.tpotP50] + tpotShared.p50))
    let scale = rows[.tpotScale]
    return (
      Self.corrected(
        tpotConstants.mean + scale * sums.mean, logarithms: rows[.tpotLogarithm] * fade,
        deadZones: rows[.tpotDeadZone]),
      tpotConstants.p50 + scale * sums.p50
    )
  }

  @inline(always)
  private static func corrected(_ mean: Lanes, logarithms: Lanes, deadZones: Lanes) -> Lanes {
    var mean = mean
    if let factors = LiveCorrection.factors(logarithms: logarithms, deadZones: deadZones) {
      mean *= factors
    }
    return larger(mean, all(Predictor.floorMilliseconds))
  }

  /// By how much the features of a group, loaded, lie outside their training ranges.
  @inline(always)
  func excess(_ rows: LaneRows, _ slots: LaneSlots) -> Lanes {
    larger(larger(moving.excess(slots), rows[.excess]), sharedExcess)
  }
}

extension LaneProgram {
  /// Sums the terms that only events change, of a group.
  @inline(always)
  func keep(_ rows: LaneRows, need: HeadNeed, _ slots: LaneSlots) {
    kept.load(rows, slots)
    kept.prepare(slots, need: need)
    switch need {
    case .none, .mean:
      rows[.ttftMean] = kept.ttft.mean(slots, from: all(0))
      rows[.tpotMean] = kept.tpot.mean(slots, from: all(0))
      return
    case .center:
      (rows[.ttftMean], rows[.ttftP50]) = kept.ttft.center(slots, from: (all(0), all(0)))
      (rows[.tpotMean], rows[.tpotP50]) = kept.tpot.center(slots, from: (all(0), all(0)))
      return
    case .all: break
    }
    var (ttft, tpot) = (LaneHeads(), LaneHeads())
    ttft.add(kept.ttft, slots, need: need)
    tpot.add(kept.tpot, slots, need: need)
    ttft.write(to: rows, .ttftMean)
    tpot.write(to: rows, .tpotMean)
    rows[.excess] = kept.excess(slots)
  }
}
