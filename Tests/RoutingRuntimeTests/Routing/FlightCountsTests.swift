import RoutingRuntime
import RuntimeTestSupport
import TestSupport
import Testing

@Suite struct FlightCountsTests {
  private static let policies: [RoutingPolicy] = [
    .roundRobin, .random, .leastRequest, .powerOfTwo, .weightedScorers(ScorerWeights()),
    .weightedScorers(ScorerWeights(queue: 0, tokenLoad: 2, activeRequests: 3)),
    .affinity(AffinityParameters()), .loadProduct,
  ]

  /// What a router picks for a few hundred requests that come, begin and end.
  private func picks(_ policy: RoutingPolicy, followsEngines: Bool) -> [Int] {
    var router = Router(
      predictor: nil, policy: policy,
      configuration: Router.Configuration(prefixCapacity: 100, followsEngines: followsEngines))
    for index in 0..<4 {
      _ = router.addEndpoint(
        named: "e\(index)", accelerator: "", engine: SyntheticModel.engine(speed: 2))
    }
    var random = SplitMix64(seed: 5)
    var open: [EndpointPool.Handle] = []
    var result: [Int] = []
    for step in 0..<600 {
      let time = 10 * Double(step)
      let family = UInt64(random.uniform(in: 0...8))
      let blocks = (0..<UInt64(random.uniform(in: 1...12))).map { family << 32 | $0 }
      let request = RoutingRequest(
        promptTokens: Double(64 * blocks.count + 7), prefixBlocks: blocks, blockTokens: 64)
      let pick = router.pick(request, at: time)
      result.append(pick.endpoint)
      result.append(Int(pick.matchedPrefixTokens))
      open.append(router.dispatched(request, to: pick.endpoint, at: time))
      if random.uniform(in: 0...1) < 0.5 { router.firstToken(open[open.count / 2], at: time + 4) }
      if open.count > 10 {
        let handle = open.remove(at: Int(random.uniform(in: 0...8)))
        router.finished(handle, outputTokens: 20, at: time + 5)
        // Telling of it again changes nothing.
        router.finished(handle, outputTokens: 20, at: time + 6)
        #expect(!router.isInFlight(handle))
      }
      if step % 7 == 0 {
        let snapshot = EngineSnapshot(
          waitingRequests: random.uniform(in: 0...5), runningRequests: 3,
          kvCacheUsage: random.uniform(in: 0...1), time: time)
        router.observe(snapshot, on: step % 4)
      }
    }
    return result
  }

  @Test(arguments: policies)
  func picksAreTheSameWhetherEnginesAreFollowedOrNot(policy: RoutingPolicy) {
    let followed = picks(policy, followsEngines: true)
    #expect(followed == picks(policy, followsEngines: false))
    #expect(Set(followed.enumerated().filter { $0.offset % 2 == 0 }.map(\.element)).count == 4)
  }

  @Test func policiesThatPredictFollowEnginesAllTheSame() {
    let policy = RoutingPolicy.predictedCost(PredictedCostParameters(exploration: 0))
    #expect(picks(policy, followsEngines: true) == picks(policy, followsEngines: false))
  }
}
