extension EndpointPool {
  /// Requests in flight on an endpoint.
  func requestsInFlight(on endpoint: Int) -> Double {
    Double(endpoints[endpoint].pendingRequests + endpoints[endpoint].decodingRequests)
  }

  /// Forgets an endpoint's metrics: they can no longer be trusted.
  mutating func forgetSnapshot(endpoint: Int) {
    endpoints[endpoint].observe(nil)
    columns.markScraped(endpoint)
    markChanged(endpoint)
  }

  /// What is expected of `request` on `endpoint`; without a predictor, by the emulated engine alone.
  ///
  /// - Parameter level: The head that decides: 0 for the mean, else a quantile's level.
  mutating func expected(
    _ request: RequestShape, on endpoint: Int, level: Double, at time: Double
  ) -> EndpointForecast {
    var result = EndpointForecast()
    result.pending = Double(endpoints[endpoint].pendingRequests)
    result.decoding = Double(endpoints[endpoint].decodingRequests)
    let engine: EngineForecast
    if let predictor {
      engine = loadRow(request, on: endpoint, at: time)
      let prediction = corrected(raw(predictor, endpoint), predictor, endpoint, at: time)
      result.ttft = prediction.ttft.deciding(level)
      result.tpot = prediction.tpot.deciding(level)
    } else {
      engine = endpoints[endpoint].forecast(request, isPhaseNeeded: false, at: time)
      result.ttft = engine.queueMilliseconds + engine.prefillMilliseconds
      result.tpot = engine.decodeStepMilliseconds
    }
    result.emulatedTTFT = engine.queueMilliseconds + engine.prefillMilliseconds
    result.emulatedTPOT = engine.decodeStepMilliseconds
    return result
  }

  /// What computing `newTokens` of a prompt adds to an endpoint's steps, and what a token costs
  /// there on average, both in ms.
  func prefillWork(
    newTokens: Double, promptTokens: Double, on endpoint: Int
  ) -> (work: Double, perToken: Double) {
    (
      endpoints[endpoint].engine.stepModel.prefillWork(
        newTokens: newTokens, promptTokens: promptTokens),
      endpoints[endpoint].engine.stepModel.millisecondsPerPromptToken
    )
  }
}
