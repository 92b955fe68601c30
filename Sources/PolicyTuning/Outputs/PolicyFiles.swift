public import CoefficientFile
internal import Glibc
public import RoutingRuntime

/// Where a tuned policy goes: a coefficient file's policy section, or llm-d's configuration.
public enum PolicyFiles {
  /// `model` with the policy section of a tuned policy; `nil` when the policy is not Glidepath's.
  public static func model(_ model: GlideModel, with policy: RoutingPolicy) -> GlideModel? {
    guard case .predictedCost(let parameters) = policy else { return nil }
    var result = model
    result.policy = parameters.section
    return result
  }

  /// llm-d's `EndpointPickerConfig` for a policy that its router can run; `nil` for others.
  ///
  /// - Source: llm-d-router, `apiVersion: llm-d.ai/v1alpha1`.
  public static func endpointPickerConfig(_ policy: RoutingPolicy) -> String? {
    switch policy {
    case .weightedScorers(let weights): yaml(weights)
    case .affinity(let parameters): yaml(parameters)
    default: nil
    }
  }

  private struct Plugin {
    var type: String
    var weight: Double?
    var parameters: [(name: String, value: String)] = []
  }

  private static func yaml(_ weights: ScorerWeights) -> String {
    let scorers = [
      Plugin(type: "queue-scorer", weight: weights.queue),
      Plugin(type: "kv-cache-utilization-scorer", weight: weights.kvCache),
      Plugin(type: "prefix-cache-scorer", weight: weights.prefix),
      Plugin(type: "load-aware-scorer", weight: weights.loadAware),
      Plugin(
        type: "token-load-scorer", weight: weights.tokenLoad,
        parameters: [("queueThresholdTokens", Format.fixed(weights.tokenLoadThreshold, 0))]),
      Plugin(type: "active-request-scorer", weight: weights.activeRequests),
    ]
    // A weight that rounds to nothing asks for no plugin.
    let used = scorers.filter { ($0.weight ?? 0) >= 0.005 }
    return yaml(used + [Plugin(type: "max-score-picker")])
  }

  private static func yaml(_ parameters: AffinityParameters) -> String {
    yaml([
      Plugin(
        type: "prefix-cache-affinity-filter",
        parameters: [
          ("affinityThreshold", Format.fixed(parameters.affinityThreshold, 3)),
          ("explorationProbability", Format.fixed(parameters.explorationProbability, 3)),
          ("maxTTFTPenaltyMs", Format.fixed(parameters.maximumTTFTPenaltyMilliseconds, 0)),
          ("peakPrefillThroughput", Format.fixed(parameters.peakPrefillThroughput, 0)),
        ]), Plugin(type: "token-load-scorer", weight: 1), Plugin(type: "max-score-picker"),
    ])
  }

  private static func yaml(_ plugins: [Plugin]) -> String {
    var lines = ["apiVersion: llm-d.ai/v1alpha1", "kind: EndpointPickerConfig", "plugins:"]
    for plugin in plugins {
      lines.append("- type: \(plugin.type)")
      guard !plugin.parameters.isEmpty else { continue }
      lines.append("  parameters:")
      for (name, value) in plugin.parameters { lines.append("    \(name): \(value)") }
    }
    lines += ["schedulingProfiles:", "- name: default", "  plugins:"]
    for plugin in plugins {
      lines.append("  - pluginRef: \(plugin.type)")
      if let weight = plugin.weight { lines.append("    weight: \(Format.fixed(weight, 2))") }
    }
    return lines.joined(separator: "\n") + "\n"
  }
}
