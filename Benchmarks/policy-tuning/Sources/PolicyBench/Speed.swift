import CoefficientFile
import FleetSimulation
import Glibc
import RoutingRuntime

/// How much faster than real time 8 endpoints at 50 requests/s are simulated, on one core.
struct Speed {
  let engines: GlideModel
  let seconds: Double
  let blockTokens: Int

  private static let endpoints = 8
  private static let requestsPerSecond = 50.0
  private static let runs = 5
  private static let sharedHosts = 7

  func print() {
    var predictor: Predictor?
    if case .success(let compiled) = Predictor.compile(engines) { predictor = compiled }
    let policies: [(String, RoutingPolicy, Predictor?)] = [
      ("round robin", .roundRobin, nil), ("random", .random, nil),
      ("least request", .leastRequest, nil),
      ("llm-d blend", .weightedScorers(ScorerWeights()), nil),
      ("llm-d affinity", .affinity(AffinityParameters()), nil),
      ("LMetric product", .loadProduct, nil),
      ("Glidepath, no model", .predictedCost(PredictedCostParameters()), nil),
      ("Glidepath", .predictedCost(PredictedCostParameters()), predictor),
    ]
    Swift.print("| workload | policy | times real time | us per request |\n|---|---|---|---|")
    for (name, shape) in [
      (
        "chat",
        WorkloadShape.uniformChat(
          requestsPerSecond: Self.requestsPerSecond, durationSeconds: seconds)
      ),
      (
        "agentic",
        WorkloadShape.agenticSessions(
          requestsPerSecond: Self.requestsPerSecond, durationSeconds: seconds)
      ),
    ] {
      var shape = shape
      shape.blockTokens = blockTokens
      let workload = shape.workload(seed: 1)
      let decisions = workload.requests.indices.map { $0 % Self.endpoints }
      row(name, "forced", workload, .roundRobin, nil, .forced(decisions))
      for (title, policy, predictor) in policies {
        row(name, title, workload, policy, predictor, .router)
      }
    }
  }

  private func row(
    _ name: String, _ title: String, _ workload: Workload, _ policy: RoutingPolicy,
    _ predictor: Predictor?, _ routing: Fleet.Routing
  ) {
    var engine = engines.engines[0]
    // Engines that do not share hosts, as nearly all are.
    engine.stepCoefficients[Self.sharedHosts] = 0
    let endpoints = (0..<Self.endpoints).map { index in
      FleetConfiguration.Endpoint(
        name: "e\(index)", accelerator: "h100",
        engine: SimulatedEngine.Configuration(
          engine: engine, blockTokens: workload.blockTokens,
          kvBlocks: 448_000 / workload.blockTokens, stepNoise: 0.03))
    }
    var configuration = FleetConfiguration(endpoints: endpoints)
    configuration.router.prefixCapacity = 448_000 / workload.blockTokens
    let fleet = Fleet(configuration, predictor: predictor, policy: policy)
    var least = Double.infinity
    for _ in 0..<Self.runs {
      let start = Self.processorSeconds()
      _ = fleet.run(workload, routing: routing, keepsSnapshots: false)
      least = min(least, Self.processorSeconds() - start)
    }
    let each = least / Double(workload.requests.count) * 1e6
    Swift.print("| \(name) | \(title) | \(Int(seconds / least)) | \(rounded(each)) |")
  }

  private static func processorSeconds() -> Double {
    var time = timespec()
    unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }
}
