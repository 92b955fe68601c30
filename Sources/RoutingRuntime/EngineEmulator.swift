public import CoefficientFile
internal import Glibc

/// A model of one endpoint's engine, kept in step with the real one by the events a gateway sees.
///
/// Continuous batching advances in steps: every step decodes one token of each running request and
/// spends the rest of its token budget on queued prompts, first come first served. What was sent is
/// known, step lengths are predictable, and each first token and each end that comes back marks a
/// step's end; so the emulator knows what the engine is doing now, how far through its step it is,
/// and when a new prompt would be done. Between events it advances by its own step model.
///
/// Times are ms on any one clock. State depends only on the events and their times, never on when
/// the emulator was asked: replay and serving agree bit for bit.
public struct EngineEmulator: Sendable {
  /// A prompt that is not fully computed.
  struct QueuedPrompt: Sendable {
    var request: Int32
    var promptTokens: Double
    var remainingTokens: Double
    var takenTokens: Double
    var maximumTokens: Double

    /// What will be left of it after the running step.
    var untakenTokens: Double { remainingTokens - takenTokens }
  }

  /// A request that is past its prompt.
  struct DecodingRequest: Sendable {
    var request: Int32
    var promptTokens: Double
    var firstStep: Double
    var maximumTokens: Double
  }

  /// The length of a step.
  public internal(set) var stepModel: StepModel
  private(set) var tokenBudget: Double
  private(set) var maximumSequences: Double
  private(set) var uplinkMilliseconds: Double
  private(set) var downlinkMilliseconds: Double

  var queue: [QueuedPrompt] = []
  var queueHead = 0
  var decoding: [DecodingRequest] = []
  /// Requests of the batch that stand in the memory of the emulator which this one was copied from.
  var borrowedRequests = 0
  var contextTokens = 0.0
  var stepCount = 0.0
  var isBusy = false
  var stepStart = 0.0
  var stepEnd = 0.0
  var current = StepComposition()
  /// Whether the running step completes a prompt, so that its end will be seen.
  var awaitsFirstToken = false
  var otherDecodingRequests = 0.0
  /// When the engine was last seen to end a step, and how many steps ago that was.
  var lastBoundary = 0.0
  var stepsSinceBoundary = 0.0
  /// How much slower the engine runs than its model says, tracked from step ends.
  public internal(set) var slowness = 1.0
  var slownessLogarithm = 0.0
  /// Log slowness within this is taken for noise; what lasts moves out of it.
  var deadZone: Double
  /// Counts changes, so that a forecast can be kept until the next.
  var version: UInt64 = 0
  /// Records step lengths for calibration; `nil` in serving.
  public var trace: StepTrace?
  var predictedSinceBoundary = 0.0
  var isGapClean = false
  /// Learns the length of steps where the model leaves doubt: one, or none.
  ///
  /// An array, so that the many engines that have none stay small.
  var learners: [StepLearning]

  /// An idle engine.
  ///
  /// - Parameters:
  ///   - compiled: The engine's step model, where it was compiled already.
  ///   - capacity: Requests that it can hold before it allocates.
  public init(_ engine: EngineModel, stepModel compiled: StepModel? = nil, capacity: Int = 512) {
    stepModel = compiled ?? StepModel(coefficients: engine.stepCoefficients)
    tokenBudget = max(engine.tokenBudget, 1)
    maximumSequences = max(engine.maximumSequences, 1)
    uplinkMilliseconds = engine.uplinkMilliseconds
    downlinkMilliseconds = engine.downlinkMilliseconds
    learners = StepLearning.learners(engine, fitted: stepModel)
    deadZone = Self.deadZone(engine, isLearning: !learners.isEmpty)
    queue.reserveCapacity(2 * capacity)
    decoding.reserveCapacity(capacity)
  }

  /// Runs on as `engine`: what is queued and running stays, from the next step on at its speed.
  mutating func replace(with engine: EngineModel, stepModel compiled: StepModel) {
    stepModel = compiled
    tokenBudget = max(engine.tokenBudget, 1)
    maximumSequences = max(engine.maximumSequences, 1)
    uplinkMilliseconds = engine.uplinkMilliseconds
    downlinkMilliseconds = engine.downlinkMilliseconds
    learners = StepLearning.learners(engine, fitted: compiled)
    deadZone = Self.deadZone(engine, isLearning: isLearning)
    slowness = 1
    version &+= 1
  }

  /// Requests in the batch, past their prompts.
  public var decodingRequests: Double { Double(batchCount) }
  /// The same as a whole number.
  @inline(always)
  var batchCount: Int { borrowedRequests + decoding.count }
  /// Whether sequence slots may run out while what is here is computed.
  var mayRunOutOfSlots: Bool { decodingRequests + queuedRequests + 1 > maximumSequences }
  /// Requests whose prompts are not computed yet.
  public var queuedRequests: Double { Double(queue.count - queueHead) }

