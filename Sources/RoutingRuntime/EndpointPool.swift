public import CoefficientFile

/// The state machine of all endpoints that one gateway replica sends to.
///
/// Five events drive it: ``dispatched(_:to:at:)``, ``firstToken(_:at:)``, ``tokens(_:at:)``,
/// ``finished(_:outputTokens:at:)`` and ``observe(_:on:)``. Times are ms on any one clock.
public struct EndpointPool: Sendable {
  /// A request in flight, until it is finished.
  public struct Handle: Sendable, Hashable {
    let slot: Int32
    let generation: UInt32

    /// The handle as one number, for hosts of other languages.
    public var bits: UInt64 { UInt64(generation) << 32 | UInt64(UInt32(bitPattern: slot)) }

    /// The handle that ``bits`` were taken from; any other number makes an unknown one.
    public init(bits: UInt64) {
      slot = Int32(bitPattern: UInt32(truncatingIfNeeded: bits))
      generation = UInt32(bits >> 32)
    }

    init(slot: Int32, generation: UInt32) {
      self.slot = slot
      self.generation = generation
    }
  }

  /// The endpoints, in the order in which they were added.
  public internal(set) var endpoints: [EndpointLoad] = []
  private var slots: [InFlight] = []
  private var freeSlots: [Int32] = []
  private(set) var totals = PoolTotals()
  private var work = DecayedSum()
  private var fastWork = DecayedSum()
  /// The rates of both, and the time for which they were computed last; no number once they changed.
  private var rates = (time: Double.nan, work: 0.0, fastWork: 0.0)
  private var recentExcess = RecentMean(initial: 0, gain: 0.1)
  /// What it predicts with; `nil` while it only follows the load.
  public private(set) var predictor: Predictor?
  private(set) var groups: [Int] = []
  private var names: [EndpointName?] = []
  private var stepModels: [(coefficients: [Double], model: StepModel)] = []
  /// Tokens per step of answers of known engines: other than 1 where they speculate, say.
  var tokensPerStep = RecentMean(initial: 1, gain: 0.05)
  private(set) var ttftCorrection = LiveCorrection(.none)
  private(set) var tpotCorrection = LiveCorrection(.none)
  /// What batches read; written when a batch finds it out of date.
  var columns = LaneColumns()
  /// What batches work in; kept for its memory.
  var laneSlots = [Lanes]()
  var expectations = [LaneExpectation]()
  var row = [Double](repeating: 0, count: Feature.count)
  /// The question that was answered last, while nothing has happened since.
  var asked = Question()
  /// The request of the last batch, while nothing has happened since; no time for none.
  var answered = (promptTokens: 0.0, maximumTokens: 0.0, time: Double.nan)
  /// The fading sums that are kept.
  private let keptSums: LaneNeeds
  /// Whether quantiles are predicted, or only means.
  let predictsLevels: Bool
  /// Whether the predictor's terms read scraped metrics.
  private(set) var readsSnapshots = false

  /// A pool without endpoints, with room for `capacity` requests in flight.
  ///
  /// - Parameter predictor: What it predicts with; without one it only follows the load.
  public init(predictor: Predictor? = nil, capacity: Int = 4096) {
    self.init(predictor: predictor, capacity: capacity, keepsSums: true, predictsLevels: true)
  }

  /// A pool that does without what is not read, if need be.
  ///
  /// - Parameters:
  ///   - keepsSums: Whether all fading sums are kept, or only those that `predictor` reads.
  ///   - predictsLevels: Whether quantiles are predicted, or only means.
  init(predictor: Predictor?, capacity: Int, keepsSums: Bool, predictsLevels: Bool) {
    slots.reserveCapacity(capacity)
    freeSlots.reserveCapacity(capacity)
    keptSums = keepsSums ? .everything : predictor?.lanes.needs ?? []
    self.predictsLevels = predictsLevels
    self.predictor = predictor
    if let predictor {
      readsSnapshots = predictor.lanes.needs.has(.snapshot)
      ttftCorrection = LiveCorrection(predictor.model.correction)
      tpotCorrection = LiveCorrection(predictor.model.correction)
    }
  }

