extension Router {
  /// The factors by which outcomes correct an endpoint's predictions at `time`.
  public func correctionFactors(
    _ endpoint: Int, at time: Double
  ) -> (ttft: Double, tpot: Double) { pool.correctionFactors(endpoint, at: time) }

  /// Predicts one request on every endpoint; see ``EndpointPool``.
  public mutating func predict(
    _ shape: RequestShape, matchedPrefixTokens: [Double], at time: Double,
    into predictions: inout [Prediction]
  ) {
    pool.predict(shape, matchedPrefixTokens: matchedPrefixTokens, at: time, into: &predictions)
  }

  /// What is predicted for a request whose cached prefix the gateway knows itself.
  public mutating func predict(
    _ shape: RequestShape, on endpoint: Int, at time: Double
  ) -> Prediction? { pool.predict(shape, on: endpoint, at: time) }

  /// What is predicted for the request on an endpoint; `nil` without a predictor.
  ///
  /// - Parameter matchedPrefixTokens: Prompt tokens cached there; `nil` to ask the prefix index.
  /// - Complexity: O(terms + prefix blocks), no allocation.
  public mutating func predict(
    _ request: RoutingRequest, on endpoint: Int, matchedPrefixTokens: Double? = nil,
    at time: Double
  ) -> Prediction? {
    let matched =
      matchedPrefixTokens
      ?? min(
        Double(prefixes.matchedBlocks(request.prefixBlocks, endpoint: endpoint))
          * request.blockTokens, request.promptTokens)
    return pool.predict(shape(request, matchedTokens: matched), on: endpoint, at: time)
  }
}
