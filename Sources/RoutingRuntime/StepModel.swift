/// What one engine step computes.
@frozen
public struct StepComposition: Sendable {
  /// Requests that decode one token each.
  public var decodingRequests = 0.0
  /// KV-cache tokens that those requests attend to.
  public var contextTokens = 0.0
  /// Prompt tokens computed.
  public var prefillTokens = 0.0
  /// Σ prompt tokens × the context that each attends to, in millions.
  public var attention = 0.0
  /// Requests that the pool's other endpoints decode meanwhile: engines share hosts.
  public var otherDecodingRequests = 0.0
  /// The part of ``attention`` to context beyond ``StepFeature/attentionKnot``, in millions.
  public var farAttention = 0.0

  /// An empty step.
  public init() {}

  /// Adds `taken` tokens of a prompt, the last of which attends to `context` tokens.
  public mutating func addPrefill(_ taken: Double, context: Double) {
    prefillTokens += taken
    attention += taken * (context - taken / 2) * 1e-6
    if context > StepFeature.attentionKnot {
      farAttention += StepFeature.farAttention(from: context - taken, to: context)
    }
  }

  /// Takes out all prompts.
  @inline(always)
  mutating func removePrefill() { (prefillTokens, attention, farAttention) = (0, 0, 0) }
}

/// The features that an engine step's length is linear in.
///
/// Kernels run padded batches, so the length bends and jumps at certain batch sizes; small prefills
/// hide behind the weights' memory traffic, so it bends in the prompt tokens too.
public enum StepFeature {
  static let decodeKnots: [7 of Double] = [4, 8, 16, 32, 48, 64, 128]
  static let decodeJumps: [3 of Double] = [8, 32, 64]
  static let prefillKnots: [6 of Double] = [64, 256, 512, 1024, 2048, 4096]
  /// Tokens of context beyond which attention has a slope of its own: kernels change with length.
  static let attentionKnot = 8_192.0

  /// Batches of up to this size have a coefficient each: what they deviate from knots and jumps.
  static let bumpLimit = 16
  /// The coefficients of single batch sizes: particular to kernels, small, and shrunk where data
  /// are few.
  public static let bumps = 25..<(25 + bumpLimit)

  /// How many there are.
  public static let count = bumps.upperBound
  /// Their names, in coefficient order.
  public static let names: [String] =
    [
      "step", "decoding requests", "context tokens", "prefill tokens", "attention",
      "any prefill", "decoding × prefill", "other endpoints' decoding",
    ] + decodeKnots.indices.map { "decoding over \(Int(decodeKnots[$0]))" }
    + decodeJumps.indices.map { "decoding above \(Int(decodeJumps[$0]))" }
    + prefillKnots.indices.map { "prefill over \(Int(prefillKnots[$0]))" }
    + ["attention over \(Int(attentionKnot))"] + (1...bumpLimit).map { "batch of \($0)" }
  /// Their units, in coefficient order.
  public static let units: [String] =
    [
      "ms per step", "ms per request", "ms per token", "ms per token", "ms per million token pairs",
      "ms", "ms per request × 1000 tokens", "ms per request",
    ] + decodeKnots.indices.map { _ in "ms per request" } + decodeJumps.indices.map { _ in "ms" }
    + prefillKnots.indices.map { _ in "ms per token" } + ["ms per million token pairs"]
    + bumps.map { _ in "ms" }

  /// Whether feature `index` counts prompts, and is 0 in a step without any.
  public static func isPrefill(_ index: Int) -> Bool {
    (3...6).contains(index) || (18...24).contains(index)
  }

