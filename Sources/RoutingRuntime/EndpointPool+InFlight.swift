extension EndpointPool {
  /// A request in flight, with what was predicted when it was dispatched.
  struct InFlight: Sendable {
    var generation: UInt32 = 0
    var endpoint: Int32 = -1
    var hasFirstToken = false
    var dispatchTime = 0.0
    var firstTokenTime = 0.0
    var forecastMilliseconds = 0.0
    /// Where the engine stood at the first token.
    var mark = StepMark()
    var raw = RawPrediction()
    var predicted: Prediction?

    /// The slot is a new request's.
    ///
    /// - Returns: Its generation.
    mutating func dispatched(
      to endpoint: Int, _ asked: borrowing Question, at time: Double
    ) -> UInt32 {
      generation &+= 1
      self.endpoint = Int32(endpoint)
      hasFirstToken = false
      dispatchTime = time
      forecastMilliseconds =
        asked.forecast.queueMilliseconds + asked.forecast.prefillMilliseconds
      raw = asked.raw
      predicted = asked.prediction
      return generation
    }
  }

  /// The heads of both targets before correction.
  struct RawPrediction: Sendable {
    var ttft = SIMD8<Double>(repeating: 0)
    var tpot = SIMD8<Double>(repeating: 0)
    var regime = 0
  }
}
