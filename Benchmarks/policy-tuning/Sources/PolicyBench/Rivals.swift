import CoefficientFile
import FleetSimulation
import PolicyTuning
import RoutingRuntime

/// The tuned policy in a fleet of known engines, after its log, against the field's policies.
///
/// One policy makes the log; its first 70 % is all that the tuner gets. Judged are requests that arrive
/// later, in the fleet itself, with the same arrivals and noise for all.
struct Rivals {
  let engines: GlideModel
  let seconds: Double
  let seeds: Int
  let workers: Int
  let budget: Double

  private static let logShare = 0.7
  private static let blocks = 12
  private static let published = [
    NamedPolicy("round robin", .roundRobin), NamedPolicy("least request", .leastRequest),
    NamedPolicy("llm-d blend", .weightedScorers(ScorerWeights())),
    NamedPolicy("llm-d affinity", .affinity(AffinityParameters())),
    NamedPolicy("LMetric product", .loadProduct),
    NamedPolicy("untuned", .predictedCost(PredictedCostParameters())),
  ]

  static func printHead() {
    Swift.print(
      """
      | workload | rival | its P90 TTFT, ms | tuned | tuned saves | 95 % interval | of P90 TPOT | verdict |
      |---|---|---|---|---|---|---|---|
      """)
  }

  func print(_ scenario: Scenario, seed: UInt64) throws {
    let world = try World(
      scenario, engines: engines, seconds: seconds, policy: .weightedScorers(ScorerWeights()),
      loggedShare: Self.logShare, share: 0.7, seed: seed, workers: workers)
    var configuration = PolicyTuner.Configuration(
      search: PolicySearch.Configuration(budget: budget))
    configuration.rivals = [NamedPolicy("glidepath", .predictedCost(PredictedCostParameters()))]
    let result = try PolicyTuner(configuration).tune(world.log, model: world.model)
    let tuned = result.recommended
    let policies = [tuned] + Self.published
    let runs = parallel(policies.count * seeds, workers: workers) { task in
      let (policy, seed) = task.quotientAndRemainder(dividingBy: seeds)
      return observed(
        world, world.truth(policies[policy].policy, seed: UInt64(seed)))
    }
    func own(_ index: Int) -> [Observations] {
      Array(runs[(index * seeds)..<((index + 1) * seeds)])
    }
    for index in policies.indices.dropFirst() {
      let ttft = PairedComparison(.ttftP90, candidate: own(0), baseline: own(index))
      let tpot = PairedComparison(.tpotP90, candidate: own(0), baseline: own(index))
      let cells = [
        scenario.name, policies[index].name, rounded(ttft.baseline), rounded(ttft.candidate),
        percentage(ttft.gain), "\(percentage(ttft.lower)) to \(percentage(ttft.upper))",
        percentage(tpot.gain), ttft.verdict.rawValue,
      ]
      Swift.print("| \(cells.joined(separator: " | ")) |")
    }
    let values = zip(result.space.dimensions, result.values).map { "\($0.name) \(rounded($1))" }
    Swift.print(
      "<!-- \(scenario.name): runs \(tuned.name); \(result.advice.decision.rawValue); "
        + "search against untuned "
        + (result.settling.first.map {
          "\(percentage($0.gain)) (\(percentage($0.lower)) to \(percentage($0.upper)))"
        } ?? "") + "; proof \(result.proof.passes); \(values.joined(separator: ", "));",
      result.advice.sentences.joined(separator: " "),
      result.rivals.map { rival in
        "\(rival.name) \(rival.comparisons.first.map { percentage($0.gain) } ?? "")"
      }, "-->")
  }

  /// The judged requests, in blocks of time.
  private func observed(_ world: World, _ outcomes: [RequestOutcome]) -> Observations {
    let requests = world.workload.requests
    let start = requests[0].arrivalMilliseconds
    let cut = start + Self.logShare * world.workload.durationMilliseconds
    let width = (1 - Self.logShare) * world.workload.durationMilliseconds / Double(Self.blocks)
    var result = Observations()
    for (request, outcome) in zip(requests, outcomes) where request.arrivalMilliseconds >= cut {
      result.append(
        block: min(Int((request.arrivalMilliseconds - cut) / width), Self.blocks - 1), request,
        outcome)
    }
    return result
  }
}

func percentage(_ share: Double) -> String { "\((share * 1_000).rounded() / 10) %" }
