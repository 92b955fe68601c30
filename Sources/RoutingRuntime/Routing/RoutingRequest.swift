/// What a gateway knows about a request when it chooses an endpoint for it.
public struct RoutingRequest: Sendable, Hashable {
  /// Prompt tokens, at least 0.
  public var promptTokens: Double
  /// The most tokens that the client asked for; 0 when it did not say.
  public var maximumTokens: Double
  /// The tokens it is expected to generate; 0 to let the runtime estimate.
  public var expectedOutputTokens: Double
  /// Hashes of the prompt's leading token blocks; each covers its block and all before it.
  public var prefixBlocks: [UInt64]
  /// Tokens per block of ``prefixBlocks``.
  public var blockTokens: Double
  /// The TTFT that the client asked for, ms; 0 for none.
  public var ttftObjectiveMilliseconds: Double
  /// The TPOT that the client asked for, ms; 0 for none.
  public var tpotObjectiveMilliseconds: Double
  /// Whether it may be refused when the pool is overloaded.
  public var isSheddable: Bool

  /// A request of these sizes.
  public init(
    promptTokens: Double, maximumTokens: Double = 0, expectedOutputTokens: Double = 0,
    prefixBlocks: [UInt64] = [], blockTokens: Double = 64, ttftObjectiveMilliseconds: Double = 0,
    tpotObjectiveMilliseconds: Double = 0, isSheddable: Bool = false
  ) {
    self.promptTokens = promptTokens
    self.maximumTokens = maximumTokens
    self.expectedOutputTokens = expectedOutputTokens
    self.prefixBlocks = prefixBlocks
    self.blockTokens = blockTokens
    self.ttftObjectiveMilliseconds = ttftObjectiveMilliseconds
    self.tpotObjectiveMilliseconds = tpotObjectiveMilliseconds
    self.isSheddable = isSheddable
  }
}

/// What an endpoint may be used for.
public enum EndpointRole: UInt8, Sendable, Hashable, CaseIterable {
  /// Prefill and decode.
  case both = 0
  /// Prefill only; the KV cache is then sent to a decode endpoint.
  case prefill = 1
  /// Decode only.
  case decode = 2
}

/// Why an endpoint was picked, or none.
public enum PickReason: UInt8, Sendable, Hashable, CaseIterable {
  /// It scored best.
  case bestScore = 0
  /// It was the only one eligible.
  case onlyCandidate = 1
  /// It holds the prompt's prefix, and is not too loaded for that to pay.
  case prefixAffinity = 2
  /// It was drawn at random, to keep learning about all endpoints.
  case exploration = 3
  /// Nothing promised to meet the request's objectives; it comes closest.
  case leastViolation = 4
  /// None: no endpoint is eligible.
  case noEndpoint = 5
  /// None: the pool is overloaded and the request may be refused.
  case shed = 6
}

/// The outcome of one routing decision.
public struct Pick: Sendable, Hashable {
  /// The endpoint, or -1 when there is none; with separate prefill, where decode runs.
  public var endpoint: Int
  /// Where prefill runs, when elsewhere; else -1.
  public var prefillEndpoint: Int
  /// Why.
  public var reason: PickReason
  /// The probability with which the policy chose this endpoint, 0…1.
  public var propensity: Double
  /// Prompt tokens that the endpoint that prefills is thought to have cached.
  public var matchedPrefixTokens: Double
  /// What is predicted there; `nil` without a predictor.
  public var prediction: Prediction?

  /// A decision made of its parts.
  public init(
    endpoint: Int, prefillEndpoint: Int = -1, reason: PickReason, propensity: Double,
    matchedPrefixTokens: Double = 0, prediction: Prediction? = nil
  ) {
    self.endpoint = endpoint
    self.prefillEndpoint = prefillEndpoint
    self.reason = reason
    self.propensity = propensity
    self.matchedPrefixTokens = matchedPrefixTokens
    self.prediction = prediction
  }
}
