internal import Glibc

extension EndpointLoad {
  /// Writes what a batch needs to know of this endpoint after an event, as of `time`.
  ///
  /// - Parameters:
  ///   - rows: Of the endpoint's group.
  ///   - lane: The endpoint's place in it.
  ///   - needs: Of the fading sums, those that are written.
  ///   - epoch: The time to which they are scaled.
  mutating func write(
    into rows: inout MutableSpan<Lanes>, _ lane: Int, needs: LaneNeeds, epoch: Double,
    at time: Double
  ) {
    lookAhead(at: time)
    ahead.writeStep(into: &rows, lane, before: forecaster.cached, at: time)
    ahead.writeBoundary(into: &rows, lane)
    ahead.writeQueue(into: &rows, lane, forecaster.cached)
    if sumsEpoch != epoch {
      writeSums(into: &rows, lane, needs: needs, epoch: epoch)
      sumsEpoch = epoch
    }
    if latestEpoch != epoch {
      writeLatest(into: &rows, lane, epoch: epoch)
      latestEpoch = epoch
    }
    writeMeans(into: &rows, lane)
    if snapshot == nil { writeSnapshot(into: &rows, lane) }
  }

  /// Writes what changes while nothing happens: the engine moves on.
  mutating func writeEngine(into rows: inout MutableSpan<Lanes>, _ lane: Int, at time: Double) {
    lookAhead(at: time)
    ahead.writeStep(into: &rows, lane, before: forecaster.cached, at: time)
    if !ahead.writeContext(into: &rows, lane, forecaster.cached) {
      ahead.writeQueue(into: &rows, lane, forecaster.cached)
    }
  }

  @inline(always)
  private func growth(_ sum: DecayedSum, _ halfLife: Double, since epoch: Double) -> Double {
    sum.value > 0 ? exp2((sum.time - epoch) / halfLife) : 0
  }

  @inline(always)
  private func writeSums(
    into rows: inout MutableSpan<Lanes>, _ lane: Int, needs: LaneNeeds, epoch: Double
  ) {
    func scaled(_ sum: DecayedSum, _ need: LaneNeeds, _ halfLife: Double) -> Double {
      needs.contains(need) ? sum.value * growth(sum, halfLife, since: epoch) : 0
    }
    rows.set(.fastWork, scaled(fastWork, .fastWork, Self.fastHalfLife), lane)
    rows.set(.work, scaled(work, .work, Self.halfLife), lane)
    rows.set(.slowWork, scaled(slowWork, .slowWork, Self.slowHalfLife), lane)
    rows.set(.mediumWork, scaled(mediumWork, .mediumWork, Self.mediumHalfLife), lane)
  }

  @inline(always)
  private func writeLatest(into rows: inout MutableSpan<Lanes>, _ lane: Int, epoch: Double) {
    // Both always change at the same time.
    let latest = growth(latestTPOTCount, Self.latestHalfLife, since: epoch)
    rows.set(.latestSum, latestTPOTSum.value * latest, lane)
    rows.set(.latestCount, latestTPOTCount.value * latest, lane)
  }

  /// Writes what the engine's step model says.
  func writeModel(into rows: inout MutableSpan<Lanes>, _ lane: Int) {
    engine.writeModel(into: &rows, lane)
  }

  @inline(always)
  private func writeMeans(into rows: inout MutableSpan<Lanes>, _ lane: Int) {
    rows.set(.isUsed, pendingRequests + decodingRequests > 0 ? 1 : 0, lane)
    rows.set(.pending, Double(pendingRequests), lane)
    rows.set(.decoding, Double(decodingRequests), lane)
    rows.set(.recentTPOT, recentTPOT.value, lane)
    rows.set(.recentRatio, recentRatio.value, lane)
    rows.set(.recentExcess, recentExcess.value, lane)
    rows.set(.recentOutput, recentOutput.value, lane)
    rows.set(.averageBatch, averageBatch.value, lane)
  }

  /// Writes the engine's own metrics; without any, what is known of the requests in flight.
  func writeSnapshot(into rows: inout MutableSpan<Lanes>, _ lane: Int) {
    rows.set(.hasSnapshot, snapshot == nil ? 0 : 1, lane)
    rows.set(.waiting, snapshot?.waitingRequests ?? Double(pendingRequests), lane)
    rows.set(.running, snapshot?.runningRequests ?? Double(decodingRequests), lane)
    rows.set(.usage, snapshot?.kvCacheUsage ?? 0, lane)
    rows.set(.snapshotTime, snapshot?.time ?? 0, lane)
  }
}

