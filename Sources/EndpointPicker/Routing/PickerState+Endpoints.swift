internal import RoutingRuntime

extension PickerState {
  // MARK: - Health by outcomes

  /// Ejects an endpoint that fails several requests in a row.
  mutating func judge(_ outcome: RequestOutcome, _ flight: Flight, at time: Double) {
    let endpoint = flight.pick.endpoint
    if outcome.end == .drained { return }
    slots[endpoint].completedRequests += 1
    guard Self.isFailure(outcome, flight, at: time) else {
      if outcome.end == .complete, outcome.status < 400 { succeeded(endpoint, at: time) }
      return
    }
    slots[endpoint].failedRequests += 1
    slots[endpoint].consecutiveFailures += 1
    guard settings.outlierFailures > 0, time >= slots[endpoint].ejectedUntil,
      slots[endpoint].isOnProbation
        || slots[endpoint].consecutiveFailures >= settings.outlierFailures
    else { return }
    eject(endpoint, at: time)
    applyAvailability(at: time)
  }

  /// Sends an endpoint nothing for a while, twice as long each time.
  mutating func eject(_ endpoint: Int, at time: Double) {
    let factor = min(pow2(slots[endpoint].ejections), 10)
    slots[endpoint].ejectedUntil = time + settings.ejectionMilliseconds * factor
    slots[endpoint].ejections += 1
    slots[endpoint].isOnProbation = true
    counters.ejections += 1
  }

  /// A whole answer that was sent after the last ejection is what acquits an endpoint.
  private mutating func succeeded(_ endpoint: Int, at time: Double) {
    slots[endpoint].consecutiveFailures = 0
    guard time >= slots[endpoint].ejectedUntil else { return }
    let wasOnProbation = slots[endpoint].isOnProbation
    slots[endpoint].acquit()
    if wasOnProbation { applyAvailability(at: time) }
  }

  /// Clients that leave at once say nothing; those that gave up waiting do.
  private static func isFailure(
    _ outcome: RequestOutcome, _ flight: Flight, at time: Double
  ) -> Bool {
    if outcome.status >= 500 { return true }
    guard outcome.end == .interrupted else { return false }
    if outcome.status != 499 { return true }
    return flight.request.isStreaming && flight.firstTokenAt == nil
      && time - flight.dispatchedAt >= patienceMilliseconds
  }

  /// A client that waited this long for its first token gave up on the endpoint.
  private static let patienceMilliseconds = 2_000.0

  private func pow2(_ exponent: Int) -> Double { Double(1 << min(exponent, 8)) }

  // MARK: - Scrapes

  mutating func observe(_ metrics: EngineMetrics, address: String, at time: Double) -> Bool {
    guard let index = indices[address] else { return false }
    if let waiting = metrics.waitingRequests, let running = metrics.runningRequests {
      let snapshot = EngineSnapshot(
        waitingRequests: waiting, runningRequests: running,
        kvCacheUsage: metrics.kvCacheUsage ?? 0, time: time)
      slots[index].snapshot = snapshot
      router.observe(snapshot, on: index)
    }
    if let tokens = metrics.cacheTokens {
      // The index remembers no more than the engine does.
      router.limitPrefixes(
        Int(tokens / Double(InferenceRequest.blockTokens)), endpoint: index)
    }
    counters.scrapes += 1
    slots[index].consecutiveScrapeFailures = 0
    guard !slots[index].isAlive else { return false }
    slots[index].isAlive = true
    // What was dead has most likely restarted, with an empty cache.
    router.forgetPrefixes(endpoint: index)
    slots[index].acquit()
    slots[index].progressAt = time
    applyAvailability(at: time)
    return true
  }

  /// A scrape failed; returns whether the endpoint has become unavailable by it.
  mutating func scrapeFailed(address: String, at time: Double) -> Bool {
    guard let index = indices[address] else { return false }
    counters.failedScrapes += 1
    slots[index].consecutiveScrapeFailures += 1
    guard slots[index].isAlive, settings.scrapeFailures > 0,
      slots[index].consecutiveScrapeFailures >= settings.scrapeFailures
    else { return false }
    slots[index].isAlive = false
    slots[index].snapshot = nil
    router.forgetSnapshot(endpoint: index)
    applyAvailability(at: time)
    return true
  }

  // MARK: - Endpoints

  /// Replaces the list of endpoints; requests in flight on those that leave stay counted.
  mutating func setEndpoints(_ endpoints: [EndpointDescription], at time: Double) {
    var listed: [String: Int] = [:]
    for endpoint in endpoints.prefix(EndpointDescription.maximumCount) {
      if let index = index(of: endpoint) {
        if !slots[index].isPresent { revive(index) }
        slots[index].description = endpoint
        listed[endpoint.address] = index
      } else {
        let index = router.addEndpoint(
          named: endpoint.name, accelerator: endpoint.accelerator, role: endpoint.role,
          engine: .unfitted)
        slots.append(EndpointSlot(endpoint))
        listed[endpoint.address] = index
      }
    }
    let kept = Set(listed.values)
    for index in slots.indices where !kept.contains(index) {
      slots[index].isPresent = false
      slots[index].snapshot = nil
      router.forgetSnapshot(endpoint: index)
    }
    indices = listed
    counters.hasModelsPerEndpoint = endpoints.contains { !$0.model.isEmpty }
    compact(at: time)
    applyAvailability(at: time)
  }

  private func index(of endpoint: EndpointDescription) -> Int? {
    if let index = indices[endpoint.address], slots[index].description.isSame(as: endpoint) {
      return index
    }
    return slots.firstIndex { !$0.isPresent && $0.description.isSame(as: endpoint) }
  }

  private mutating func revive(_ index: Int) {
    slots[index].isPresent = true
    slots[index].isAlive = true
    slots[index].consecutiveScrapeFailures = 0
    slots[index].acquit()
    router.forgetPrefixes(endpoint: index)
  }
}
