import CoefficientFile
import FleetSimulation
import RoutingRuntime

/// One endpoint of four goes wrong for a minute in the middle of load.
struct Faults {
  let engines: GlideModel
  let predictor: Predictor?

  private static let start = 90_000.0
  private static let end = 150_000.0

  func print() {
    Swift.print(
      """
      | fault | policy | not answered | P99 TTFT before | during | after | back to normal after the end |
      |---|---|---|---|---|---|---|
      """)
    var parameters = PredictedCostParameters()
    parameters.exploration = 0.01
    let kinds: [(String, FleetConfiguration.Fault.Kind)] = [
      ("killed", .killed), ("hung", .hung), ("slowed 5x", .slowed(5)),
      ("lying metrics", .lyingMetrics),
    ]
    for (name, kind) in kinds {
      for (policyName, policy) in [
        ("round robin", RoutingPolicy.roundRobin),
        ("llm-d blend", .weightedScorers(ScorerWeights())),
        ("Glidepath", .predictedCost(parameters)),
      ] { row(name, kind, policyName, policy) }
    }
  }

  private func row(
    _ name: String, _ kind: FleetConfiguration.Fault.Kind, _ policyName: String,
    _ policy: RoutingPolicy
  ) {
    let scenario = Scenario(
      name: "faults",
      shape: .agenticSessions(requestsPerSecond: 18, durationSeconds: Scenario.seconds))
    var fleet = scenario.fleet(engines, seed: 3)
    fleet.timeoutMilliseconds = 10_000
    fleet.staleAfterMilliseconds = 1_000
    fleet.faults = [
      FleetConfiguration.Fault(endpoint: 1, kind: kind, start: Self.start, end: Self.end)
    ]
    let workload = scenario.workload(seed: 3)
    let outcomes = Fleet(fleet, predictor: predictor, policy: policy).run(workload).outcomes
    fleet.faults = []
    let healthy = Fleet(fleet, predictor: predictor, policy: policy).run(workload).outcomes
    let failed = outcomes.count { $0.status != .completed }
    func p99(_ window: Range<Double>) -> String {
      ms(FleetSummary(outcomes, of: workload, window: window).ttft.p99)
    }
    Swift.print(
      "| \(name) | \(policyName) | \(percent(Double(failed) / Double(outcomes.count))) | "
        + "\(p99(30_000..<Self.start)) | \(p99(Self.start..<Self.end)) | "
        + "\(p99(Self.end..<Scenario.seconds * 1_000)) | \(recovery(outcomes, healthy, workload)) |"
    )
  }

  /// After which 10 s window P90 TTFT stays within twice that of the same run without the fault.
  private func recovery(
    _ outcomes: [RequestOutcome], _ healthy: [RequestOutcome], _ workload: Workload
  ) -> String {
    var second = Int(Scenario.seconds) - 10
    while second >= Int(Self.end / 1_000) {
      let window = Double(second) * 1_000..<Double(second + 10) * 1_000
      let p90 = FleetSummary(outcomes, of: workload, window: window).ttft.p90
      let usual = FleetSummary(healthy, of: workload, window: window).ttft.p90
      if p90 > 2 * usual { return "\(second + 10 - Int(Self.end / 1_000)) s" }
      second -= 10
    }
    return "at once"
  }
}
