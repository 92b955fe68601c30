/// What a batch found for a group of endpoints.
struct LaneExpectation: Sendable {
  /// Prompt tokens cached there; 0 between batches.
  var matched = all(0)
  var ttft = all(0)
  var tpot = all(0)
  var emulatedTTFT = all(0)
  var emulatedTPOT = all(0)
  var pending = all(0)
  var decoding = all(0)
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
  /// Side by side, a group of endpoints at a time; equal to ``predict(_:on:at:)`` but for rounding.
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
    guard supportsLanes else {
      predictions.removeAll(keepingCapacity: true)
      for endpoint in endpoints.indices {
        var shape = request
        shape.matchedPrefixTokens =
          endpoint < matchedPrefixTokens.count ? matchedPrefixTokens[endpoint] : 0
        if let one = predict(shape, on: endpoint, at: time) { predictions.append(one) }
      }
      return
    }
    predictions.match(count: endpoints.count)
    let moment = read(predictor, request, need: .all, at: time)
    // Moved out and back, so that no array is copied.
    var (slots, sheet): ([Lanes], [Lanes]) = ([], [])
    swap(&slots, &laneSlots)
    swap(&sheet, &columns.values)
    var working = slots.mutableSpan
    let batch = LaneBatch(
      predictor, moment, need: .all,
      fade: ttftCorrection.fade(from: columns.epoch, to: time), ttft: ttftCorrection.laneLevels,
      tpot: tpotCorrection.laneLevels, &working)
    var results = predictions.mutableSpan
    let matches = matchedPrefixTokens.span
    for group in 0..<columns.groupCount {
      let first = group * LaneColumn.count
      let rows = sheet.span.extracting(first..<first + LaneColumn.count)
      let matched = Lanes(matches, from: laneCount * group)
      _ = batch.load(rows, matched: matched, &working)
      let lanes = min(laneCount, results.count - laneCount * group)
      // Each result is stored before the next is computed, so that registers are free for its sums.
      let ttft = batch.ttft(rows, working.span)
      for lane in 0..<lanes { results[laneCount * group + lane].ttft = ttft[lane] }
      let tpot = batch.tpot(rows, working.span)
      for lane in 0..<lanes { results[laneCount * group + lane].tpot = tpot[lane] }
      let excess = batch.excess(rows, working.span)
      for lane in 0..<lanes { results[laneCount * group + lane].isExtrapolating = excess[lane] > 0 }
    }
    swap(&slots, &laneSlots)
    swap(&sheet, &columns.values)
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
    let need = level <= 0 ? HeadNeed.mean : .all
    let moment = read(predictor, request, need: need, at: time)
    while expectations.count < columns.groupCount { expectations.append(LaneExpectation()) }
    var (slots, sheet): ([Lanes], [Lanes]) = ([], [])
    var expected: [LaneExpectation] = []
    swap(&slots, &laneSlots)
    swap(&sheet, &columns.values)
    swap(&expected, &expectations)
    var found = expected.mutableSpan
    var listed = candidates.mutableSpan
    for index in listed.indices {
      let endpoint = listed[index].endpoint
      found[endpoint / laneCount].matched[endpoint % laneCount] = listed[index].matchedTokens
    }
    var working = slots.mutableSpan
    let batch = LaneBatch(
      predictor, moment, need: need,
      fade: ttftCorrection.fade(from: columns.epoch, to: time), ttft: ttftCorrection.laneLevels,
      tpot: tpotCorrection.laneLevels, &working)
    for group in 0..<columns.groupCount {
      let first = group * LaneColumn.count
      let rows = sheet.span.extracting(first..<first + LaneColumn.count)
      let forecast = batch.load(rows, matched: found[group].matched, &working)
      found[group].matched = all(0)
      if need == .mean {
        found[group].ttft = batch.meanTTFT(rows, working.span)
        found[group].tpot = batch.meanTPOT(rows, working.span)
      } else {
        found[group].ttft = batch.ttft(rows, working.span).deciding(level)
        found[group].tpot = batch.tpot(rows, working.span).deciding(level)
      }
      found[group].emulatedTTFT = forecast.queue + forecast.prefill
      found[group].emulatedTPOT = forecast.decodeStep
      found[group].pending = rows[.pending]
      found[group].decoding = rows[.decoding]
    }
    for index in listed.indices {
      let endpoint = listed[index].endpoint
      let (group, lane) = (endpoint / laneCount, endpoint % laneCount)
      listed[index].forecast.ttft = found[group].ttft[lane]
      listed[index].forecast.tpot = found[group].tpot[lane]
      listed[index].forecast.emulatedTTFT = found[group].emulatedTTFT[lane]
      listed[index].forecast.emulatedTPOT = found[group].emulatedTPOT[lane]
      listed[index].forecast.pending = found[group].pending[lane]
      listed[index].forecast.decoding = found[group].decoding[lane]
    }
    swap(&slots, &laneSlots)
    swap(&sheet, &columns.values)
    swap(&expected, &expectations)
  }

  // MARK: - Steps

  /// Writes the rows, and the sums kept for them, that are out of date at `time`.
  private mutating func read(
    _ predictor: Predictor, _ request: RequestShape, need: HeadNeed, at time: Double
  ) -> LaneMoment {
    let program = predictor.lanes
    while laneSlots.count < program.slotCount { laneSlots.append(all(0)) }
    columns.moveEpoch(near: time)
    for group in 0..<columns.groupCount {
      let expired = columns.expired(group: group, at: time)
      let state = columns.groups[group]
      guard expired | state.changed != 0 || state.kept < need else { continue }
      read(predictor, group: group, expired: expired, need: need, at: time)
    }
    return LaneMoment(
      request, pool: totals(at: time, needs: program.needs),
      largestBudget: columns.largestBudget, needs: program.needs,
      epoch: columns.epoch, time: time)
  }

  /// Writes the rows of a group that are not true, and the sums kept for all its rows.
  ///
  /// - Parameter expired: The endpoints, as bits, whose engines moved on by themselves.
  private mutating func read(
    _ predictor: Predictor, group: Int, expired: UInt8, need: HeadNeed, at time: Double
  ) {
    let (state, epoch) = (columns.groups[group], columns.epoch)
    var (slots, sheet): ([Lanes], [Lanes]) = ([], [])
    swap(&slots, &laneSlots)
    swap(&sheet, &columns.values)
    let first = group * LaneColumn.count
    var values = sheet.mutableSpan
    var rows = values._mutatingExtracting(first..<first + LaneColumn.count)
    let (batch, queued) = (rows.span[.laterBatch], rows.span[.queuedTokens])
    var left = expired | state.changed
    while left != 0 {
      let lane = left.trailingZeroBitCount
      let endpoint = laneCount * group + lane
      func isIn(_ bits: UInt8) -> Bool { bits >> UInt8(lane) & 1 == 1 }
      if isIn(state.renewed) {
        endpoints[endpoint].writeModel(into: &rows, lane)
        columns.largestBudget = max(
          columns.largestBudget, endpoints[endpoint].engine.tokenBudget)
        rows.set(.ttftScale, predictor.ttft.groupScales?[groups[endpoint]] ?? 1, lane)
        rows.set(.tpotScale, predictor.tpot.groupScales?[groups[endpoint]] ?? 1, lane)
      }
      if isIn(state.stale) {
        endpoints[endpoint].write(
          into: &rows, lane, needs: predictor.lanes.needs, epoch: epoch, at: time)
      } else if isIn(expired) {
        endpoints[endpoint].writeEngine(into: &rows, lane, at: time)
      }
      if isIn(state.scraped) { endpoints[endpoint].writeSnapshot(into: &rows, lane) }
      if isIn(state.ttftCorrected) {
        rows.set(.ttftLogarithm, ttftCorrection.scaledLogarithm(endpoint, epoch: epoch), lane)
      }
      if isIn(state.tpotCorrected) {
        rows.set(.tpotLogarithm, tpotCorrection.scaledLogarithm(endpoint, epoch: epoch), lane)
      }
      left &= left - 1
    }
    // The only features of the engine that are kept.
    let isMoved = rows.span[.laterBatch] != batch || rows.span[.queuedTokens] != queued
    var kept = state.kept
    if isMoved || state.stale | state.scraped != 0 || kept < need {
      var working = slots.mutableSpan
      predictor.lanes.keep(&rows, need: need, &working)
      kept = need
    }
    swap(&slots, &laneSlots)
    swap(&sheet, &columns.values)
    columns.markRead(group: group, kept: kept)
  }
}

extension Lanes {
  /// A group's values from `first` on; 0 beyond the end.
  @inline(always)
  fileprivate init(_ values: Span<Double>, from first: Int) {
    self = all(0)
    for lane in 0..<Swift.max(0, Swift.min(laneCount, values.count - first)) {
      self[lane] = values[first + lane]
    }
  }
}

extension [Prediction] {
  /// Makes room for `count` predictions that are about to be written.
  fileprivate mutating func match(count: Int) {
    if self.count > count { removeLast(self.count - count) }
    let blank = HeadValues(mean: 0, p50: 0, p90: 0, p95: 0, p99: 0)
    while self.count < count {
      append(Prediction(ttft: blank, tpot: blank, isExtrapolating: false))
    }
  }
}
