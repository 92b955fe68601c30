import CoefficientFile
import RuntimeTestSupport

@testable import RoutingRuntime

/// A router of identical endpoints whose state a test writes down.
struct RouterFixture {
  var router: Router
  var time = 0.0

  init(
    _ policy: RoutingPolicy, endpoints: Int, predictor: Predictor? = nil, seed: UInt64 = 1,
    prefixCapacity: Int = 1_000
  ) {
    router = Router(
      predictor: predictor, policy: policy,
      configuration: .init(prefixCapacity: prefixCapacity, requestCapacity: 64, seed: seed))
    for index in 0..<endpoints {
      _ = router.addEndpoint(
        named: "e\(index)", accelerator: "", engine: SyntheticModel.engine())
    }
  }

  /// Puts requests in flight that have no first token yet.
  mutating func load(_ endpoint: Int, requests: Int, promptTokens: Double = 100) {
    for _ in 0..<requests {
      _ = router.dispatched(
        RoutingRequest(promptTokens: promptTokens), to: endpoint, at: time)
    }
  }

  mutating func scrape(_ endpoint: Int, waiting: Double, usage: Double) {
    router.observe(
      EngineSnapshot(
        waitingRequests: waiting, runningRequests: 0, kvCacheUsage: usage, time: time),
      on: endpoint)
  }

  /// Lets an endpoint hold the blocks without any load.
  mutating func cache(_ blocks: [UInt64], on endpoint: Int) {
    let handle = router.dispatched(
      RoutingRequest(promptTokens: 64, prefixBlocks: blocks), to: endpoint, at: time)
    router.firstToken(handle, at: time)
    router.finished(handle, outputTokens: 1, at: time)
  }

  mutating func pick(_ request: RoutingRequest = RoutingRequest(promptTokens: 640)) -> Pick {
    router.pick(request, at: time)
  }
}
