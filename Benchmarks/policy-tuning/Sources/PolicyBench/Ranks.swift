import CoefficientFile
import FleetSimulation
import Glibc
import PolicyTuning
import RoutingRuntime

/// Ranks policies in a fleet of known engines, and in a simulation calibrated on the log of one.
struct Ranks {
  let engines: GlideModel
  let seconds: Double
  let seeds: Int
  let workers: Int
  /// What made the log.
  let logged: NamedPolicy

  private static let warmUpMilliseconds = 30_000.0
  /// Pairs whose mean ratio is nearer to 1 than this are ties, too: nobody would care.
  private static let indifference = 0.01

  /// P90 TTFT and mean E2E of one policy, by seed.
  private struct Scores: Sendable {
    var ttftP90: [Double] = []
    var e2eMean: [Double] = []
  }

  static func printHead() {
    Swift.print(
      """
      | workload | metric | τ-b | τ of resolved pairs | unresolved | τ-b, engine against itself | chosen | regret |
      |---|---|---|---|---|---|---|---|
      """)
  }

  /// Prints one workload's rows, and every policy's figures as comments.
  func print(_ scenario: Scenario, seed: UInt64) throws {
    let world = try World(
      scenario, engines: engines, seconds: seconds, policy: logged.policy, share: 1, seed: seed,
      workers: workers)
    let count = world.log.count
    let calibration = FleetCalibrator().calibrate(world.log, rows: 0..<count, model: world.model)
    let router = PolicyTuner.router(calibration)
    let asked = world.log.workload(0..<count)
    let policies = RankedPolicies.all
    let truths = scores(policies, world.workload, seeds: seeds) { policy, seed in
      world.truth(policy, seed: seed)
    }
    let others = scores(policies, world.workload, seeds: seeds) { policy, seed in
      world.truth(policy, seed: seed &+ 500)
    }
    let simulated = scores(policies, asked, seeds: seeds) { policy, seed in
      var fleet = calibration.fleet(seed: seed &+ 1_000, router: router)
      fleet.router.seed = seed &+ 1_077
      return Fleet(fleet, predictor: world.predictor, policy: policy).run(asked).outcomes
    }
    Swift.print(
      "<!-- \(scenario.name): \(count) requests, discrepancy \(calibration.discrepancy)")
    for accelerator in calibration.classes {
      let known = world.scenario.fleet(engines, seed: 0).endpoints.first {
        $0.accelerator == accelerator.name
      }
      Swift.print("known  ", known.map { described($0.engine) } ?? "")
      Swift.print("learned", described(accelerator.engine), accelerator.source)
    }
    Swift.print("policy | engine P90 TTFT | simulated | engine mean E2E | simulated")
    let order = policies.indices.sorted { mean(truths[$0].ttftP90) < mean(truths[$1].ttftP90) }
    for index in order {
      let cells = [
        truths[index].ttftP90, simulated[index].ttftP90, truths[index].e2eMean,
        simulated[index].e2eMean,
      ]
      Swift.print(
        ([policies[index].name] + cells.map { rounded(mean($0)) }).joined(separator: " | "))
    }
    Swift.print("-->")
    row(scenario.name, "P90 TTFT", policies, \.ttftP90, truths, others, simulated)
    row(scenario.name, "mean E2E", policies, \.e2eMean, truths, others, simulated)
  }

  private func scores(
    _ policies: [NamedPolicy], _ workload: Workload, seeds: Int,
    _ run: @Sendable (RoutingPolicy, UInt64) -> [RequestOutcome]
  ) -> [Scores] {
    let start = workload.requests.first?.arrivalMilliseconds ?? 0
    let window = (start + Self.warmUpMilliseconds)..<Double.infinity
    let summaries = parallel(policies.count * seeds, workers: workers) { task in
      let (policy, seed) = task.quotientAndRemainder(dividingBy: seeds)
      let outcomes = run(policies[policy].policy, UInt64(seed))
      return FleetSummary(outcomes, of: workload, window: window)
    }
    return policies.indices.map { policy in
      let own = summaries[(policy * seeds)..<((policy + 1) * seeds)]
      return Scores(ttftP90: own.map(\.ttft.p90), e2eMean: own.map(\.e2e.mean))
    }
  }

  private func row(
    _ workload: String, _ metric: String, _ policies: [NamedPolicy],
    _ value: KeyPath<Scores, [Double]>, _ truths: [Scores], _ others: [Scores],
    _ simulated: [Scores]
  ) {
    let truth = truths.map { mean($0[keyPath: value]) }
    let isTied = { (a: Int, b: Int) in
      let ratios = zip(truths[a][keyPath: value], truths[b][keyPath: value]).map { log($0 / $1) }
      let interval = Student.interval(ratios)
      return abs(interval.mean) <= max(interval.halfWidth, Self.indifference)
    }
    let kendall = Kendall(truth, simulated.map { mean($0[keyPath: value]) }, isTied: isTied)
    let itself = Kendall(truth, others.map { mean($0[keyPath: value]) }, isTied: isTied)
    let chosen =
      simulated.indices.min {
        mean(simulated[$0][keyPath: value]) < mean(simulated[$1][keyPath: value])
      } ?? 0
    let regret = truth[chosen] / (truth.min() ?? .nan) - 1
    let pairs = policies.count * (policies.count - 1) / 2
    let cells = [
      workload, metric, rounded(kendall.all), rounded(kendall.resolved),
      "\(kendall.tiedPairs) of \(pairs)", rounded(itself.all), policies[chosen].name,
      "\(rounded(100 * regret)) %",
    ]
    Swift.print("| \(cells.joined(separator: " | ")) |")
  }
}

/// What matters of an engine, on one line.
func described(_ engine: SimulatedEngine.Configuration) -> String {
  let steps = engine.engine.stepCoefficients.enumerated().filter { $0.element != 0 }
    .map { "\($0.offset): \(rounded($0.element * 1e3))e-3" }
  return steps.joined(separator: ", ")
    + "; budget \(engine.engine.tokenBudget), sequences \(engine.engine.maximumSequences), "
    + "uplink \(rounded(engine.engine.uplinkMilliseconds)), "
    + "downlink \(rounded(engine.engine.downlinkMilliseconds)), "
    + "overhead \(rounded(engine.requestOverheadMilliseconds)) (\(rounded(engine.overheadNoise))), "
    + "by load \(rounded(engine.overheadPerDecodingMilliseconds)), ahead \(engine.schedulesAhead), "
    + "noise \(rounded(engine.stepNoise)), drift \(rounded(engine.driftNoise)), "
    + "blocks \(engine.kvBlocks)"
}

func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(max(values.count, 1)) }

/// With three significant digits or so.
func rounded(_ value: Double) -> String {
  guard value.isFinite else { return "\(value)" }
  let scale = abs(value) >= 100 ? 1.0 : abs(value) >= 10 ? 10.0 : 1000.0
  let result = (value * scale).rounded() / scale
  return scale == 1 ? "\(Int(result))" : "\(result)"
}
