import CoefficientFile
import RuntimeTestSupport
import TestSupport
import Testing

@testable import RoutingRuntime

/// What a router keeps between picks changes none of them: against one that keeps nothing.
@Suite struct RefreshedRouterTests {
  private struct Flight {
    var kept: EndpointPool.Handle
    var refreshed: EndpointPool.Handle
    var firstTokenTime: Double
    var endTime: Double
    var hasFirstToken = false
  }

  private func router(_ model: GlideModel, endpoints: Int, seed: UInt64) throws -> Router {
    var router = Router(
      predictor: try Predictor.compile(model).get(),
      policy: .predictedCost(PredictedCostParameters()),
      configuration: .init(prefixCapacity: 200, requestCapacity: 64, seed: seed))
    for index in 0..<endpoints {
      _ = router.addEndpoint(
        named: "e\(index)", accelerator: index % 3 == 0 ? "fast" : "slow",
        engine: model.engines[0])
    }
    return router
  }

  /// A turn of one of a few sessions, each over one of two system prompts.
  private func request(_ random: inout SplitMix64) -> RoutingRequest {
    let session = UInt64(random.integer(in: 0...11))
    let blocks = (0..<random.integer(in: 0...40)).map { position in
      (position < 8 ? session % 2 : 100 + session) &* 1_000_003 &+ UInt64(position)
    }
    return RoutingRequest(
      promptTokens: Double(blocks.count) * 64 + random.uniform(in: 1...300),
      maximumTokens: random.integer(in: 0...1) == 0 ? 0 : 300, prefixBlocks: blocks)
  }

  /// Ends and metrics that come by `time`, told to both.
  private func settle(
    _ flights: inout [Flight], by time: Double, _ kept: inout Router, _ refreshed: inout Router,
    _ random: inout SplitMix64
  ) {
    for index in flights.indices.reversed() {
      if !flights[index].hasFirstToken, flights[index].firstTokenTime <= time {
        flights[index].hasFirstToken = true
        kept.firstToken(flights[index].kept, at: time)
        refreshed.firstToken(flights[index].refreshed, at: time)
      } else if flights[index].endTime <= time {
        let output = random.uniform(in: 1...200)
        kept.finished(flights[index].kept, outputTokens: output, at: time)
        refreshed.finished(flights[index].refreshed, outputTokens: output, at: time)
        flights.remove(at: index)
      }
    }
    guard random.integer(in: 0...2) == 0 else { return }
    let endpoint = random.integer(in: 0...kept.endpointCount - 1)
    if random.integer(in: 0...19) == 0 {
      kept.forgetSnapshot(endpoint: endpoint)
      refreshed.forgetSnapshot(endpoint: endpoint)
      return
    }
    let snapshot = EngineSnapshot(
      waitingRequests: random.uniform(in: 0...9), runningRequests: 3,
      kvCacheUsage: random.uniform(), time: time)
    kept.observe(snapshot, on: endpoint)
    refreshed.observe(snapshot, on: endpoint)
  }

  @Test(arguments: UInt64(0)..<8)
  func picksAreThoseOfARouterThatReadsAllAnew(seed: UInt64) throws {
    var random = SplitMix64(seed: seed &+ 500)
    let model = SyntheticModel.model(seed: seed, borrows: seed % 2 == 1)
    let endpoints = random.integer(in: 2...13)
    var kept = try router(model, endpoints: endpoints, seed: seed)
    var refreshed = kept
    var flights: [Flight] = []
    var time = 0.0
    for round in 0..<1_000 {
      time += random.uniform(in: 0...random.uniform(in: 0...100))
      settle(&flights, by: time, &kept, &refreshed, &random)
      if round == 600 {
        let newer = try Predictor.compile(SyntheticModel.model(seed: seed &+ 1)).get()
        kept.install(newer)
        refreshed.install(newer)
      }
      let request = request(&random)
      refreshed.pool.forgetAllRead()
      let pick = kept.pick(request, at: time)
      let expected = refreshed.pick(request, at: time)
      #expect(pick == expected, "round \(round)")
      guard pick == expected, pick.endpoint >= 0 else { return }
      let answer = random.uniform(in: 0...400)
      flights.append(
        Flight(
          kept: kept.dispatched(request, to: pick.endpoint, at: time),
          refreshed: refreshed.dispatched(request, to: pick.endpoint, at: time),
          firstTokenTime: time + answer, endTime: time + answer + random.uniform(in: 0...900)))
    }
  }
}

extension EndpointPool {
  /// Nothing that was read of the endpoints, or asked, counts any more.
  fileprivate mutating func forgetAllRead() {
    columns.markAllStale()
    asked.endpoint = -1
    for index in endpoints.indices {
      endpoints[index].sumsEpoch = .nan
      endpoints[index].latestEpoch = .nan
    }
  }
}