  /// Adds `weight` × the features of `step` to `sum`, shape `[count]`.
  ///
  /// - Complexity: O(count), no allocation.
  public static func accumulate(_ step: StepComposition, weight: Double, into sum: inout [Double]) {
    let (n, tokens) = (step.decodingRequests, step.prefillTokens)
    sum[0] += weight
    sum[1] += weight * n
    sum[2] += weight * step.contextTokens
    sum[7] += weight * step.otherDecodingRequests
    for index in 0..<7 where n > decodeKnots[index] {
      sum[8 + index] += weight * (n - decodeKnots[index])
    }
    for index in 0..<3 where n > decodeJumps[index] { sum[15 + index] += weight }
    addBump(n, weight: weight, into: &sum)
    guard tokens > 0 else { return }
    sum[3] += weight * tokens
    sum[4] += weight * step.attention
    sum[5] += weight
    sum[6] += weight * n * tokens / 1000
    for index in 0..<6 where tokens > prefillKnots[index] {
      sum[18 + index] += weight * (tokens - prefillKnots[index])
    }
    sum[24] += weight * step.farAttention
  }

  /// A batch that is no whole number lies between two.
  private static func addBump(_ batch: Double, weight: Double, into sum: inout [Double]) {
    guard batch > 0, batch < Double(bumpLimit + 1) else { return }
    let lower = Int(batch)
    let share = batch - Double(lower)
    if lower > 0 { sum[bumps.lowerBound + lower - 1] += weight * (1 - share) }
    if share > 0, lower < bumpLimit { sum[bumps.lowerBound + lower] += weight * share }
  }

  /// What tokens from `start` to `end` of a prompt attend to beyond ``attentionKnot``, in millions.
  @inline(always)
  static func farAttention(from start: Double, to end: Double) -> Double {
    let (near, far) = (max(0, start - attentionKnot), max(0, end - attentionKnot))
    return (far - near) * (far + near) * 0.5e-6
  }
}

/// The length of an engine step, compiled from an ``EngineModel`` for quick evaluation.
public struct StepModel: Sendable {
  /// The shortest step that the model may predict, ms: a forecast must make progress.
  static let shortestMilliseconds = 0.2
  private static let tableSize = 513
  private static let typicalPrefillTokens = 2_048.0

  /// The decode part by batch size; beyond the table it goes on along its last slope.
  private let decodeTable: [Double]
  /// What the decode part is of the table: a factor, and additions per step and request.
  private var decodeFactor = 1.0
  private var perStep = 0.0
  private var perRequest = 0.0
  private(set) var perContext: Double
  private(set) var perOther: Double
  private(set) var perToken: Double
  private(set) var perAttention: Double
  private(set) var perFarAttention: Double
  private(set) var anyPrefill: Double
  /// Per 1,000 prompt tokens and decoding request.
  private var perDecodingTokens: Double
  /// Per prompt token over each of `StepFeature.prefillKnots`.
  private var knots: [6 of Double]
  /// What a prompt token costs on average in a step of ``typicalPrefillTokens``, ms.
  private(set) var millisecondsPerPromptToken = 0.0

  /// Compiles coefficients in ``StepFeature`` order.
  ///
  /// - Parameter coefficients: Shape `[StepFeature.count]`; missing ones count as 0.
  public init(coefficients given: [Double]) {
    var coefficients = given
    while coefficients.count < StepFeature.count { coefficients.append(0) }
    var table: [Double] = []
    var features = [Double](repeating: 0, count: StepFeature.count)
    for batch in 0..<Self.tableSize {
      for index in features.indices { features[index] = 0 }
      var step = StepComposition()
      step.decodingRequests = Double(batch)
      StepFeature.accumulate(step, weight: 1, into: &features)
      var sum = 0.0
      for index in features.indices { sum += features[index] * coefficients[index] }
      table.append(sum)
    }
    self.decodeTable = table
    perContext = coefficients[2]
    perToken = coefficients[3]
    perAttention = coefficients[4]
    perFarAttention = coefficients[24]
    anyPrefill = coefficients[5]
    perDecodingTokens = coefficients[6]
    perOther = coefficients[7]
    knots = [6 of Double] { coefficients[18 + $0] }
    var step = StepComposition()
    let empty = milliseconds(step)
    step.prefillTokens = Self.typicalPrefillTokens
    millisecondsPerPromptToken = max(0, milliseconds(step) - empty) / Self.typicalPrefillTokens
  }

