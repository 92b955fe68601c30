internal import Glibc

extension EndpointLoad {
  /// Writes what a batch needs to know of this endpoint after an event, as of `time`.
  ///
  /// - Parameters:
  ///   - row: The endpoint's.
  ///   - needs: Of the fading sums, those that are written.
  ///   - epoch: The time to which they are scaled.
  mutating func write(
    into row: LaneRow, needs: LaneNeeds, epoch: Double,
    at time: Double
  ) {
    writeEngine(into: row, isChanged: true, at: time)
    ahead.writeBoundary(into: row)
    if sumsEpoch != epoch {
      writeSums(into: row, needs: needs, epoch: epoch)
      sumsEpoch = epoch
    }
    if latestEpoch != epoch {
      writeLatest(into: row, epoch: epoch)
      latestEpoch = epoch
    }
    writeMeans(into: row)
    if snapshot == nil, needs.has(.snapshot) { writeSnapshot(into: row) }
  }

  /// Writes what changes while nothing happens: the engine moves on.
  mutating func writeEngine(into row: LaneRow, at time: Double) {
    writeEngine(into: row, isChanged: false, at: time)
  }

  /// Writes the engine's running step, and the one that has room for a prompt.
  ///
  /// - Parameter isChanged: Whether something happened on the endpoint since the last time.
  @inline(always)
  private mutating func writeEngine(into row: LaneRow, isChanged: Bool, at time: Double) {
    turn(to: time)
    let arrival = time + engine.uplinkMilliseconds
    ahead.advance(to: arrival)
    guard ahead.hasRoom, forecaster.features == nil else {
      lookAhead(at: time)
      ahead.writeStep(into: row, before: forecaster.cached.start, at: arrival)
      ahead.writeQueue(into: row, forecaster.cached)
      return
    }
    // The next step has room: no forecast of a queue is needed.
    let next = ahead.nextStep
    ahead.writeStep(into: row, before: ahead.expectedStepEnd(at: arrival), at: arrival)
    if isChanged || !ahead.writeContext(into: row, of: next) {
      var queue = QueueForecast()
      queue.step = next
      queue.budget = ahead.budget(beside: next.decodingRequests)
      ahead.writeQueue(into: row, queue)
    }
  }

  @inline(always)
  private func growth(_ sum: DecayedSum, _ halfLife: Double, since epoch: Double) -> Double {
    sum.value > 0 ? exp2((sum.time - epoch) / halfLife) : 0
  }

  @inline(always)
  private func writeSums(
    into row: LaneRow, needs: LaneNeeds, epoch: Double
  ) {
    func scaled(_ sum: DecayedSum, _ need: LaneNeeds, _ halfLife: Double) -> Double {
      needs.has(need) ? sum.value * growth(sum, halfLife, since: epoch) : 0
    }
    row.set(.fastWork, scaled(fastWork, .fastWork, Self.fastHalfLife))
    row.set(.work, scaled(work, .work, Self.halfLife))
    row.set(.slowWork, scaled(slowWork, .slowWork, Self.slowHalfLife))
    row.set(.mediumWork, scaled(mediumWork, .mediumWork, Self.mediumHalfLife))
  }

  @inline(always)
  private func writeLatest(into row: LaneRow, epoch: Double) {
    // Both always change at the same time.
    let latest = growth(latestTPOTCount, Self.latestHalfLife, since: epoch)
    row.set(.latestSum, latestTPOTSum.value * latest)
    row.set(.latestCount, latestTPOTCount.value * latest)
  }

  /// Writes what the engine's step model says.
  func writeModel(into row: LaneRow) {
    engine.writeModel(into: row)
  }

  @inline(always)
  private func writeMeans(into row: LaneRow) {
    row.set(.isUsed, pendingRequests + decodingRequests > 0 ? 1 : 0)
    row.set(.pending, Double(pendingRequests))
    row.set(.decoding, Double(decodingRequests))
    row.set(.recentTPOT, recentTPOT.value)
    row.set(.recentRatio, recentRatio.value)
    row.set(.recentExcess, recentExcess.value)
    row.set(.recentOutput, recentOutput.value)
    row.set(.averageBatch, averageBatch.value)
  }

  /// Writes the engine's own metrics; without any, what is known of the requests in flight.
  func writeSnapshot(into row: LaneRow) {
    row.set(.hasSnapshot, snapshot == nil ? 0 : 1)
    row.set(.waiting, snapshot?.waitingRequests ?? Double(pendingRequests))
    row.set(.running, snapshot?.runningRequests ?? Double(decodingRequests))
    row.set(.usage, snapshot?.kvCacheUsage ?? 0)
    row.set(.snapshotTime, snapshot?.time ?? 0)
  }
}

