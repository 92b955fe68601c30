internal import RoutingRuntime

/// All that changes while requests come and go; pure, so that every call brings the time.
///
/// Requests, scrapes and endpoint lists reach it one at a time: ``LivePicker`` holds it in a lock.
struct PickerState: Sendable {
  var router: Router
  let settings: PickerSettings
  var slots: [EndpointSlot] = []
  /// The router's index of each endpoint that some source lists.
  var indices: [String: Int] = [:]
  var flights: [UInt64: Flight] = [:]
  private var nextTicket: UInt64 = 1
  private var models: ModelReader
  private(set) var modelVersion: UInt64 = 0
  var counters = PickerCounters()
  private(set) var outcomes = OutcomeWindow()
  private(set) var policyName: String
  /// Whether no endpoint is in order, so that all are tried.
  var isPanicking = false

  init(settings: PickerSettings, models: PublishedModel) {
    self.settings = settings
    let policy = settings.policy ?? .predictedCost(PredictedCostParameters())
    router = Router(predictor: nil, policy: policy, configuration: settings.router)
    policyName = policy.name
    self.models = ModelReader(models)
    if self.models.predictor != nil { install() }
  }

  // MARK: - The model

  /// Puts a newly published model in force; its requests in flight stay.
  mutating func refreshModel() {
    if models.refresh() { install() }
  }

  private mutating func install() {
    guard let predictor = models.predictor else { return }
    router.policy = settings.policy ?? .predictedCost(PredictedCostParameters())
    router.install(predictor)
    if let fixed = settings.policy { router.policy = fixed }
    policyName = router.policy.name
    modelVersion = models.version
  }

  var predictor: Predictor? { models.predictor }

  // MARK: - Requests

  /// Chooses an endpoint and counts the request as in flight there.
  mutating func pick(
    _ request: InferenceRequest, subset: [String]?, receivedUnixNanoseconds: Int64,
    unixNanoseconds: Int64, at time: Double
  ) -> PickOutcome {
    refreshModel()
    let routed = Self.routed(request)
    let pick = router.pick(routed, among: candidates(request, subset), at: time)
    guard slots.indices.contains(pick.endpoint) else {
      if pick.reason == .shed {
        counters.shedRequests += 1
        return .shed(reason: "saturated")
      }
      counters.unplacedRequests += 1
      return .noEndpoint
    }
    let first = slots.indices.contains(pick.prefillEndpoint) ? pick.prefillEndpoint : pick.endpoint
    let handle = router.dispatched(routed, to: first, at: time)
    let ticket = PickTicket(identifier: nextTicket)
    nextTicket += 1
    flights[ticket.identifier] = Flight(
      request: request, handle: handle, pick: pick, policyName: policyName,
      snapshot: slots[first].snapshot,
      receivedUnixNanoseconds: Self.arrival(receivedUnixNanoseconds, before: unixNanoseconds),
      dispatchedUnixNanoseconds: unixNanoseconds, dispatchedAt: time)
    slots[pick.endpoint].picked(
      pick.reason, matchedShare: pick.matchedPrefixTokens / max(routed.promptTokens, 1))
    if slots[pick.endpoint].isOnProbation {
      flights[ticket.identifier]?.isProbe = true
      slots[pick.endpoint].probesInFlight += 1
      applyAvailability(at: time)
    }
    return .endpoint(
      PickedEndpoint(
        address: slots[pick.endpoint].description.address,
        prefillAddress: first == pick.endpoint ? nil : slots[first].description.address,
        ticket: ticket))
  }

  /// The indices to choose among; `nil` for all.
  private func candidates(_ request: InferenceRequest, _ subset: [String]?) -> [Int]? {
    if let subset { return subset.compactMap { indices[$0] } }
    guard counters.hasModelsPerEndpoint, !request.model.isEmpty else { return nil }
    let serving = slots.indices.filter { index in
      let model = slots[index].description.model
      return slots[index].isPresent && (model.isEmpty || model == request.model)
    }
    // A name that no endpoint lists may be an adapter: then all are asked.
    return serving.isEmpty ? nil : serving
  }

  static func routed(_ request: InferenceRequest) -> RoutingRequest {
    RoutingRequest(
      promptTokens: Double(max(request.promptTokens, 1)),
      maximumTokens: Double(max(request.maximumTokens, 0)), prefixBlocks: request.prefixBlocks,
      blockTokens: Double(InferenceRequest.blockTokens),
      ttftObjectiveMilliseconds: request.ttftObjectiveMilliseconds,
      tpotObjectiveMilliseconds: request.tpotObjectiveMilliseconds,
      isSheddable: request.isSheddable)
  }

  /// An arrival time that is believable: not after the dispatch, nor over an hour before it.
  private static func arrival(_ time: Int64, before dispatch: Int64) -> Int64 {
    min(max(time, dispatch - 3_600_000_000_000), dispatch)
  }