  /// Adds an endpoint and returns its index.
  ///
  /// - Parameter group: The endpoint's group in the predictor's model; 0 for the whole pool's.
  public mutating func addEndpoint(engine: EngineModel, group: Int = 0) -> Int {
    endpoints.append(EndpointLoad(engine: engine, stepModel: stepModel(of: engine)))
    groups.append(group)
    names.append(nil)
    columns.addEndpoint()
    forgetAnswers()
    ttftCorrection.addEndpoint()
    tpotCorrection.addEndpoint(doubt: endpoints[endpoints.count - 1].engine.doubt)
    return endpoints.count - 1
  }

  /// The step model of an engine; endpoints that run the same engine share one.
  private mutating func stepModel(of engine: EngineModel) -> StepModel {
    for known in stepModels where known.coefficients == engine.stepCoefficients {
      return known.model
    }
    let model = StepModel(coefficients: engine.stepCoefficients)
    stepModels.append((engine.stepCoefficients, model))
    return model
  }

  /// What models know an endpoint by.
  private struct EndpointName: Sendable {
    var endpoint: String
    var accelerator: String
  }

  /// Adds an endpoint by name and returns its index; each installed model finds its group anew.
  ///
  /// - Parameter engine: What it runs while there is no predictor.
  public mutating func addEndpoint(
    named name: String, accelerator: String, engine: EngineModel
  ) -> Int {
    let place = predictor?.group(endpoint: name, accelerator: accelerator)
    let known = predictor.flatMap { predictor in
      place.map { predictor.model.engines[$0.engine] }
    }
    let index = addEndpoint(engine: known ?? engine, group: place?.group ?? 0)
    names[index] = EndpointName(endpoint: name, accelerator: accelerator)
    return index
  }

  /// Predicts with `newer` from now on; requests in flight and all that was seen of the load stay.
  ///
  /// Named endpoints move to their group and engine in the new model; others keep their engine, and
  /// their group if the new model has it. Live corrections begin anew: they said how the old model
  /// erred, and the new one was fitted on later data. Outcomes of requests that the old model
  /// predicted do not enter them.
  ///
  /// - Complexity: O(endpoints); allocates, so it belongs between requests.
  public mutating func install(_ newer: Predictor) {
    predictor = newer
    readsSnapshots = newer.lanes.needs.has(.snapshot)
    ttftCorrection = LiveCorrection(newer.model.correction)
    tpotCorrection = LiveCorrection(newer.model.correction)
    for index in endpoints.indices {
      if let name = names[index] {
        let place = newer.group(endpoint: name.endpoint, accelerator: name.accelerator)
        groups[index] = place.group
        endpoints[index].replaceEngine(
          with: newer.model.engines[place.engine], stepModel: newer.stepModels[place.engine])
      } else if groups[index] > newer.model.groups.count {
        groups[index] = 0
      }
      ttftCorrection.addEndpoint()
      tpotCorrection.addEndpoint(doubt: endpoints[index].engine.doubt)
    }
    forgetAnswers()
    // Other sums are read by the new model.
    for index in endpoints.indices { endpoints[index].sumsEpoch = .nan }
    for index in slots.indices {
      slots[index].predicted = nil
      slots[index].mark = .unknown
    }
    columns.markAllStale()
  }

  /// Whether the request was dispatched and has not ended.
  public func isInFlight(_ handle: Handle) -> Bool { live(handle) != nil }

  /// Requests in flight.
  public var requestsInFlight: Int { slots.count - freeSlots.count }

  // MARK: - Events

