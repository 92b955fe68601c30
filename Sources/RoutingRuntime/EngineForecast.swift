/// What the emulated engine would do with one more prompt, if nothing else arrived.
public struct EngineForecast: Sendable {
  /// Arrival at the engine → the step in which the prompt's first tokens are computed.
  public var queueMilliseconds = 0.0
  /// That step's start → the end of the step that completes the prompt.
  public var prefillMilliseconds = 0.0
  /// What is left of the step that runs at the arrival.
  public var phaseMilliseconds = 0.0
  /// Expected cost of narrowly missing the step boundary, since its time is not known exactly.
  public var missMilliseconds = 0.0
  /// Expected gain where the running step had in truth not begun.
  public var catchMilliseconds = 0.0
  /// Part of the queue time in which no sequence slot was free.
  public var slotMilliseconds = 0.0
  /// The length of a decode step right after the prompt is done.
  public var decodeStepMilliseconds = 0.0
  /// Requests in that step.
  public var decodingAfter = 0.0
  /// KV-cache tokens in that step.
  public var contextAfter = 0.0
  /// Prompt tokens that stand ahead in the queue.
  public var queuedTokens = 0.0
  /// Steps from the arrival to the end of the prompt.
  public var steps = 0.0
  /// Arrival at the engine → the start of the step that completes the prompt.
  public var lastStepMilliseconds = 0.0
  /// Prompt tokens that the same step has room for besides.
  public var roomTokens = 0.0
}

/// The step in which the next prompt to arrive would be scheduled; kept until the engine changes.
struct QueueForecast: Sendable {
  var version: UInt64 = .max
  var start = 0.0
  var step = StepComposition()
  var budget = 0.0
  var finishedPrompts = 0.0
  var finishedPromptTokens = 0.0
  var queuedTokens = 0.0
  var slotMilliseconds = 0.0
  var steps = 0.0
}

extension QueueForecast {
  /// On an engine without a queue and with room, the next step; written in place.
  @inline(always)
  fileprivate mutating func become(nextStepOf engine: borrowing EngineEmulator, at arrival: Double)
  {
    start = engine.isBusy ? engine.expectedStepEnd(at: arrival) : arrival
    steps = engine.isBusy ? 1 : 0
    step = engine.nextStep
    budget = engine.budget(beside: step.decodingRequests)
    finishedPrompts = 0
    finishedPromptTokens = 0
    queuedTokens = 0
    slotMilliseconds = 0
  }
}

/// Forecasts prompts on an ``EngineEmulator``; holds the buffers that doing so needs.
public struct EngineForecaster: Sendable {
  private(set) var cached = QueueForecast()
  /// The step counts at which running requests end, where known, relative to now.
  private var endings = EndingCalendar()
  /// The summed step features of the last forecast, for calibration; `nil` in serving.
  public var features: [Double]?
  /// The step that completes the prompt of the last forecast; only kept in calibration.
  public private(set) var lastStep = StepComposition()

  /// A forecaster.
  public init() {}

  /// Forgets what is kept of the last forecast: the engine is another.
  mutating func invalidate() { cached.version = .max }

  /// Forecasts a prompt dispatched at `time`.
  ///
  /// - Parameters:
  ///   - engine: Advanced to the prompt's arrival at the engine.
  ///   - promptTokens: The prompt's length.
  ///   - newTokens: Its tokens that are not cached, at least 1.
  ///   - meanOutputTokens: What a request of unknown limit is expected to generate.
  ///   - isPhaseNeeded: Whether anybody looks at the rest of the running step; else it stays 0.
  /// - Complexity: O(queued requests) after a change of the engine, else O(own steps).
  public mutating func forecast(
    _ engine: inout EngineEmulator, promptTokens: Double, newTokens: Double,
    meanOutputTokens: Double, isPhaseNeeded: Bool = true, at time: Double
  ) -> EngineForecast {
    lookAhead(&engine, meanOutputTokens: meanOutputTokens, at: time)
    let arrival = time + engine.uplinkMilliseconds
    var result = EngineForecast()
    result.queueMilliseconds = max(0, cached.start - arrival)
    result.slotMilliseconds = min(cached.slotMilliseconds, result.queueMilliseconds)
    result.queuedTokens = cached.queuedTokens
    result.steps = cached.steps
    if engine.isBusy, isPhaseNeeded { phase(engine, arrival: arrival, into: &result) }
    prefill(engine, promptTokens: promptTokens, newTokens: max(newTokens, 1), into: &result)
    return result
  }

