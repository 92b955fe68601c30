// The policies of others, after their published formulas, so that gateways and simulations can
// compare with them.

extension Router {
  /// The fewest requests in flight; ties at random.
  mutating func leastRequest() -> Pick {
    for index in candidates.indices { candidates[index].score = -candidates[index].requests }
    return best()
  }

  /// The less loaded of two that are drawn at random.
  mutating func powerOfTwo() -> Pick {
    let count = candidates.count
    guard count > 1 else { return only(0, reason: .onlyCandidate) }
    let first = random.index(below: count)
    var second = random.index(below: count - 1)
    if second >= first { second += 1 }
    let isFirst = candidates[first].requests <= candidates[second].requests
    let chosen = isFirst ? first : second
    // How many of the others it would beat, ties drawn either way by order of drawing.
    var beaten = 0.0
    for index in candidates.indices where index != chosen {
      let difference = candidates[index].requests - candidates[chosen].requests
      beaten += difference > 0 ? 1 : difference == 0 ? 0.5 : 0
    }
    return only(
      chosen, reason: .bestScore, propensity: 2 * beaten / Double(count * (count - 1)))
  }

  /// llm-d's default profile: the highest weighted sum of scores in 0…1.
  ///
  /// - Source: llm-d-router's scheduling plugins, as of 2026-08.
  mutating func weightedScorers(_ weights: ScorerWeights, _ request: RoutingRequest) -> Pick {
    var least = Double.infinity
    var (mostWaiting, mostRequests) = (-Double.infinity, 0.0)
    for candidate in candidates {
      least = min(least, candidate.waiting)
      mostWaiting = max(mostWaiting, candidate.waiting)
      mostRequests = max(mostRequests, candidate.requests)
    }
    for index in candidates.indices {
      let candidate = candidates[index]
      let queue =
        mostWaiting > least ? (mostWaiting - candidate.waiting) / (mostWaiting - least) : 1
      let loadAware = 0.5 * (1 - min(candidate.waiting, 128) / 128)
      let active =
        candidate.requests <= 0 ? 1 : (mostRequests - candidate.requests) / max(mostRequests, 1)
      candidates[index].score =
        weights.queue * queue
        + weights.kvCache * unit(1 - candidate.kvCacheUsage)
        + weights.prefix * candidate.matchedFraction
        + weights.loadAware * loadAware
        + weights.tokenLoad * tokenLoad(candidate, request, weights.tokenLoadThreshold)
        + weights.activeRequests * active
    }
    return best()
  }

  /// llm-d's newer default: stay with the prefix unless that costs too much, then the least tokens.
  ///
  /// - Source: llm-d-router's `prefix-cache-affinity-filter` and `token-load-scorer`, as of 2026-08.
  mutating func affinity(_ parameters: AffinityParameters, _ request: RoutingRequest) -> Pick {
    let millisecondsPerToken = 1_000 / max(parameters.peakPrefillThroughput, 1)
    for index in candidates.indices {
      candidates[index].forecast.ttft = candidates[index].pendingTokens * millisecondsPerToken
    }
    let isSkipped =
      parameters.explorationProbability > 0
      && random.uniform() < parameters.explorationProbability
    let isSticky =
      !isSkipped
      && keepSticky(
        threshold: parameters.affinityThreshold,
        penaltyMilliseconds: parameters.maximumTTFTPenaltyMilliseconds)
    for index in candidates.indices {
      candidates[index].score = tokenLoad(candidates[index], request, 4_194_304)
    }
    return best(reason: isSticky ? .prefixAffinity : .bestScore)
  }

  /// LMetric: the least product of the prefill tokens it would have and its batch.
  ///
  /// - Source: the product form that llm-d-router's pull request 2351 tries.
  mutating func loadProduct(_ request: RoutingRequest) -> Pick {
    for index in candidates.indices {
      let candidate = candidates[index]
      let newTokens = max(request.promptTokens - candidate.matchedTokens, 1)
      candidates[index].score = -(candidate.pendingTokens + newTokens) * (candidate.requests + 1)
    }
    return best()
  }

  // MARK: - Parts

  private func unit(_ score: Double) -> Double { min(max(score, 0), 1) }

  private func tokenLoad(
    _ candidate: Candidate, _ request: RoutingRequest, _ threshold: Double
  ) -> Double {
    let uncached = max(request.promptTokens - candidate.matchedTokens, 0)
    return unit(1 - (candidate.pendingTokens + uncached) / max(threshold, 1))
  }

  /// Keeps the candidates that hold the prefix, unless they cost more than `penaltyMilliseconds`.
  ///
  /// - Parameter penaltyMilliseconds: 0 for any price.
  /// - Returns: Whether candidates were dropped.
  mutating func keepSticky(threshold: Double, penaltyMilliseconds: Double) -> Bool {
    var (sticky, others) = (Double.infinity, Double.infinity)
    for candidate in candidates {
      if candidate.matchedFraction >= threshold {
        sticky = min(sticky, candidate.forecast.ttft)
      } else {
        others = min(others, candidate.forecast.ttft)
      }
    }
    guard sticky < .infinity, others < .infinity else { return false }
    if penaltyMilliseconds > 0, sticky - others > penaltyMilliseconds { return false }
    candidates.removeAll { $0.matchedFraction < threshold }
    return true
  }

  /// The candidate of the highest score; ties at random.
  mutating func best(reason: PickReason = .bestScore) -> Pick {
    let (place, propensity) = bestPlace()
    return only(place, reason: reason, propensity: propensity)
  }

  /// Where the candidate of the highest score stands, ties at random, and how likely it was.
  @inline(always)
  mutating func bestPlace() -> (place: Int, propensity: Double) {
    let (top, ties, first) = highestScore()
    // A score that is no number beats nothing; then any endpoint is as good.
    guard ties > 0 else { return (0, 1) }
    guard ties > 1 else { return (first, 1) }
    var skip = random.index(below: ties)
    for index in candidates.indices where candidates[index].score == top {
      if skip == 0 { return (index, 1 / Double(ties)) }
      skip -= 1
    }
    return (0, 1)
  }

  /// The highest score, how many candidates have it, and the first of them; none for no numbers.
  @inline(always)
  private func highestScore() -> (score: Double, count: Int, first: Int) {
    var (top, ties, first) = (-Double.infinity, 0, 0)
    let scored = candidates.span
    // Without branches, for none could be foreseen.
    for index in scored.indices { top = scored[index].score > top ? scored[index].score : top }
    var index = scored.count
    while index > 0 {
      index -= 1
      let isTop = scored[index].score >= top
      ties += isTop ? 1 : 0
      first = isTop ? index : first
    }
    return (top, ties, first)
  }
}
