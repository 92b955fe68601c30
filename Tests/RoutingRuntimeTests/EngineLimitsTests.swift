import CoefficientFile
import RoutingRuntime
import Testing

/// Times no host should give must end, and must not spoil what follows.
@Suite struct EngineLimitsTests {
  private func busyPool() -> (pool: EndpointPool, endpoint: Int) {
    var pool = EndpointPool()
    let engine = EngineModel(
      stepCoefficients: [8, 0.05, 0, 0.02], stepHalfWidths: [0, 0, 0, 0], tokenBudget: 2048,
      maximumSequences: 256, uplinkMilliseconds: 0.5, downlinkMilliseconds: 0.4)
    let endpoint = pool.addEndpoint(engine: engine)
    let handle = pool.dispatched(RequestShape(promptTokens: 500), to: endpoint, at: 0)
    pool.firstToken(handle, at: 20)
    return (pool, endpoint)
  }

  @Test(arguments: [1e15, Double.infinity, .nan]) func anAbsurdTimeEndsSoon(time: Double) {
    var (pool, endpoint) = busyPool()
    let handle = pool.dispatched(RequestShape(promptTokens: 100), to: endpoint, at: time)
    pool.finished(handle, outputTokens: 5, at: time)
    #expect(pool.requestsInFlight == 1)
  }

  @Test func aRequestThatNeverEndsDoesNotHoldUpTheNextDay() {
    var (pool, endpoint) = busyPool()
    let day = 86_400_000.0
    let handle = pool.dispatched(RequestShape(promptTokens: 100), to: endpoint, at: day)
    pool.firstToken(handle, at: day + 30)
    pool.finished(handle, outputTokens: 5, at: day + 70)
    #expect(pool.requestsInFlight == 1)
  }
}
