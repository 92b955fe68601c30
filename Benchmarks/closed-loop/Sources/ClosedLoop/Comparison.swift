import CoefficientFile
import FleetSimulation
import Glibc
import RoutingRuntime

/// Policies side by side on the same arrivals, seed by seed.
struct Comparison {
  let engines: GlideModel
  /// What the gateway predicts with: fitted on the log of this fleet under round robin.
  let predictor: (Scenario) -> Predictor?
  let seeds: Range<UInt64>

  static func policies(_ model: Predictor?) -> [(name: String, policy: RoutingPolicy)] {
    var parameters = PredictedCostParameters(model?.model.policy ?? [])
    parameters.exploration = 0
    return [
      ("round robin", .roundRobin), ("least request", .leastRequest),
      ("llm-d blend (2, 2, 3)", .weightedScorers(ScorerWeights())),
      ("llm-d affinity", .affinity(AffinityParameters())),
      ("llm-d latency scorer", .latencyScorer(LatencyScorerParameters())),
      ("LMetric product", .loadProduct), ("Glidepath", .predictedCost(parameters)),
    ]
  }

  func print(_ scenario: Scenario) {
    let predictor = predictor(scenario)
    Swift.print(
      """

      ### \(scenario.name)

      | policy | TTFT P50 | P90 | P99 | TPOT P50 | P90 | P99 | goodput | cached | P90 TTFT of Glidepath against it |
      |---|---|---|---|---|---|---|---|---|---|
      """)
    var rows: [(name: String, summaries: [FleetSummary])] = []
    for (name, policy) in Self.policies(predictor) {
      rows.append((name, seeds.map { run(scenario, policy, predictor, seed: $0) }))
    }
    let ours = rows[rows.count - 1].summaries
    for row in rows {
      func mean(_ value: (FleetSummary) -> Double) -> Double {
        row.summaries.map(value).reduce(0, +) / Double(row.summaries.count)
      }
      let cells = [
        ms(mean { $0.ttft.p50 }), ms(mean { $0.ttft.p90 }), ms(mean { $0.ttft.p99 }),
        ms(mean { $0.tpot.p50 }), ms(mean { $0.tpot.p90 }), ms(mean { $0.tpot.p99 }),
        percent(mean(\.goodput)), percent(mean(\.cachedShare)), paired(ours, row.summaries),
      ]
      Swift.print("| \(row.name) | \(cells.joined(separator: " | ")) |")
    }
  }

  private func run(
    _ scenario: Scenario, _ policy: RoutingPolicy, _ predictor: Predictor?, seed: UInt64
  ) -> FleetSummary {
    let workload = scenario.workload(seed: seed)
    let fleet = Fleet(
      scenario.fleet(engines, seed: seed), predictor: predictor, policy: policy)
    return FleetSummary(fleet.run(workload).outcomes, of: workload, window: scenario.window)
  }

  /// The mean change of P90 TTFT over seeds with its 95 % interval (Student's t on paired logs).
  private func paired(_ ours: [FleetSummary], _ theirs: [FleetSummary]) -> String {
    let changes = zip(ours, theirs).map { log($0.ttft.p90 / $1.ttft.p90) }
    let count = Double(changes.count)
    let mean = changes.reduce(0, +) / count
    guard count > 1 else { return percent(exp(mean) - 1) }
    let squares = changes.map { ($0 - mean) * ($0 - mean) }.reduce(0, +)
    let error = (squares / (count - 1) / count).squareRoot() * Self.student(changes.count - 1)
    return "\(percent(exp(mean) - 1)) (\(percent(exp(mean - error) - 1)) … "
      + "\(percent(exp(mean + error) - 1)))"
  }

  /// The 97.5 % quantile of Student's t for 1 to 10 degrees of freedom.
  private static func student(_ freedom: Int) -> Double {
    let table = [12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228]
    return freedom <= table.count ? table[freedom - 1] : 2.0
  }
}

func ms(_ value: Double) -> String {
  value >= 100 ? "\(Int(value.rounded()))" : "\((value * 10).rounded() / 10)"
}

func percent(_ value: Double) -> String { "\((value * 1_000).rounded() / 10) %" }
