import CoefficientFile
import FleetSimulation
import PolicyTuning
import RoutingRuntime

/// A fleet of known engines, the log that one policy made on it, and what was learned from the log.
///
/// Nothing but the log reaches the model and the calibration.
struct World {
  let scenario: Scenario
  let engines: GlideModel
  /// What arrived, first the logged part.
  let workload: Workload
  let log: TuningLog
  let model: GlideModel
  let predictor: Predictor

  /// Simulates `seconds` of arrivals under `policy`, keeps the first `loggedShare` of the time as the
  /// log and fits a model on the first `share` of that.
  init(
    _ scenario: Scenario, engines: GlideModel, seconds: Double, policy: RoutingPolicy,
    loggedShare: Double = 1, share: Double, seed: UInt64, workers: Int
  ) throws {
    self.scenario = scenario
    self.engines = engines
    var shape = scenario.shape
    shape.durationSeconds = seconds
    workload = shape.workload(seed: seed).objectives(
      ttftMilliseconds: Self.ttftObjective, tpotMilliseconds: Self.tpotObjective)
    let fleet = scenario.fleet(engines, seed: seed)
    let outcomes = Fleet(fleet, policy: policy).run(workload).outcomes
    let start = workload.requests.first?.arrivalMilliseconds ?? 0
    let cut = start + loggedShare * workload.durationMilliseconds
    let count = workload.requests.firstIndex { $0.arrivalMilliseconds > cut }
    let logged = Workload(
      requests: Array(workload.requests.prefix(count ?? workload.requests.count)),
      blockTokens: workload.blockTokens)
    log = TuningLog(
      simulated: logged, outcomes: Array(outcomes.prefix(logged.requests.count)), fleet: fleet)
    model = try PolicyTuner.fit(log, share: share, threads: workers, toolVersion: "benchmark")
    predictor = try PolicyTuner.predictor(model)
  }

  static let ttftObjective = 500.0
  static let tpotObjective = 30.0

  /// The known engines under `policy`.
  func truth(_ policy: RoutingPolicy, seed: UInt64) -> [RequestOutcome] {
    var fleet = scenario.fleet(engines, seed: seed)
    fleet.router.seed = seed &+ 77
    return Fleet(fleet, predictor: predictor, policy: policy).run(workload).outcomes
  }
}
