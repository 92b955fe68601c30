extension SimulatedEngine {
  /// Ends the run: tokens of the batch, then the prompts that were computed.
  mutating func complete() {
    let batch = decoding.count
    if isTraced {
      runs.append(EngineRun(start: runStart, end: runEnd, steps: runSteps, first: composition))
    }
    let finishedBefore = published.finishedRequests
    stepCount += runSteps
    contextTokens += batch * runSteps
    _ = cache.grow(by: batch * (runSteps - 1))
    if configuration.emitsEveryToken { emitTokens(atStep: stepCount, time: runEnd + downlink) }
    if nextFinish <= stepCount { finishBatch() }
    if prefills > 0 { finishPrompts() }
    if hasAborted { dropAborted() }
    published.waitingRequests = queue.count - queueHead
    published.runningRequests = decoding.count
    if queueHead < queue.count, slots[Int(queue[queueHead])].admission > 0 {
      published.waitingRequests -= 1
      published.runningRequests += 1
    }
    publishedHeld = cache.held
    lateSeats =
      configuration.schedulesAhead ? published.finishedRequests - finishedBefore : 0
  }

  private mutating func finishBatch() {
    var start = 0
    while nextFinish <= stepCount {
      start = firstFinished(from: start)
      guard start < decoding.count else { return }
      let slot = decoding[start]
      let output = slots[Int(slot)].outputTokens
      leave(slot, held: slots[Int(slot)].promptTokens + output - 1, at: start)
      emit(.finished, slot, at: runEnd + downlink, generated: output)
      freeSlot(slot)
    }
  }

  /// The first of the batch from `start` on whose last step has ended.
  private func firstFinished(from start: Int) -> Int {
    let steps = finishSteps.span
    var (first, position) = (steps.count, steps.count)
    // Through to the end without a branch, for where it stands could not be foreseen.
    while position > start {
      position -= 1
      first = steps[position] <= stepCount ? position : first
    }
    return first
  }

  private mutating func leave(_ slot: Int32, held: Int, at position: Int) {
    removeFromBatch(position, context: held)
    releaseMemory(slot, held: held)
    published.finishedRequests += 1
    published.generatedTokens += slots[Int(slot)].outputTokens
  }

  /// Prompts that are complete have generated a token and join the batch.
  private mutating func finishPrompts() {
    for position in queueHead..<(queueHead + prefills) {
      let slot = queue[position]
      let index = Int(slot)
      slots[index].takenTokens = 0
      guard slots[index].computedTokens >= slots[index].totalTokens else { continue }
      queueHead = position + 1
      slots[index].generatedTokens += 1
      let generated = slots[index].generatedTokens
      let kind = generated == 1 ? EngineEvent.Kind.firstToken : .token
      let left = slots[index].outputTokens - generated
      if kind == .firstToken || configuration.emitsEveryToken && left > 0 {
        emit(kind, slot, at: runEnd + downlink, generated: generated)
      }
      if left > 0 {
        decoding.append(slot)
        finishSteps.append(stepCount + left)
        nextFinish = min(nextFinish, stepCount + left)
        contextTokens += slots[index].totalTokens
      } else {
        releaseMemory(slot, held: slots[index].totalTokens)
        published.finishedRequests += 1
        published.generatedTokens += generated
        emit(.finished, slot, at: runEnd + downlink, generated: generated)
        freeSlot(slot)
      }
    }
    prefills = 0
    if queueHead == queue.count {
      queue.dropAll()
      queueHead = 0
    } else if queueHead >= 256 {
      queue.removeSubrange(0..<queueHead)
      queueHead = 0
    }
  }

  private mutating func dropAborted() {
    hasAborted = false
    for position in stride(from: decoding.count - 1, through: 0, by: -1) {
      let slot = decoding[position]
      guard slots[Int(slot)].isAborted else { continue }
      let left = finishSteps[position] - stepCount
      let held = slots[Int(slot)].promptTokens + slots[Int(slot)].outputTokens - left - 1
      removeFromBatch(position, context: held)
      releaseMemory(slot, held: held)
      freeSlot(slot)
    }
    for position in stride(from: queue.count - 1, through: queueHead, by: -1) {
      let slot = queue[position]
      guard slots[Int(slot)].isAborted else { continue }
      releaseMemory(slot, held: slots[Int(slot)].computedTokens)
      freeSlot(slot)
      queue.remove(at: position)
    }
  }
}
