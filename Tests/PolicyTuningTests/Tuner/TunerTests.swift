import FleetSimulation
import Foundation
import RoutingRuntime
import Testing

@testable import PolicyTuning

@Suite struct TunerTests {
  /// A result to be filled in, with a proof that passes or not.
  static func emptyResult(_ tuner: PolicyTuner, isProved: Bool = true) -> TuningResult {
    var proof = SimulatorProof.sample
    proof.passes = isProved
    return TuningResult(
      calibration: FleetCalibration(
        classes: [], endpoints: [], scrapeIntervalMilliseconds: 50, discrepancy: 0, warnings: []),
      proof: proof, space: PolicySpace(tuner.configuration.family),
      objective: tuner.configuration.objective, baseline: tuner.configuration.baseline,
      advice: TuningAdvice(.keep, []))
  }

  static func tune(
    _ evaluator: SyntheticEvaluator, budget: Double, seed: UInt64 = 1
  ) throws -> TuningResult {
    let tuner = PolicyTuner(
      PolicyTuner.Configuration(
        rivals: [NamedPolicy("random", .random)],
        search: PolicySearch.Configuration(budget: budget, seed: seed),
        judgingSeeds: [101, 102, 103]))
    var result = emptyResult(tuner)
    try tuner.optimize(evaluator, from: nil, problem: "synthetic", into: &result, nil)
    return result
  }

