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
    let failed = outcomes.count { $0.status != .completed }
    func p99(_ window: Range<Double>) -> String {
      ms(FleetSummary(outcomes, of: workload, window: window).ttft.p99)
    }
    Swift.print(
      "| \(name) | \(policyName) | \(percent(Double(failed) / Double(outcomes.count))) | "
        + "\(p99(30_000..<Self.start)) | \(p99(Self.start..<Self.end)) | "
        + "\(p99(Self.end..<Scenario.seconds * 1_000)) | \(recovery(outcomes, workload)) |")
  }

  /// The first second after the fault from which P90 TTFT stays within twice the usual.
  private func recovery(_ outcomes: [RequestOutcome], _ workload: Workload) -> String {
    let usual = FleetSummary(outcomes, of: workload, window: 30_000..<Self.start).ttft.p90
    var second = Int(Scenario.seconds) - 5
    while second > Int(Self.end / 1_000) {
      let window = Double(second - 1) * 1_000..<Double(second + 4) * 1_000
      let summary = FleetSummary(outcomes, of: workload, window: window)
      if summary.ttft.p90 > 2 * usual { return "\(second + 4 - Int(Self.end / 1_000)) s" }
      second -= 1
    }
    return "0 s"
  }
}
