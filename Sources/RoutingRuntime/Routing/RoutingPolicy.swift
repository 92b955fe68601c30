/// How a ``Router`` chooses; each case is a policy of the field with its published parameters.
public enum RoutingPolicy: Sendable, Hashable {
  /// One after the other.
  case roundRobin
  /// Uniformly at random.
  case random
  /// The fewest requests in flight from this gateway.
  case leastRequest
  /// The less loaded of two drawn at random, by requests in flight.
  case powerOfTwo
  /// llm-d's weighted scorers, highest sum.
  case weightedScorers(ScorerWeights)
  /// llm-d's prefix-affinity filter with its load gate, then its token-load scorer.
  case affinity(AffinityParameters)
  /// llm-d's latency scorer with headroom, behind affinity and headroom filters.
  case latencyScorer(LatencyScorerParameters)
  /// LMetric: the least product of new prefill tokens and batch size.
  case loadProduct
  /// Glidepath's own: least predicted cost, corrected for what the choice does to others.
  case predictedCost(PredictedCostParameters)
}

/// Weights of llm-d's scorers, each of which scores 0…1.
public struct ScorerWeights: Sendable, Hashable {
  /// `queue-scorer`: (max − waiting) / (max − min).
  public var queue: Double
  /// `kv-cache-utilization-scorer`: 1 − usage.
  public var kvCache: Double
  /// `prefix-cache-scorer`: matched share of the prompt's blocks.
  public var prefix: Double
  /// `load-aware-scorer`: 0.5 · (1 − min(waiting, 128) / 128).
  public var loadAware: Double
  /// `token-load-scorer`: 1 − (in-flight + uncached tokens) / threshold.
  public var tokenLoad: Double
  /// `active-request-scorer`: (max − n) / max, idle endpoints 1.
  public var activeRequests: Double
  /// The tokens at which `token-load-scorer` reaches 0.
  public var tokenLoadThreshold: Double

  /// llm-d's default: queue 2, KV cache 2, prefix 3.
  public init(
    queue: Double = 2, kvCache: Double = 2, prefix: Double = 3, loadAware: Double = 0,
    tokenLoad: Double = 0, activeRequests: Double = 0, tokenLoadThreshold: Double = 4_194_304
  ) {
    self.queue = queue
    self.kvCache = kvCache
    self.prefix = prefix
    self.loadAware = loadAware
    self.tokenLoad = tokenLoad
    self.activeRequests = activeRequests
    self.tokenLoadThreshold = tokenLoadThreshold
  }
}

/// Parameters of llm-d's `prefix-cache-affinity-filter` followed by its token-load scorer.
public struct AffinityParameters: Sendable, Hashable {
  /// Endpoints that match at least this share of the prompt are sticky.
  public var affinityThreshold: Double
  /// With this probability the filter is skipped.
  public var explorationProbability: Double
  /// Stickiness yields where it would cost more TTFT than this, ms; 0 for never.
  public var maximumTTFTPenaltyMilliseconds: Double
  /// Prefill tokens per second by which it estimates TTFT from tokens in flight.
  public var peakPrefillThroughput: Double

  /// llm-d's defaults.
  public init(
    affinityThreshold: Double = 0.8, explorationProbability: Double = 0,
    maximumTTFTPenaltyMilliseconds: Double = 18_000, peakPrefillThroughput: Double = 15_928
  ) {
    self.affinityThreshold = affinityThreshold
    self.explorationProbability = explorationProbability
    self.maximumTTFTPenaltyMilliseconds = maximumTTFTPenaltyMilliseconds
    self.peakPrefillThroughput = peakPrefillThroughput
  }
}

/// Parameters of llm-d's latency profile.
public struct LatencyScorerParameters: Sendable, Hashable {
  /// Weight of TTFT headroom.
  public var ttftWeight: Double
  /// Weight of TPOT headroom.
  public var tpotWeight: Double
  /// Among endpoints with headroom: prefer those with the least of it (pack) or the most (spread).
  public var prefersLeastHeadroom: Bool
  /// The chance that endpoints without headroom are used though others have it.
  public var negativeExploration: Double
  /// The first affinity filter's threshold; above 1 disables it.
  public var strictAffinityThreshold: Double
  /// The second affinity filter's threshold; above 1 disables it.
  public var affinityThreshold: Double
  /// At which TTFT penalty affinity yields, ms.
  public var maximumTTFTPenaltyMilliseconds: Double

  /// llm-d's chart.
  public init(
    ttftWeight: Double = 0.8, tpotWeight: Double = 0.2, prefersLeastHeadroom: Bool = true,
    negativeExploration: Double = 0.01, strictAffinityThreshold: Double = 0.99,
    affinityThreshold: Double = 0.8, maximumTTFTPenaltyMilliseconds: Double = 5_000
  ) {
    self.ttftWeight = ttftWeight
    self.tpotWeight = tpotWeight
    self.prefersLeastHeadroom = prefersLeastHeadroom
    self.negativeExploration = negativeExploration
    self.strictAffinityThreshold = strictAffinityThreshold
    self.affinityThreshold = affinityThreshold
    self.maximumTTFTPenaltyMilliseconds = maximumTTFTPenaltyMilliseconds
  }
}
