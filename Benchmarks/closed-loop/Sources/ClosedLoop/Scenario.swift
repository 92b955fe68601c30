import CoefficientFile
import FleetSimulation
import RoutingRuntime

/// A workload and the fleet that it meets.
struct Scenario {
  var name: String
  var shape: WorkloadShape
  var isMixed = false
  var scrapeMilliseconds = 50.0

  static let seconds = 240.0
  static let warmUpMilliseconds = 30_000.0
  /// Tokens of KV cache per endpoint.
  static let cacheTokens = 300_000
  static let blockTokens = 64

  /// About 80 % of what four H100s bear, and one scenario beyond that.
  static let all: [Scenario] = [
    Scenario(
      name: "prefix-heavy",
      shape: .agenticSessions(requestsPerSecond: 30, durationSeconds: seconds)),
    Scenario(
      name: "long prompts", shape: .longPrompts(requestsPerSecond: 3.6, durationSeconds: seconds)),
    Scenario(name: "bursts", shape: .bursts(requestsPerSecond: 22, durationSeconds: seconds)),
    Scenario(
      name: "stale metrics (1 s)",
      shape: .agenticSessions(requestsPerSecond: 30, durationSeconds: seconds),
      scrapeMilliseconds: 1_000),
    Scenario(
      name: "2 x H100, 2 x H200",
      shape: .agenticSessions(requestsPerSecond: 34, durationSeconds: seconds), isMixed: true),
    Scenario(
      name: "saturation",
      shape: .agenticSessions(requestsPerSecond: 40, durationSeconds: seconds)),
  ]

  /// The engines, from a model that was calibrated on a mixed pool's log.
  func fleet(_ engines: GlideModel, seed: UInt64) -> FleetConfiguration {
    let endpoints = (0..<4).map { index in
      let accelerator = isMixed && index >= 2 ? "h200" : "h100"
      let group = engines.groups.first { $0.kind == .accelerator && $0.name == accelerator }
      return FleetConfiguration.Endpoint(
        name: "sim-\(index)", accelerator: accelerator,
        engine: SimulatedEngine.Configuration(
          engine: engines.engines[Int(group?.engine ?? 0)], blockTokens: Self.blockTokens,
          kvBlocks: Self.cacheTokens / Self.blockTokens, stepNoise: 0.02))
    }
    var configuration = FleetConfiguration(
      endpoints: endpoints, scrapeIntervalMilliseconds: scrapeMilliseconds,
      staleAfterMilliseconds: 5_000, seed: seed &+ 1)
    configuration.router.prefixCapacity = Self.cacheTokens / Self.blockTokens
    return configuration
  }

  func workload(seed: UInt64) -> Workload {
    shape.workload(seed: seed).objectives(ttftMilliseconds: 500, tpotMilliseconds: 30)
  }

  var window: Range<Double> { Self.warmUpMilliseconds..<Self.seconds * 1_000 }
}