  /// A request was sent to an endpoint.
  ///
  /// - Returns: The handle with which its first token and its end are reported.
  public mutating func dispatched(
    _ request: RequestShape, to endpoint: Int, at time: Double
  ) -> Handle {
    let slot: Int32
    if let free = freeSlots.popLast() {
      slot = free
    } else {
      slot = Int32(slots.count)
      slots.append(InFlight())
    }
    ask(request, on: endpoint, at: time)
    let amount = endpoints[endpoint].dispatched(
      slot: slot, request, forecast: asked.forecast, keeping: keptSums, at: time)
    // The answer stays to be read, though it is no longer one to that question.
    observeOthers(endpoint)
    if keptSums.has(.poolWork) {
      work.add(amount, at: time, halfLife: EndpointLoad.mediumHalfLife)
    }
    if keptSums.has(.poolFastWork) {
      fastWork.add(amount, at: time, halfLife: EndpointLoad.fastHalfLife)
    }
    rates.time = .nan
    totals.pendingRequests += 1
    let generation = slots[Int(slot)].dispatched(to: endpoint, asked, at: time)
    return Handle(slot: slot, generation: generation)
  }

  /// The first token of a request came back.
  ///
  /// Unknown handles are ignored.
  public mutating func firstToken(_ handle: Handle, at time: Double) {
    guard let index = live(handle), !slots[index].hasFirstToken else { return }
    slots[index].hasFirstToken = true
    slots[index].firstTokenTime = time
    let endpoint = Int(slots[index].endpoint)
    let taken = time - slots[index].dispatchTime
    let forecast = slots[index].forecastMilliseconds
    let excess = min(max(taken - forecast, -10_000), 10_000)
    endpoints[endpoint].firstToken(
      slot: handle.slot, ratio: taken / max(forecast, 1), excessMilliseconds: excess, at: time)
    slots[index].mark = endpoints[endpoint].engine.mark
    observeOthers(endpoint)
    recentExcess.observe(excess)
    totals.pendingRequests -= 1
    totals.decodingRequests += 1
    if slots[index].predicted != nil {
      ttftCorrection.observe(
        raw: slots[index].raw.ttft,
        corrected: predictsLevels ? slots[index].predicted?.ttft : nil, actual: taken,
        endpoint: endpoint, regime: slots[index].raw.regime,
        underway: Double(totals.pendingRequests), at: time)
      columns.markTTFTCorrected(endpoint)
    }
  }

  /// More of a streamed answer came back, after its first token.
  ///
  /// It shows when a step of the engine ended. Whoever logs what a replay is to see again tells what
  /// it logs: chunks of one answer at least ``chunkSpacingMilliseconds`` apart. Unknown handles are
  /// ignored.
  public mutating func tokens(_ handle: Handle, at time: Double) {
    guard let index = live(handle), slots[index].hasFirstToken else { return }
    let endpoint = Int(slots[index].endpoint)
    endpoints[endpoint].tokens(at: time)
    markChanged(endpoint)
  }

  /// A request ended: its last token came, or it was aborted or timed out.
  ///
  /// - Parameter outputTokens: Generated tokens; 0 when unknown.
  public mutating func finished(_ handle: Handle, outputTokens: Double, at time: Double) {
    guard let index = live(handle) else { return }
    let endpoint = Int(slots[index].endpoint)
    slots[index].endpoint = -1
    let hadFirstToken = slots[index].hasFirstToken
    let tpot =
      hadFirstToken && outputTokens > 1
      ? (time - slots[index].firstTokenTime) / (outputTokens - 1) : 0
    endpoints[endpoint].finished(
      slot: handle.slot, hadFirstToken: hadFirstToken, outputTokens: outputTokens,
      tpotMilliseconds: tpot, keepsLatest: keptSums.has(.latest), at: time)
    if tpot > 0 { learn(endpoint, since: slots[index].mark, outputTokens, tpot) }
    observeOthers(endpoint)
    if hadFirstToken { totals.decodingRequests -= 1 } else { totals.pendingRequests -= 1 }
    if outputTokens > Self.judgedOutputTokens, tpot > 0, slots[index].predicted != nil {
      tpotCorrection.observe(
        raw: slots[index].raw.tpot,
        corrected: predictsLevels ? slots[index].predicted?.tpot : nil, actual: tpot,
        endpoint: endpoint, regime: slots[index].raw.regime,
        underway: Double(totals.pendingRequests + totals.decodingRequests), at: time)
      columns.markTPOTCorrected(endpoint)
    }
    freeSlots.append(handle.slot)
  }

