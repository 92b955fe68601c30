internal import Glibc

extension EndpointLoad {
  /// Writes what a batch needs to know of this endpoint, as of `time`.
  ///
  /// - Parameters:
  ///   - rows: Of the endpoint's group.
  ///   - lane: The endpoint's place in it.
  ///   - epoch: The time to which fading sums are scaled.
  mutating func write(
    into rows: inout MutableSpan<Lanes>, _ lane: Int, epoch: Double, at time: Double
  ) {
    // Any prompt: what is kept of the queue does not depend on it.
    _ = forecast(RequestShape(promptTokens: 1), at: time)
    writeEngine(into: &rows, lane, at: time)
    writeSteps(into: &rows, lane)
    writeSums(into: &rows, lane, epoch: epoch)
    writeEvents(into: &rows, lane)
  }

  private func writeEngine(into rows: inout MutableSpan<Lanes>, _ lane: Int, at time: Double) {
    let engine = ahead
    let queue = forecaster.cached
    let arrival = time + engine.uplinkMilliseconds
    rows.set(.uplink, engine.uplinkMilliseconds, lane)
    rows.set(.links, engine.uplinkMilliseconds + engine.downlinkMilliseconds, lane)
    rows.set(.isBusy, engine.isBusy ? 1 : 0, lane)
    rows.set(.stepStart, engine.isBusy ? engine.stepStart : 0, lane)
    rows.set(.stepEnd, engine.isBusy ? engine.stepEnd : 0, lane)
    // An idle engine and one whose step is awaited stay as they are until an event.
    let moves = engine.isBusy && engine.stepEnd > arrival && !engine.awaitsFirstToken
    rows.set(.validUntil, moves ? engine.stepEnd : .infinity, lane)
    rows.set(.afterEnd, engine.isBusy ? queue.start - engine.expectedStepEnd(at: arrival) : 0, lane)
    rows.set(.blur, 0.02 * (1 + engine.stepsSinceBoundary).squareRoot(), lane)
    rows.set(.slot, queue.slotMilliseconds, lane)
    rows.set(.queuedTokens, queue.queuedTokens, lane)
    rows.set(.slowness, engine.slowness, lane)
    rows.set(.lastBoundary, engine.lastBoundary, lane)
  }

  private func writeSteps(into rows: inout MutableSpan<Lanes>, _ lane: Int) {
    let engine = ahead
    let queue = forecaster.cached
    let step = queue.step
    let model = engine.stepModel
    let later = step.decodingRequests + queue.finishedPrompts
    let others = model.perOther * step.otherDecodingRequests
    rows.set(.budget, queue.budget, lane)
    rows.set(.laterBudget, max(engine.tokenBudget - later, 1), lane)
    rows.set(.laterBatch, later, lane)
    rows.set(
      .laterContext, step.contextTokens + step.decodingRequests + queue.finishedPromptTokens, lane)
    rows.set(.tokens, step.prefillTokens, lane)
    rows.set(.attention, step.attention, lane)
    rows.set(
      .base, model.decode(step.decodingRequests) + model.perContext * step.contextTokens + others,
      lane)
    rows.set(.laterBase, model.decode(later) + others, lane)
    rows.set(.decodeBase, model.decode(later + 1) + others, lane)
    rows.set(.tokenSlope, model.perToken + model.perDecodingToken * step.decodingRequests, lane)
    rows.set(.laterTokenSlope, model.perToken + model.perDecodingToken * later, lane)
    rows.set(.perContext, model.perContext, lane)
    rows.set(.perAttention, model.perAttention, lane)
    rows.set(.anyPrefill, model.anyPrefill, lane)
    for (index, column) in LaneColumn.knots.enumerated() {
      rows.set(column, model.knot(index), lane)
    }
  }

  private func writeSums(into rows: inout MutableSpan<Lanes>, _ lane: Int, epoch: Double) {
    func scaled(_ sum: DecayedSum, _ halfLife: Double) -> Double {
      sum.value * exp2((sum.time - epoch) / halfLife)
    }
    rows.set(.fastWork, scaled(fastWork, Self.fastHalfLife), lane)
    rows.set(.work, scaled(work, Self.halfLife), lane)
    rows.set(.slowWork, scaled(slowWork, Self.slowHalfLife), lane)
    rows.set(.mediumWork, scaled(mediumWork, Self.mediumHalfLife), lane)
    rows.set(.latestSum, scaled(latestTPOTSum, Self.latestHalfLife), lane)
    rows.set(.latestCount, scaled(latestTPOTCount, Self.latestHalfLife), lane)
  }

  private func writeEvents(into rows: inout MutableSpan<Lanes>, _ lane: Int) {
    rows.set(.isUsed, pendingRequests + decodingRequests > 0 ? 1 : 0, lane)
    rows.set(.pending, Double(pendingRequests), lane)
    rows.set(.decoding, Double(decodingRequests), lane)
    rows.set(.recentTPOT, recentTPOT.value, lane)
    rows.set(.recentRatio, recentRatio.value, lane)
    rows.set(.recentExcess, recentExcess.value, lane)
    rows.set(.recentOutput, recentOutput.value, lane)
    rows.set(.averageBatch, averageBatch.value, lane)
    rows.set(.hasSnapshot, snapshot == nil ? 0 : 1, lane)
    rows.set(.waiting, snapshot?.waitingRequests ?? Double(pendingRequests), lane)
    rows.set(.running, snapshot?.runningRequests ?? Double(decodingRequests), lane)
    rows.set(.usage, snapshot?.kvCacheUsage ?? 0, lane)
    rows.set(.snapshotTime, snapshot?.time ?? 0, lane)
  }
}
