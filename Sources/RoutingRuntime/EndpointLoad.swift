public import CoefficientFile

/// What the gateway knows about a request before it chooses an endpoint.
public struct RequestShape: Sendable, Hashable {
  /// Prompt tokens, at least 0.
  public var promptTokens: Double
  /// Prompt tokens that the endpoint is thought to have cached.
  public var matchedPrefixTokens: Double
  /// The most tokens that the client asked for; 0 when it did not say.
  public var maximumTokens: Double

  /// A request of these sizes.
  public init(promptTokens: Double, matchedPrefixTokens: Double = 0, maximumTokens: Double = 0) {
    self.promptTokens = promptTokens
    self.matchedPrefixTokens = matchedPrefixTokens
    self.maximumTokens = maximumTokens
  }

  /// Prompt tokens that must be computed; at least 1, since the last one always is.
  public var newTokens: Double { max(promptTokens - matchedPrefixTokens, 1) }
}

/// The engine's own metrics, as last scraped.
public struct EngineSnapshot: Sendable, Hashable {
  /// Requests that wait for a slot.
  public var waitingRequests: Double
  /// Requests in the batch.
  public var runningRequests: Double
  /// KV-cache usage, 0…1.
  public var kvCacheUsage: Double
  /// When it was taken, ms on the caller's clock.
  public var time: Double

  /// A snapshot taken at `time`.
  public init(
    waitingRequests: Double, runningRequests: Double, kvCacheUsage: Double, time: Double
  ) {
    self.waitingRequests = waitingRequests
    self.runningRequests = runningRequests
    self.kvCacheUsage = kvCacheUsage
    self.time = time
  }
}

/// The state of one endpoint as one gateway sees it, fed by its events.
///
/// The same code runs live and in replay. It never reads a clock: every call brings the time.
public struct EndpointLoad: Sendable {
  /// The endpoint's engine as of the last event; being asked never moves it.
  public internal(set) var engine: EngineEmulator
  /// The same engine, run ahead to the arrival of the request that was last asked about.
  var ahead: EngineEmulator
  private var aheadTime = -Double.infinity
  private var isAheadCurrent = false
  /// Forecasts prompts on the engine run ahead.
  public internal(set) var forecaster: EngineForecaster
  /// Requests sent that have no first token yet.
  public private(set) var pendingRequests = 0
  /// Requests past their first token.
  public private(set) var decodingRequests = 0
  private(set) var snapshot: EngineSnapshot?
  /// The epoch to which a batch's columns hold the sums scaled; no number once they changed.
  var sumsEpoch = Double.nan
  /// The same for the sums of the latest TPOT.
  var latestEpoch = Double.nan
  private(set) var fastWork = DecayedSum()
  private(set) var work = DecayedSum()
  private(set) var slowWork = DecayedSum()
  private(set) var mediumWork = DecayedSum()
  private(set) var latestTPOTSum = DecayedSum()
  private(set) var latestTPOTCount = DecayedSum()
  private(set) var recentTPOT = RecentMean(initial: 0, gain: 0.1)
  private(set) var recentRatio = RecentMean(initial: 1, gain: 0.1)
  private(set) var recentExcess = RecentMean(initial: 0, gain: 0.2)
  private(set) var recentOutput: RecentMean
  private(set) var averageBatch = RecentMean(initial: 0, gain: 0.05)

  /// An idle endpoint that runs `engine`.
  ///
  /// - Parameter stepModel: The engine's step model, where it was compiled already.
  public init(engine: EngineModel, stepModel: StepModel? = nil, capacity: Int = 512) {
    let compiled = stepModel ?? StepModel(coefficients: engine.stepCoefficients)
    self.engine = EngineEmulator(engine, stepModel: compiled, capacity: capacity)
    ahead = EngineEmulator(engine, stepModel: compiled, capacity: capacity)
    ahead.learners = []
    forecaster = EngineForecaster()
    recentOutput = RecentMean(initial: Self.typicalOutputTokens, gain: 0.02)
  }

  /// What an answer's length is taken for before any has ended.
  static let typicalOutputTokens = 200.0
  static let fastHalfLife = 1_000.0
  static let halfLife = 10_000.0
  static let slowHalfLife = 60_000.0
  static let mediumHalfLife = 2_800.0
  static let latestHalfLife = 175.0
  /// The weight of the decode step in the latest TPOT, in outcomes.
  static let latestPrior = 0.3

  // MARK: - Events

