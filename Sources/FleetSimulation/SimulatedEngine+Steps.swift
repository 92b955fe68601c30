internal import Glibc
internal import RoutingRuntime

extension SimulatedEngine {
  /// Runs until `time`, leaving what happened in ``events``.
  mutating func advance(to time: Double) {
    clock = max(clock, time)
    if hungSince != nil { return }
    while true {
      if !isBusy {
        guard inboxHead < inbox.count, inbox[inboxHead].time + downlink <= time else {
          return
        }
        plan(at: inbox[inboxHead].time, knowing: inbox[inboxHead].time)
        continue
      }
      if configuration.emitsEveryToken { emitTokens(until: time) }
      guard runEnd + downlink <= time else { return }
      complete()
      // Composed ahead, a step knows only what had come when the one before began.
      let known = configuration.schedulesAhead ? runStart + offset(runSteps - 1) : runEnd
      plan(at: runEnd, knowing: known)
    }
  }

  // MARK: - Runs

  /// What the first `steps` steps of the run take, ms.
  @inline(always)
  func offset(_ steps: Int) -> Double { pace.offset(steps) }

  /// How the run's steps follow each other.
  @inline(always)
  var pace: RunPace { RunPace(firstStep: firstStep, stepGrowth: stepGrowth) }

  /// How many steps of the run have ended by `time`.
  @inline(always)
  func stepsDone(at time: Double) -> Int { pace.stepsDone(of: runSteps, in: time - runStart) }

  /// Ends the run with the step that runs at `time`, so that the batch may change.
  mutating func cutRun(at time: Double, isForced: Bool = false) {
    guard isBusy, runSteps > 1, time < runEnd else { return }
    if !isForced, isBlocked || decoding.count >= maximumSequences { return }
    // The step that runs at `time` is the last without what comes then, or the one after it.
    let running = time < runStart ? 0 : stepsDone(at: time) + 1
    runSteps = min(
      max(1, configuration.schedulesAhead && !isForced ? running + 1 : running), runSteps)
    runEnd = runStart + offset(runSteps)
  }

  /// Composes the next step, or the run of steps until the batch changes.
  ///
  /// - Parameter known: Arrivals until then take part.
  mutating func plan(at time: Double, knowing known: Double) {
    takeArrivals(until: known, at: time)
    isBusy = !decoding.isEmpty || queueHead < queue.count
    (prefills, emittedSteps, isBlocked) = (0, 0, false)
    guard isBusy else {
      if inboxHead < inbox.count, inbox[inboxHead].time < time { inbox[inboxHead].time = time }
      return
    }
    ensureDecodeRoom()
    var step = StepComposition()
    let batch = decoding.count
    _ = cache.grow(by: batch)
    step.decodingRequests = Double(batch)
    step.contextTokens = Double(contextTokens)
    step.otherDecodingRequests = otherDecodingRequests
    if queueHead < queue.count { addPrefills(&step) }
    isBusy = batch > 0 || prefills > 0
    guard isBusy else { return }
    runStart = time
    if isTraced { composition = step }
    let length = stepModel.milliseconds(step) * slowness
    runSteps = 1
    stepGrowth = 0
    if prefills == 0 {
      runSteps = max(1, min(nextFinish - stepCount, 1 + cache.room / batch))
      if lateSeats > 0, queueHead < queue.count { runSteps = 1 }
      if isCoupled { runSteps = min(runSteps, Self.coupledSteps) }
      // Each step attends to one more token of every request.
      stepGrowth = max(0, contextCoefficient * Double(batch) * slowness)
    }
    var factor = noise.logNormal(sigma: configuration.stepNoise / Double(runSteps).squareRoot())
    if configuration.driftNoise > 0 { factor *= driftFactor(at: time) }
    firstStep = length * factor
    stepGrowth *= factor
    runEnd = time + offset(runSteps)
    if inboxHead < inbox.count { cutRun(at: inbox[inboxHead].time) }
  }

  /// The drifting speed: an Ornstein–Uhlenbeck process, with mean 1 for the factor.
  private mutating func driftFactor(at time: Double) -> Double {
    let kept = exp((driftTime - time) / max(configuration.driftMilliseconds, 1e-3))
    drift = kept * drift + max(0, 1 - kept * kept).squareRoot() * noise.normal()
    driftTime = time
    let sigma = configuration.driftNoise
    return exp(sigma * drift - 0.5 * sigma * sigma)
  }

