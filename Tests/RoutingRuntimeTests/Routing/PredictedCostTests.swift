import CoefficientFile
import RuntimeTestSupport
import TestSupport
import Testing

@testable import RoutingRuntime

@Suite struct PredictedCostTests {
  private func greedy(
    _ change: (inout PredictedCostParameters) -> Void = { _ in }
  ) -> RoutingPolicy {
    var parameters = PredictedCostParameters()
    parameters.exploration = 0
    change(&parameters)
    return .predictedCost(parameters)
  }

  @Test func theLeastLoadedEndpointCostsLeast() {
    var fixture = RouterFixture(greedy(), endpoints: 3)
    fixture.load(0, requests: 3, promptTokens: 2_000)
    fixture.load(2, requests: 1, promptTokens: 500)
    #expect(fixture.pick().endpoint == 1)
  }

  @Test func aCachedPrefixIsWorthAShortQueueButNotALongOne() {
    let blocks = (1...30).map { UInt64($0) }
    let request = RoutingRequest(promptTokens: 1_930, prefixBlocks: blocks)
    var fixture = RouterFixture(greedy(), endpoints: 2)
    fixture.cache(blocks, on: 0)
    fixture.load(0, requests: 1, promptTokens: 200)
    #expect(fixture.pick(request).endpoint == 0)
    #expect(fixture.pick(request).matchedPrefixTokens == 1_920)
    fixture.load(0, requests: 10, promptTokens: 2_000)
    #expect(fixture.pick(request).endpoint == 1)
  }

  @Test func externalityProtectsThoseWhoAreThere() {
    // Endpoint 0 decodes 12 requests and has the shorter own path; endpoint 1 has a small queue.
    var fixture = RouterFixture(
      greedy {
        $0.externality = 0
        $0.tpotWeight = 0
      }, endpoints: 2)
    for _ in 0..<12 {
      let handle = fixture.router.dispatched(RoutingRequest(promptTokens: 20), to: 0, at: 0)
      fixture.router.firstToken(handle, at: 0)
    }
    fixture.load(1, requests: 1, promptTokens: 400)
    let request = RoutingRequest(promptTokens: 1_500)
    #expect(fixture.pick(request).endpoint == 0)
    fixture.router.policy = greedy {
      $0.externality = 1
      $0.tpotWeight = 1
    }
    #expect(fixture.pick(request).endpoint == 1)
  }

  @Test func objectivesLimitTheChoice() {
    var fixture = RouterFixture(
      greedy {
        $0.externality = 0
        $0.headroom = 0.1
      }, endpoints: 2)
    fixture.load(0, requests: 4, promptTokens: 1_000)
    var request = RoutingRequest(promptTokens: 100)
    request.ttftObjectiveMilliseconds = 60
    #expect(fixture.pick(request).endpoint == 1)
    #expect(fixture.pick(request).reason == .onlyCandidate)
    request.ttftObjectiveMilliseconds = 1
    #expect(fixture.pick(request).reason == .leastViolation)
  }

  @Test func onlySheddableRequestsAreShed() {
    var fixture = RouterFixture(greedy { $0.shedTTFTMilliseconds = 20 }, endpoints: 2)
    for endpoint in 0..<2 { fixture.load(endpoint, requests: 5, promptTokens: 2_000) }
    var request = RoutingRequest(promptTokens: 500)
    #expect(fixture.pick(request).endpoint >= 0)
    request.isSheddable = true
    #expect(fixture.pick(request).reason == .shed)
    #expect(fixture.pick(request).endpoint == -1)
  }

