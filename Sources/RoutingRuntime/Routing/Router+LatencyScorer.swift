extension Router {
  /// llm-d's predicted-latency profile: affinity, headroom tier, affinity, scorer, weighted draw.
  ///
  /// Headroom is the objective minus the prediction; without an objective minus the prediction
  /// alone, so that the lowest latency wins.
  ///
  /// - Source: llm-d-router's latency profile and plugins, as of 2026-08.
  mutating func latencyScorer(
    _ parameters: LatencyScorerParameters, _ request: RoutingRequest, at time: Double
  ) -> Pick {
    forecastCandidates(request, level: 0, at: time)
    var isSticky = keepSticky(
      threshold: parameters.strictAffinityThreshold,
      penaltyMilliseconds: parameters.maximumTTFTPenaltyMilliseconds)
    keepHeadroomTier(parameters, request)
    isSticky =
      keepSticky(
        threshold: parameters.affinityThreshold,
        penaltyMilliseconds: parameters.maximumTTFTPenaltyMilliseconds) || isSticky
    scoreHeadroom(parameters, request)
    return weightedDraw(reason: isSticky ? .prefixAffinity : .bestScore)
  }

  private func headroom(
    _ candidate: Candidate, _ request: RoutingRequest
  ) -> (ttft: Double, tpot: Double) {
    (
      request.ttftObjectiveMilliseconds - candidate.forecast.ttft,
      request.tpotObjectiveMilliseconds - candidate.forecast.tpot
    )
  }

  private func isPositive(_ headroom: (ttft: Double, tpot: Double)) -> Bool {
    headroom.ttft >= 0 && headroom.tpot >= 0
  }

  private mutating func keepHeadroomTier(
    _ parameters: LatencyScorerParameters, _ request: RoutingRequest
  ) {
    let positives = candidates.count { isPositive(headroom($0, request)) }
    guard positives > 0, positives < candidates.count else { return }
    let explores =
      parameters.negativeExploration > 0 && random.uniform() < parameters.negativeExploration
    var kept = 0
    for index in candidates.indices
    where isPositive(headroom(candidates[index], request)) != explores {
      candidates[kept] = candidates[index]
      kept += 1
    }
    candidates.removeLast(candidates.count - kept)
  }

  private mutating func scoreHeadroom(
    _ parameters: LatencyScorerParameters, _ request: RoutingRequest
  ) {
    keepBestBucket(request)
    let hasHeadroom = isPositive(headroom(candidates[0], request))
    var low = SIMD2<Double>(repeating: .infinity)
    var high = SIMD2<Double>(repeating: -.infinity)
    for candidate in candidates {
      let room = headroom(candidate, request)
      let size = SIMD2(abs(room.ttft), abs(room.tpot))
      low = pointwiseMin(low, size)
      high = pointwiseMax(high, size)
    }
    let range = high - low
    let weights = SIMD2(
      range.x > 0 ? parameters.ttftWeight : 0, range.y > 0 ? parameters.tpotWeight : 0)
    let total = weights.x + weights.y
    // Nearer to the objective is better without headroom; with it, packing prefers little of it.
    let isLeast = parameters.prefersLeastHeadroom || !hasHeadroom
    for index in candidates.indices {
      let room = headroom(candidates[index], request)
      let size = SIMD2(abs(room.ttft), abs(room.tpot))
      let x = range.x > 0 ? (size.x - low.x) / range.x : 0
      let y = range.y > 0 ? (size.y - low.y) / range.y : 0
      let combined = total > 0 ? (weights.x * x + weights.y * y) / total : 0
      let share = isLeast ? 1 - combined : combined
      candidates[index].score = ((share * 100).rounded(.down) + 1) / 100
    }
  }

  /// Without headroom anywhere: idle endpoints, else those that violate the fewest objectives.
  private mutating func keepBestBucket(_ request: RoutingRequest) {
    var bestBucket = 4
    for candidate in candidates { bestBucket = min(bestBucket, bucket(candidate, request)) }
    var kept = 0
    for index in candidates.indices where bucket(candidates[index], request) == bestBucket {
      candidates[kept] = candidates[index]
      kept += 1
    }
    candidates.removeLast(candidates.count - kept)
  }

  /// 0: headroom in both; 1: idle; 2: TPOT missed; 3: TTFT missed; 4: both.
  private func bucket(_ candidate: Candidate, _ request: RoutingRequest) -> Int {
    let room = headroom(candidate, request)
    if isPositive(room) { return 0 }
    if candidate.requests == 0 { return 1 }
    if room.ttft >= 0 { return 2 }
    return room.tpot >= 0 ? 3 : 4
  }

  /// Draws a candidate with probability in proportion to its score.
  mutating func weightedDraw(reason: PickReason) -> Pick {
    var total = 0.0
    for candidate in candidates { total += max(candidate.score, 0) }
    guard total > 0 else { return best(reason: reason) }
    var point = random.uniform() * total
    for index in candidates.indices {
      let weight = max(candidates[index].score, 0)
      point -= weight
      if point < 0 { return only(index, reason: reason, propensity: weight / total) }
    }
    return only(
      candidates.count - 1, reason: reason,
      propensity: candidates[candidates.count - 1].score / total)
  }
}
