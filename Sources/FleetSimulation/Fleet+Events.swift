internal import RoutingRuntime

extension Fleet {
  // MARK: - Arrivals

  /// A request reaches the gateway and is sent on.
  mutating func arrive(_ id: Int, _ workload: Workload) {
    let routing = RoutingRequest(workload, id)
    let time = workload.requests.span[id].arrivalMilliseconds
    let pick = router.pick(routing, at: time)
    let first = pick.prefillEndpoint >= 0 ? pick.prefillEndpoint : pick.endpoint
    outcomes[id].arrive(at: time, pick, first >= 0 ? states[first].seen(at: time) : nil)
    guard first >= 0 else { return }
    handles[id] = router.dispatched(routing, to: first, at: time)
    submit(
      id, workload, to: first, isPrefillOnly: pick.prefillEndpoint >= 0,
      at: time)
  }

  /// A request reaches the gateway, which sends it where it is told.
  ///
  /// - Parameter prefill: Where its prompt is computed; -1 for where it is decoded.
  mutating func arrive(_ id: Int, _ workload: Workload, to endpoint: Int, prefill: Int) {
    let time = workload.requests.span[id].arrivalMilliseconds
    guard engines.indices.contains(endpoint) else {
      outcomes[id].arrivalMilliseconds = time
      outcomes[id].status = .noEndpoint
      return
    }
    let isSplit = prefill != endpoint && engines.indices.contains(prefill)
    let first = isSplit ? prefill : endpoint
    outcomes[id].arrive(
      at: time, endpoint: endpoint, prefill: isSplit ? prefill : -1,
      states[first].seen(at: time))
    submit(id, workload, to: first, isPrefillOnly: isSplit, at: time)
  }

  private mutating func submit(
    _ id: Int, _ workload: Workload, to endpoint: Int,
    isPrefillOnly: Bool = false, at time: Double
  ) {
    openRequests += 1
    if states[endpoint].isDead {
      end(id, .failed, at: time)
      return
    }
    let requests = workload.requests.span
    nextTimes[endpoint] = engines[endpoint].submitted(
      id: id, promptTokens: requests[id].promptTokens,
      outputTokens: isPrefillOnly ? 1 : requests[id].outputTokens, requests[id].cached, at: time)
  }

  // MARK: - What comes back

  mutating func receive(_ event: EngineEvent, from endpoint: Int, _ workload: Workload) {
    let id = event.id
    if hasPairs, outcomes[id].prefillEndpoint == Int32(truncatingIfNeeded: endpoint),
      outcomes[id].endpoint != Int32(truncatingIfNeeded: endpoint)
    {
      receivePrefill(event, workload)
      return
    }
    switch event.kind {
    case .firstToken:
      outcomes[id].firstToken(event)
      if isRouted, let handle = handles[id] { router.firstToken(handle, at: event.time) }
    case .finished:
      outcomes[id].complete(event)
      openRequests -= 1
      if isRouted, let handle = handles[id] {
        router.finished(handle, outputTokens: Double(event.generatedTokens), at: event.time)
      }
    case .rejected: end(id, .rejected, at: event.time)
    case .failed: end(id, .failed, at: event.time)
    case .token: break
    }
  }

  /// The prompt is computed: its KV cache goes to the endpoint that decodes.
  private mutating func receivePrefill(_ event: EngineEvent, _ workload: Workload) {
    let id = event.id
    switch event.kind {
    case .firstToken:
      outcomes[id].cachedTokens = Int32(truncatingIfNeeded: event.cachedTokens)
    case .finished:
      let decode = Int(outcomes[id].endpoint)
      let request = workload.requests[id]
      if let handle = handles[id] {
        handles[id] = router.handedOff(
          handle, RoutingRequest(workload, id), to: decode, at: event.time)
      }
      guard !states[decode].isDead else {
        end(id, .failed, at: event.time)
        return
      }
      let transfer =
        configuration.transferMilliseconds
        + configuration.transferMillisecondsPerToken * Double(request.promptTokens)
      nextTimes[decode] = engines[decode].submitted(
        id: id, promptTokens: request.promptTokens, outputTokens: request.outputTokens,
        request.cached, transferredTokens: request.promptTokens - 1, at: event.time + transfer)
    case .rejected: end(id, .rejected, at: event.time)
    case .failed: end(id, .failed, at: event.time)
    case .token: break
    }
  }

