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
  // Where only means are predicted, what an answer for one endpoint is made of besides.
  var ttftMedian = all(0)
  var tpotMedian = all(0)
  var queue = all(0)
  var prefill = all(0)
  var batch = all(0)
  /// The cached prompt tokens that the last batch asked for.
  var asked = all(0)

  /// One endpoint's.
  @inline(always)
  subscript(lane: Int) -> EndpointForecast {
    EndpointForecast(
      ttft: ttft[lane], tpot: tpot[lane], emulatedTTFT: emulatedTTFT[lane],
      emulatedTPOT: emulatedTPOT[lane], pending: pending[lane], decoding: decoding[lane])
  }

  /// Answers a question for one endpoint, as far as dispatching there needs it.
  @inline(always)
  func answer(_ lane: Int, _ question: inout EndpointPool.Question) {
    question.forecast = EngineForecast()
    question.forecast.queueMilliseconds = queue[lane]
    question.forecast.prefillMilliseconds = prefill[lane]
    question.forecast.decodeStepMilliseconds = emulatedTPOT[lane]
    question.forecast.decodingAfter = batch[lane] + 1
    question.raw.ttft[1] = ttftMedian[lane]
    question.raw.tpot[1] = tpotMedian[lane]
    question.raw.regime = LiveCorrection.regime(pendingRequests: pending[lane])
    question.prediction = Prediction(
      ttft: HeadValues(onlyMean: ttft[lane]), tpot: HeadValues(onlyMean: tpot[lane]),
      isExtrapolating: false)
  }
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
    withLanes(of: predictor.lanes) { pool, slots, sheet in
      let moment = pool.read(predictor, request, need: .all, slots, sheet, at: time)
      let batch = pool.batch(predictor.lanes, moment, need: .all, slots)
      var results = predictions.mutableSpan
      let matches = matchedPrefixTokens.span
      for group in 0..<pool.columns.groupCount {
        let rows = sheet.rows(group)
        _ = batch.load(rows, matched: Lanes(matches, from: laneCount * group), slots)
        let lanes = min(laneCount, results.count - laneCount * group)
        // Each result is stored before the next is computed, so that registers are free for its
        // sums.
        let ttft = batch.ttft(rows, slots)
        for lane in 0..<lanes { results[laneCount * group + lane].ttft = ttft[lane] }
        let tpot = batch.tpot(rows, slots)
        for lane in 0..<lanes { results[laneCount * group + lane].tpot = tpot[lane] }
        let excess = batch.excess(rows, slots)
        for lane in 0..<lanes {
          results[laneCount * group + lane].isExtrapolating = excess[lane] > 0
        }
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
    let need = level > 0 ? HeadNeed.all : predictsLevels ? .mean : .center
    while expectations.count < columns.groupCount { expectations.append(LaneExpectation()) }
    var expected: [LaneExpectation] = []
    swap(&expected, &expectations)
    withLanes(of: predictor.lanes) { pool, slots, sheet in
      var found = expected.mutableSpan
      var listed = candidates.mutableSpan
      for index in listed.indices {
        let (group, lane) = lanePlace(listed[index].endpoint)
        found[group].matched[lane] = listed[index].matchedTokens
      }
      let moment = pool.read(predictor, request, need: need, slots, sheet, at: time)
      let batch = pool.batch(predictor.lanes, moment, need: need, slots)
      for group in 0..<pool.columns.groupCount {
        let rows = sheet.rows(group)
        let forecast = batch.load(rows, matched: found[group].matched, slots)
        found[group].asked = found[group].matched
        found[group].matched = all(0)
        switch need {
        case .center:
          (found[group].ttft, found[group].ttftMedian) = batch.centerTTFT(rows, slots)
          (found[group].tpot, found[group].tpotMedian) = batch.centerTPOT(rows, slots)
          (found[group].queue, found[group].prefill) = (forecast.queue, forecast.prefill)
          found[group].batch = rows[.laterBatch]
        case .all:
          found[group].ttft = batch.ttft(rows, slots).deciding(level)
          found[group].tpot = batch.tpot(rows, slots).deciding(level)
        case .none, .mean:
          found[group].ttft = batch.meanTTFT(rows, slots)
          found[group].tpot = batch.meanTPOT(rows, slots)
        }
        found[group].emulatedTTFT = forecast.queue + forecast.prefill
        found[group].emulatedTPOT = forecast.decodeStep
        found[group].pending = rows[.pending]
        found[group].decoding = rows[.decoding]
      }
      for index in listed.indices {
        let (group, lane) = lanePlace(listed[index].endpoint)
        listed[index].forecast = found[group][lane]
      }
    }
    swap(&expected, &expectations)
    if need == .center { answered = (request.promptTokens, request.maximumTokens, time) }
  }

  /// Answers ``asked`` by what the last batch found, if it was of the same request and nothing has
  /// happened since.
  ///
  /// - Returns: Whether it was.
  @inline(always)
  mutating func askBatch(_ request: RequestShape, on endpoint: Int, at time: Double) -> Bool {
    guard answered.time == time, answered.promptTokens == request.promptTokens,
      answered.maximumTokens == request.maximumTokens
    else { return false }
    let (group, lane) = lanePlace(endpoint)
    // Held, or the whole pool would be copied for the answer.
    let found = expectations
    guard found[group].asked[lane] == request.matchedPrefixTokens else { return false }
    found[group].answer(lane, &asked)
    return true
  }

  // MARK: - Steps

  /// Moves the memory of batches out and back, so that no array is copied.
  @inline(always)
  private mutating func withLanes(
    of program: LaneProgram, _ body: (inout EndpointPool, LaneSlots, LaneSheet) -> Void
  ) {
    while laneSlots.count < program.slotCount { laneSlots.append(all(0)) }
    var (slots, sheet): ([Lanes], [Lanes]) = ([], [])
    swap(&slots, &laneSlots)
    swap(&sheet, &columns.values)
    unsafe slots.withUnsafeMutableBufferPointer { slots in
      unsafe sheet.withUnsafeMutableBufferPointer { sheet in
        unsafe body(&self, LaneSlots(slots, of: program), LaneSheet(sheet))
      }
    }
    swap(&slots, &laneSlots)
    swap(&sheet, &columns.values)
  }

  /// Mutates nothing, but else the whole pool would be copied for it.
  @inline(always)
  private mutating func batch(
    _ program: LaneProgram, _ moment: LaneMoment, need: HeadNeed, _ slots: LaneSlots
  ) -> LaneBatch {
    LaneBatch(
      program, moment, need: need,
      fade: ttftCorrection.fade(from: columns.epoch, to: moment.time),
      levels: need == .all ? (ttftCorrection.laneLevels, tpotCorrection.laneLevels) : nil, slots)
  }

  /// Writes the rows, and the sums kept for them, that are out of date at `time`.
  @inline(always)
  private mutating func read(
    _ predictor: Predictor, _ request: RequestShape, need: HeadNeed, _ slots: LaneSlots,
    _ sheet: LaneSheet, at time: Double
  ) -> LaneMoment {
    columns.moveEpoch(near: time)
    for group in 0..<columns.groupCount {
      let (rows, state) = (sheet.rows(group), columns.groups[group])
      let expired = state.expired(rows, at: time)
      guard expired | state.changed != 0 || state.kept < need else { continue }
      read(
        predictor, group: group, state, expired: expired, need: need, rows, slots, at: time)
    }
    let needs = predictor.lanes.needs(need)
    return LaneMoment(
      request, pool: totals(at: time, needs: needs), largestBudget: columns.largestBudget,
      needs: needs, epoch: columns.epoch, time: time)
  }

  /// Writes the rows of a group that are not true, and the sums kept for all its rows.
  ///
  /// - Parameter expired: The endpoints, as bits, whose engines moved on by themselves.
  private mutating func read(
    _ predictor: Predictor, group: Int, _ state: LaneColumns.GroupState, expired: UInt8,
    need: HeadNeed, _ rows: LaneRows, _ slots: LaneSlots, at time: Double
  ) {
    let (program, epoch) = (predictor.lanes, columns.epoch)
    let (batch, queued) = (rows[.laterBatch], rows[.queuedTokens])
    func each(_ lanes: UInt8, _ body: (Int, LaneRow) -> Void) {
      var left = lanes
      while left != 0 {
        let lane = left.trailingZeroBitCount
        body(laneCount * group + lane, rows.row(lane))
        left &= left - 1
      }
    }
    each(state.renewed) { renew(predictor, $0, $1) }
    each(state.stale) {
      endpoints[$0].write(into: $1, needs: program.needs, epoch: epoch, at: time)
    }
    each(expired & ~state.stale) { endpoints[$0].writeEngine(into: $1, at: time) }
    each(state.scraped) { endpoints[$0].writeSnapshot(into: $1) }
    each(state.ttftCorrected) {
      $1.set(.ttftLogarithm, ttftCorrection.scaledLogarithm($0, epoch: epoch))
    }
    each(state.tpotCorrected) {
      $1.set(.tpotLogarithm, tpotCorrection.scaledLogarithm($0, epoch: epoch))
    }
    // The only features of the engine that are kept.
    let isMoved = rows[.laterBatch] != batch || rows[.queuedTokens] != queued
    var kept = state.kept
    if isMoved || state.stale | state.scraped != 0 || kept < need {
      program.keep(rows, need: need, slots)
      kept = need
    }
    columns.groups[group].wasRead(rows, kept: kept)
  }

  /// Writes what changes only with the engine or the model.
  private mutating func renew(_ predictor: Predictor, _ endpoint: Int, _ row: LaneRow) {
    endpoints[endpoint].writeModel(into: row)
    columns.largestBudget = max(columns.largestBudget, endpoints[endpoint].engine.tokenBudget)
    row.set(.ttftDeadZone, ttftCorrection.deadZone(endpoint))
    row.set(.tpotDeadZone, tpotCorrection.deadZone(endpoint))
    row.set(.ttftScale, predictor.ttft.groupScales?[groups[endpoint]] ?? 1)
    row.set(.tpotScale, predictor.tpot.groupScales?[groups[endpoint]] ?? 1)
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
