public import CoefficientFile
internal import RoutingRuntime

/// One vLLM-like engine in virtual time.
///
/// It advances in steps: each decodes one token of every running request and spends the rest of its
/// token budget on queued prompts, first come first served, in chunks. Prompts reuse cached blocks;
/// blocks stay after their request and the least recently used leave first. When memory runs out,
/// the newest request loses its memory and starts anew. A step's length is that of the engine
/// model's step model, times noise.
///
/// Decode-only steps between two changes of the batch are one *run*: its length is a closed form,
/// so a simulation pays per change and not per token. Results do not depend on whether every token
/// is emitted, nor on when ``advance(to:emit:)`` is called.
///
/// Times are ms on any one clock, as the gateway sees them: submissions take the uplink and the
/// request overhead to arrive, and events the downlink to come back.
public struct SimulatedEngine: Sendable {
  /// What an engine is.
  public struct Configuration: Sendable, Hashable {
    /// Step lengths, token budget, sequence limit and network delays.
    public var engine: EngineModel
    /// Tokens of a prefix-cache block, at least 1.
    public var blockTokens: Int
    /// Blocks that fit into the KV cache.
    public var kvBlocks: Int
    /// The standard deviation of the logarithm of a step's length.
    public var stepNoise: Double
    /// The standard deviation of the logarithm of a speed that drifts: hosts have good and bad
    /// moments.
    public var driftNoise: Double
    /// How long that speed takes to forget, ms.
    public var driftMilliseconds: Double
    /// What the front end needs for a request, ms: HTTP, tokenization; one after the other.
    public var requestOverheadMilliseconds: Double
    /// What each decoding request adds to a request's way to the queue, ms: front ends that also
    /// stream tokens.
    public var overheadPerDecodingMilliseconds: Double
    /// Whether a step is composed while the one before runs, so that an arrival misses one more.
    public var schedulesAhead: Bool
    /// The standard deviation of the logarithm of those overheads.
    public var overheadNoise: Double
    /// Whether the memory of answers and of prompts' last, partial blocks is freed like cached
    /// blocks, oldest use first, as vLLM does; else at once.
    public var retainsAnswers: Bool
    /// Whether each token is an event, or only the first and the last of each request.
    public var emitsEveryToken: Bool

    /// A configuration; the defaults have no noise and a cache of a million tokens.
    public init(
      engine: EngineModel, blockTokens: Int = 16, kvBlocks: Int = 65_536, stepNoise: Double = 0,
      driftNoise: Double = 0, driftMilliseconds: Double = 300,
      requestOverheadMilliseconds: Double = 0, overheadPerDecodingMilliseconds: Double = 0,
      overheadNoise: Double = 0, schedulesAhead: Bool = false,
      retainsAnswers: Bool = true, emitsEveryToken: Bool = false
    ) {
      self.engine = engine
      self.blockTokens = blockTokens
      self.kvBlocks = kvBlocks
      self.stepNoise = stepNoise
      self.driftNoise = driftNoise
      self.driftMilliseconds = driftMilliseconds
      self.requestOverheadMilliseconds = requestOverheadMilliseconds
      self.overheadPerDecodingMilliseconds = overheadPerDecodingMilliseconds
      self.schedulesAhead = schedulesAhead
      self.overheadNoise = overheadNoise
      self.retainsAnswers = retainsAnswers
      self.emitsEveryToken = emitsEveryToken
    }
  }

  /// A request that the engine has.
  struct Slot: Sendable {
    var id = 0
    var promptTokens = 0
    var outputTokens = 0
    /// The tokens to compute before the next one is generated: the prompt, and after a preemption
    /// also the answer so far.
    var totalTokens = 0
    /// Those of them in the KV cache.
    var computedTokens = 0
    /// Tokens of KV cache that come with the request, by transfer.
    var transferredTokens = 0
    var cachedTokens = 0
    var generatedTokens = 0
    /// Computed in the running step.
    var takenTokens = 0
    /// The order of admission; 0 while it waits.
    var admission = 0
    var isAborted = false

    /// The next step computes so many more of its tokens.
    mutating func take(_ tokens: Int) {
      takenTokens = tokens
      computedTokens += tokens
    }

    /// It gets a place in the batch, with `known` tokens in the KV cache.
    ///
    /// - Returns: Whether it is its first.
    mutating func admit(_ number: Int, known: Int, cached: Int) -> Bool {
      admission = number
      computedTokens = known
      if generatedTokens == 0 { cachedTokens = cached }
      return generatedTokens == 0
    }
  }

  /// A request on its way.
  struct Arrival: Sendable {
    var time: Double
    var slot: Int32
  }

  /// What it was made of; the engine model's step model is compiled from it.
  public let configuration: Configuration
  let stepModel: StepModel
  let contextCoefficient: Double
  let tokenBudget: Int
  let maximumSequences: Int
  let blockTokens: Int
  let downlink: Double
  /// Whether steps take longer while other endpoints decode.
  let isCoupled: Bool
  var noise: NoiseSource
  var cache: KVCache