  /// A request ends without its answer.
  mutating func end(_ id: Int, _ status: RequestOutcome.Status, at time: Double) {
    outcomes[id].status = status
    openRequests -= 1
    if isRouted, let handle = handles[id] {
      router.finished(handle, outputTokens: 0, at: time)
    }
  }

  // MARK: - Metrics

  /// The gateway scrapes every endpoint, stops using those that do not answer, and gives up
  /// requests that have waited for too long.
  mutating func scrape(at time: Double, _ workload: Workload) {
    giveUp(at: time, workload)
    for index in engines.indices {
      if states[index].isDead || states[index].isHung {
        let isStale = time - states[index].lastScrape > configuration.staleAfterMilliseconds
        if states[index].isAvailable, states[index].isDead || isStale {
          states[index].isAvailable = false
          states[index].snapshot = nil
          router.setAvailable(false, endpoint: index)
          router.forgetSnapshot(endpoint: index)
          if states[index].isDead { router.forgetPrefixes(endpoint: index) }
        }
        continue
      }
      if !states[index].isAvailable {
        states[index].isAvailable = true
        router.setAvailable(true, endpoint: index)
      }
      let gauges = states[index].isLying ? EngineGauges() : engines[index].scrape(at: time)
      states[index].scraped(gauges, at: time)
      guard isRouted, readsMetrics else { continue }
      router.observe(
        EngineSnapshot(
          waitingRequests: Double(gauges.waitingRequests),
          runningRequests: Double(gauges.runningRequests),
          kvCacheUsage: gauges.kvCacheUsage, time: time),
        on: index)
    }
  }

  private mutating func giveUp(at time: Double, _ workload: Workload) {
    guard configuration.timeoutMilliseconds < .infinity else { return }
    while oldestWaiting < outcomes.count {
      let id = oldestWaiting
      guard workload.requests[id].arrivalMilliseconds + configuration.timeoutMilliseconds <= time
      else { return }
      oldestWaiting += 1
      let outcome = outcomes[id]
      guard outcome.status == .unfinished, outcome.ttftMilliseconds.isNaN else { continue }
      for endpoint in [outcome.endpoint, outcome.prefillEndpoint] where endpoint >= 0 {
        engines[Int(endpoint)].abort(id: id, at: time)
        nextTimes[Int(endpoint)] = engines[Int(endpoint)].nextTime
      }
      end(id, .timedOut, at: time)
    }
  }

  // MARK: - Faults

  mutating func apply(_ event: FaultEvent) {
    let fault = configuration.faults[event.fault]
    let index = fault.endpoint
    switch fault.kind {
    case .killed:
      states[index].isDead = event.begins
      if event.begins {
        totalDecoding -= isCoupled ? Double(engines[index].decoding.count) : 0
        engines[index].fail(at: event.time)
        for position in engines[index].events.indices {
          end(engines[index].events[position].id, .failed, at: event.time)
        }
        engines[index].events.removeAll(keepingCapacity: true)
      }
    case .hung:
      states[index].isHung = event.begins
      if event.begins {
        engines[index].hang(at: event.time)
      } else {
        engines[index].resume(at: event.time)
      }
    case .slowed(let factor):
      engines[index].setSlowness(event.begins ? factor : 1, at: event.time)
    case .lyingMetrics: states[index].isLying = event.begins
    }
    nextTimes[index] = engines[index].nextTime
  }
}

extension RoutingRequest {
  /// What the gateway knows of a simulated request.
  init(_ workload: Workload, _ id: Int) {
    let requests = workload.requests.span
    self.init(
      promptTokens: Double(requests[id].promptTokens),
      maximumTokens: Double(requests[id].maximumTokens), prefixBlocks: requests[id].prefixBlocks,
      blockTokens: Double(workload.blockTokens),
      ttftObjectiveMilliseconds: requests[id].ttftObjectiveMilliseconds,
      tpotObjectiveMilliseconds: requests[id].tpotObjectiveMilliseconds,
      isSheddable: requests[id].isSheddable)
  }
}
