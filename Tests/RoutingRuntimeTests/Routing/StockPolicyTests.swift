import CoefficientFile
import RuntimeTestSupport
import TestSupport
import Testing

@testable import RoutingRuntime

/// Worked examples of the published formulas.
@Suite struct StockPolicyTests {
  @Test func roundRobinTakesTurns() {
    var fixture = RouterFixture(.roundRobin, endpoints: 3)
    let turns = (0..<6).map { _ in fixture.pick().endpoint }
    #expect(Set(turns[0..<3]) == [0, 1, 2])
    #expect(Array(turns[0..<3]) == Array(turns[3..<6]))
  }

  @Test func randomIsUniformAndSaysSo() {
    var fixture = RouterFixture(.random, endpoints: 4)
    var counts = [0, 0, 0, 0]
    for _ in 0..<4_000 {
      let pick = fixture.pick()
      counts[pick.endpoint] += 1
      #expect(pick.propensity == 0.25)
    }
    // Four standard deviations of a binomial of 4,000 draws at 1/4.
    for count in counts { #expect(abs(count - 1_000) < 110) }
  }

  @Test func leastRequestCountsWhatIsInFlight() {
    var fixture = RouterFixture(.leastRequest, endpoints: 3)
    fixture.load(0, requests: 2)
    fixture.load(1, requests: 1)
    fixture.load(2, requests: 3)
    #expect(fixture.pick().endpoint == 1)
  }

  @Test func powerOfTwoDrawsTheLessLoadedOfAPair() {
    var fixture = RouterFixture(.powerOfTwo, endpoints: 3)
    fixture.load(0, requests: 2)
    fixture.load(1, requests: 1)
    var counts = [0, 0, 0]
    for _ in 0..<3_000 {
      let pick = fixture.pick()
      counts[pick.endpoint] += 1
      // Of three pairs the idle endpoint wins two and the other light one wins one.
      #expect(abs(pick.propensity - [0, 1.0 / 3, 2.0 / 3][pick.endpoint]) < 1e-12)
    }
    #expect(counts[0] == 0)
    #expect(abs(counts[1] - 1_000) < 110)
  }

  @Test func weightedScorersAddUpAsPublished() {
    // queue: (4−w)/(4−0) = 1, 0.5, 0; KV: 0.9, 0.5, 0.9; prefix: 0, 0, 1.
    var fixture = RouterFixture(.weightedScorers(ScorerWeights()), endpoints: 3)
    fixture.cache([1, 2], on: 2)
    fixture.scrape(0, waiting: 0, usage: 0.1)
    fixture.scrape(1, waiting: 2, usage: 0.5)
    fixture.scrape(2, waiting: 4, usage: 0.1)
    let request = RoutingRequest(promptTokens: 128, prefixBlocks: [1, 2])
    // 2·1 + 2·0.9 + 0 = 3.8; 2·0.5 + 2·0.5 = 2; 0 + 1.8 + 3 = 4.8.
    #expect(fixture.pick(request).endpoint == 2)
    #expect(
      zip(fixture.router.candidates.map(\.score), [3.8, 2, 4.8]).allSatisfy { abs($0 - $1) < 1e-12 }
    )
    fixture.router.policy = .weightedScorers(ScorerWeights(prefix: 1.9))
    #expect(fixture.pick(request).endpoint == 0)
  }

  @Test func loadAwareAndTokenLoadScoreAsPublished() {
    var fixture = RouterFixture(
      .weightedScorers(
        ScorerWeights(
          queue: 0, kvCache: 0, prefix: 0, loadAware: 1, tokenLoad: 1, tokenLoadThreshold: 1_000)),
      endpoints: 2)
    fixture.load(0, requests: 1, promptTokens: 250)
    fixture.scrape(1, waiting: 64, usage: 0)
    _ = fixture.pick(RoutingRequest(promptTokens: 500))
    // 0.5·(1−0) + 1−(250+500)/1000; 0.5·(1−64/128) + 1−500/1000.
    #expect(abs(fixture.router.candidates[0].score - 0.75) < 1e-12)
    #expect(abs(fixture.router.candidates[1].score - 0.75) < 1e-12)
  }

  @Test func affinityStaysUntilThePenaltyIsTooHigh() {
    let parameters = AffinityParameters(
      maximumTTFTPenaltyMilliseconds: 1_000, peakPrefillThroughput: 10_000)
    var fixture = RouterFixture(.affinity(parameters), endpoints: 2)
    fixture.cache([1, 2, 3, 4, 5], on: 0)
    let request = RoutingRequest(promptTokens: 320, prefixBlocks: [1, 2, 3, 4, 5])
    fixture.load(0, requests: 1, promptTokens: 9_900)
    let sticky = fixture.pick(request)
    #expect(sticky.endpoint == 0)
    // 10,100 tokens at 10 per ms are 1,010 ms more than nothing.
    fixture.load(0, requests: 1, promptTokens: 200)
    #expect(fixture.pick(request).endpoint == 1)
  }

