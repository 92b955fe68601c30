internal import Glibc

/// What all endpoints share at the time of a batch.
struct LaneMoment: Sendable {
  let time: Double
  let promptTokens: Double
  let maximumTokens: Double
  let pool: PoolTotals
  /// Whether some engine's steps may reach the upper three knots.
  let hasLargeSteps: Bool
  /// The rates that sums of each half-life stand for, faded since the columns' epoch.
  let fastRate: Double
  let rate: Double
  let slowRate: Double
  let mediumRate: Double
  /// By how much the latest outcomes have faded since then.
  let latest: Double

  /// - Parameter needs: What is not needed of the rates is left at 0.
  init(
    _ request: RequestShape, pool: PoolTotals, largestBudget: Double, needs: LaneNeeds,
    epoch: Double, time: Double
  ) {
    hasLargeSteps = largestBudget > StepFeature.prefillKnots[3]
    self.time = time
    promptTokens = request.promptTokens
    maximumTokens = request.maximumTokens
    self.pool = pool
    func fade(_ halfLife: Double) -> Double { exp2((epoch - time) / halfLife) }
    func rate(_ halfLife: Double) -> Double {
      fade(halfLife) * 0.693_147_180_559_945_3 / halfLife
    }
    fastRate = needs.has(.fastWork) ? rate(EndpointLoad.fastHalfLife) : 0
    self.rate = needs.has(.work) ? rate(EndpointLoad.halfLife) : 0
    slowRate = needs.has(.slowWork) ? rate(EndpointLoad.slowHalfLife) : 0
    mediumRate = needs.has(.mediumWork) ? rate(EndpointLoad.mediumHalfLife) : 0
    latest = needs.has(.latest) ? fade(EndpointLoad.latestHalfLife) : 0
  }

  /// A feature that all endpoints share.
  func shared(_ feature: Feature) -> Double {
    switch feature {
    case .promptTokens: promptTokens
    case .maximumTokens: maximumTokens
    case .isMaximumKnown: maximumTokens > 0 ? 1 : 0
    case .poolArrivalWork: min(pool.arrivalWork, 2)
    case .poolArrivalWorkFast: min(pool.arrivalWorkFast, 2)
    case .poolRecentExcess: pool.recentExcess
    case .poolDecodingPerEndpoint: pool.decodingRequests / pool.endpointCount
    case .poolQueuedPerEndpoint: pool.pendingRequests / pool.endpointCount
    default: 0
    }
  }
}

/// Families of features that cost something: each is computed only for models that use it.
struct LaneNeeds: OptionSet, Sendable {
  let rawValue: UInt16

  static let phase = LaneNeeds(rawValue: 1)
  static let fastWork = LaneNeeds(rawValue: 2)
  static let work = LaneNeeds(rawValue: 4)
  static let slowWork = LaneNeeds(rawValue: 8)
  static let mediumWork = LaneNeeds(rawValue: 16)
  static let latest = LaneNeeds(rawValue: 32)
  static let ages = LaneNeeds(rawValue: 64)
  static let others = LaneNeeds(rawValue: 128)
  static let interference = LaneNeeds(rawValue: 256)
  static let miss = LaneNeeds(rawValue: 512)
  static let caught = LaneNeeds(rawValue: 1024)
  static let poolWork = LaneNeeds(rawValue: 2048)
  static let poolFastWork = LaneNeeds(rawValue: 4096)
  static let snapshot = LaneNeeds(rawValue: 8192)
  static let join = LaneNeeds(rawValue: 16_384)
  /// All of them.
  static let everything = LaneNeeds(rawValue: .max)

  /// What computing `features` needs.
  init(_ features: [Feature]) {
    self = []
    for feature in features {
      switch feature {
      case .phaseMilliseconds: insert(.phase)
      case .missMilliseconds: insert([.phase, .miss])
      case .catchMilliseconds: insert([.phase, .caught])
      case .arrivalWorkFast: insert(.fastWork)
      case .arrivalWork: insert(.work)
      case .arrivalWorkSlow: insert(.slowWork)
      case .arrivalWorkMedium: insert(.mediumWork)
      case .latestTPOT: insert(.latest)
      case .boundaryAgeMilliseconds, .overdueMilliseconds: insert(.ages)
      case .snapshotAge: insert([.ages, .snapshot])
      case .otherDecodingRequests, .otherQueuedRequests: insert(.others)
      case .poolArrivalWork: insert(.poolWork)
      case .poolArrivalWorkFast: insert(.poolFastWork)
      case .snapshotWaiting, .snapshotRunning, .snapshotUsage, .foreignRequests: insert(.snapshot)
      case .interferenceMilliseconds, .decodeForecastMilliseconds: insert([.work, .interference])
      case .joinMilliseconds, .rareJoinMilliseconds: insert([.work, .poolWork, .join])
      default: break
      }
    }
  }

  init(rawValue: UInt16) { self.rawValue = rawValue }

  /// Whether it has some of `others`; what stands for it in the library is not always inlined.
  @inline(always)
  func has(_ others: LaneNeeds) -> Bool { rawValue & others.rawValue != 0 }
}