  /// A request was sent here.
  ///
  /// - Parameter sums: The fading sums that are kept; the others stay 0.
  /// - Returns: The prefill work that it brings, ms.
  mutating func dispatched(
    slot: Int32, _ request: RequestShape, forecast: EngineForecast, keeping sums: LaneNeeds,
    at time: Double
  ) -> Double {
    let amount = Self.prefillWork(forecast)
    if sums.has(.fastWork) { fastWork.add(amount, at: time, halfLife: Self.fastHalfLife) }
    if sums.has(.work) { work.add(amount, at: time, halfLife: Self.halfLife) }
    if sums.has(.slowWork) { slowWork.add(amount, at: time, halfLife: Self.slowHalfLife) }
    if sums.has(.mediumWork) {
      mediumWork.add(amount, at: time, halfLife: Self.mediumHalfLife)
    }
    sumsEpoch = .nan
    averageBatch.observe(forecast.decodingAfter)
    catchUp(to: time + engine.uplinkMilliseconds)
    engine.dispatched(
      request: slot, promptTokens: request.promptTokens, newTokens: request.newTokens,
      maximumTokens: request.maximumTokens, at: time)
    pendingRequests += 1
    return amount
  }

  /// The engine will be advanced to `arrival`: where it ran there ahead already, that is taken over.
  private mutating func catchUp(to arrival: Double) {
    if isAheadCurrent, aheadTime + engine.uplinkMilliseconds <= arrival, engine.trace == nil,
      !engine.isLearning
    {
      engine.takeOver(&ahead)
    }
    isAheadCurrent = false
  }

  /// What a prompt adds to the steps that compute it, beyond their decoding.
  static func prefillWork(_ forecast: EngineForecast) -> Double {
    max(0, forecast.prefillMilliseconds - forecast.decodeStepMilliseconds)
  }

  mutating func firstToken(
    slot: Int32, ratio: Double, excessMilliseconds: Double, at time: Double
  ) {
    catchUp(to: time - engine.downlinkMilliseconds)
    engine.firstToken(request: slot, at: time)
    shareLearned()
    pendingRequests -= 1
    decodingRequests += 1
    recentRatio.observe(min(max(ratio, 0.25), 4))
    recentExcess.observe(excessMilliseconds)
  }

  mutating func tokens(at time: Double) {
    catchUp(to: time - engine.downlinkMilliseconds)
    engine.tokens(at: time)
    shareLearned()
  }

  /// An answer of `steps` tokens after its first has ended, since whose first token it took
  /// `milliseconds`.
  ///
  /// - Parameter work: What the engine had computed by then.
  mutating func learn(
    answerSteps steps: Double, since work: StepLearning.Work, milliseconds: Double
  ) {
    engine.learn(answerSteps: steps, since: work, milliseconds: milliseconds)
    shareLearned()
  }

  /// The engine ahead runs the same steps.
  private mutating func shareLearned() {
    if engine.isLearning { ahead.stepModel = engine.stepModel }
  }

  mutating func finished(
    slot: Int32, hadFirstToken: Bool, outputTokens: Double, tpotMilliseconds: Double,
    keepsLatest: Bool, at time: Double
  ) {
    catchUp(to: time - engine.downlinkMilliseconds)
    engine.finished(request: slot, at: time)
    shareLearned()
    if hadFirstToken { decodingRequests -= 1 } else { pendingRequests -= 1 }
    if outputTokens > 0 { recentOutput.observe(outputTokens) }
    if outputTokens > 8, tpotMilliseconds > 0 {
      recentTPOT.observe(tpotMilliseconds)
      guard keepsLatest else { return }
      let kept = latestTPOTCount.kept(at: time, halfLife: Self.latestHalfLife)
      latestTPOTSum.add(tpotMilliseconds, at: time, keeping: kept)
      latestTPOTCount.add(1, at: time, keeping: kept)
      latestEpoch = .nan
    }
  }

  mutating func observe(_ snapshot: EngineSnapshot?) { self.snapshot = snapshot }

  mutating func replaceEngine(with model: EngineModel, stepModel: StepModel) {
    isAheadCurrent = false
    engine.replace(with: model, stepModel: stepModel)
    ahead.replace(with: model, stepModel: stepModel)
    ahead.learners = []
  }

  /// Tells how many requests the pool's other endpoints decode; used from the next step on.
  mutating func observe(otherDecodingRequests count: Double) {
    isAheadCurrent = false
    engine.observe(otherDecodingRequests: count)
  }

