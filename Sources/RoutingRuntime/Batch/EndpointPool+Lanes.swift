/// What a batch found for eight endpoints.
struct LaneExpectation: Sendable {
  var ttft = Lanes(repeating: 0)
  var tpot = Lanes(repeating: 0)
  var emulatedTTFT = Lanes(repeating: 0)
  var emulatedTPOT = Lanes(repeating: 0)
  var addedWork = Lanes(repeating: 0)
}

extension EndpointPool {
  /// Whether batches can be predicted side by side; else they are one by one.
  var supportsLanes: Bool {
    guard let predictor else { return false }
    return predictor.ttft.groupScales != nil && predictor.tpot.groupScales != nil
      && ttftCorrection.supportsLanes
  }

  /// Predicts one request on every endpoint.
  ///
  /// Side by side, eight endpoints at a time; equal to ``predict(_:on:at:)`` but for rounding.
  ///
  /// - Parameters:
  ///   - matchedPrefixTokens: Per endpoint, the prompt tokens thought to be cached there; shorter
  ///     arrays count as 0 beyond their end.
  ///   - predictions: Receives one prediction per endpoint; left alone without a predictor.
  /// - Complexity: O(endpoints × terms), no allocation once `predictions` has room for all.
  public mutating func predict(
    _ request: RequestShape, matchedPrefixTokens: [Double], at time: Double,
    into predictions: inout [Prediction]
  ) {
    guard let predictor else { return }
    predictions.removeAll(keepingCapacity: true)
    guard supportsLanes else {
      for endpoint in endpoints.indices {
        var shape = request
        shape.matchedPrefixTokens =
          endpoint < matchedPrefixTokens.count ? matchedPrefixTokens[endpoint] : 0
        if let one = predict(shape, on: endpoint, at: time) { predictions.append(one) }
      }
      return
    }
    read(at: time)
    let moment = LaneMoment(
      request, pool: totals(at: time), epoch: columns.epoch, time: time)
    let fade = ttftCorrection.fade(from: columns.epoch, to: time)
    for group in 0..<columns.groupCount {
      var matched = Lanes(repeating: 0)
      let first = 8 * group
      let lanes = min(8, endpoints.count - first)
      for lane in 0..<lanes where first + lane < matchedPrefixTokens.count {
        matched[lane] = matchedPrefixTokens[first + lane]
      }
      load(predictor, matched: matched, moment, group: group)
      let (ttft, tpot) = heads(predictor, group: group, need: .all, fade: fade)
      let outside = predictor.isExtrapolating(laneFeatures)
      for lane in 0..<lanes {
        predictions.append(
          Prediction(ttft: ttft[lane], tpot: tpot[lane], isExtrapolating: outside[lane]))
      }
    }
  }

  /// Forecasts `request` on every candidate.
  ///
  /// - Parameters:
  ///   - level: The head that decides: 0 for the mean, else a quantile's level.
  ///   - candidates: Bring the prompt tokens cached on their endpoints, receive their forecasts.
  mutating func forecastLanes(
    _ request: RequestShape, level: Double, at time: Double, _ candidates: inout [Candidate]
  ) {
    guard let predictor else { return }
    read(at: time)
    let moment = LaneMoment(
      request, pool: totals(at: time), epoch: columns.epoch, time: time)
    let fade = ttftCorrection.fade(from: columns.epoch, to: time)
    laneMatches.removeAll(keepingCapacity: true)
    for _ in 0..<columns.groupCount { laneMatches.append(Lanes(repeating: 0)) }
    for candidate in candidates {
      laneMatches[candidate.endpoint >> 3][candidate.endpoint & 7] = candidate.matchedTokens
    }
    while expectations.count < columns.groupCount { expectations.append(LaneExpectation()) }
    for group in 0..<columns.groupCount {
      let forecast = load(predictor, matched: laneMatches[group], moment, group: group)
      let (ttft, tpot) = heads(
        predictor, group: group, need: level <= 0 ? .mean : .all, fade: fade)
      expectations[group].ttft = ttft.deciding(level)
      expectations[group].tpot = tpot.deciding(level)
      expectations[group].emulatedTTFT = forecast.queue + forecast.prefill
      expectations[group].emulatedTPOT = forecast.decodeStep
      expectations[group].addedWork = larger(
        Lanes(repeating: 0), forecast.prefill - forecast.decodeStep)
    }
    for index in candidates.indices {
      candidates[index].forecast = laneExpectation(candidates[index].endpoint)
    }
  }

