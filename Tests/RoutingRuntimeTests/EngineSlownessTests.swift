import CoefficientFile
import RoutingRuntime
import Testing

/// What an engine's step ends say of its speed since the fit.
@Suite struct EngineSlownessTests {
  /// How slow the pool thinks an engine to be whose every step took `factor` times the model's in
  /// `requests` requests.
  private func slowness(factor: Double, halfWidth: Float, requests: Int) -> Double {
    let engine = EngineModel(
      stepCoefficients: [8, 0, 0, 0.02], stepHalfWidths: [halfWidth, 0, 0, 0], tokenBudget: 2048,
      maximumSequences: 256, uplinkMilliseconds: 0, downlinkMilliseconds: 0)
    var pool = EndpointPool()
    let endpoint = pool.addEndpoint(engine: engine)
    for request in 0..<requests {
      let start = Double(request) * 200
      let handle = pool.dispatched(RequestShape(promptTokens: 500), to: endpoint, at: start)
      let first = start + factor * 18
      pool.firstToken(handle, at: first)
      pool.finished(handle, outputTokens: 2, at: first + factor * 8)
    }
    return pool.endpoints[endpoint].engine.slowness
  }

  /// One answer, of which every token is noted: no other sign of the engine comes back.
  @Test func chunksAloneShowASlowdown() {
    let engine = EngineModel(
      stepCoefficients: [24, 0, 0, 0], stepHalfWidths: [18, 0, 0, 0], tokenBudget: 2048,
      maximumSequences: 256, uplinkMilliseconds: 0, downlinkMilliseconds: 0)
    var pool = EndpointPool()
    let endpoint = pool.addEndpoint(engine: engine)
    let handle = pool.dispatched(RequestShape(promptTokens: 500), to: endpoint, at: 0)
    pool.firstToken(handle, at: 31.2)
    for chunk in 1...2_000 { pool.tokens(handle, at: 31.2 * Double(chunk + 1)) }
    let learned = pool.endpoints[endpoint].engine.slowness
    #expect(abs(learned / 1.3 - 1) < 0.02, "\(learned)")
  }

  @Test func aWellKnownEngineTakesAShortSlowdownForNoise() {
    #expect(slowness(factor: 1.3, halfWidth: 0.01, requests: 20) == 1)
  }

  @Test func anEngineThatIsHardlyKnownFollowsAtOnce() {
    #expect(slowness(factor: 1.3, halfWidth: 0.8, requests: 20) > 1.1)
  }

  @Test(arguments: [0.01, 0.8]) func aLastingSlowdownIsFollowed(halfWidth: Float) {
    let learned = slowness(factor: 1.3, halfWidth: halfWidth, requests: 500)
    #expect(abs(learned / 1.3 - 1) < 0.02, "\(learned)")
  }
}
