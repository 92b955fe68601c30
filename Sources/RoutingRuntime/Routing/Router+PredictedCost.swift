extension Router {
  /// Predicts the request on every candidate.
  ///
  /// Many are predicted together; a few of a large pool one by one.
  mutating func forecastCandidates(_ request: RoutingRequest, level: Double, at time: Double) {
    if pool.supportsLanes, 4 * candidates.count >= endpoints.count {
      // Moved out and back, so that the array is never copied.
      var list: [Candidate] = []
      swap(&list, &candidates)
      pool.forecastLanes(shape(request, matchedTokens: 0), level: level, at: time, &list)
      swap(&list, &candidates)
      return
    }
    for index in candidates.indices {
      candidates[index].forecast = pool.expected(
        shape(request, matchedTokens: candidates[index].matchedTokens),
        on: candidates[index].endpoint, level: level, at: time)
    }
  }

  /// Glidepath's policy: the least predicted cost to this request and to those that it delays.
  mutating func predictedCost(
    _ parameters: PredictedCostParameters, _ request: RoutingRequest, at time: Double
  ) -> Pick {
    forecastCandidates(request, level: parameters.quantileLevel, at: time)
    if isShed(parameters, request) { return Pick(endpoint: -1, reason: .shed, propensity: 1) }
    let isLimited = keepHeadroom(parameters, request)
    let output = expectedOutput(request)
    score(parameters, request, output: output)
    let near = nearLeast()
    let isExploring = parameters.exploration > 0 && random.uniform() < parameters.exploration
    let explored = isExploring ? candidate(near, at: random.index(below: near.count)) : nil
    let isSticky =
      parameters.affinityThreshold <= 1
      && keepAffinity(
        threshold: parameters.affinityThreshold,
        penaltyMilliseconds: parameters.affinityPenaltyMilliseconds)
    let (place, propensity) = bestPlace()
    let greedy = only(
      place, reason: isSticky ? .prefixAffinity : isLimited ? .bestScore : .leastViolation,
      propensity: propensity)
    return chosen(
      greedy, score: candidates[place].score, explored, near, share: parameters.exploration)
  }

  /// The explored candidate, or else the greedy pick, with the chance that it had of being chosen
  /// either way.
  ///
  /// - Parameter least: The greedy pick's.
  @inline(always)
  private func chosen(
    _ greedy: Pick, score least: Double, _ explored: Candidate?,
    _ near: (least: Double, count: Int), share: Double
  ) -> Pick {
    guard near.count > 0, least == least else { return greedy }
    var pick = greedy
    // Endpoints of the same cost are as likely.
    let isLeast =
      explored.map { explored in
        candidates.contains { $0.endpoint == explored.endpoint && $0.score == least }
      } ?? true
    pick.propensity = isLeast ? (1 - share) * greedy.propensity : 0
    if explored?.score ?? least >= near.least { pick.propensity += share / Double(near.count) }
    guard let explored else { return pick }
    pick.endpoint = explored.endpoint
    pick.matchedPrefixTokens = explored.matchedTokens
    if greedy.reason != .onlyCandidate { pick.reason = .exploration }
    return pick
  }

  /// Scores every candidate by what sending the request there costs, ms.
  ///
  /// Its prompt lengthens the steps of everybody there: those that wait lose the time it adds, and
  /// those that decode lose it at the weight of decoding. That is the prompt's own work, not the
  /// length of the steps which it shares with others: by those, a cached prompt would seem to delay a
  /// busy endpoint as much as one that is computed whole, and sessions leave their caches.
  private mutating func score(
    _ parameters: PredictedCostParameters, _ request: RoutingRequest, output: Double
  ) {
    let share = parameters.emulatorShare
    let promptTokens = request.promptTokens
    // Moved out and back, so that the array is never copied.
    var list: [Candidate] = []
    swap(&list, &candidates)
    var scored = list.mutableSpan
    for index in scored.indices {
      let ttft =
        (1 - share) * scored[index].forecast.ttft + share * scored[index].forecast.emulatedTTFT
      let tpot =
        (1 - share) * scored[index].forecast.tpot + share * scored[index].forecast.emulatedTPOT
      let own = ttft + parameters.tpotWeight * tpot * max(output - 1, 0)
      let others =
        scored[index].forecast.pending + parameters.tpotWeight * scored[index].forecast.decoding
      let newTokens = max(promptTokens - scored[index].matchedTokens, 1)
      let endpoint = scored[index].endpoint
      let (work, perToken) = pool.prefillWork(
        newTokens: newTokens, promptTokens: promptTokens, on: endpoint)
      let price = 0.001 * parameters.displacement + parameters.recomputation * perToken
      let cost =
        own + parameters.externality * work * others
        + newTokens * price * prefixes.fill(endpoint: endpoint)
      scored[index].score = -cost
    }
    swap(&list, &candidates)
  }

  /// The candidates that exploration may choose: those whose cost is near the least.
  ///
  /// A prompt that is sent far from its cached prefix costs many others theirs.
  @inline(always)
  private func nearLeast() -> (least: Double, count: Int) {
    let scored = candidates.span
    var best = -Double.infinity
    for index in scored.indices { best = max(best, scored[index].score) }
    let least = best - Self.nearShare * abs(best) - Self.nearMilliseconds
    var count = 0
    for index in scored.indices { count += scored[index].score >= least ? 1 : 0 }
    return (least, count)
  }

  /// The one of the `near` candidates that has so many of them before it.
  private func candidate(_ near: (least: Double, count: Int), at rank: Int) -> Candidate? {
    var left = rank
    for candidate in candidates where candidate.score >= near.least {
      if left == 0 { return candidate }
      left -= 1
    }
    return nil
  }

  /// How much more than the least cost is near it: this share, and this many ms.
  private static let nearShare = 0.5
  private static let nearMilliseconds = 1.0

  @inline(always)
  private func isShed(
    _ parameters: PredictedCostParameters, _ request: RoutingRequest
  ) -> Bool {
    guard request.isSheddable, parameters.shedTTFTMilliseconds > 0 else { return false }
    return candidates.allSatisfy { $0.forecast.ttft > parameters.shedTTFTMilliseconds }
  }

  /// Keeps the candidates that promise to meet the request's objectives, if there are any, and if
  /// ``PredictedCostParameters/headroom`` is not 0.
  ///
  /// - Returns: Whether the objectives, if any, can be met.
  private mutating func keepHeadroom(
    _ parameters: PredictedCostParameters, _ request: RoutingRequest
  ) -> Bool {
    let share = 1 - parameters.headroom
    let ttft = request.ttftObjectiveMilliseconds
    let tpot = request.tpotObjectiveMilliseconds
    let ttftLimit = ttft > 0 ? ttft * share : .infinity
    let tpotLimit = tpot > 0 ? tpot * share : .infinity
    guard ttftLimit < .infinity || tpotLimit < .infinity else { return true }
    func meets(_ candidate: Candidate) -> Bool {
      candidate.forecast.ttft <= ttftLimit && candidate.forecast.tpot <= tpotLimit
    }
    var kept = 0
    guard candidates.contains(where: meets) else { return false }
    guard parameters.headroom > 0 else { return true }
    for index in candidates.indices where meets(candidates[index]) {
      candidates[kept] = candidates[index]
      kept += 1
    }
    candidates.removeLast(candidates.count - kept)
    return true
  }

  /// Keeps the candidates that hold the prefix, unless the best of them costs too much more.
  private mutating func keepAffinity(threshold: Double, penaltyMilliseconds: Double) -> Bool {
    var (sticky, others) = (-Double.infinity, -Double.infinity)
    for candidate in candidates {
      if candidate.matchedFraction >= threshold, candidate.matchedFraction > 0 {
        sticky = max(sticky, candidate.score)
      } else {
        others = max(others, candidate.score)
      }
    }
    guard sticky > -.infinity, others > -.infinity, others - sticky <= penaltyMilliseconds else {
      return false
    }
    candidates.removeAll { $0.matchedFraction < threshold || $0.matchedFraction == 0 }
    return true
  }

  // MARK: - Separate prefill

  /// Completes a pick whose prefill endpoint does not decode: the decode endpoint by TPOT.
  mutating func pair(
    prefill: Pick, _ request: RoutingRequest, among subset: [Int]?, at time: Double
  ) -> Pick {
    var pick = predicted(prefill, request, at: time)
    collect(request, among: subset) { $0 == .decode }
    guard !candidates.isEmpty else {
      return Pick(endpoint: -1, reason: .noEndpoint, propensity: 0)
    }
    // The KV cache arrives by transfer: nothing but the last prompt token is computed there.
    for index in candidates.indices {
      candidates[index].matchedTokens = max(0, request.promptTokens - 1)
    }
    forecastCandidates(request, level: 0, at: time)
    for index in candidates.indices {
      let forecast = candidates[index].forecast
      candidates[index].score = -(forecast.ttft + forecast.tpot * expectedOutput(request))
    }
    let decode = predicted(best(), request, at: time)
    var transfer = 0.0
    if case .predictedCost(let parameters) = policy {
      transfer = parameters.transferMillisecondsPerToken * request.promptTokens
    }
    pick.prefillEndpoint = prefill.endpoint
    pick.endpoint = decode.endpoint
    pick.propensity *= decode.propensity
    if let first = pick.prediction, let then = decode.prediction {
      pick.prediction = Prediction(
        ttft: first.ttft.delayed(by: transfer + then.ttft.mean), tpot: then.tpot,
        isExtrapolating: first.isExtrapolating || then.isExtrapolating)
    }
    return pick
  }
}

extension HeadValues {
  /// The same distribution, `milliseconds` later.
  func delayed(by milliseconds: Double) -> HeadValues {
    HeadValues(
      mean: mean + milliseconds, p50: p50 + milliseconds, p90: p90 + milliseconds,
      p95: p95 + milliseconds, p99: p99 + milliseconds)
  }

  /// The head that decides at `level`: 0 for the mean, else the nearest level not below it.
  func deciding(_ level: Double) -> Double {
    if level <= 0 { return mean }
    for (index, known) in Self.levels.enumerated() where level <= known { return quantile(index) }
    return p99
  }
}