  private func laneExpectation(_ endpoint: Int) -> EndpointForecast {
    let (group, lane) = (endpoint >> 3, endpoint & 7)
    var result = EndpointForecast()
    result.ttft = expectations[group].ttft[lane]
    result.tpot = expectations[group].tpot[lane]
    result.emulatedTTFT = expectations[group].emulatedTTFT[lane]
    result.emulatedTPOT = expectations[group].emulatedTPOT[lane]
    result.addedWork = expectations[group].addedWork[lane]
    result.pending = columns[group, .pending][lane]
    result.decoding = columns[group, .decoding][lane]
    return result
  }

  // MARK: - Steps

  /// Writes the rows that are out of date at `time`.
  private mutating func read(at time: Double) {
    columns.moveEpoch(near: time)
    for group in 0..<columns.groupCount {
      var bits = columns.unread(group: group, at: time)
      guard bits != 0 else { continue }
      while bits != 0 {
        let endpoint = 8 * group + bits.trailingZeroBitCount
        bits &= bits - 1
        endpoints[endpoint].write(into: &columns, endpoint, at: time)
        writeCorrections(endpoint)
      }
      columns.markRead(group: group)
    }
  }

  private mutating func writeCorrections(_ endpoint: Int) {
    let epoch = columns.epoch
    columns.set(
      .ttftLogarithm, ttftCorrection.scaledLogarithm(endpoint, epoch: epoch), endpoint)
    columns.set(
      .tpotLogarithm, tpotCorrection.scaledLogarithm(endpoint, epoch: epoch), endpoint)
    let group = groups[endpoint]
    columns.set(.ttftScale, predictor?.ttft.groupScales?[group] ?? 1, endpoint)
    columns.set(.tpotScale, predictor?.tpot.groupScales?[group] ?? 1, endpoint)
  }

  /// Fills ``laneFeatures`` for a group of endpoints.
  @discardableResult
  private mutating func load(
    _ predictor: Predictor, matched: Lanes, _ moment: LaneMoment, group: Int
  ) -> LaneForecast {
    let newTokens = larger(moment.promptTokens - matched, Lanes(repeating: 1))
    let forecast = LaneForecast(
      columns, group: group, promptTokens: moment.promptTokens, newTokens: newTokens,
      at: moment.time)
    let features = LaneFeatures(
      columns: columns, group: group, moment: moment, matchedTokens: matched,
      newTokens: newTokens, forecast: forecast)
    for feature in predictor.usedFeatures {
      laneFeatures[Int(feature.rawValue)] = features.value(feature)
    }
    return forecast
  }

  /// - Parameter fade: How much logarithms of corrections have faded; both targets' fade alike.
  private mutating func heads(
    _ predictor: Predictor, group: Int, need: HeadNeed, fade: Double
  ) -> (ttft: LaneHeads, tpot: LaneHeads) {
    var ttft = predictor.ttft.laneHeads(
      laneFeatures, scale: columns[group, .ttftScale], for: need, scratch: &laneTerms)
    var tpot = predictor.tpot.laneHeads(
      laneFeatures, scale: columns[group, .tpotScale], for: need, scratch: &laneTerms)
    let pending = columns[group, .pending]
    ttftCorrection.correct(
      &ttft, logarithms: columns[group, .ttftLogarithm] * fade, pending: pending)
    tpotCorrection.correct(
      &tpot, logarithms: columns[group, .tpotLogarithm] * fade, pending: pending)
    return (ttft, tpot)
  }
}
