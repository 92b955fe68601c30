/// One request of the judged block: what was known at its dispatch, and what then happened.
public struct EvaluatedRequest: Sendable {
  /// The gateway's identifier.
  public var requestID: String
  /// Arrival at the gateway, nanoseconds since 1970.
  public var receivedNanoseconds: Int64
  /// The HTTP status; anything but 200 is censored.
  public var status: Int
  /// Where the request was sent.
  public var endpoint: String
  /// The accelerator class of that endpoint; empty when the log does not say.
  public var accelerator: String
  /// The served model's name; empty when the log does not say.
  public var model: String
  /// Prompt length, tokens.
  public var inputTokens: Double
  /// The share of the prompt that the gateway believed cached at dispatch, 0…1.
  public var cachedShare: Double
  /// Prefill work ahead of the request at dispatch, milliseconds.
  public var backlogMilliseconds: Double
  /// Requests that were decoding on the endpoint at dispatch.
  public var decodingRequests: Double
  /// Generated tokens.
  public var outputTokens: Double
  /// Arrival to first token, milliseconds; `nan` when censored.
  public var actualTTFTMilliseconds: Double
  /// Mean gap between tokens, milliseconds; `nan` when censored or when the answer is too short
  /// to judge (8 tokens or fewer).
  public var actualTPOTMilliseconds: Double

  /// A request made of its parts.
  public init(
    requestID: String, receivedNanoseconds: Int64, status: Int = 200, endpoint: String,
    accelerator: String = "", model: String = "", inputTokens: Double, cachedShare: Double = 0,
    backlogMilliseconds: Double = 0, decodingRequests: Double = 0, outputTokens: Double = 0,
    actualTTFTMilliseconds: Double, actualTPOTMilliseconds: Double
  ) {
    self.requestID = requestID
    self.receivedNanoseconds = receivedNanoseconds
    self.status = status
    self.endpoint = endpoint
    self.accelerator = accelerator
    self.model = model
    self.inputTokens = inputTokens
    self.cachedShare = cachedShare
    self.backlogMilliseconds = backlogMilliseconds
    self.decodingRequests = decodingRequests
    self.outputTokens = outputTokens
    self.actualTTFTMilliseconds = actualTTFTMilliseconds
    self.actualTPOTMilliseconds = actualTPOTMilliseconds
  }

  /// The outcome of one target, milliseconds; `nan` when there is none.
  func actual(_ target: LatencyTarget) -> Double {
    switch target {
    case .ttft: actualTTFTMilliseconds
    case .tpot: actualTPOTMilliseconds
    }
  }
}

/// What a model predicts: the time to first token, or the time per output token after it.
public enum LatencyTarget: String, Sendable, Codable, CaseIterable, Hashable {
  /// Arrival to first token.
  case ttft
  /// Mean gap between the tokens after the first.
  case tpot

  /// The name as people write it.
  public var title: String { rawValue.uppercased() }
}