extension EngineEmulator {
  /// Writes the running step, and when the step `before` which a prompt would stand begins.
  @inline(always)
  fileprivate func writeStep(
    into row: LaneRow, before start: Double, at arrival: Double
  ) {
    row.set(.isBusy, isBusy ? 1 : 0)
    row.set(.stepStart, isBusy ? stepStart : 0)
    row.set(.stepEnd, isBusy ? stepEnd : 0)
    // An idle engine and one whose step is awaited stay as they are until an event.
    let moves = isBusy && stepEnd > arrival && !awaitsFirstToken
    row.set(.validUntil, moves ? stepEnd : .infinity)
    row.set(.afterEnd, isBusy ? start - expectedStepEnd(at: arrival) : 0)
    row.set(.blur, 0.02 * (1 + stepsSinceBoundary).squareRoot())
  }

  /// Writes what events tell of the engine's steps.
  @inline(always)
  fileprivate func writeBoundary(into row: LaneRow) {
    row.set(.slowness, slowness)
    row.set(.lastBoundary, lastBoundary)
  }

  /// Writes the step that has room for a prompt, and those after it.
  @inline(always)
  fileprivate func writeQueue(
    into row: LaneRow, _ queue: QueueForecast
  ) {
    let step = queue.step
    let later = step.decodingRequests + queue.finishedPrompts
    let others = stepModel.perOther * step.otherDecodingRequests
    let perDecodingToken = stepModel.perDecodingToken
    row.set(.slot, queue.slotMilliseconds)
    row.set(.queuedTokens, queue.queuedTokens)
    row.set(.budget, queue.budget)
    row.set(.laterBudget, max(tokenBudget - later, 1))
    row.set(.laterBatch, later)
    // A later prompt needs a slot, too.
    row.set(.roomLimit, later + 1 < maximumSequences ? tokenBudget : 0)
    row.set(
      .laterContext, step.contextTokens + step.decodingRequests + queue.finishedPromptTokens)
    row.set(.tokens, step.prefillTokens)
    row.set(.attention, step.attention)
    row.set(
      .base,
      stepModel.decode(step.decodingRequests) + stepModel.perContext * step.contextTokens + others
        + stepModel.perFarAttention * step.farAttention)
    row.set(.laterBase, stepModel.decode(later) + others)
    row.set(.decodeBase, stepModel.decode(later + 1) + others)
    row.set(.tokenSlope, stepModel.perToken + perDecodingToken * step.decodingRequests)
    row.set(.laterTokenSlope, stepModel.perToken + perDecodingToken * later)
  }

  /// Writes the next step of an engine that only went on decoding since it was last written.
  ///
  /// - Returns: Whether that is so; else nothing was written.
  @inline(always)
  fileprivate func writeContext(into row: LaneRow, of step: StepComposition) -> Bool {
    let batch = step.decodingRequests
    // No prompt was computed before the next one, as now, and the batch is the same.
    guard row[.tokens] == 0, row[.slot] == 0, row[.queuedTokens] == 0, row[.laterBatch] == batch,
      row[.budget] == budget(beside: batch)
    else { return false }
    row.set(.laterContext, step.contextTokens + batch)
    row.set(
      .base,
      stepModel.decode(batch) + stepModel.perContext * step.contextTokens + stepModel.perOther
        * step.otherDecodingRequests)
    return true
  }

  @inline(always)
  fileprivate func writeModel(into row: LaneRow) {
    row.set(.uplink, uplinkMilliseconds)
    row.set(.links, uplinkMilliseconds + downlinkMilliseconds)
    row.set(.perContext, stepModel.perContext)
    row.set(.perAttention, stepModel.perAttention)
    row.set(.perFarAttention, stepModel.perFarAttention)
    row.set(.perPromptToken, stepModel.millisecondsPerPromptToken)
    row.set(.anyPrefill, stepModel.anyPrefill)
    row.set(.knot0, stepModel.knot(0))
    row.set(.knot1, stepModel.knot(1))
    row.set(.knot2, stepModel.knot(2))
    row.set(.knot3, stepModel.knot(3))
    row.set(.knot4, stepModel.knot(4))
    row.set(.knot5, stepModel.knot(5))
  }
}
