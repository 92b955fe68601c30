internal import Glibc

extension EndpointLoad {
  /// Writes what a batch needs to know of this endpoint, as of `time`.
  mutating func write(into columns: inout LaneColumns, _ endpoint: Int, at time: Double) {
    // Any prompt: what is kept of the queue does not depend on it.
    _ = forecast(RequestShape(promptTokens: 1), at: time)
    writeEngine(into: &columns, endpoint, at: time)
    writeEvents(into: &columns, endpoint)
  }

  private func writeEngine(into columns: inout LaneColumns, _ endpoint: Int, at time: Double) {
    let engine = ahead
    let queue = forecaster.cached
    let arrival = time + engine.uplinkMilliseconds
    func set(_ column: LaneColumn, _ value: Double) { columns.set(column, value, endpoint) }
    set(.uplink, engine.uplinkMilliseconds)
    set(.downlink, engine.downlinkMilliseconds)
    set(.isBusy, engine.isBusy ? 1 : 0)
    set(.stepStart, engine.isBusy ? engine.stepStart : 0)
    set(.stepEnd, engine.isBusy ? engine.stepEnd : 0)
    // An idle engine and one whose step is awaited stay as they are until an event.
    let moves = engine.isBusy && engine.stepEnd > arrival && !engine.awaitsFirstToken
    set(.validUntil, moves ? engine.stepEnd : .infinity)
    set(.afterEnd, engine.isBusy ? queue.start - engine.expectedStepEnd(at: arrival) : 0)
    set(.blur, 0.02 * (1 + engine.stepsSinceBoundary).squareRoot())
    set(.slot, queue.slotMilliseconds)
    set(.queuedTokens, queue.queuedTokens)
    set(.slowness, engine.slowness)
    set(.lastBoundary, engine.lastBoundary)

    let step = queue.step
    let model = engine.stepModel
    let later = step.decodingRequests + queue.finishedPrompts
    let others = model.perOther * step.otherDecodingRequests
    set(.budget, queue.budget)
    set(.laterBudget, max(engine.tokenBudget - later, 1))
    set(.batch, step.decodingRequests)
    set(.laterBatch, later)
    set(.context, step.contextTokens)
    set(.laterContext, step.contextTokens + step.decodingRequests + queue.finishedPromptTokens)
    set(.tokens, step.prefillTokens)
    set(.attention, step.attention)
    set(.base, model.decode(step.decodingRequests) + model.perContext * step.contextTokens + others)
    set(.laterBase, model.decode(later) + others)
    set(.decodeBase, model.decode(later + 1) + others)
    set(.tokenSlope, model.perToken + model.perDecodingToken * step.decodingRequests)
    set(.laterTokenSlope, model.perToken + model.perDecodingToken * later)
    set(.perContext, model.perContext)
    set(.perAttention, model.perAttention)
    set(.anyPrefill, model.anyPrefill)
    for (index, column) in LaneColumn.knots.enumerated() { set(column, model.knot(index)) }
  }

  private func writeEvents(into columns: inout LaneColumns, _ endpoint: Int) {
    func set(_ column: LaneColumn, _ value: Double) { columns.set(column, value, endpoint) }
    let epoch = columns.epoch
    func scaled(_ sum: DecayedSum, _ halfLife: Double) -> Double {
      sum.value * exp2((sum.time - epoch) / halfLife)
    }
    set(.fastWork, scaled(fastWork, Self.fastHalfLife))
    set(.work, scaled(work, Self.halfLife))
    set(.slowWork, scaled(slowWork, Self.slowHalfLife))
    set(.mediumWork, scaled(mediumWork, Self.mediumHalfLife))
    set(.latestSum, scaled(latestTPOTSum, Self.latestHalfLife))
    set(.latestCount, scaled(latestTPOTCount, Self.latestHalfLife))
    set(.pending, Double(pendingRequests))
    set(.decoding, Double(decodingRequests))
    set(.recentTPOT, recentTPOT.value)
    set(.recentRatio, recentRatio.value)
    set(.recentExcess, recentExcess.value)
    set(.recentOutput, recentOutput.value)
    set(.averageBatch, averageBatch.value)
    set(.hasSnapshot, snapshot == nil ? 0 : 1)
    set(.waiting, snapshot?.waitingRequests ?? Double(pendingRequests))
    set(.running, snapshot?.runningRequests ?? Double(decodingRequests))
    set(.usage, snapshot?.kvCacheUsage ?? 0)
    set(.snapshotTime, snapshot?.time ?? 0)
  }
}

extension LaneColumn {
  /// The columns of the step model's bends.
  static let knots: [LaneColumn] = [.knot0, .knot1, .knot2, .knot3, .knot4, .knot5]
}