  /// An endpoint for a request that generates nothing.
  mutating func anyEndpoint(subset: [String]?, at time: Double) -> String? {
    let choices = (subset.map { $0.compactMap { indices[$0] } } ?? Array(slots.indices)).filter {
      slots[$0].description.role != .prefill
        && (isPanicking ? slots[$0].mayServe : slots[$0].isHealthy(at: time))
    }
    guard !choices.isEmpty else { return nil }
    counters.headerOnlyRequests += 1
    return slots[choices[Int(counters.headerOnlyRequests % UInt64(choices.count))]].description
      .address
  }

  mutating func firstToken(_ ticket: PickTicket, at time: Double) {
    guard var flight = flights[ticket.identifier], flight.firstTokenAt == nil else { return }
    flight.firstTokenAt = time
    flight.notedAt = time
    progressed(flight.pick.endpoint, at: time)
    endProbation(flight.pick.endpoint, by: flight, at: time)
    if slots.indices.contains(flight.pick.prefillEndpoint) {
      progressed(flight.pick.prefillEndpoint, at: time)
    }
    if flight.pick.prefillEndpoint >= 0 {
      // The prefill's end is not seen from here: it is taken for when the decode began to answer.
      flight.handle = router.handedOff(
        flight.handle, Self.routed(flight.request), to: flight.pick.endpoint, at: time)
    }
    router.firstToken(flight.handle, at: time)
    let actual = time - flight.dispatchedAt
    let objective = flight.request.ttftObjectiveMilliseconds
    if objective > 0, flight.waitMilliseconds + actual > objective { counters.ttftViolations += 1 }
    counters.observeTTFT(
      actual, predicted: flight.pick.prediction?.ttft.p50, model: flight.request.model)
    if let predicted = flight.pick.prediction?.ttft {
      outcomes.add(
        LatencyOutcome(
          endpoint: slots[flight.pick.endpoint].description.name,
          predictedMilliseconds: predicted.p50,
          predictedP90Milliseconds: predicted.p90, actualMilliseconds: actual))
    }
    flights[ticket.identifier] = flight
  }

  mutating func tokens(_ ticket: PickTicket, count: Int, at time: Double) {
    guard let index = flights.index(forKey: ticket.identifier) else { return }
    progressed(flights.values[index].pick.endpoint, at: time)
    guard flights.values[index].chunkOffsets.count < settings.chunkOffsets,
      let first = flights.values[index].firstTokenAt,
      time - flights.values[index].notedAt >= EndpointPool.chunkSpacingMilliseconds
    else { return }
    // What is told is what is logged: a replay is to see the same.
    flights.values[index].notedAt = time
    flights.values[index].chunkOffsets.append(Float(((time - first) * 100).rounded() / 100))
    router.tokens(flights.values[index].handle, at: time)
  }

  /// Ends a request; `nil` for a ticket that is not, or no longer, in flight.
  mutating func finished(
    _ ticket: PickTicket, outcome: RequestOutcome, at time: Double
  ) -> RequestRecord? {
    guard let flight = flights.removeValue(forKey: ticket.identifier) else {
      counters.repeatedEnds += 1
      return nil
    }
    let tokens = max(outcome.outputTokens ?? 0, 0)
    router.finished(flight.handle, outputTokens: Double(tokens), at: time)
    let index = flight.pick.endpoint
    slots[index].requestsInFlight -= 1
    if flight.isProbe { slots[index].probesInFlight -= 1 }
    judge(outcome, flight, at: time)
    if outcome.end == .complete, outcome.status < 400 { progressed(index, at: time) }
    if slots[index].isOnProbation { applyAvailability(at: time) }
    if let first = flight.firstTokenAt, tokens > 1 {
      let actual = (time - first) / Double(tokens - 1)
      let objective = flight.request.tpotObjectiveMilliseconds
      if objective > 0, actual > objective { counters.tpotViolations += 1 }
      counters.observeTPOT(
        actual, predicted: flight.pick.prediction?.tpot.p50, model: flight.request.model)
    }
    counters.countEnd(status: outcome.status)
    return record(flight, ticket: ticket, outcome: outcome, at: time)
  }

  // MARK: - Upkeep

  /// What time alone changes: stale snapshots, ended ejections, requests that nobody ended.
  mutating func maintain(at time: Double) -> [PickTicket] {
    refreshModel()
    for index in slots.indices {
      guard let snapshot = slots[index].snapshot,
        time - snapshot.time > settings.staleMilliseconds
      else { continue }
      slots[index].snapshot = nil
      router.forgetSnapshot(endpoint: index)
      counters.staleSnapshots += 1
    }
    findStalls(at: time)
    applyAvailability(at: time)
    return flights.filter { time - $0.value.dispatchedAt > settings.lifetimeMilliseconds }
      .map { PickTicket(identifier: $0.key) }
  }

  mutating func applyAvailability(at time: Double) {
    let isAnyHealthy = slots.contains { $0.isHealthy(at: time) }
    isPanicking = !isAnyHealthy && slots.contains(where: \.mayServe)
    for index in slots.indices {
      let isAvailable = isAnyHealthy ? slots[index].isHealthy(at: time) : slots[index].mayServe
      router.setAvailable(isAvailable, endpoint: index)
    }
  }
}