extension EngineEmulator {
  /// Writes the running step, and when the step `before` which a prompt would stand begins.
  @inline(always)
  fileprivate func writeStep(
    into rows: inout MutableSpan<Lanes>, _ lane: Int, before queue: QueueForecast, at time: Double
  ) {
    let arrival = time + uplinkMilliseconds
    rows.set(.isBusy, isBusy ? 1 : 0, lane)
    rows.set(.stepStart, isBusy ? stepStart : 0, lane)
    rows.set(.stepEnd, isBusy ? stepEnd : 0, lane)
    // An idle engine and one whose step is awaited stay as they are until an event.
    let moves = isBusy && stepEnd > arrival && !awaitsFirstToken
    rows.set(.validUntil, moves ? stepEnd : .infinity, lane)
    rows.set(.afterEnd, isBusy ? queue.start - expectedStepEnd(at: arrival) : 0, lane)
    rows.set(.blur, 0.02 * (1 + stepsSinceBoundary).squareRoot(), lane)
  }

  /// Writes what events tell of the engine's steps.
  @inline(always)
  fileprivate func writeBoundary(into rows: inout MutableSpan<Lanes>, _ lane: Int) {
    rows.set(.slowness, slowness, lane)
    rows.set(.lastBoundary, lastBoundary, lane)
  }

  /// Writes the step that has room for a prompt, and those after it.
  @inline(always)
  fileprivate func writeQueue(
    into rows: inout MutableSpan<Lanes>, _ lane: Int, _ queue: QueueForecast
  ) {
    let step = queue.step
    let later = step.decodingRequests + queue.finishedPrompts
    let others = stepModel.perOther * step.otherDecodingRequests
    let perDecodingToken = stepModel.perDecodingToken
    rows.set(.slot, queue.slotMilliseconds, lane)
    rows.set(.queuedTokens, queue.queuedTokens, lane)
    rows.set(.budget, queue.budget, lane)
    rows.set(.laterBudget, max(tokenBudget - later, 1), lane)
    rows.set(.laterBatch, later, lane)
    rows.set(
      .laterContext, step.contextTokens + step.decodingRequests + queue.finishedPromptTokens, lane)
    rows.set(.tokens, step.prefillTokens, lane)
    rows.set(.attention, step.attention, lane)
    rows.set(
      .base,
      stepModel.decode(step.decodingRequests) + stepModel.perContext * step.contextTokens + others,
      lane)
    rows.set(.laterBase, stepModel.decode(later) + others, lane)
    rows.set(.decodeBase, stepModel.decode(later + 1) + others, lane)
    rows.set(.tokenSlope, stepModel.perToken + perDecodingToken * step.decodingRequests, lane)
    rows.set(.laterTokenSlope, stepModel.perToken + perDecodingToken * later, lane)
  }

  /// Writes the queue of an engine that only went on decoding since it was last written.
  ///
  /// - Returns: Whether that is so; else nothing was written.
  @inline(always)
  fileprivate func writeContext(
    into rows: inout MutableSpan<Lanes>, _ lane: Int, _ queue: QueueForecast
  ) -> Bool {
    let (step, batch) = (queue.step, queue.step.decodingRequests)
    // No prompt is computed before the next one, then and now, and the batch is the same.
    guard queue.finishedPrompts == 0, step.prefillTokens == 0, queue.slotMilliseconds == 0,
      queue.queuedTokens == 0, rows[LaneColumn.tokens.rawValue][lane] == 0,
      rows[LaneColumn.slot.rawValue][lane] == 0,
      rows[LaneColumn.queuedTokens.rawValue][lane] == 0,
      rows[LaneColumn.laterBatch.rawValue][lane] == batch,
      rows[LaneColumn.budget.rawValue][lane] == queue.budget
    else { return false }
    rows.set(.laterContext, step.contextTokens + batch + queue.finishedPromptTokens, lane)
    rows.set(
      .base,
      stepModel.decode(batch) + stepModel.perContext * step.contextTokens + stepModel.perOther
        * step.otherDecodingRequests, lane)
    return true
  }

  @inline(always)
  fileprivate func writeModel(into rows: inout MutableSpan<Lanes>, _ lane: Int) {
    rows.set(.uplink, uplinkMilliseconds, lane)
    rows.set(.links, uplinkMilliseconds + downlinkMilliseconds, lane)
    rows.set(.perContext, stepModel.perContext, lane)
    rows.set(.perAttention, stepModel.perAttention, lane)
    rows.set(.anyPrefill, stepModel.anyPrefill, lane)
    rows.set(.knot0, stepModel.knot(0), lane)
    rows.set(.knot1, stepModel.knot(1), lane)
    rows.set(.knot2, stepModel.knot(2), lane)
    rows.set(.knot3, stepModel.knot(3), lane)
    rows.set(.knot4, stepModel.knot(4), lane)
    rows.set(.knot5, stepModel.knot(5), lane)
  }
}
