extension EndpointPool {
  /// Starts recording step lengths on an endpoint, for calibration.
  public mutating func startTracing(endpoint: Int) {
    endpoints[endpoint].engine.trace = StepTrace()
    endpoints[endpoint].engine.learners = []
    endpoints[endpoint].forecaster.features = []
    forgetAnswers()
  }

  /// A request that might be sent somewhere, and what was found for it: a gateway asks before it
  /// dispatches, and dispatching asks the same again.
  struct Question: Sendable {
    /// -1 for none.
    var endpoint = -1
    var time = 0.0
    var request = RequestShape(promptTokens: 0)
    var forecast = EngineForecast()
    var raw = RawPrediction()
    var prediction: Prediction?

    /// Whether it was this question.
    @inline(always)
    func answers(_ request: RequestShape, on endpoint: Int, at time: Double) -> Bool {
      self.endpoint == endpoint && self.time == time && self.request == request
    }
  }

  /// Predicts `request` on `endpoint` at `time`; `nil` without a predictor.
  ///
  /// - Complexity: O(terms), no allocation.
  public mutating func predict(
    _ request: RequestShape, on endpoint: Int, at time: Double
  ) -> Prediction? {
    guard predictor != nil else { return nil }
    ask(request, on: endpoint, at: time)
    return asked.prediction
  }

  /// Answers ``asked`` for the request, unless that is the question which was asked last.
  mutating func ask(_ request: RequestShape, on endpoint: Int, at time: Double) {
    if asked.answers(request, on: endpoint, at: time) { return }
    if askBatch(request, on: endpoint, at: time) {
      // The batch was asked by what decides.
    } else if let predictor {
      asked.forecast = loadRow(request, on: endpoint, at: time)
      if predictsLevels {
        asked.raw = raw(predictor, endpoint)
        asked.prediction = corrected(asked.raw, predictor, endpoint, at: time)
      } else {
        askMeans(predictor, endpoint, at: time)
      }
    } else {
      // Nobody reads the features.
      asked.forecast = endpoints[endpoint].forecast(request, isPhaseNeeded: false, at: time)
      asked.prediction = nil
    }
    (asked.endpoint, asked.time, asked.request) = (endpoint, time, request)
  }

  /// Answers ``asked`` by means alone, from ``row``; medians are kept for the correction.
  @inline(always)
  private mutating func askMeans(_ predictor: Predictor, _ endpoint: Int, at time: Double) {
    let least = Predictor.forecastShare * row[Int(Feature.forecastMilliseconds.rawValue)]
    let ttft = predictor.ttft.lowerHeads(row, group: groups[endpoint])
    let tpot = predictor.tpot.lowerHeads(row, group: groups[endpoint])
    asked.raw.ttft[1] = max(ttft[1], least)
    asked.raw.tpot[1] = tpot[1]
    asked.raw.regime = LiveCorrection.regime(
      pendingRequests: row[Int(Feature.queuedRequests.rawValue)])
    asked.prediction = Prediction(
      ttft: HeadValues(
        onlyMean: ttftCorrection.corrected(
          mean: max(ttft[0], least), endpoint: endpoint, at: time)),
      tpot: HeadValues(
        onlyMean: tpotCorrection.corrected(mean: tpot[0], endpoint: endpoint, at: time)),
      isExtrapolating: false)
  }

  /// The factors by which outcomes correct `endpoint` at `time`.
  public func correctionFactors(
    _ endpoint: Int, at time: Double
  ) -> (ttft: Double, tpot: Double) {
    (ttftCorrection.factor(endpoint, at: time), tpotCorrection.factor(endpoint, at: time))
  }

  /// Fills ``row``; it is moved out and back, so that the array is never copied.
  @discardableResult
  mutating func loadRow(
    _ request: RequestShape, on endpoint: Int, at time: Double
  ) -> EngineForecast {
    var buffer: [Double] = []
    swap(&buffer, &row)
    let forecast = features(
      request, on: endpoint, at: time, needs: predictor?.lanes.needs ?? .everything, into: &buffer,
      from: 0)
    swap(&buffer, &row)
    return forecast
  }

  @inline(always)
  func raw(_ predictor: Predictor, _ endpoint: Int) -> RawPrediction {
    let least = Predictor.forecastShare * row[Int(Feature.forecastMilliseconds.rawValue)]
    let ttft = predictor.ttft.heads(row, from: 0, group: groups[endpoint])
    return RawPrediction(
      ttft: ttft.replacing(with: least, where: ttft .< least),
      tpot: predictor.tpot.heads(row, from: 0, group: groups[endpoint]),
      regime: LiveCorrection.regime(
        pendingRequests: row[Int(Feature.queuedRequests.rawValue)]))
  }

  @inline(always)
  func corrected(
    _ raw: RawPrediction, _ predictor: Predictor, _ endpoint: Int, at time: Double
  ) -> Prediction {
    let floor = Predictor.floorMilliseconds
    return Prediction(
      ttft: HeadValues(
        ttftCorrection.corrected(raw.ttft, endpoint: endpoint, regime: raw.regime, at: time),
        floor: floor),
      tpot: HeadValues(
        tpotCorrection.corrected(raw.tpot, endpoint: endpoint, regime: raw.regime, at: time),
        floor: floor),
      isExtrapolating: predictor.isExtrapolating(row, from: 0))
  }
}
