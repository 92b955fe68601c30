import CoefficientFile
import FleetSimulation
import PolicyTuning
import RoutingRuntime
import RuntimeTestSupport

/// Logs of fleets whose every parameter is known.
enum CalibrationFixtures {
  static func engine(speed: Double = 2.5, cacheTokens: Int = 80_000)
    -> SimulatedEngine.Configuration
  {
    SimulatedEngine.Configuration(
      engine: SyntheticModel.engine(speed: speed), blockTokens: 64, kvBlocks: cacheTokens / 64,
      stepNoise: 0.03, requestOverheadMilliseconds: 2)
  }

  static func fleet(_ engines: [(String, SimulatedEngine.Configuration)]) -> FleetConfiguration {
    FleetConfiguration(
      endpoints: engines.enumerated().map {
        FleetConfiguration.Endpoint(
          name: "e\($0.offset)", accelerator: $0.element.0, engine: $0.element.1)
      }, router: Router.Configuration(prefixCapacity: 1000), seed: 3)
  }

  static let workload = WorkloadShape.agenticSessions(requestsPerSecond: 4, durationSeconds: 250)
    .workload(seed: 1)

  /// What the gateway of `fleet` would log, routed by the least requests in flight.
  static func log(of fleet: FleetConfiguration) -> TuningLog {
    let outcomes = Fleet(fleet, policy: .leastRequest).run(workload).outcomes
    return TuningLog(simulated: workload, outcomes: outcomes, fleet: fleet)
  }

  /// A model that says that steps take `slowness` times as long as they do.
  static func model(slowness: Double) -> GlideModel {
    var model = SyntheticModel.model(seed: 1)
    model.groups = []
    for index in model.engines.indices {
      model.engines[index] = SyntheticModel.engine(speed: 2.5 / slowness)
    }
    return model
  }
}