  @Test func aRealOptimumIsFoundAndAdopted() throws {
    let result = try Self.tune(
      SyntheticEvaluator { policy in
        guard case .predictedCost(let parameters) = policy else { return 1 }
        return 0.7 + abs(parameters.emulatorShare - 0.3)
      }, budget: 120)
    #expect(result.advice.decision == .adopt)
    let share = try #require(
      zip(result.space.dimensions, result.values).first { $0.0.name == "emulatorShare" }?.1)
    #expect(abs(share - 0.3) < 0.1)
    let gain = try #require(result.rivals.first?.comparison(.ttftP90))
    #expect(gain.lower > 0.15 && gain.upper < 0.4)
    let swings = result.sensitivity.map(\.swing)
    #expect(result.sensitivity.first { $0.swing == swings.max() }?.name == "emulatorShare")
  }

  /// `GLIDEPATH_AA_RUNS=100` for the full count.
  ///
  /// The best of many equal policies looks good where it was chosen; it must not where it is judged.
  @Test func tuningAmongEqualPoliciesSeldomDeclaresAWin() throws {
    var (wins, lucky) = (0, 0)
    let runs =
      ProcessInfo.processInfo.environment["GLIDEPATH_AA_RUNS"].flatMap(UInt64.init) ?? 20
    for world in 1...max(runs, 1) {
      let result = try Self.tune(
        SyntheticEvaluator(world: world) { _ in 1 }, budget: 20, seed: world)
      if result.advice.decision == .adopt { wins += 1 }
      if (result.points.map(\.cost).min() ?? 0) < -0.02 { lucky += 1 }
    }
    #expect(Double(wins) <= max(1, 0.05 * Double(runs)), "\(wins) of \(runs)")
    // The trap is really there.
    #expect(UInt64(lucky) > runs / 2, "\(lucky) of \(runs)")
  }

  @Test func anUnprovedSimulationGivesNoAdvice() {
    var proof = SimulatorProof.sample
    proof.passes = false
    proof.sentences = ["TTFT P50 is off."]
    let advice = TuningAdvice(
      proof: proof, comparisons: [.sample(gain: 0.3, 0.2, 0.4)], violations: [], audit: nil)
    #expect(advice.decision == .refuse)
    #expect(advice.sentences.contains("TTFT P50 is off."))
  }

  @Test func anAuditThatContradictsVetoes() {
    var audit = OffPolicyAudit.sample
    audit.difference = OffPolicyAudit.Difference(
      gain: OffPolicyAudit.Estimate(value: -0.2, lower: -0.3, upper: -0.1))
    let comparison = PairedComparison.sample(gain: 0.3, 0.2, 0.4)
    let veto = TuningAdvice(
      proof: .sample, comparisons: [comparison], violations: [], audit: audit)
    #expect(veto.decision == .refuse)
    audit.difference?.gain.upper = 0.1
    let assent = TuningAdvice(
      proof: .sample, comparisons: [comparison], violations: [], audit: audit)
    #expect(assent.decision == .adopt)
  }

  @Test func whatIsNotSureOrBreaksAConstraintIsKept() {
    let unsure = TuningAdvice(
      proof: .sample, comparisons: [.sample(gain: 0.05, -0.01, 0.1)], violations: [], audit: nil)
    #expect(unsure.decision == .keep)
    let tiny = TuningAdvice(
      proof: .sample, comparisons: [.sample(gain: 0.004, 0.001, 0.01)], violations: [], audit: nil)
    #expect(tiny.decision == .keep)
    let broken = TuningAdvice(
      proof: .sample, comparisons: [.sample(gain: 0.3, 0.2, 0.4)], violations: ["TPOT."],
      audit: nil)
    #expect(broken.decision == .keep && broken.sentences.contains("TPOT."))
  }

  @Test(
    arguments: zip(
      PolicySpace.Family.allCases,
      [
        [0.1, 0, 2, 8, 2, 0, 0.8, 0], [2, 2, 3, 0, 0, 0, 4_194_304], [0.8, 18_000, 15_928],
      ]))
  func everySpaceBeginsAtThePublishedValues(
    family: PolicySpace.Family, published: [Double]
  ) throws {
    let space = PolicySpace(family, hasObjectives: true)
    let start = space.values(at: space.start)
    #expect(start.count == published.count)
    for (value, expected) in zip(start, published) {
      #expect(abs(value - expected) <= 1e-9 * max(1, expected))
    }
    var random = SeededGenerator(seed: 3)
    for _ in 0..<50 {
      let point = space.dimensions.map { _ in random.uniform() }
      let policy = space.policy(at: point)
      let again = space.policy(at: try #require(space.position(of: policy)))
      let (one, two) = (space.values(at: point), space.position(of: again).map(space.values))
      for (index, value) in try #require(two).enumerated() {
        #expect(abs(value - one[index]) <= 1e-9 * max(1, abs(one[index])))
        #expect(space.dimensions[index].range.contains(value))
      }
    }
  }

  @Test func objectivesAreReadAndPenalizeBrokenConstraints() throws {
    let objective = try TuningObjective.named("ttft-p90")
    var baseline = Observations()
    for _ in 0..<100 {
      baseline.append(
        block: 0, ttftMilliseconds: 100, tpotMilliseconds: 10, e2eMilliseconds: 900, isGood: true)
    }
    var faster = baseline
    faster.ttft = faster.ttft.map { $0 / 2 }
    #expect(abs(objective.cost(faster, baseline: baseline) - log(0.5)) < 1e-12)
    var broken = faster
    broken.tpot = broken.tpot.map { $0 * 1.3 }
    #expect(objective.cost(broken, baseline: baseline) > 0)
    #expect(objective.violations(broken, baseline: baseline).count == 1)
    #expect(try TuningObjective.named("goodput:2,e2e-mean").terms.map(\.weight) == [2, 1])
    #expect(throws: PolicyTuningError.self) { try TuningObjective.named("speed") }
    #expect(throws: PolicyTuningError.self) { try TuningObjective.named("") }
  }

  @Test func capacityIsFoundByBisection() {
    var measured: [Int] = []
    let plan = CapacityPlan(goodput: 0.9, among: 1...64) { count in
      measured.append(count)
      return count >= 13 ? 0.95 : 0.4
    }
    #expect(plan.endpoints == 13)
    #expect(measured.count <= 8)
    #expect(CapacityPlan(goodput: 0.99, among: 1...8) { _ in 0.5 }.endpoints == nil)
  }

  @Test func firstSegmentsAreAsMixedInLoadAsAll() {
    let order = FleetEvaluator.stratified([1, 2, 3, 4, 5, 6, 7, 8, 9])
    #expect(order.sorted() == Array(0..<9))
    let first = order.prefix(3).map { Double($0 + 1) }
    #expect(abs(first.reduce(0, +) / 3 - 5) <= 2)
    #expect((first.max() ?? 0) - (first.min() ?? 0) >= 4)
  }
}

extension SimulatorProof {
  static let sample: SimulatorProof = {
    let batch = TuningLog(batch: .init(), symbols: .init())
    let calibration = FleetCalibration(
      classes: [], endpoints: [], scrapeIntervalMilliseconds: 50, discrepancy: 0, warnings: [])
    var proof = SimulatorProof(batch, calibration: calibration, judged: 0..<0)
    proof.passes = true
    proof.sentences = []
    return proof
  }()
}

extension PairedComparison {
  static func sample(gain: Double, _ lower: Double, _ upper: Double) -> PairedComparison {
    var comparison = PairedComparison(.ttftP90, candidate: [], baseline: [])
    comparison.gain = gain
    comparison.lower = lower
    comparison.upper = upper
    return comparison
  }
}

extension OffPolicyAudit {
  static let sample = OffPolicyAudit(LoggedDecisions(rows: [], policies: [], requestCount: 0))
}
