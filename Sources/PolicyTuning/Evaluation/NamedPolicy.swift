public import RoutingRuntime

/// A policy with the name by which commands and reports know it.
public struct NamedPolicy: Sendable, Hashable {
  /// Its name.
  public let name: String
  /// What it does.
  public let policy: RoutingPolicy

  /// `policy`, called `name`.
  public init(_ name: String, _ policy: RoutingPolicy) {
    self.name = name
    self.policy = policy
  }

  /// The field's policies at their published settings.
  public static let published: [NamedPolicy] = [
    NamedPolicy("round-robin", .roundRobin), NamedPolicy("random", .random),
    NamedPolicy("least-request", .leastRequest), NamedPolicy("power-of-two", .powerOfTwo),
    NamedPolicy("llm-d", .weightedScorers(ScorerWeights())),
    NamedPolicy("llm-d-affinity", .affinity(AffinityParameters())),
    NamedPolicy("llm-d-latency", .latencyScorer(LatencyScorerParameters())),
    NamedPolicy("load-product", .loadProduct),
    NamedPolicy("glidepath", .predictedCost(PredictedCostParameters())),
  ]

  /// The published policy of that name.
  ///
  /// - Throws: ``PolicyTuningError/unknownName(_:known:)``.
  public static func named(_ name: String) throws(PolicyTuningError) -> NamedPolicy {
    guard let found = published.first(where: { $0.name == name }) else {
      throw .unknownName(name, known: published.map(\.name))
    }
    return found
  }
}
