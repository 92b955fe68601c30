import CoefficientFile
import RuntimeTestSupport
import TestSupport
import Testing

@testable import RoutingRuntime

/// A router that does without what nobody reads decides as one that keeps everything.
@Suite struct UnreadTests {
  private struct Outcome: Equatable {
    var picks: [Pick] = []
    /// The predicted means of TTFT and TPOT, in turn.
    var means: [Double] = []
  }

  private func run(
    seed: UInt64, keepsUnread: Bool, seesMetrics: Bool = true,
    _ parameters: PredictedCostParameters = PredictedCostParameters()
  ) throws -> (outcome: Outcome, router: Router) {
    let model = SyntheticModel.model(seed: seed)
    var router = Router(
      predictor: try Predictor.compile(model).get(), policy: .predictedCost(parameters),
      configuration: .init(prefixCapacity: 200, keepsUnread: keepsUnread))
    for index in 0..<6 {
      _ = router.addEndpoint(named: "e\(index)", accelerator: "", engine: model.engines[0])
    }
    var random = SplitMix64(seed: seed)
    var (open, outcome): ([EndpointPool.Handle], Outcome) = ([], Outcome())
    for step in 0..<400 {
      let time = 15 * Double(step)
      let blocks = (0..<random.integer(in: 0...20)).map { UInt64(step % 5) << 32 | UInt64($0) }
      let request = RoutingRequest(
        promptTokens: Double(64 * blocks.count) + random.uniform(in: 1...900),
        prefixBlocks: blocks)
      var pick = router.pick(request, at: time)
      if let prediction = pick.prediction {
        outcome.means += [prediction.ttft.mean, prediction.tpot.mean]
      }
      // No number is equal to itself.
      pick.prediction = nil
      outcome.picks.append(pick)
      open.append(router.dispatched(request, to: pick.endpoint, at: time))
      router.firstToken(open[random.integer(in: 0...open.count - 1)], at: time + 3)
      if open.count > 20 {
        let ended = open.remove(at: random.integer(in: 0...9))
        router.finished(ended, outputTokens: random.uniform(in: 2...90), at: time + 4)
      }
      guard seesMetrics, step % 3 == 0 else { continue }
      let snapshot = EngineSnapshot(
        waitingRequests: random.uniform(in: 0...5), runningRequests: 3,
        kvCacheUsage: random.uniform(), time: time + 5)
      router.observe(snapshot, on: step % 6)
    }
    return (outcome, router)
  }

  @Test(arguments: UInt64(0)..<12)
  func picksAreTheSameAndMeansButForRounding(seed: UInt64) throws {
    let kept = try run(seed: seed, keepsUnread: true).outcome
    let lean = try run(seed: seed, keepsUnread: false).outcome
    #expect(kept.picks == lean.picks)
    #expect(kept.means.count == 800)
    #expect(lean.means.count == 800)
    // Predicted side by side with the other endpoints; the bound is that of batches.
    for (one, other) in zip(kept.means, lean.means) { #expect(abs(one - other) <= 1e-8 * one) }
    #expect(Set(kept.picks.map(\.endpoint)).count > 1)
  }

  @Test(arguments: UInt64(0)..<4)
  func quantilesThatDecideAreKept(seed: UInt64) throws {
    let parameters = PredictedCostParameters(quantileLevel: 0.9)
    let kept = try run(seed: seed, keepsUnread: true, parameters).outcome
    let lean = try run(seed: seed, keepsUnread: false, parameters)
    #expect(kept == lean.outcome)
    var router = lean.router
    let prediction = router.predict(
      RoutingRequest(promptTokens: 100), on: 0, at: 7_000)
    #expect(prediction?.ttft.p90.isFinite == true)
  }

  @Test func quantilesThatDoNotAreNoNumbers() throws {
    var router = try run(seed: 1, keepsUnread: false).router
    let prediction = router.predict(RoutingRequest(promptTokens: 100), on: 0, at: 7_000)
    #expect(prediction?.ttft.mean.isFinite == true)
    #expect(prediction?.ttft.p90.isNaN == true)
  }

  @Test func metricsMatterOnlyWhereTheyAreRead() throws {
    var router = Router(
      predictor: try Predictor.compile(SyntheticModel.constant(5)).get(),
      policy: .predictedCost(PredictedCostParameters()))
    #expect(!router.readsMetrics)
    router.policy = .weightedScorers(ScorerWeights())
    #expect(router.readsMetrics)
  }
}