  /// Endpoint 0 is the best, 1 and 2 are nearly as good, and 3 is far worse.
  @Test func explorationKeepsItsShareAmongEndpointsNearTheBest() {
    var fixture = RouterFixture(
      greedy {
        $0.exploration = 0.2
        $0.externality = 0
      }, endpoints: 4)
    for endpoint in 1..<3 { fixture.load(endpoint, requests: 1, promptTokens: 10) }
    fixture.load(3, requests: 9, promptTokens: 4_000)
    let request = RoutingRequest(promptTokens: 8_000)
    var counts = [0, 0, 0, 0]
    var propensities = [0.0, 0, 0, 0]
    for _ in 0..<4_000 {
      let pick = fixture.pick(request)
      counts[pick.endpoint] += 1
      // However it came to be chosen, the chance is the same.
      if propensities[pick.endpoint] == 0 { propensities[pick.endpoint] = pick.propensity }
      #expect(pick.propensity == propensities[pick.endpoint])
    }
    #expect(abs(propensities[0] - (0.8 + 0.2 / 3)) < 1e-12)
    #expect(abs(propensities.reduce(0, +) - 1) < 1e-12)
    // Four standard deviations of 4,000 draws at 1/15.
    for endpoint in 1..<3 { #expect(abs(counts[endpoint] - 267) < 64) }
    #expect(counts[3] == 0)
  }

  /// What a prompt would drive out of a full cache is worth a queue; out of an empty one, nothing.
  @Test func aFullCacheIsKept() {
    let request = RoutingRequest(promptTokens: 1_930, prefixBlocks: (1...30).map { UInt64($0) })
    func pick(_ recomputation: Double, prefixCapacity: Int) -> Int {
      var fixture = RouterFixture(
        greedy { $0.recomputation = recomputation }, endpoints: 2, prefixCapacity: prefixCapacity)
      for endpoint in 0..<2 {
        fixture.cache((0..<32).map { UInt64(1_000 * (endpoint + 1) + $0) }, on: endpoint)
      }
      fixture.cache(request.prefixBlocks, on: 0)
      fixture.load(0, requests: 10, promptTokens: 2_000)
      return fixture.pick(request).endpoint
    }
    #expect(pick(0, prefixCapacity: 32) == 1)
    #expect(pick(500, prefixCapacity: 32) == 0)
    #expect(pick(500, prefixCapacity: 100_000) == 1)
  }

  @Test func aPolicyFromBeforeRecomputationStaysWhatItWas() {
    let older = PredictedCostParameters(displacement: 30).section.dropLast()
    let parameters = PredictedCostParameters(Array(older))
    #expect(parameters.recomputation == 0)
    #expect(parameters.displacement == 30)
    #expect(PredictedCostParameters([]) == PredictedCostParameters())
  }

  @Test func parametersSurviveTheCoefficientFile() throws {
    var parameters = PredictedCostParameters()
    parameters.externality = 2.5
    parameters.shedTTFTMilliseconds = 900
    var model = SyntheticModel.model(seed: 3)
    model.policy = parameters.section
    let decoded = try GlideModel(decoding: model.encoded())
    #expect(PredictedCostParameters(decoded.policy) == parameters)
  }

  @Test func valuesOutOfRangeAreMovedIntoIt() {
    let parameters = PredictedCostParameters(values: [-1, 5, .nan, 1e9])
    #expect(parameters.tpotWeight == 0)
    #expect(parameters.quantileLevel == 0.99)
    #expect(parameters.externality == PredictedCostParameters().externality)
    #expect(parameters.displacement == 100)
  }

  @Test func aNewModelBringsItsPolicy() throws {
    var fixture = RouterFixture(.roundRobin, endpoints: 2)
    var model = SyntheticModel.model(seed: 4)
    fixture.router.install(try Predictor.compile(model).get())
    #expect(fixture.router.policy == .roundRobin)
    model.policy = PredictedCostParameters(externality: 3).section
    fixture.router.install(try Predictor.compile(model).get())
    #expect(fixture.router.policy == .predictedCost(PredictedCostParameters(externality: 3)))
  }

  @Test func separatePrefillPicksAPair() throws {
    let predictor = try Predictor.compile(SyntheticModel.model(seed: 5)).get()
    var router = Router(predictor: predictor, policy: greedy())
    let roles: [EndpointRole] = [.prefill, .prefill, .decode, .decode]
    for (index, role) in roles.enumerated() {
      _ = router.addEndpoint(
        named: "p\(index)", accelerator: "", role: role, engine: SyntheticModel.engine())
    }
    let request = RoutingRequest(promptTokens: 1_000)
    _ = router.dispatched(RoutingRequest(promptTokens: 6_000), to: 0, at: 0)
    var decodes: [EndpointPool.Handle] = []
    for _ in 0..<20 {
      let handle = router.dispatched(RoutingRequest(promptTokens: 10), to: 2, at: 0)
      router.firstToken(handle, at: 0)
      decodes.append(handle)
    }
    let pick = router.pick(request, at: 1)
    #expect(pick.prefillEndpoint == 1)
    #expect(pick.endpoint == 3)
    let prefill = router.dispatched(request, to: pick.prefillEndpoint, at: 1)
    let decode = router.handedOff(prefill, request, to: pick.endpoint, at: 90)
    #expect(router.pool.endpoints[1].pendingRequests == 0)
    #expect(router.pool.endpoints[3].pendingRequests == 1)
    router.firstToken(decode, at: 100)
    router.finished(decode, outputTokens: 20, at: 300)
    #expect(router.pool.requestsInFlight == 21)
  }
}