  /// Advances the engine to the arrival of a prompt dispatched at `time`, and its queue up to where
  /// that prompt would stand.
  mutating func lookAhead(
    _ engine: inout EngineEmulator, meanOutputTokens: Double, at time: Double
  ) {
    let arrival = time + engine.uplinkMilliseconds
    engine.advance(to: arrival)
    // Near its end, a step's expected end moves with the time of asking.
    let isOverdue = engine.isBusy && engine.stepEnd < engine.expectedStepEnd(at: arrival)
    guard cached.version != engine.version || features != nil || engine.isIdle || isOverdue
    else { return }
    if engine.hasRoom, features == nil {
      cached.become(nextStepOf: engine, at: arrival)
    } else {
      cached = queue(engine, arrival: arrival, meanOutputTokens: meanOutputTokens)
    }
    cached.version = engine.version
  }

  /// The uncertainty of the step boundary, as expected gains and losses.
  @inline(always)
  private func phase(
    _ engine: EngineEmulator, arrival: Double, into result: inout EngineForecast
  ) {
    let length = engine.stepEnd - engine.stepStart
    result.phaseMilliseconds = engine.expectedStepEnd(at: arrival) - arrival
    // Step noise of about 2 % adds up like a random walk since the last boundary seen.
    let blur = 0.25 + 0.02 * length * (1 + engine.stepsSinceBoundary).squareRoot()
    let shares = Self.sigmoid(
      SIMD2(0.3 - result.phaseMilliseconds, 0.0 - (arrival - engine.stepStart)) / blur)
    result.missMilliseconds = length * shares[0]
    result.catchMilliseconds = length * shares[1]
  }

  /// A smooth step from 0 to 1 without transcendental functions, twice at once.
  private static func sigmoid(_ x: SIMD2<Double>) -> SIMD2<Double> {
    0.5 * (1 + x / (1 + x * x).squareRoot())
  }

  /// Runs the queue ahead up to the step that has room for a further prompt.
  private mutating func queue(
    _ engine: EngineEmulator, arrival: Double, meanOutputTokens: Double
  ) -> QueueForecast {
    if features != nil { features = [Double](repeating: 0, count: StepFeature.count) }
    var forecast = QueueForecast()
    var batch = engine.decodingRequests
    var context = engine.contextTokens
    loadQueue(engine, into: &forecast)
    if engine.isBusy {
      forecast.start = engine.expectedStepEnd(at: arrival)
      forecast.steps = 1
      addFeatures(engine.current, steps: 1)
      context += batch + forecast.finishedPromptTokens
      batch += forecast.finishedPrompts
      forecast.finishedPrompts = 0
      forecast.finishedPromptTokens = 0
    } else {
      forecast.start = arrival
    }
    loadEndings(engine, meanOutputTokens: meanOutputTokens)
    batch -= endings.drop(by: forecast.steps)

    var line = WaitingLine(engine)
    var guardCount = 0
    while true {
      guardCount += 1
      let before = line.head
      let filled = fill(
        engine, &line, batch: batch, context: context, stepsBefore: forecast.steps,
        meanOutputTokens: meanOutputTokens)
      var step = filled.step
      if filled.hasRoom || guardCount > 2000 {
        forecast.step = step
        forecast.budget = filled.budget
        forecast.finishedPrompts = filled.finished
        forecast.finishedPromptTokens = filled.finishedTokens
        return forecast
      }
      if step.prefillTokens <= 0, line.head == before {
        // No slot is free: decode until a request ends.
        let steps = max(1, nextEnding() - forecast.steps)
        step.contextTokens += batch * (steps - 1) / 2
        let length = engine.stepModel.length(of: step) * engine.slowness * steps
        forecast.start += length
        forecast.slotMilliseconds += length
        forecast.steps += steps
        addFeatures(step, steps: steps)
        context += batch * steps
      } else {
        forecast.start += engine.stepModel.length(of: step) * engine.slowness
        forecast.steps += 1
        addFeatures(step, steps: 1)
        context += batch + filled.finishedTokens
        batch += filled.finished
      }
      batch = max(0, batch - endings.drop(by: forecast.steps))
    }
  }

  /// The queued prompts that no step has taken yet: only the first of them may be taken in part.
  private struct WaitingLine {
    var head: Int
    /// The tokens of the first that are not computed.
    var left: Double

    @inline(always)
    init(_ engine: EngineEmulator) {
      head = engine.queueHead
      left = 0
      if head < engine.queue.count { left = engine.queue[head].untakenTokens }
    }

    @inline(always)
    mutating func advance(_ engine: EngineEmulator) {
      head += 1
      if head < engine.queue.count { left = engine.queue[head].untakenTokens }
    }
  }

  /// A step with all the prompts that fit into it.
  private struct FilledStep {
    var step = StepComposition()
    var finished = 0.0
    var finishedTokens = 0.0
    /// What is left for a further prompt, at least 1.
    var budget = 1.0
    var hasRoom = false
  }