  /// Whether a prompt that arrived now would be the only one, and start with the next step.
  var hasRoom: Bool {
    queueHead == queue.count && tokenBudget > decodingRequests
      && decodingRequests + 1 <= maximumSequences
  }

  /// How long the running step has run when a request dispatched at `time` arrives; 0 when idle.
  public func stepElapsed(at time: Double) -> Double {
    isBusy ? time + uplinkMilliseconds - stepStart : 0
  }

  /// When the running step ends, as seen at `time`; an overdue step is expected to end soon.
  func expectedStepEnd(at time: Double) -> Double {
    max(stepEnd, time + Self.overdueShare * (time - stepStart))
  }

  // MARK: - Events

  /// A request was sent to the engine.
  public mutating func dispatched(
    request: Int32, promptTokens: Double, newTokens: Double, maximumTokens: Double, at time: Double
  ) {
    let arrival = time + uplinkMilliseconds
    advance(to: arrival)
    if isIdle { startBusyPeriod(at: arrival) }
    queue.append(
      QueuedPrompt(
        request: request, promptTokens: promptTokens, remainingTokens: max(newTokens, 1),
        takenTokens: 0, maximumTokens: maximumTokens))
    version &+= 1
  }

  /// The first token of a request came back: a step has ended, and its prompt is done.
  public mutating func firstToken(request: Int32, at time: Double) {
    let boundary = time - downlinkMilliseconds
    advance(to: boundary)
    if let position = queuePosition(of: request) {
      // The engine was quicker than the emulator: what stood ahead is done too.
      let wasInStep = isBusy && queue[position].takenTokens > 0
      if isBusy { completeStep() }
      if queuePosition(of: request) != nil { finishPrompts(through: request) }
      isBusy = false
      stepEnd = boundary
      observeBoundary(boundary, isClean: wasInStep)
    } else {
      resynchronize(at: boundary)
      observeBoundary(boundary, isClean: true)
    }
    version &+= 1
  }

  /// More of an answer came back, after its first token: a step has ended.
  ///
  /// All answers of a batch show the same end within a moment: the first of them is taken.
  public mutating func tokens(at time: Double) {
    let boundary = time - downlinkMilliseconds
    advance(to: boundary)
    let isSeen =
      isBusy && stepsSinceBoundary == 0
      && boundary - stepStart < Self.sameEndShare * (stepEnd - stepStart)
    guard !isSeen else { return }
    resynchronize(at: boundary)
    observeBoundary(boundary, isClean: true, weight: Self.chunkWeight)
    version &+= 1
  }

  /// A request ended, or was given up.
  public mutating func finished(request: Int32, at time: Double) {
    let boundary = time - downlinkMilliseconds
    advance(to: boundary)
    if let position = queuePosition(of: request) {
      if isBusy { current.prefillTokens -= queue[position].takenTokens }
      queue.remove(at: position)
      awaitsFirstToken = queue[queueHead...].contains {
        $0.takenTokens > 0 && $0.takenTokens == $0.remainingTokens
      }
    } else if let index = decoding.firstIndex(where: { $0.request == request }) {
      let ended = decoding[index]
      decoding[index] = decoding[decoding.count - 1]
      decoding.removeLast()
      contextTokens = max(0, contextTokens - ended.promptTokens - (stepCount - ended.firstStep))
      if decoding.isEmpty { contextTokens = 0 }
      resynchronize(at: boundary, endedRequest: true)
      observeBoundary(boundary, isClean: true)
    }
    if isIdle {
      isBusy = false
      isGapClean = false
    }
    version &+= 1
  }

  /// Tells how many requests the pool's other endpoints decode; used from the next step on.
  mutating func observe(otherDecodingRequests count: Double) { otherDecodingRequests = count }

  // MARK: - Steps

  var isIdle: Bool { batchCount == 0 && queue.count == queueHead }

  /// Completes every step that ends by `time`.
  ///
  /// - Complexity: O(steps), amortized; no allocation.
  @inline(always)
  mutating func advance(to time: Double) {
    // Mostly none does.
    if isBusy, !(stepEnd <= time) || awaitsFirstToken { return }
    advanceSteps(to: time)
  }

  private mutating func advanceSteps(to time: Double) {
    while true {
      if !isBusy {
        if isIdle { return }
        beginStep()
      }
      // The first token of a prompt done would have been seen: without it the step still runs.
      // A time that is no number ends the loop, too.
      if !(stepEnd <= time) || awaitsFirstToken { return }
      // An engine that was silent for so long is not worth following step by step.
      if stepEnd - lastBoundary > Self.longestSilence { return }
      if current.prefillTokens > 0 || trace != nil { completeStep() } else { completeDecodeStep() }
      if queueHead == queue.count, batchCount > 0, trace == nil {
        decode(to: time)
        return
      }
    }
  }