extension Feature {
  /// The column that it is; `nil` for a feature that is made of several, or changes by itself.
  var column: LaneColumn? {
    switch self {
    case .queuedRequests: .pending
    case .queuedTokens: .queuedTokens
    case .decodingRequests: .decoding
    case .slowness: .slowness
    case .recentTPOT: .recentTPOT
    case .recentTTFTRatio: .recentRatio
    case .recentExcess: .recentExcess
    case .recentOutputTokens: .recentOutput
    case .averageBatch: .averageBatch
    case .snapshotWaiting: .waiting
    case .snapshotRunning: .running
    case .snapshotUsage: .usage
    default: nil
    }
  }
}

extension LaneRows {
  /// A feature that only events change, made of several columns.
  func kept(_ feature: Feature) -> Lanes {
    switch feature {
    case .decodingAfter: self[.laterBatch] + 1
    case .expectedRemainingTokens: self[.recentOutput] * self[.decoding]
    case .foreignRequests:
      larger(all(0), self[.waiting] + self[.running] - self[.pending] - self[.decoding])
    default: all(0)
    }
  }
}

extension LaneSlots {
  /// Writes the features that change with the request or the time.
  ///
  /// By the formulas of ``EndpointLoad/features``.
  @inline(always)
  func write(
    _ rows: LaneRows, _ forecast: LaneForecast, _ moment: LaneMoment, matched: Lanes,
    newTokens: Lanes, needs: LaneNeeds
  ) {
    set(.newTokens, newTokens)
    set(.matchedPrefixTokens, matched)
    set(.queueMilliseconds, forecast.queue)
    set(.prefillMilliseconds, forecast.prefill)
    set(.slotMilliseconds, smaller(rows[.slot], forecast.queue))
    set(.decodeStepMilliseconds, forecast.decodeStep)
    set(.contextAfter, forecast.contextAfter)
    set(.forecastMilliseconds, forecast.queue + forecast.prefill + rows[.links])
    if needs.has(.others) {
      set(.otherDecodingRequests, moment.pool.decodingRequests - rows[.decoding])
      set(.otherQueuedRequests, moment.pool.pendingRequests - rows[.pending])
    }
    if needs.has(.phase) { writePhase(rows, moment, needs) }
    if needs.has(.ages) { writeAges(rows, moment) }
    if needs.has(.fastWork) {
      set(.arrivalWorkFast, smaller(rows[.fastWork] * moment.fastRate, all(2)))
    }
    if needs.has(.slowWork) {
      set(.arrivalWorkSlow, smaller(rows[.slowWork] * moment.slowRate, all(1)))
    }
    if needs.has(.mediumWork) {
      set(.arrivalWorkMedium, smaller(rows[.mediumWork] * moment.mediumRate, all(1.5)))
    }
    if needs.has(.work) {
      let rate = smaller(rows[.work] * moment.rate, all(1))
      set(.arrivalWork, rate)
      if needs.has(.join) { writeJoins(rows, forecast, moment, rate: rate) }
      if needs.has(.interference) {
        let interference = forecast.decodeStep * rate / (1 - smaller(rate, all(0.8)))
        set(.interferenceMilliseconds, interference)
        set(.decodeForecastMilliseconds, forecast.decodeStep + interference)
      }
    }
    if needs.has(.latest) {
      let prior = EndpointLoad.latestPrior
      set(
        .latestTPOT,
        (rows[.latestSum] * moment.latest + prior * forecast.decodeStep)
          / (rows[.latestCount] * moment.latest + prior))
    }
  }

  @inline(always)
  private func writeJoins(
    _ rows: LaneRows, _ forecast: LaneForecast, _ moment: LaneMoment, rate: Lanes
  ) {
    let room = forecast.room * (rows[.perPromptToken] * rows[.slowness])
    let joining = 0.5 * (rate + min(moment.pool.arrivalWork, 2)) * forecast.lastStep
    let step = forecast.decodeStep
    set(.joinMilliseconds, room * joining / (joining + EndpointLoad.joinSteps * step))
    set(.rareJoinMilliseconds, room * joining / (joining + EndpointLoad.rareJoinSteps * step))
  }

  @inline(always)
  private func writePhase(_ rows: LaneRows, _ moment: LaneMoment, _ needs: LaneNeeds) {
    let (isBusy, stepStart, stepEnd) = (rows[.isBusy], rows[.stepStart], rows[.stepEnd])
    let arrival = rows[.uplink] + moment.time
    let running = arrival - stepStart
    let phase =
      isBusy * (larger(stepEnd, arrival + EngineEmulator.overdueShare * running) - arrival)
    let length = stepEnd - stepStart
    let blur = 0.25 + rows[.blur] * length
    set(.phaseMilliseconds, phase)
    if needs.has(.miss) {
      set(.missMilliseconds, isBusy * length * LaneForecast.sigmoid(0.3 - phase, width: blur))
    }
    if needs.has(.caught) {
      set(.catchMilliseconds, isBusy * length * LaneForecast.sigmoid(0 - running, width: blur))
    }
  }

  @inline(always)
  private func writeAges(_ rows: LaneRows, _ moment: LaneMoment) {
    func age(since time: Lanes) -> Lanes {
      smaller(larger(moment.time - time, all(0)), all(10_000))
    }
    set(.boundaryAgeMilliseconds, rows[.isUsed] * age(since: rows[.lastBoundary]))
    set(.overdueMilliseconds, rows[.isBusy] * larger(all(0), moment.time - rows[.stepEnd]))
    set(.snapshotAge, rows[.hasSnapshot] * age(since: rows[.snapshotTime]))
  }
}
