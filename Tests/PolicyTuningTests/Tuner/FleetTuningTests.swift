import CoefficientFile
import FleetSimulation
import Foundation
import RoutingRuntime
import Testing

@testable import PolicyTuning

/// A small fleet: three endpoints whose steps take 10 ms and 0.1 ms per prompt token.
enum SmallFleet {
  static var configuration: FleetConfiguration {
    var coefficients = [Double](repeating: 0, count: StepFeature.count)
    coefficients[0] = 10
    coefficients[1] = 0.2
    coefficients[3] = 0.1
    let engine = EngineModel(
      stepCoefficients: coefficients,
      stepHalfWidths: [Float](repeating: 0, count: StepFeature.count), tokenBudget: 2048,
      maximumSequences: 64, uplinkMilliseconds: 0.5, downlinkMilliseconds: 0.4)
    return FleetConfiguration(
      endpoints: (0..<3).map {
        FleetConfiguration.Endpoint(
          name: "\($0)", accelerator: "",
          engine: SimulatedEngine.Configuration(
            engine: engine, blockTokens: 64, kvBlocks: 4000, stepNoise: 0.05))
      }, router: Router.Configuration(prefixCapacity: 4000, requestCapacity: 64))
  }

  static func evaluator(requestsPerSecond: Double, seconds: Double, seed: UInt64) -> FleetEvaluator
  {
    let shape = WorkloadShape.agenticSessions(
      requestsPerSecond: requestsPerSecond, durationSeconds: seconds)
    return FleetEvaluator(
      fleet: configuration, predictor: nil, workload: shape.workload(seed: seed))
  }
}

/// One policy under many names: whatever is asked for runs as llm-d's blend, each with noise and
/// ties of its own.
private struct EqualPolicies: PolicyEvaluator {
  let fleet: FleetEvaluator
  var segmentCount: Int { fleet.segmentCount }

  func tuning(_ policy: RoutingPolicy, segment: Int, seed: UInt64) -> Observations {
    fleet.tuning(same, segment: segment, seed: seed ^ own(policy))
  }

  func judging(_ policy: RoutingPolicy, seed: UInt64) -> Observations {
    fleet.judging(same, seed: seed ^ own(policy))
  }

  private var same: RoutingPolicy { .weightedScorers(ScorerWeights()) }

  private func own(_ policy: RoutingPolicy) -> UInt64 {
    guard case .predictedCost(let parameters) = policy else { return 0x0bad_5eed }
    return parameters.values.reduce(7) { ($0 &* 0x100_0000_01b3) ^ $1.bitPattern }
  }
}

@Suite struct FleetTuningTests {
  @Test func runsRepeatAndPartsAreDisjoint() {
    let evaluator = SmallFleet.evaluator(requestsPerSecond: 6, seconds: 120, seed: 1)
    let policy = RoutingPolicy.weightedScorers(ScorerWeights())
    #expect(evaluator.judging(policy, seed: 3) == evaluator.judging(policy, seed: 3))
    #expect(evaluator.judging(policy, seed: 3) != evaluator.judging(policy, seed: 4))
    let tuned = (0..<evaluator.segmentCount).map {
      evaluator.tuning(policy, segment: $0, seed: 1).count
    }
    let all = WorkloadShape.agenticSessions(requestsPerSecond: 6, durationSeconds: 120)
      .workload(seed: 1).requests.count
    #expect(tuned.reduce(0, +) + evaluator.judgedCount == all)
    let blocks = Set(evaluator.judging(policy, seed: 3).blocks)
    #expect(blocks.isSubset(of: Set(0..<20)) && blocks.count > 15)
  }

  /// `GLIDEPATH_AA_RUNS=100` for the full count, which is for an optimized build.
  @Test func tuningAnIdenticalPolicyOnTheSimulatorSeldomDeclaresAWin() throws {
    let runs = ProcessInfo.processInfo.environment["GLIDEPATH_AA_RUNS"].flatMap(Int.init) ?? 3
    var wins = 0
    var gains: [Double] = []
    for world in 1...UInt64(runs) {
      let fleet = SmallFleet.evaluator(
        requestsPerSecond: 8, seconds: runs > 20 ? 300 : 60, seed: world)
      let tuner = PolicyTuner(
        PolicyTuner.Configuration(
          rivals: [], search: PolicySearch.Configuration(budget: 12, seed: world),
          judgingSeeds: [101, 102]))
      var result = TunerTests.emptyResult(tuner)
      try tuner.optimize(
        EqualPolicies(fleet: fleet), from: nil, problem: "", into: &result, nil)
      if result.advice.decision == .adopt { wins += 1 }
      if let main = result.rivals.first?.comparisons.first { gains.append(main.gain) }
    }
    print("A/A: \(wins) false wins in \(runs); gains \(gains.min() ?? 0) to \(gains.max() ?? 0)")
    #expect(Double(wins) <= max(1, 0.05 * Double(runs)))
  }

  @Test func whatIfsChangeWhatTheySay() {
    let fleet = SmallFleet.configuration
    #expect(WhatIf(endpoints: 2).applied(to: fleet).endpoints.count == 2)
    #expect(Set(WhatIf(endpoints: 5).applied(to: fleet).endpoints.map(\.name)).count == 5)
    var mixed = fleet
    mixed.endpoints[0].accelerator = "fast"
    let change = WhatIf(accelerators: ["fast": 3, "unknown": 4])
    #expect(change.applied(to: mixed).endpoints.map(\.accelerator) == ["fast", "fast", "fast"])
    let workload = WorkloadShape.uniformChat(requestsPerSecond: 5, durationSeconds: 60)
      .workload(seed: 2)
    let faster = WhatIf(rate: 1.5).applied(to: workload)
    #expect(abs(faster.durationMilliseconds * 1.5 - workload.durationMilliseconds) < 1e-3)
  }

  @Test func tunedPoliciesGoWhereTheyAreRead() throws {
    let parameters = PredictedCostParameters(tpotWeight: 0.3, externality: 4)
    let glide = try #require(
      PolicyFiles.endpointPickerConfig(.weightedScorers(ScorerWeights(queue: 1.5, kvCache: 0))))
    #expect(glide.contains("apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\n"))
    #expect(glide.contains("  - pluginRef: queue-scorer\n    weight: 1.50\n"))
    #expect(!glide.contains("kv-cache-utilization-scorer"))
    let affinity = try #require(PolicyFiles.endpointPickerConfig(.affinity(AffinityParameters())))
    #expect(affinity.contains("maxTTFTPenaltyMs: 18000"))
    #expect(affinity.contains("pluginRef: prefix-cache-affinity-filter"))
    #expect(PolicyFiles.endpointPickerConfig(.predictedCost(parameters)) == nil)
  }

  @Test func thePageIsSelfContainedAndEscapes() {
    var result = TunerTests.emptyResult(PolicyTuner())
    result.advice = TuningAdvice(.keep, ["<b>1 & 2</b>"])
    let page = TuningPage.html(result)
    #expect(page.contains("&lt;b&gt;1 &amp; 2&lt;/b&gt;"))
    #expect(page.contains("prefers-color-scheme:dark"))
    #expect(!page.contains("http://") && !page.contains("https://") && !page.contains("<script"))
    #expect(TuningMarkdown.text(result).contains("**Keep what runs**"))
    #expect(TuningDocument(result).text.contains("\"decision\" : \"keep\""))
  }
}