  /// Advances an engine without queued prompts: step by step as ``beginStep()`` and
  /// ``completeStep()`` do, but all steps are alike except for their context.
  private mutating func decode(to time: Double) {
    let batch = decodingRequests
    let (base, others) = (stepModel.decode(batch), stepModel.perOther * otherDecodingRequests)
    let (perContext, pace) = (stepModel.perContext, slowness)
    let latest = lastBoundary
    var (context, steps, predicted) = (contextTokens, 0.0, predictedSinceBoundary)
    var (start, end) = (stepStart, stepEnd)
    while true {
      start = end
      let length = base + (perContext * context + others)
      end = start + max(length, StepModel.shortestMilliseconds) * pace
      if !(end <= time) || end - latest > Self.longestSilence { break }
      predicted += end - start
      context += batch
      steps += 1
    }
    current = StepComposition()
    current.decodingRequests = batch
    current.contextTokens = context
    current.otherDecodingRequests = otherDecodingRequests
    if isLearning, steps > 0 {
      // Context grows evenly: its mean is that of the first and the last step.
      let mean = (contextTokens + context - batch) / 2
      learners[0].add(steps: steps, batch: batch, context: mean, others: otherDecodingRequests)
    }
    (contextTokens, predictedSinceBoundary) = (context, predicted)
    // Whole numbers, so that they may be added at once.
    stepCount += steps
    stepsSinceBoundary += steps
    (stepStart, stepEnd, isBusy, awaitsFirstToken) = (start, end, true, false)
    version &+= 1
  }

  private mutating func startBusyPeriod(at time: Double) {
    stepEnd = time
    lastBoundary = time
    stepsSinceBoundary = 0
    predictedSinceBoundary = 0
    isGapClean = true
    trace?.clear()
  }

  private mutating func beginStep() {
    current = StepComposition()
    awaitsFirstToken = false
    current.decodingRequests = decodingRequests
    current.contextTokens = contextTokens
    current.otherDecodingRequests = otherDecodingRequests
    var budget = tokenBudget - current.decodingRequests
    var slots = maximumSequences - current.decodingRequests
    var index = queueHead
    while index < queue.count, budget > 0, slots > 0 {
      let remaining = queue[index].remainingTokens
      let taken = min(remaining, budget)
      queue[index].takenTokens = taken
      current.addPrefill(taken, context: queue[index].promptTokens - remaining + taken)
      if taken == remaining { awaitsFirstToken = true }
      budget -= taken
      slots -= 1
      index += 1
    }
    stepStart = stepEnd
    stepEnd = stepStart + stepModel.length(of: current) * slowness
    isBusy = true
    version &+= 1
  }

  /// Completes a step that computed no prompts.
  @inline(always)
  private mutating func completeDecodeStep() {
    if isLearning { learners[0].add(current) }
    contextTokens += decodingRequests
    stepCount += 1
    stepsSinceBoundary += 1
    predictedSinceBoundary += stepEnd - stepStart
    isBusy = false
    version &+= 1
  }

  mutating func completeStep() {
    completeDecodeStep()
    trace?.add(current)
    if current.prefillTokens > 0 {
      var index = queueHead
      while index < queue.count, queue[index].takenTokens > 0 {
        queue[index].remainingTokens -= queue[index].takenTokens
        queue[index].takenTokens = 0
        if queue[index].remainingTokens <= 0 { startDecoding(queue[index]) }
        index += 1
      }
      dropFinishedPrompts()
    }
  }

  private mutating func startDecoding(_ prompt: QueuedPrompt) {
    decoding.append(
      DecodingRequest(
        request: prompt.request, promptTokens: prompt.promptTokens, firstStep: stepCount,
        maximumTokens: prompt.maximumTokens))
    contextTokens += prompt.promptTokens
  }

  private mutating func finishPrompts(through request: Int32) {
    var index = queueHead
    while index < queue.count {
      if queue[index].remainingTokens > 0 {
        if isLearning { learners[0].add(restOf: queue[index]) }
        queue[index].remainingTokens = 0
        queue[index].takenTokens = 0
        startDecoding(queue[index])
      }
      if queue[index].request == request { break }
      index += 1
    }
    dropFinishedPrompts()
  }

  private mutating func dropFinishedPrompts() {
    while queueHead < queue.count, queue[queueHead].remainingTokens <= 0 { queueHead += 1 }
    if queueHead == queue.count {
      queue.dropAll()
      queueHead = 0
    } else if queueHead >= 256 {
      queue.removeSubrange(0..<queueHead)
      queueHead = 0
    }
  }

  @inline(always)
  private func queuePosition(of request: Int32) -> Int? {
    var index = queueHead
    let queue = queue.span
    while index < queue.count {
      if queue[index].request == request, queue[index].remainingTokens > 0 { return index }
      index += 1
    }
    return nil
  }

  /// After this long without a sign the emulator waits for the next one, ms.
  private static let longestSilence = 3_600_000.0
  /// What is left of a step that has outlasted its forecast, as a share of its time so far.
  static let overdueShare = 0.03
}
