import PolicyTuning
import RoutingRuntime

/// Policies to be ranked: the field's at their published settings, and what users make of them.
enum RankedPolicies {
  static let all: [NamedPolicy] = published + blends + affinities + own

  private static let published = [
    NamedPolicy("random", .random), NamedPolicy("round robin", .roundRobin),
    NamedPolicy("least request", .leastRequest), NamedPolicy("power of two", .powerOfTwo),
    NamedPolicy("load product", .loadProduct),
    NamedPolicy("latency scorer", .latencyScorer(LatencyScorerParameters())),
    NamedPolicy(
      "latency scorer, spread",
      .latencyScorer(LatencyScorerParameters(prefersLeastHeadroom: false))),
  ]

  private static let blends = [
    NamedPolicy("blend 2,2,3", .weightedScorers(ScorerWeights())),
    NamedPolicy("blend 1,1,1", .weightedScorers(ScorerWeights(queue: 1, kvCache: 1, prefix: 1))),
    NamedPolicy("blend 3,0,4", .weightedScorers(ScorerWeights(queue: 3, kvCache: 0, prefix: 4))),
    NamedPolicy("queue", .weightedScorers(ScorerWeights(queue: 1, kvCache: 0, prefix: 0))),
    NamedPolicy("KV cache", .weightedScorers(ScorerWeights(queue: 0, kvCache: 1, prefix: 0))),
    NamedPolicy(
      "load-aware, prefix",
      .weightedScorers(ScorerWeights(queue: 0, kvCache: 0, prefix: 1, loadAware: 2))),
    NamedPolicy(
      "active, prefix",
      .weightedScorers(ScorerWeights(queue: 0, kvCache: 0, prefix: 2, activeRequests: 3))),
    NamedPolicy(
      "token load 20k, prefix",
      .weightedScorers(
        ScorerWeights(
          queue: 0, kvCache: 0, prefix: 1, tokenLoad: 2, tokenLoadThreshold: 20_000))),
  ]

  private static let affinities = [
    NamedPolicy("affinity", .affinity(AffinityParameters())),
    NamedPolicy("affinity 0.4", .affinity(AffinityParameters(affinityThreshold: 0.4))),
    NamedPolicy(
      "affinity, gate 500 ms",
      .affinity(AffinityParameters(maximumTTFTPenaltyMilliseconds: 500))),
    NamedPolicy(
      "affinity 0.4, gate 100 ms",
      .affinity(
        AffinityParameters(affinityThreshold: 0.4, maximumTTFTPenaltyMilliseconds: 100))),
  ]

  private static let own = [
    glidepath("glidepath") { _ in },
    glidepath("glidepath, alone") {
      $0.externality = 0
      $0.recomputation = 0
    },
    glidepath("glidepath, by prediction") { $0.emulatorShare = 0 },
    glidepath("glidepath, decode 1") { $0.tpotWeight = 1 },
    glidepath("glidepath, affinity") {
      $0.affinityThreshold = 0.8
      $0.affinityPenaltyMilliseconds = 200
    },
  ]

  private static func glidepath(
    _ name: String, _ change: (inout PredictedCostParameters) -> Void
  ) -> NamedPolicy {
    var parameters = PredictedCostParameters(exploration: 0)
    change(&parameters)
    return NamedPolicy(name, .predictedCost(parameters))
  }
}
