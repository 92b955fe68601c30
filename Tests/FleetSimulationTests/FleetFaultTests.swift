import RoutingRuntime
import RuntimeTestSupport
import Testing

@testable import FleetSimulation

@Suite struct FleetFaultTests {
  private func run(
    _ kind: FleetConfiguration.Fault.Kind, timeout: Double = .infinity
  ) -> (workload: Workload, outcomes: [RequestOutcome]) {
    let engine = SimulatedEngine.Configuration(
      engine: SyntheticModel.engine(), blockTokens: 64, kvBlocks: 2000, stepNoise: 0.03)
    var configuration = FleetConfiguration(
      endpoints: (0..<4).map {
        FleetConfiguration.Endpoint(name: "e\($0)", accelerator: "gpu", engine: engine)
      }, router: Router.Configuration(prefixCapacity: 2000))
    configuration.timeoutMilliseconds = timeout
    configuration.faults = [
      FleetConfiguration.Fault(endpoint: 1, kind: kind, start: 10_000, end: 25_000)
    ]
    let workload = WorkloadShape.uniformChat(requestsPerSecond: 8, durationSeconds: 40).workload(
      seed: 2)
    let policy = RoutingPolicy.predictedCost(PredictedCostParameters())
    return (workload, Fleet(configuration, policy: policy).run(workload).outcomes)
  }

  private func sent(
    _ outcomes: [RequestOutcome], to endpoint: Int32, in window: Range<Double>
  ) -> Int {
    outcomes.count { $0.endpoint == endpoint && window.contains($0.arrivalMilliseconds) }
  }

  @Test func onlyWhatADeadEndpointHeldFailsAndItIsUsedAgainLater() {
    let (workload, outcomes) = run(.killed)
    let failed = outcomes.filter { $0.status == .failed }
    #expect(!failed.isEmpty)
    #expect(failed.allSatisfy { $0.endpoint == 1 && $0.arrivalMilliseconds < 10_100 })
    #expect(outcomes.count { $0.status == .completed } == workload.requests.count - failed.count)
    #expect(sent(outcomes, to: 1, in: 10_100..<25_000) == 0)
    #expect(sent(outcomes, to: 1, in: 25_100..<40_000) > 0)
  }

  @Test func aHungEndpointIsLeftOutAndWhatItHeldIsGivenUp() {
    let (_, outcomes) = run(.hung, timeout: 5000)
    let late = outcomes.filter { $0.status == .timedOut }
    #expect(late.allSatisfy { $0.endpoint == 1 })
    #expect(sent(outcomes, to: 1, in: 11_200..<25_000) == 0)
    #expect(sent(outcomes, to: 1, in: 25_100..<40_000) > 0)
    #expect(outcomes.allSatisfy { $0.status == .completed || $0.status == .timedOut })
  }

  @Test func aSlowEndpointGetsLessOfTheWork() {
    let (_, outcomes) = run(.slowed(5))
    let others = [0, 2, 3].map { sent(outcomes, to: Int32($0), in: 12_000..<25_000) }
    #expect(sent(outcomes, to: 1, in: 12_000..<25_000) < others.min() ?? 0)
    #expect(outcomes.allSatisfy { $0.status == .completed })
  }

  @Test func lyingMetricsDoNotDrawTheLoadToTheLiar() {
    let (_, outcomes) = run(.lyingMetrics)
    let total = outcomes.count { (10_000..<25_000).contains($0.arrivalMilliseconds) }
    #expect(sent(outcomes, to: 1, in: 10_000..<25_000) * 2 < total)
    #expect(outcomes.allSatisfy { $0.status == .completed })
  }
}