  /// The length of `step`, ms; at least ``shortestMilliseconds``.
  ///
  /// - Complexity: O(1), no allocation.
  public func milliseconds(_ step: StepComposition) -> Double { length(of: step) }

  /// The same in place: a call would copy the model.
  @inline(always)
  func length(of step: StepComposition) -> Double {
    var length = decode(step.decodingRequests)
    length += perContext * step.contextTokens + perOther * step.otherDecodingRequests
    let tokens = step.prefillTokens
    if tokens > 0 {
      length += perToken * tokens + perAttention * step.attention + anyPrefill
      length += perFarAttention * step.farAttention
      length += perDecodingTokens * step.decodingRequests * tokens / 1000
      for index in 0..<6 {
        guard tokens > StepFeature.prefillKnots[index] else { break }
        length += knots[index] * (tokens - StepFeature.prefillKnots[index])
      }
    }
    return max(length, Self.shortestMilliseconds)
  }

  /// What the prompts of `step` add to it, ms.
  func prefill(of step: StepComposition) -> Double {
    var bare = step
    bare.removePrefill()
    return length(of: step) - length(of: bare)
  }

  /// This model with parts that take longer or shorter.
  ///
  /// - Parameters:
  ///   - decode: A factor of what grows with the batch alone.
  ///   - perStep: What every step takes longer, ms.
  ///   - perRequest: What every request in the batch adds, ms.
  ///   - context: A factor of what context costs.
  ///   - prefill: A factor of what prompts cost.
  ///   - perOther: What a request on another endpoint costs, ms.
  func scaled(
    decode: Double, perStep: Double, perRequest: Double, context: Double, prefill: Double,
    perOther: Double
  ) -> StepModel {
    var model = self
    (model.decodeFactor, model.perStep, model.perRequest) = (decode, perStep, perRequest)
    model.perContext *= context
    model.perOther = perOther
    model.perToken *= prefill
    model.perAttention *= prefill
    model.perFarAttention *= prefill
    model.anyPrefill *= prefill
    model.perDecodingTokens *= prefill
    for index in 0..<6 { model.knots[index] *= prefill }
    model.millisecondsPerPromptToken *= prefill
    return model
  }

  /// What computing the last `newTokens` of a prompt adds to steps that run anyway, ms.
  func prefillWork(newTokens: Double, promptTokens: Double) -> Double {
    var step = StepComposition()
    step.addPrefill(newTokens, context: max(promptTokens, newTokens))
    return newTokens * millisecondsPerPromptToken + perAttention * step.attention
      + perFarAttention * step.farAttention
  }

  /// The part that grows with the batch alone.
  @inline(always)
  func decode(_ batch: Double) -> Double {
    let table = decodeTable.span
    // Below 512, so that 32 bits hold it.
    guard batch >= 0, batch < Double(Self.tableSize - 1) else {
      // Without the model, which a call would copy.
      let beyond = Self.beyond(table, batch)
      return batch < 0 ? beyond : decodeFactor * beyond + perStep + perRequest * batch
    }
    let lower = Int(Int32(truncatingIfNeeded: Int(batch)))
    let share = batch - Double(lower)
    guard share > 0 else { return decodeFactor * table[lower] + perStep + perRequest * batch }
    let between = table[lower] + share * (table[lower + 1] - table[lower])
    return decodeFactor * between + perStep + perRequest * batch
  }

  /// What would stand beyond the table.
  private static func beyond(_ table: Span<Double>, _ batch: Double) -> Double {
    let last = tableSize - 1
    guard !(batch < 0) else { return table[0] }
    return table[last] + (table[last] - table[last - 1]) * (batch - Double(last))
  }

  // MARK: - Coefficients, for a batch of engines

  /// Per prompt token and decoding request.
  var perDecodingToken: Double { perDecodingTokens / 1000 }
  /// Per prompt token over `StepFeature.prefillKnots[index]`.
  func knot(_ index: Int) -> Double { knots[index] }
}
