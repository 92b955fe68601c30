import CoefficientFile
import FleetSimulation
import Glibc
import PolicyTuning
import RoutingRuntime

/// How long a tuning on one hour of log takes, stage by stage.
struct Hour {
  let engines: GlideModel
  let seconds: Double
  let workers: Int
  let budget: Double

  private static let endpoints = 8
  private static let requestsPerSecond = 50.0

  func print() throws {
    let log = log()
    var times: [(String, wall: Double, processor: Double)] = []
    var last = (wall: Self.seconds(CLOCK_MONOTONIC), cpu: Self.seconds(CLOCK_PROCESS_CPUTIME_ID))
    let first = last
    func note(_ stage: String) {
      let now = (wall: Self.seconds(CLOCK_MONOTONIC), cpu: Self.seconds(CLOCK_PROCESS_CPUTIME_ID))
      times.append((stage, now.wall - last.wall, now.cpu - last.cpu))
      last = now
    }
    let model = try PolicyTuner.fit(log, threads: workers, toolVersion: "benchmark")
    note("fitting the model")
    let configuration = PolicyTuner.Configuration(
      search: PolicySearch.Configuration(budget: budget))
    var stage = ""
    let result = try PolicyTuner(configuration).tune(log, model: model) { name, _ in
      if name != stage, !stage.isEmpty { note(stage) }
      stage = name
    }
    note(stage)
    times.append(("all", last.wall - first.wall, last.cpu - first.cpu))
    Swift.print(
      "\(log.count) requests, \(rounded(result.spent)) evaluations, proof \(result.proof.passes), "
        + "advice \(result.advice.decision.rawValue)\n\n| stage | s | processor s |\n|---|---|---|")
    for time in times {
      Swift.print("| \(time.0) | \(rounded(time.wall)) | \(rounded(time.processor)) |")
    }
  }

  /// Sessions on 8 endpoints under llm-d's blend.
  private func log() -> TuningLog {
    var shape = WorkloadShape.agenticSessions(
      requestsPerSecond: Self.requestsPerSecond, durationSeconds: seconds)
    shape.blockTokens = 512
    let workload = shape.workload(seed: 3)
    let endpoints = (0..<Self.endpoints).map { index in
      FleetConfiguration.Endpoint(
        name: "e\(index)", accelerator: "h100",
        engine: SimulatedEngine.Configuration(
          engine: engines.engines[0], blockTokens: shape.blockTokens,
          kvBlocks: 448_000 / shape.blockTokens, stepNoise: 0.02))
    }
    var fleet = FleetConfiguration(endpoints: endpoints)
    fleet.router.prefixCapacity = 448_000 / shape.blockTokens
    let outcomes = Fleet(fleet, policy: .weightedScorers(ScorerWeights())).run(workload).outcomes
    return TuningLog(simulated: workload, outcomes: outcomes, fleet: fleet)
  }

  private static func seconds(_ clock: clockid_t) -> Double {
    var time = timespec()
    unsafe clock_gettime(clock, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }
}
