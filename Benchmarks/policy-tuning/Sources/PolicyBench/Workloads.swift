import FleetSimulation

/// The workloads that policies are ranked and tuned on: those of the closed loop, for longer.
///
/// Sessions need minutes to reach their mean rate and length, so that the same load in the long run is
/// a lower rate.
enum Workloads {
  static func all(seconds: Double) -> [Scenario] {
    func agentic(_ rate: Double) -> WorkloadShape {
      .agenticSessions(requestsPerSecond: rate, durationSeconds: seconds)
    }
    return [
      Scenario(name: "prefix-heavy", shape: agentic(22)),
      Scenario(
        name: "long prompts", shape: .longPrompts(requestsPerSecond: 3.6, durationSeconds: seconds)),
      Scenario(name: "bursts", shape: .bursts(requestsPerSecond: 22, durationSeconds: seconds)),
      Scenario(name: "stale metrics", shape: agentic(22), scrapeMilliseconds: 1_000),
      Scenario(name: "mixed accelerators", shape: agentic(25), isMixed: true),
      Scenario(name: "saturation", shape: agentic(28)),
    ]
  }
}
