import CoefficientFile
import RoutingRuntime
import RuntimeTestSupport
import Testing

@testable import FleetSimulation

@Suite struct FleetTests {
  private func configuration(
    count: Int = 4, speed: Double = 1, noise: Double = 0.03, seed: UInt64 = 1
  ) -> FleetConfiguration {
    let engine = SimulatedEngine.Configuration(
      engine: SyntheticModel.engine(speed: speed), blockTokens: 64, kvBlocks: 2000,
      stepNoise: noise)
    return FleetConfiguration(
      endpoints: (0..<count).map {
        FleetConfiguration.Endpoint(name: "e\($0)", accelerator: "gpu", engine: engine)
      },
      router: Router.Configuration(prefixCapacity: 2000, seed: seed), seed: seed)
  }

  private let chat = WorkloadShape.uniformChat(requestsPerSecond: 10, durationSeconds: 40)
  private let agentic = WorkloadShape.agenticSessions(requestsPerSecond: 8, durationSeconds: 60)

  @Test(arguments: [
    RoutingPolicy.roundRobin, .random, .leastRequest, .powerOfTwo,
    .weightedScorers(ScorerWeights()), .affinity(AffinityParameters()),
    .latencyScorer(LatencyScorerParameters()), .loadProduct,
    .predictedCost(PredictedCostParameters()),
  ])
  func everyRequestIsAnsweredOnceUnderEveryPolicy(policy: RoutingPolicy) {
    let workload = agentic.workload(seed: 3)
    let result = Fleet(configuration(), policy: policy).run(workload)
    #expect(result.outcomes.count == workload.requests.count)
    for (request, outcome) in zip(workload.requests, result.outcomes) {
      #expect(outcome.status == .completed)
      #expect(Int(outcome.outputTokens) == request.outputTokens)
      #expect(outcome.ttftMilliseconds > 0)
      #expect(outcome.e2eMilliseconds >= outcome.ttftMilliseconds)
    }
    let finished = result.metrics.reduce(0) { $0 + $1.finishedRequests }
    #expect(finished == workload.requests.count)
  }

  @Test func theSeedsDetermineTheRun() {
    let workload = agentic.workload(seed: 5)
    let policy = RoutingPolicy.predictedCost(PredictedCostParameters())
    let first = Fleet(configuration(seed: 2), policy: policy).run(workload)
    let again = Fleet(configuration(seed: 2), policy: policy).run(workload)
    let other = Fleet(configuration(seed: 3), policy: policy).run(workload)
    #expect(first.outcomes.map(\.e2eMilliseconds) == again.outcomes.map(\.e2eMilliseconds))
    #expect(first.outcomes.map(\.e2eMilliseconds) != other.outcomes.map(\.e2eMilliseconds))
  }

  /// Metrics that nobody reads are not scraped; those that a policy reads are.
  @Test(arguments: [
    (RoutingPolicy.predictedCost(PredictedCostParameters()), false),
    (.weightedScorers(ScorerWeights()), true),
  ])
  func withoutSnapshotsARunIsTheSame(policy: RoutingPolicy, isRead: Bool) {
    let workload = agentic.workload(seed: 5)
    let logged = Fleet(configuration(), policy: policy).run(workload)
    let bare = Fleet(configuration(), policy: policy).run(workload, keepsSnapshots: false)
    #expect(logged.outcomes.map(\.endpoint) == bare.outcomes.map(\.endpoint))
    #expect(logged.outcomes.map(\.ttftMilliseconds) == bare.outcomes.map(\.ttftMilliseconds))
    #expect(logged.outcomes.map(\.e2eMilliseconds) == bare.outcomes.map(\.e2eMilliseconds))
    #expect(logged.outcomes.last?.snapshotUsage.isFinite == true)
    #expect(bare.outcomes.last?.snapshotUsage.isFinite == isRead)
  }