  /// An endpoint's metrics were scraped.
  public mutating func observe(_ snapshot: EngineSnapshot, on endpoint: Int) {
    endpoints[endpoint].observe(snapshot)
    forgetAnswers()
    // Without a predictor no columns are read, and a new one reads all anew.
    if readsSnapshots { columns.markScraped(endpoint) }
  }

  /// What was answered is no longer true.
  @inline(always)
  mutating func forgetAnswers() {
    asked.endpoint = -1
    answered.time = .nan
  }

  /// Something happened on an endpoint.
  mutating func markChanged(_ endpoint: Int) {
    columns.markStale(endpoint)
    if endpoints[endpoint].engine.isLearning { columns.markRenewed(endpoint) }
    forgetAnswers()
  }

  /// How far apart the chunks of an answer must be to be worth noting, ms.
  public static let chunkSpacingMilliseconds = 20.0

  /// TPOT of shorter answers is mostly the noise of a few steps.
  static let judgedOutputTokens = 8.0

  private func live(_ handle: Handle) -> Int? {
    let index = Int(handle.slot)
    guard slots.indices.contains(index), slots[index].generation == handle.generation,
      slots[index].endpoint >= 0
    else { return nil }
    return index
  }

  /// Comes after the event, which runs the steps that began before it.
  private mutating func observeOthers(_ endpoint: Int) {
    markChanged(endpoint)
    endpoints[endpoint].observe(
      otherDecodingRequests: totals.decodingRequests - Double(endpoints[endpoint].decodingRequests))
  }

  // MARK: - Features

  /// Writes the features of sending `request` to `endpoint` at `time` into `row`.
  ///
  /// - Parameters:
  ///   - row: Receives `Feature.count` values from index `start` on.
  /// - Returns: The emulated engine's forecast.
  @discardableResult
  public mutating func features(
    _ request: RequestShape, on endpoint: Int, at time: Double, into row: inout [Double],
    from start: Int = 0
  ) -> EngineForecast {
    let forecast = features(
      request, on: endpoint, at: time, needs: .everything, into: &row, from: start)
    if predictor == nil {
      // All that dispatching would ask for.
      (asked.endpoint, asked.time, asked.request) = (endpoint, time, request)
      asked.forecast = forecast
    }
    return forecast
  }

  /// The features that `needs` asks for, and those that cost nothing; the others become 0.
  @discardableResult
  mutating func features(
    _ request: RequestShape, on endpoint: Int, at time: Double, needs: LaneNeeds,
    into row: inout [Double], from start: Int
  ) -> EngineForecast {
    let forecast = endpoints[endpoint].forecast(request, at: time)
    let pool = totals(at: time, needs: needs)
    endpoints[endpoint].features(
      request, forecast: forecast, pool: pool, at: time, needs: needs, into: &row, from: start)
    return forecast
  }

  /// What all endpoints have in flight together at `time`.
  ///
  /// - Parameter needs: Rates that it does not ask for stay 0.
  @inline(always)
  mutating func totals(at time: Double, needs: LaneNeeds) -> PoolTotals {
    if needs.has(.poolWork) || needs.has(.poolFastWork), rates.time != time {
      rates = (
        time, work.rate(at: time, halfLife: EndpointLoad.mediumHalfLife),
        fastWork.rate(at: time, halfLife: EndpointLoad.fastHalfLife)
      )
    }
    var pool = totals
    pool.recentExcess = recentExcess.value
    pool.endpointCount = Double(max(endpoints.count, 1))
    if needs.has(.poolWork) {
      pool.arrivalWork = rates.work / pool.endpointCount
    }
    if needs.has(.poolFastWork) {
      pool.arrivalWorkFast = rates.fastWork / pool.endpointCount
    }
    return pool
  }
}