  /// Where engines slow each other down, a run ends after this many steps to look again.
  private static let coupledSteps = 8

  private mutating func takeArrivals(until known: Double, at time: Double) {
    guard inboxHead < inbox.count else { return }
    while inboxHead < inbox.count, inbox[inboxHead].time <= known {
      let slot = inbox[inboxHead].slot
      inboxHead += 1
      if slots[Int(slot)].promptTokens + slots[Int(slot)].outputTokens > cache.capacity {
        emit(.rejected, slot, at: time + downlink, generated: 0)
        freeSlot(slot)
      } else {
        queue.append(slot)
      }
    }
    if inboxHead == inbox.count {
      inbox.dropAll()
      inboxHead = 0
    } else if inboxHead >= 256 {
      inbox.removeSubrange(0..<inboxHead)
      inboxHead = 0
    }
  }

  /// Spends what decoding leaves of the budget on queued prompts.
  private mutating func addPrefills(_ step: inout StepComposition) {
    var budget = tokenBudget - decoding.count
    // With nothing to decode there is no step that could have been composed too early.
    var seats = maximumSequences - decoding.count - (decoding.isEmpty ? 0 : lateSeats)
    var position = queueHead
    isBlocked = seats <= 0
    while position < queue.count, budget > 0, seats > 0 {
      let slot = queue[position]
      let index = Int(slot)
      if slots[index].admission == 0, !admit(slot, budget: budget) {
        isBlocked = true
        break
      }
      let done = slots[index].computedTokens
      let remaining = slots[index].totalTokens - done
      let taken = min(remaining, budget)
      guard cache.grow(by: taken) else {
        isBlocked = true
        break
      }
      slots[index].take(taken)
      nameBlocks(slot)
      step.addPrefill(Double(taken), context: Double(done + taken))
      prefills += 1
      budget -= taken
      seats -= 1
      position += 1
    }
  }

  /// Looks a prompt up in the prefix cache and gives it a place in the batch.
  ///
  /// - Returns: Whether its first chunk fits into the memory.
  private mutating func admit(_ slot: Int32, budget: Int) -> Bool {
    let index = Int(slot)
    let total = slots[index].totalTokens
    // The last token is computed in any case: it makes the first one generated.
    let limit = blocks[index].full(within: total - 1, blockTokens: blockTokens)
    let found = cache.acquire(blocks[index].hashes, limit: limit, into: &nodes[index])
    let cached = blocks[index].end(of: found, blockTokens: blockTokens)
    let transferred = max(0, slots[index].transferredTokens - cached)
    guard cache.grow(by: transferred) else {
      cache.release(own: 0, taken: &nodes[index])
      return false
    }
    let known = cached + transferred
    guard cache.room >= min(total - known, budget) else {
      cache.release(own: transferred, taken: &nodes[index])
      return false
    }
    admissions += 1
    let isNew = slots[index].admit(admissions, known: known, cached: cached)
    published.prefixQueries += total
    published.prefixHits += cached
    published.promptTokens += isNew ? total : 0
    return true
  }

  private mutating func nameBlocks(_ slot: Int32) {
    let index = Int(slot)
    let full = blocks[index].full(
      within: slots[index].computedTokens, blockTokens: blockTokens)
    guard full > nodes[index].count else { return }
    // Moved out and back, so that the array is checked once.
    var taken: [Int32] = []
    swap(&taken, &nodes[index])
    var start = blocks[index].end(of: taken.count, blockTokens: blockTokens)
    for position in taken.count..<full {
      let end = blocks[index].end(of: position + 1, blockTokens: blockTokens)
      taken.append(cache.name(blocks[index].hashes[position], tokens: end - start))
      start = end
    }
    swap(&taken, &nodes[index])
  }

  // MARK: - Preemption