  var slots: [Slot] = []
  var freeSlots: [Int32] = []
  /// Per slot: its prompt's block hashes, and the nodes of those that it holds.
  var blocks: [CacheBlocks] = []
  var nodes: [[Int32]] = []

  /// On their way, by arrival.
  var inbox: [Arrival] = []
  var inboxHead = 0
  /// When the front end has done with the last request sent.
  var frontEndFree = -Double.infinity
  /// Prompts that are not computed; the first may be partly.
  var queue: [Int32] = []
  var queueHead = 0
  /// The requests of the batch, and the step at which each ends.
  var decoding: [Int32] = []
  var finishSteps: [Int] = []
  var nextFinish = Int.max
  var admissions = 0

  var isBusy = false
  var stepCount = 0
  var contextTokens = 0
  /// The run: when it began, of how many steps, what its first step takes and what each adds.
  var runStart = 0.0
  var runSteps = 0
  var runEnd = 0.0
  var firstStep = 0.0
  var stepGrowth = 0.0
  /// Prompts that the running step computes.
  var prefills = 0
  var emittedSteps = 0
  /// The queue's first prompt does not fit, so that an arrival changes nothing.
  var isBlocked = false
  var hasAborted = false
  /// Seats of requests that ended when the next step was composed already.
  var lateSeats = 0

  /// How much slower than its model the engine runs.
  var slowness = 1.0
  var hungSince: Double?
  /// The drifting speed's logarithm, in standard deviations, and when it was drawn.
  var drift = 0.0
  var driftTime = -Double.infinity
  /// Requests that the pool's other endpoints decode.
  var otherDecodingRequests = 0.0
  var clock = -Double.infinity
  /// Gauges as of the last step's end; usage is added from the run.
  var published = EngineMetrics()
  var publishedHeld = 0
  /// Whether runs are kept, those that have ended, and what the present one began with.
  var isTraced = false
  var runs: [EngineRun] = []
  var composition = StepComposition()
  /// Events that nobody has taken yet.
  var events: [EngineEvent] = []

  /// An idle engine with an empty cache.
  ///
  /// - Parameter seed: Determines all noise.
  public init(_ configuration: Configuration, seed: UInt64) {
    self.configuration = configuration
    let engine = configuration.engine
    stepModel = StepModel(coefficients: engine.stepCoefficients)
    contextCoefficient = engine.stepCoefficients.count > 2 ? engine.stepCoefficients[2] : 0
    tokenBudget = Int(min(max(engine.tokenBudget, 1), 1e9))
    maximumSequences = Int(min(max(engine.maximumSequences, 1), 1e6))
    downlink = max(engine.downlinkMilliseconds, 0)
    isCoupled = engine.stepCoefficients.count > 7 && engine.stepCoefficients[7] != 0
    noise = NoiseSource(seed: seed)
    blockTokens = max(configuration.blockTokens, 1)
    cache = KVCache(
      capacity: max(configuration.kvBlocks, 1) * blockTokens,
      retainsUnnamed: configuration.retainsAnswers)
  }

  // MARK: - Requests

  /// The gateway sends a request.
  ///
  /// - Parameters:
  ///   - id: By which events name it.
  ///   - promptTokens: At least 1.
  ///   - outputTokens: What it will generate, at least 1.
  ///   - blocks: Hashes of the prompt's leading full blocks.
  ///   - ends: Where each ends, tokens from the prompt's start; empty where all are of
  ///     ``Configuration/blockTokens``.
  ///   - transferredTokens: Prompt tokens whose KV cache comes with the request.
  ///   - time: When it leaves the gateway; not before an earlier call's time.
  /// - Complexity: O(1) plus what arrives out of order.
  public mutating func submit(
    id: Int, promptTokens: Int, outputTokens: Int, blocks hashes: [UInt64],
    ends: [Int32] = [], transferredTokens: Int = 0, at time: Double
  ) {
    submit(
      id: id, promptTokens: promptTokens, outputTokens: outputTokens,
      CacheBlocks(hashes: hashes, ends: ends), transferredTokens: transferredTokens, at: time)
  }

  /// The same with the prompt's blocks as the engine keeps them.
  mutating func submit(
    id: Int, promptTokens: Int, outputTokens: Int, _ prompt: consuming CacheBlocks,
    transferredTokens: Int = 0, at time: Double
  ) {
    let factor = noise.logNormal(sigma: configuration.overheadNoise)
    let atFrontEnd = max(time + max(configuration.engine.uplinkMilliseconds, 0), frontEndFree)
    frontEndFree = atFrontEnd + configuration.requestOverheadMilliseconds * factor
    let arrival =
      frontEndFree + configuration.overheadPerDecodingMilliseconds * Double(decoding.count) * factor
    let slot = makeSlot()
    let tokens = max(promptTokens, 1)
    slots[Int(slot)] = Slot(
      id: id, promptTokens: tokens, outputTokens: max(outputTokens, 1), totalTokens: tokens,
      transferredTokens: min(max(transferredTokens, 0), tokens - 1))
    blocks[Int(slot)] = prompt
    var position = inbox.count
    while position > inboxHead, inbox[position - 1].time > arrival { position -= 1 }
    if position == inbox.count {
      inbox.append(Arrival(time: arrival, slot: slot))
    } else {
      inbox.insert(Arrival(time: arrival, slot: slot), at: position)
    }
    cutRun(at: arrival)
  }