  // MARK: - Features

  /// Makes the engine ahead one that can be run to `time`.
  mutating func turn(to time: Double) {
    if !isAheadCurrent || time < aheadTime {
      ahead.assume(engine)
      forecaster.invalidate()
      isAheadCurrent = true
    }
    aheadTime = time
  }

  /// Runs the engine ahead to `time`, and its queue up to where a further prompt would stand.
  mutating func lookAhead(at time: Double) {
    turn(to: time)
    forecaster.lookAhead(&ahead, meanOutputTokens: recentOutput.value, at: time)
  }

  /// Forecasts `request` here at `time`.
  ///
  /// - Parameter isPhaseNeeded: Whether anybody looks at the rest of the running step.
  mutating func forecast(
    _ request: RequestShape, isPhaseNeeded: Bool = true, at time: Double
  ) -> EngineForecast {
    turn(to: time)
    return forecaster.forecast(
      &ahead, promptTokens: request.promptTokens, newTokens: request.newTokens,
      meanOutputTokens: recentOutput.value, isPhaseNeeded: isPhaseNeeded, at: time)
  }

  /// How long the running step has run when a request dispatched at `time` arrives; 0 when idle.
  ///
  /// - Precondition: `time` is that of the last forecast.
  public func stepElapsed(at time: Double) -> Double { ahead.stepElapsed(at: time) }

  /// Writes the features of `request` at `time` into `row`, which holds `Feature.count` values.
  ///
  /// - Parameter needs: Rates that it does not ask for are written as 0.
  mutating func features(
    _ request: RequestShape, forecast: EngineForecast, pool: PoolTotals, at time: Double,
    needs: LaneNeeds, into row: inout [Double], from start: Int
  ) {
    var values = row.mutableSpan
    var cells = values._mutatingExtracting(start..<start + Feature.count)
    cells.set(.promptTokens, request.promptTokens)
    cells.set(.newTokens, request.newTokens)
    cells.set(.matchedPrefixTokens, request.matchedPrefixTokens)
    cells.set(.maximumTokens, request.maximumTokens)
    cells.set(.isMaximumKnown, request.maximumTokens > 0 ? 1 : 0)

    cells.set(.queueMilliseconds, forecast.queueMilliseconds)
    cells.set(.prefillMilliseconds, forecast.prefillMilliseconds)
    cells.set(.phaseMilliseconds, forecast.phaseMilliseconds)
    cells.set(.missMilliseconds, forecast.missMilliseconds)
    cells.set(.catchMilliseconds, forecast.catchMilliseconds)
    cells.set(.slotMilliseconds, forecast.slotMilliseconds)
    cells.set(.decodeStepMilliseconds, forecast.decodeStepMilliseconds)
    cells.set(.decodingAfter, forecast.decodingAfter)
    cells.set(.contextAfter, forecast.contextAfter)
    cells.set(
      .forecastMilliseconds,
      forecast.queueMilliseconds + forecast.prefillMilliseconds + engine.uplinkMilliseconds
        + engine.downlinkMilliseconds)
    cells.set(.queuedRequests, Double(pendingRequests))
    cells.set(.queuedTokens, forecast.queuedTokens)
    cells.set(.decodingRequests, Double(decodingRequests))
    let isBusy = pendingRequests + decodingRequests > 0
    cells.set(.boundaryAgeMilliseconds, isBusy ? min(max(0, time - ahead.lastBoundary), 10_000) : 0)
    cells.set(.slowness, ahead.slowness)

    func rate(_ sum: DecayedSum, _ need: LaneNeeds, _ halfLife: Double) -> Double {
      needs.has(need) ? sum.rate(at: time, halfLife: halfLife) : 0
    }
    let arrival = min(rate(work, .work, Self.halfLife), 1)
    cells.set(.arrivalWorkFast, min(rate(fastWork, .fastWork, Self.fastHalfLife), 2))
    cells.set(.arrivalWork, arrival)
    cells.set(.arrivalWorkSlow, min(rate(slowWork, .slowWork, Self.slowHalfLife), 1))
    cells.set(.poolArrivalWork, min(pool.arrivalWork, 2))
    cells.set(.recentTPOT, recentTPOT.value)
    cells.set(.latestTPOT, needs.has(.latest) ? latestTPOT(forecast, at: time) : 0)
    cells.set(.arrivalWorkMedium, min(rate(mediumWork, .mediumWork, Self.mediumHalfLife), 1.5))
    cells.set(.poolArrivalWorkFast, min(pool.arrivalWorkFast, 2))
    cells.set(.poolDecodingPerEndpoint, pool.decodingRequests / pool.endpointCount)
    cells.set(.poolQueuedPerEndpoint, pool.pendingRequests / pool.endpointCount)
    cells.set(.recentTTFTRatio, recentRatio.value)
    cells.set(.recentExcess, recentExcess.value)
    cells.set(.poolRecentExcess, pool.recentExcess)
    cells.set(.overdueMilliseconds, ahead.isBusy ? max(0, time - ahead.stepEnd) : 0)
    cells.set(.recentOutputTokens, recentOutput.value)
    cells.set(.expectedRemainingTokens, recentOutput.value * Double(decodingRequests))
    cells.set(.averageBatch, averageBatch.value)

    cells.set(.otherDecodingRequests, pool.decodingRequests - Double(decodingRequests))
    cells.set(.otherQueuedRequests, pool.pendingRequests - Double(pendingRequests))
    setSnapshot(at: time, into: &cells)

    let interference = forecast.decodeStepMilliseconds * arrival / (1 - min(arrival, 0.8))
    cells.set(.interferenceMilliseconds, interference)
    cells.set(.decodeForecastMilliseconds, forecast.decodeStepMilliseconds + interference)

    let room = forecast.roomTokens * (ahead.stepModel.millisecondsPerPromptToken * ahead.slowness)
    // The pool's rate is the steadier one, its own the truer one where routing is uneven.
    let joining = 0.5 * (arrival + min(pool.arrivalWork, 2)) * forecast.lastStepMilliseconds
    let step = forecast.decodeStepMilliseconds
    cells.set(.joinMilliseconds, room * joining / (joining + Self.joinSteps * step))
    cells.set(.rareJoinMilliseconds, room * joining / (joining + Self.rareJoinSteps * step))
  }