  /// Every request of the batch needs memory for one more token.
  private mutating func ensureDecodeRoom() {
    while !decoding.isEmpty, cache.room < decoding.count {
      // A prompt in parts is the newest that runs; then the newest of the batch.
      if queueHead < queue.count, slots[Int(queue[queueHead])].admission > 0 {
        withdraw(queue[queueHead])
        published.preemptions += 1
        continue
      }
      var newest = 0
      for position in decoding.indices
      where slots[Int(decoding[position])].admission > slots[Int(decoding[newest])].admission {
        newest = position
      }
      preempt(newest)
    }
  }

  private mutating func withdraw(_ slot: Int32) {
    let index = Int(slot)
    releaseMemory(slot, held: slots[index].computedTokens)
    slots[index].computedTokens = 0
    slots[index].admission = 0
  }

  private mutating func preempt(_ position: Int) {
    let slot = decoding[position]
    let index = Int(slot)
    let generated = slots[index].outputTokens - (finishSteps[position] - stepCount)
    let held = slots[index].promptTokens + generated - 1
    removeFromBatch(position, context: held)
    releaseMemory(slot, held: held)
    slots[index].generatedTokens = generated
    slots[index].totalTokens = slots[index].promptTokens + generated
    slots[index].transferredTokens = 0
    slots[index].computedTokens = 0
    slots[index].admission = 0
    if queueHead > 0 {
      queueHead -= 1
      queue[queueHead] = slot
    } else {
      queue.insert(slot, at: 0)
    }
    published.preemptions += 1
  }

  /// Gives back what a request holds: `held` tokens, of which some are named blocks.
  mutating func releaseMemory(_ slot: Int32, held: Int) {
    let index = Int(slot)
    let named = blocks[index].end(of: nodes[index].count, blockTokens: blockTokens)
    cache.release(own: held - named, taken: &nodes[index])
  }

  mutating func removeFromBatch(_ position: Int, context: Int) {
    contextTokens -= context
    let last = decoding.count - 1
    if position < last {
      decoding[position] = decoding[last]
      finishSteps[position] = finishSteps[last]
    }
    decoding.removeLast()
    finishSteps.removeLast()
    nextFinish = Int.max
    for step in finishSteps { nextFinish = min(nextFinish, step) }
  }

  // MARK: - Events

  mutating func emit(
    _ kind: EngineEvent.Kind, _ slot: Int32, at time: Double, generated: Int
  ) {
    let index = Int(slot)
    if slots[index].isAborted { return }
    events.append(
      EngineEvent(
        id: slots[index].id, kind: kind, time: time, cachedTokens: slots[index].cachedTokens,
        generatedTokens: generated))
  }

  /// Emits the tokens of the run's steps that are seen by `time`, but for its last.
  private mutating func emitTokens(until time: Double) {
    while emittedSteps + 1 < runSteps {
      let seen = runStart + offset(emittedSteps + 1) + downlink
      guard seen <= time else { return }
      emittedSteps += 1
      emitTokens(atStep: stepCount + emittedSteps, time: seen)
    }
  }

  /// One token of each request of the batch that goes on after step `step`.
  mutating func emitTokens(atStep step: Int, time: Double) {
    for position in decoding.indices where finishSteps[position] > step {
      let slot = decoding[position]
      let generated = slots[Int(slot)].outputTokens - (finishSteps[position] - step)
      emit(.token, slot, at: time, generated: generated)
    }
  }
}

/// The lengths of a run's steps: each is longer than the one before by the same.
struct RunPace: Sendable {
  var firstStep: Double
  var stepGrowth: Double

  /// What the first `steps` steps take, ms.
  @inline(always)
  func offset(_ steps: Int) -> Double {
    let count = Double(steps)
    return count * firstStep + 0.5 * count * (count - 1) * stepGrowth
  }

  /// How many of `runSteps` steps end within `elapsed` ms.
  @inline(always)
  func stepsDone(of runSteps: Int, in elapsed: Double) -> Int {
    guard elapsed >= firstStep else { return 0 }
    // Steps grow by little, so that this is hardly ever more than one too many.
    let most = elapsed / firstStep
    var steps = most < Double(runSteps) ? Int(most) : runSteps
    while steps < runSteps, offset(steps + 1) <= elapsed { steps += 1 }
    while steps > 0, offset(steps) > elapsed { steps -= 1 }
    return steps
  }
}