  @inline(always)
  private mutating func fill(
    _ engine: EngineEmulator, _ line: inout WaitingLine, batch: Double, context: Double,
    stepsBefore: Double, meanOutputTokens: Double
  ) -> FilledStep {
    var filled = FilledStep()
    filled.step.decodingRequests = batch
    filled.step.contextTokens = context
    filled.step.otherDecodingRequests = engine.otherDecodingRequests
    var budget = engine.tokenBudget - batch
    var slots = engine.maximumSequences - batch
    while line.head < engine.queue.count, budget > 0, slots > 0 {
      let taken = min(line.left, budget)
      if taken > 0 {
        let promptTokens = engine.queue[line.head].promptTokens
        filled.step.addPrefill(taken, context: promptTokens - line.left + taken)
        line.left -= taken
        budget -= taken
        slots -= 1
        if line.left > 0 { break }
        filled.finished += 1
        filled.finishedTokens += promptTokens
        endings.add(
          stepsBefore + 1
            + ending(engine.queue[line.head].maximumTokens, meanOutputTokens, endings.count))
      }
      line.advance(engine)
    }
    filled.hasRoom = line.head == engine.queue.count && budget > 0 && slots > 0
    filled.budget = max(budget, 1)
    return filled
  }

  /// Computes the prompt itself, from the step that has room for it.
  @inline(always)
  private mutating func prefill(
    _ engine: EngineEmulator, promptTokens: Double, newTokens: Double,
    into result: inout EngineForecast
  ) {
    var step = cached.step
    var budget = cached.budget
    var left = newTokens
    var total = 0.0
    var last = 0.0
    var batch = step.decodingRequests
    var context = step.contextTokens
    var finished = cached.finishedPrompts
    var finishedTokens = cached.finishedPromptTokens
    while true {
      let taken = min(left, budget)
      step.addPrefill(taken, context: promptTokens - left + taken)
      left -= taken
      last = engine.stepModel.length(of: step) * engine.slowness
      total += last
      result.steps += 1
      addFeatures(step, steps: 1)
      context += batch + finishedTokens
      batch += finished
      finished = 0
      finishedTokens = 0
      if left <= 0 {
        // A later prompt also needs a slot.
        let hasSlot = batch + finished + 1 < engine.maximumSequences
        result.roomTokens = hasSlot ? budget - taken : 0
        if features != nil { lastStep = step }
        break
      }
      step.removePrefill()
      step.decodingRequests = batch
      step.contextTokens = context
      budget = max(engine.tokenBudget - batch, 1)
    }
    result.prefillMilliseconds = total
    result.lastStepMilliseconds = result.queueMilliseconds + (total - last)
    result.decodingAfter = batch + 1
    result.contextAfter = context + promptTokens
    var decode = StepComposition()
    decode.decodingRequests = result.decodingAfter
    decode.contextTokens = result.contextAfter
    decode.otherDecodingRequests = engine.otherDecodingRequests
    result.decodeStepMilliseconds = engine.stepModel.length(of: decode) * engine.slowness
  }

  // MARK: - Buffers

  private func loadQueue(_ engine: EngineEmulator, into forecast: inout QueueForecast) {
    let queue = engine.queue.span
    for index in engine.queueHead..<queue.count {
      let left = queue[index].untakenTokens
      forecast.queuedTokens += left
      if left <= 0 {
        forecast.finishedPrompts += 1
        forecast.finishedPromptTokens += queue[index].promptTokens
      }
    }
  }

  /// Notes when running requests end; only engines that can run out of slots need to know.
  private mutating func loadEndings(_ engine: EngineEmulator, meanOutputTokens: Double) {
    endings.removeAll()
    guard engine.mayRunOutOfSlots else { return }
    for request in engine.decoding {
      let generated = engine.stepCount - request.firstStep
      if request.maximumTokens > 0 {
        endings.add(max(1, request.maximumTokens - generated))
      } else {
        endings.add(ending(0, meanOutputTokens, endings.count))
      }
    }
  }

  /// Unknown ends are spread evenly, as memoryless ones would be on average.
  private func ending(_ maximumTokens: Double, _ mean: Double, _ rank: Int) -> Double {
    maximumTokens > 0 ? maximumTokens : max(1, mean * (Double(rank % 16) + 0.5) / 8)
  }

  private func nextEnding() -> Double { endings.earliest.isFinite ? endings.earliest : 20 }

  private mutating func addFeatures(_ step: StepComposition, steps: Double) {
    guard features != nil else { return }
    features.mutateInPlace { StepFeature.accumulate(step, weight: steps, into: &$0) }
  }
}

extension Optional where Wrapped == [Double] {
  /// Mutates the array in place, without copying it.
  fileprivate mutating func mutateInPlace(_ body: (inout [Double]) -> Void) {
    guard var array = self else { return }
    self = nil
    body(&array)
    self = array
  }
}