  /// The client gave a request up; it leaves with the running step, without an event.
  ///
  /// - Complexity: O(requests).
  public mutating func abort(id: Int, at time: Double) {
    for position in inboxHead..<inbox.count where slots[Int(inbox[position].slot)].id == id {
      freeSlot(inbox[position].slot)
      inbox.remove(at: position)
      return
    }
    let isHere = { (engine: Self, slot: Int32) in engine.slots[Int(slot)].id == id }
    let found =
      decoding.first { isHere(self, $0) } ?? queue[queueHead...].first { isHere(self, $0) }
    guard let found else { return }
    slots[Int(found)].isAborted = true
    hasAborted = true
    cutRun(at: time + max(configuration.engine.uplinkMilliseconds, 0), isForced: true)
  }

  /// As ``submit(id:promptTokens:outputTokens:_:transferredTokens:at:)``.
  ///
  /// - Returns: ``nextTime``.
  mutating func submitted(
    id: Int, promptTokens: Int, outputTokens: Int, _ prompt: consuming CacheBlocks,
    transferredTokens: Int = 0, at time: Double
  ) -> Double {
    submit(
      id: id, promptTokens: promptTokens, outputTokens: outputTokens, prompt,
      transferredTokens: transferredTokens, at: time)
    return nextTime
  }

  private mutating func makeSlot() -> Int32 {
    if let free = freeSlots.popLast() { return free }
    slots.append(Slot())
    blocks.append(CacheBlocks())
    nodes.append([])
    return Int32(truncatingIfNeeded: slots.count - 1)
  }

  mutating func freeSlot(_ slot: Int32) {
    blocks[Int(slot)] = CacheBlocks()
    freeSlots.append(slot)
  }

  // MARK: - Time

  /// When the next event may come, ms; `nil` when nothing will happen by itself.
  public var nextEventTime: Double? {
    let next = nextTime
    return next < .infinity ? next : nil
  }

  /// As ``nextEventTime``, with infinity for never.
  @inline(always)
  var nextTime: Double {
    if hungSince != nil { return .infinity }
    guard isBusy else {
      return inboxHead < inbox.count ? inbox[inboxHead].time + downlink : .infinity
    }
    guard configuration.emitsEveryToken, emittedSteps + 1 < runSteps else {
      return runEnd + downlink
    }
    return runStart + offset(emittedSteps + 1) + downlink
  }

  /// Runs until `time` and hands out what happened by then, in order of time.
  ///
  /// - Complexity: amortized O(changes of the batch), and O(tokens) where every token is emitted.
  public mutating func advance(to time: Double, emit: (EngineEvent) -> Void) {
    advance(to: time)
    for event in events { emit(event) }
    events.removeAll(keepingCapacity: true)
  }

  /// Runs until `time`, and changes ``events`` for `happened` if there are any.
  ///
  /// - Parameter happened: Empty; receives the events.
  /// - Returns: ``nextTime``.
  mutating func advance(to time: Double, taking happened: inout [EngineEvent]) -> Double {
    advance(to: time)
    if !events.isEmpty { swap(&events, &happened) }
    return nextTime
  }

  /// The metrics as of the last step that ended by the time of the last ``advance(to:emit:)``.
  public var metrics: EngineMetrics {
    var result = published
    result.kvCacheUsage = kvCacheUsage
    return result
  }

  @inline(always)
  private var kvCacheUsage: Double {
    var held = publishedHeld
    if isBusy, prefills == 0 {
      let now = min(clock, hungSince ?? clock) - downlink
      held += decoding.count * stepsDone(at: now)
    }
    // Between two looks the batch may outgrow the memory; the next step takes someone out.
    return min(Double(held) / Double(cache.capacity), 1)
  }

  /// What a gateway reads of the metrics as of `time`.
  mutating func scrape(at time: Double) -> EngineGauges {
    clock = max(clock, time)
    return EngineGauges(
      waitingRequests: published.waitingRequests, runningRequests: published.runningRequests,
      kvCacheUsage: kvCacheUsage)
  }

  /// Requests that are on their way, queued or in the batch.
  public var requestsInFlight: Int { slots.count - freeSlots.count }

  /// KV cache that running requests hold, tokens.
  public var heldTokens: Int { cache.held }
}