  @Test func affinityNeedsTheThreshold() {
    var fixture = RouterFixture(.affinity(AffinityParameters()), endpoints: 2)
    fixture.cache([1, 2, 3], on: 0)
    fixture.load(0, requests: 1, promptTokens: 400)
    let short = RoutingRequest(promptTokens: 320, prefixBlocks: [1, 2, 3, 8, 9])
    #expect(fixture.pick(short).endpoint == 1)
    let long = RoutingRequest(promptTokens: 256, prefixBlocks: [1, 2, 3, 9], blockTokens: 64)
    fixture.router.policy = .affinity(AffinityParameters(affinityThreshold: 0.75))
    #expect(fixture.pick(long).endpoint == 0)
  }

  @Test func loadProductMultipliesNewTokensAndBatch() {
    // (0 + 640)·(3+1) = 2560; (1200 + 640)·(1+1) = 3680; cached: (500 + 128)·(4+1) = 3140.
    var fixture = RouterFixture(.loadProduct, endpoints: 3)
    fixture.cache([1, 2, 3, 4, 5, 6, 7, 8], on: 2)
    for endpoint in [0, 2] {
      for _ in 0..<3 {
        let handle = fixture.router.dispatched(
          RoutingRequest(promptTokens: 50), to: endpoint, at: 0)
        fixture.router.firstToken(handle, at: 0)
      }
    }
    fixture.load(1, requests: 1, promptTokens: 1_200)
    fixture.load(2, requests: 1, promptTokens: 500)
    let request = RoutingRequest(
      promptTokens: 640, prefixBlocks: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    #expect(fixture.pick(request).endpoint == 0)
    #expect(fixture.router.candidates.map(\.score) == [-2_560, -3_680, -3_140])
  }

  @Test func latencyScorerPacksAmongThoseWithHeadroom() throws {
    // Idle: forecast TTFT equal; load makes the differences. 100 ms objective, idle well inside.
    let parameters = LatencyScorerParameters(
      ttftWeight: 1, tpotWeight: 0, negativeExploration: 0, strictAffinityThreshold: 2,
      affinityThreshold: 2)
    var fixture = RouterFixture(.latencyScorer(parameters), endpoints: 3)
    fixture.load(1, requests: 1, promptTokens: 600)
    fixture.load(2, requests: 20, promptTokens: 2_000)
    var request = RoutingRequest(promptTokens: 100)
    request.ttftObjectiveMilliseconds = 400
    request.tpotObjectiveMilliseconds = 1_000
    var counts = [0, 0, 0]
    for _ in 0..<500 { counts[fixture.pick(request).endpoint] += 1 }
    // Weights ⌊(1−c)·100⌋+1: the one with least headroom 101, the other 1, the late one none.
    #expect(counts[2] == 0)
    #expect(counts[1] > 470)
  }

  @Test func latencyScorerWithoutHeadroomPrefersIdleEndpoints() {
    let parameters = LatencyScorerParameters(
      negativeExploration: 0, strictAffinityThreshold: 2, affinityThreshold: 2)
    var fixture = RouterFixture(.latencyScorer(parameters), endpoints: 3)
    fixture.load(0, requests: 1)
    fixture.load(1, requests: 1)
    for _ in 0..<50 { #expect(fixture.pick().endpoint == 2) }
  }

  @Test(arguments: UInt64(0)..<20)
  func everyPolicyPicksAnAvailableEndpointWithAPropensity(seed: UInt64) {
    let policies: [RoutingPolicy] = [
      .roundRobin, .random, .leastRequest, .powerOfTwo, .weightedScorers(ScorerWeights()),
      .affinity(AffinityParameters()), .latencyScorer(LatencyScorerParameters()), .loadProduct,
      .predictedCost(PredictedCostParameters()),
    ]
    var random = SplitMix64(seed: seed)
    for policy in policies {
      var fixture = RouterFixture(policy, endpoints: 5, seed: seed)
      fixture.router.setAvailable(false, endpoint: 3)
      for step in 0..<40 {
        fixture.time = Double(step) * 20
        let blocks = (0..<random.integer(in: 0...4)).map { UInt64($0 + 1) }
        let request = RoutingRequest(
          promptTokens: random.uniform(in: 1...4_000), prefixBlocks: blocks)
        let pick = fixture.pick(request)
        #expect(pick.endpoint >= 0 && pick.endpoint != 3 && pick.endpoint < 5, "\(policy)")
        #expect(pick.propensity > 0 && pick.propensity <= 1, "\(policy)")
        _ = fixture.router.dispatched(request, to: pick.endpoint, at: fixture.time)
      }
      for endpoint in 0..<5 { fixture.router.setAvailable(false, endpoint: endpoint) }
      #expect(fixture.pick().reason == .noEndpoint)
    }
  }
}
