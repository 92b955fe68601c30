/// One endpoint that a request may be sent to, with what the policies look at.
struct Candidate: Sendable {
  var endpoint = 0
  /// Prompt tokens thought to be cached there.
  var matchedTokens = 0.0
  /// Matched share of the prompt's blocks, 0…1.
  var matchedFraction = 0.0
  // How loaded it is; without meaning where the policy does not look at it.

  /// Requests in flight from this gateway.
  var requests = 0.0
  /// Uncached prompt tokens in flight from this gateway, without a first token yet.
  var pendingTokens = 0.0
  /// The engine's own queue, as last scraped.
  var waiting = 0.0
  /// The engine's KV-cache usage as last scraped, 0…1.
  var kvCacheUsage = 0.0
  /// Predicted, where the policy predicts; else without meaning.
  var forecast = EndpointForecast()
  /// The policy's score (highest wins) or negated cost.
  var score = 0.0

  /// Is another endpoint, of which nothing is known yet.
  @inline(always)
  mutating func restart(_ endpoint: Int) {
    self.endpoint = endpoint
    matchedTokens = 0
    matchedFraction = 0
    score = 0
  }

  /// Has so many of the request's leading blocks.
  @inline(always)
  mutating func match(_ matched: Int, of count: Int, _ request: RoutingRequest) {
    matchedTokens = min(Double(matched) * request.blockTokens, request.promptTokens)
    matchedFraction = Double(matched) / Double(count)
  }
}

/// What is expected of a request on an endpoint.
struct EndpointForecast: Sendable {
  /// The TTFT that decides, ms.
  var ttft = 0.0
  /// The TPOT that decides, ms.
  var tpot = 0.0
  /// The emulated engine's own forecast of TTFT, ms.
  var emulatedTTFT = 0.0
  /// The emulated engine's decode step once the prompt is done, ms.
  var emulatedTPOT = 0.0
  /// Requests there without a first token.
  var pending = 0.0
  /// Requests there past their first token.
  var decoding = 0.0
}
