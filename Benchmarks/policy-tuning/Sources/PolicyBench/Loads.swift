import CoefficientFile
import FleetSimulation
import PolicyTuning
import RoutingRuntime

/// Policies from low load to more than the fleet bears, in a fleet of known engines.
///
/// The first half of the time makes the log under llm-d's blend, on which the model is fitted; judged are
/// the requests of the second half, under each policy. Figures are relative to llm-d's affinity.
struct Loads {
  let engines: GlideModel
  let seconds: Double
  let seeds: Int
  let workers: Int

  private static let policies = [
    NamedPolicy("llm-d affinity", .affinity(AffinityParameters())),
    NamedPolicy("llm-d blend", .weightedScorers(ScorerWeights())),
    NamedPolicy("LMetric product", .loadProduct),
    NamedPolicy("Glidepath", .predictedCost(PredictedCostParameters())),
  ]

  private var scenarios: [Scenario] {
    func sessions(_ rate: Double, isMixed: Bool = false) -> Scenario {
      Scenario(
        name: "\(isMixed ? "mixed accelerators" : "sessions"), \(Int(rate))",
        shape: .agenticSessions(requestsPerSecond: rate, durationSeconds: seconds),
        isMixed: isMixed)
    }
    func long(_ rate: Double) -> Scenario {
      Scenario(
        name: "long prompts, \(rate)",
        shape: .longPrompts(requestsPerSecond: rate, durationSeconds: seconds))
    }
    let bursts = Scenario(
      name: "bursts, 22", shape: .bursts(requestsPerSecond: 22, durationSeconds: seconds))
    return [20, 23, 25, 28, 32].map { sessions($0) } + [long(3.2), long(4.2), bursts]
      + [22, 25, 34].map { sessions($0, isMixed: true) }
  }

  func print() throws {
    let names = Self.policies.dropFirst().map(\.name)
    Swift.print(
      "| workload, requests/s | affinity: P90 TTFT, ms | mean E2E, ms | within objectives | "
        + names.map { "\($0): P90 TTFT | E2E | within" }.joined(separator: " | ") + " |")
    Swift.print("|" + String(repeating: "---|", count: 4 + 3 * names.count))
    for (index, scenario) in scenarios.enumerated() {
      try print(scenario, seed: 5_200 + UInt64(index))
    }
  }

  private func print(_ scenario: Scenario, seed: UInt64) throws {
    let world = try World(
      scenario, engines: engines, seconds: seconds, policy: .weightedScorers(ScorerWeights()),
      loggedShare: 0.5, share: 1, seed: seed, workers: workers)
    let seeds = seeds
    let runs = parallel(Self.policies.count * seeds, workers: workers) { task in
      let (policy, seed) = task.quotientAndRemainder(dividingBy: seeds)
      return observed(world, world.truth(Self.policies[policy].policy, seed: UInt64(seed)))
    }
    func mean(_ metric: TuningMetric, _ policy: Int) -> Double {
      runs[(policy * seeds)..<((policy + 1) * seeds)].reduce(0) { $0 + metric.value($1) }
        / Double(seeds)
    }
    var cells = [
      scenario.name, rounded(mean(.ttftP90, 0)), rounded(mean(.e2eMean, 0)),
      percentage(mean(.goodput, 0)),
    ]
    for policy in Self.policies.indices.dropFirst() {
      cells.append(rounded(mean(.ttftP90, policy) / mean(.ttftP90, 0)))
      cells.append(rounded(mean(.e2eMean, policy) / mean(.e2eMean, 0)))
      cells.append(percentage(mean(.goodput, policy)))
    }
    Swift.print("| \(cells.joined(separator: " | ")) |")
  }

  private func observed(_ world: World, _ outcomes: [RequestOutcome]) -> Observations {
    let requests = world.workload.requests
    let cut = requests[0].arrivalMilliseconds + 0.5 * world.workload.durationMilliseconds
    var result = Observations()
    for (request, outcome) in zip(requests, outcomes) where request.arrivalMilliseconds >= cut {
      result.append(
        block: 0, request, outcome)
    }
    return result
  }
}