  @Test func replayedDecisionsGiveTheOutcomesOfTheRunThatMadeThem() {
    let workload = agentic.workload(seed: 7)
    let routed = Fleet(configuration(), policy: .leastRequest).run(workload)
    let decisions = routed.outcomes.map { Int($0.endpoint) }
    let replayed = Fleet(configuration(), policy: .random).run(
      workload, routing: .forced(decisions))
    #expect(replayed.outcomes.map(\.endpoint) == routed.outcomes.map(\.endpoint))
    #expect(
      replayed.outcomes.map(\.ttftMilliseconds) == routed.outcomes.map(\.ttftMilliseconds))
  }

  @Test func sharedPrefixesAreCachedUnderAffinityMoreThanUnderRandomRouting() {
    let workload = agentic.workload(seed: 9)
    let random = FleetSummary(
      Fleet(configuration(), policy: .random).run(workload).outcomes, of: workload)
    let affine = FleetSummary(
      Fleet(configuration(), policy: .affinity(AffinityParameters())).run(workload).outcomes,
      of: workload)
    #expect(affine.cachedShare > random.cachedShare + 0.1)
    #expect(affine.ttft.mean < random.ttft.mean)
  }

  @Test func moreLoadAndFewerEndpointsNeverHelp() {
    let workload = chat.workload(seed: 11)
    let base = FleetSummary(
      Fleet(configuration(), policy: .leastRequest).run(workload).outcomes, of: workload)
    let faster = workload.arriving(timesAsFast: 1.5)
    let busier = FleetSummary(
      Fleet(configuration(), policy: .leastRequest).run(faster).outcomes, of: faster)
    let fewer = FleetSummary(
      Fleet(configuration().resized(to: 3), policy: .leastRequest).run(workload).outcomes,
      of: workload)
    let longer = workload.promptsLonger(by: 2)
    let heavier = FleetSummary(
      Fleet(configuration(), policy: .leastRequest).run(longer).outcomes, of: longer)
    for worse in [busier, fewer, heavier] {
      #expect(worse.ttft.mean > base.ttft.mean)
      #expect(worse.tpot.mean > base.tpot.mean)
    }
  }

  @Test func separatePrefillSendsThePromptToOneAndTheAnswerToAnother() {
    var fleet = configuration()
    for index in fleet.endpoints.indices {
      fleet.endpoints[index].role = index < 2 ? .prefill : .decode
    }
    let workload = chat.workload(seed: 13)
    let result = Fleet(fleet, policy: .predictedCost(PredictedCostParameters())).run(workload)
    for outcome in result.outcomes {
      #expect(outcome.status == .completed)
      #expect(outcome.prefillEndpoint == 0 || outcome.prefillEndpoint == 1)
      #expect(outcome.endpoint == 2 || outcome.endpoint == 3)
    }
    // A decode step meets no prompt of more than a token: answers come at the pace of the batch.
    let together = Fleet(configuration(), policy: .leastRequest).run(workload)
    let apart = FleetSummary(result.outcomes, of: workload)
    #expect(apart.tpot.p99 < FleetSummary(together.outcomes, of: workload).tpot.p99)
  }

  @Test func replayedPairsGiveTheOutcomesOfTheRunThatMadeThem() {
    var fleet = configuration()
    for index in fleet.endpoints.indices {
      fleet.endpoints[index].role = index < 2 ? .prefill : .decode
    }
    let workload = chat.workload(seed: 17)
    let routed = Fleet(fleet, policy: .leastRequest).run(workload).outcomes
    let replayed = Fleet(fleet, policy: .random).run(
      workload,
      routing: .forced(
        routed.map { Int($0.endpoint) }, prefill: routed.map { Int($0.prefillEndpoint) })
    ).outcomes
    #expect(replayed.map(\.prefillEndpoint) == routed.map(\.prefillEndpoint))
    #expect(replayed.map(\.ttftMilliseconds) == routed.map(\.ttftMilliseconds))
    #expect(replayed.map(\.e2eMilliseconds) == routed.map(\.e2eMilliseconds))
  }

  @Test func aFasterAcceleratorGetsMoreOfTheWork() {
    var fleet = configuration()
    let fast = configuration(speed: 2).endpoints[0].engine
    fleet.endpoints[3].engine = fast
    let workload = WorkloadShape.uniformChat(requestsPerSecond: 20, durationSeconds: 30).workload(
      seed: 15)
    let result = Fleet(fleet, policy: .predictedCost(PredictedCostParameters())).run(workload)
    let counts = (0..<4).map { index in result.outcomes.count { $0.endpoint == index } }
    #expect(counts[3] > counts.prefix(3).max() ?? .max)
  }
}