  /// How much arriving work, in decode steps, fills half of the room in a prompt's last step.
  ///
  /// Prompts come whole: a little work is seldom a large prompt, and more often a small one. Between
  /// the two features, levels and centre find their mixture.
  static let joinSteps = 4.0
  static let rareJoinSteps = 1.0 / 3

  /// The TPOT of the latest answers that ended here; without any, the decode step.
  @inline(always)
  private func latestTPOT(_ forecast: EngineForecast, at time: Double) -> Double {
    // Both always change at the same time.
    let kept = latestTPOTCount.kept(at: time, halfLife: Self.latestHalfLife)
    let (sum, count) = (latestTPOTSum.value * kept, latestTPOTCount.value * kept)
    return (sum + Self.latestPrior * forecast.decodeStepMilliseconds) / (count + Self.latestPrior)
  }

  @inline(always)
  private func setSnapshot(at time: Double, into cells: inout MutableSpan<Double>) {
    let seen =
      snapshot
      ?? EngineSnapshot(
        waitingRequests: Double(pendingRequests), runningRequests: Double(decodingRequests),
        kvCacheUsage: 0, time: time)
    let inFlight = Double(pendingRequests + decodingRequests)
    cells.set(.snapshotWaiting, seen.waitingRequests)
    cells.set(.snapshotRunning, seen.runningRequests)
    cells.set(.snapshotUsage, seen.kvCacheUsage)
    cells.set(.snapshotAge, min(max(0, time - seen.time), 10_000))
    cells.set(
      .foreignRequests, max(0, seen.waitingRequests + seen.runningRequests - inFlight))
  }
}

extension MutableSpan<Double> {
  /// Writes a feature of one row.
  @inline(always)
  fileprivate mutating func set(_ feature: Feature, _ value: Double) {
    self[Int(feature.rawValue)] = value
  }
}

/// What all endpoints of a pool have in flight together.
public struct PoolTotals: Sendable {
  /// Requests without a first token.
  public internal(set) var pendingRequests = 0.0
  /// Requests past their first token.
  public internal(set) var decodingRequests = 0.0
  /// Prefill work that arrives per endpoint, ms per ms.
  public internal(set) var arrivalWork = 0.0
  /// The same over the last second or so.
  public internal(set) var arrivalWorkFast = 0.0
  /// How many endpoints there are; at least 1.
  public internal(set) var endpointCount = 1.0
  /// By how much recent first tokens came later than forecast, ms.
  public internal(set) var recentExcess = 0.0
}
