internal import CoefficientFile

/// Learns the step lengths of an engine whose model borrows from other types, while it serves.
///
/// Every gap between two seen step ends, and every answer, whose tokens count its steps, is a linear
/// equation in a few deviations from the fitted step model: of its decode part, of how it grows with
/// batch and context, of its prefill part, of what other endpoints cost it. A Kalman filter holds
/// what is believed of them; it starts at the fitted model, and as doubtful as that is.
struct StepLearning: Sendable {
  /// What a number of steps computes, as ms of the fitted model by ``Part``.
  typealias Work = SIMD8<Double>

  /// The place of each deviation in a ``Work``.
  enum Part {
    static let decode = 0
    static let batch = 1
    static let context = 2
    static let prefill = 3
    static let others = 4
    static let step = 5
    static let count = 6
  }

  /// The fitted model.
  let fitted: StepModel
  /// The fitted base step, ms: the scale of the additive parts, and what each step adds to the last.
  let base: Double
  /// How much of the fitted model is borrowed of other types, 0…1.
  let doubt: Double
  /// The factors of the fitted model itself.
  private let origin: Work
  private(set) var deviation = Work()
  private var covariance: [6 of Work]
  /// What all steps so far have computed.
  private(set) var work = Work()
  /// The same until the last boundary; that from which a new model was installed is not known.
  var workAtBoundary = Work(repeating: .nan)

  /// Believes `engine` as far as it is its own; `nil` where that leaves no doubt.
  init?(_ engine: EngineModel, fitted: StepModel) {
    let doubt = Self.doubt(engine)
    guard doubt > 0, let base = engine.stepCoefficients.first, base > 0 else { return nil }
    self.fitted = fitted
    self.base = base
    self.doubt = doubt
    origin = Work(1, 0, 1, 1, fitted.perOther * Self.otherScale / base, 0, 0, 0)
    let widths = Self.widths * doubt
    covariance = [6 of Work](repeating: Work(repeating: 0))
    for part in 0..<Part.count { covariance[part][part] = widths[part] * widths[part] }
  }

  /// Who learns for `engine`: one where it leaves doubt, else none.
  static func learners(_ engine: EngineModel, fitted: StepModel) -> [StepLearning] {
    StepLearning(engine, fitted: fitted).map { [$0] } ?? []
  }

  // MARK: - Work

  /// The engine ran `step`.
  mutating func add(_ step: StepComposition) { work += work(of: step) }

  /// The engine ran steps without prompts.
  mutating func add(steps: Double, batch: Double, context: Double, others: Double) {
    work += steps * decodeWork(batch: batch, context: context, others: others)
  }

  /// The engine computed the rest of a prompt, in steps that are not known.
  mutating func add(restOf prompt: EngineEmulator.QueuedPrompt) {
    var step = StepComposition()
    step.addPrefill(prompt.remainingTokens, context: prompt.promptTokens)
    work[Part.prefill] += fitted.prefill(of: step)
  }

  /// What `step` computes.
  @inline(always)
  func work(of step: StepComposition) -> Work {
    var work = decodeWork(
      batch: step.decodingRequests, context: step.contextTokens, others: step.otherDecodingRequests)
    if step.prefillTokens > 0 { work[Part.prefill] = fitted.prefill(of: step) }
    return work
  }

  /// What a step without prompts computes.
  @inline(always)
  func decodeWork(batch: Double, context: Double, others: Double) -> Work {
    Work(
      fitted.decode(batch), batch * base / Self.batchScale, fitted.perContext * context, 0,
      others * base / Self.otherScale, base, 0, 0)
  }

  // MARK: - Beliefs

  /// The step model as it is believed now.
  var believed: StepModel {
    let factors = origin + deviation
    return fitted.scaled(
      decode: bounded(factors[Part.decode]), perStep: factors[Part.step] * base,
      perRequest: factors[Part.batch] * base / Self.batchScale,
      context: bounded(factors[Part.context]), prefill: bounded(factors[Part.prefill]),
      perOther: factors[Part.others] * base / Self.otherScale)
  }

  private func bounded(_ factor: Double) -> Double { min(max(factor, 0.2), 5) }

  /// Learns that `work` took `elapsed` ms, give or take `noise` ms.
  ///
  /// - Complexity: O(parts²), no allocation.
  mutating func observe(_ work: Work, elapsedMilliseconds elapsed: Double, noise: Double) {
    guard elapsed.isFinite, noise > 0, noise.isFinite else { return }
    var image = Work(repeating: 0)
    for part in 0..<Part.count { image[part] = (covariance[part] * work).sum() }
    var variance = (work * image).sum() + noise * noise
    let surprise = elapsed - ((origin + deviation) * work).sum()
    guard variance > 0, variance.isFinite, surprise.isFinite else { return }
    // What surprises more is believed less, and leaves more doubt.
    variance *= max(1, abs(surprise) / (Self.clip * variance.squareRoot()))
    let gain = image / variance
    let moved = deviation + gain * surprise
    guard moved.sum().isFinite else { return }
    deviation = moved
    for part in 0..<Part.count {
      covariance[part] -= gain[part] * image
      covariance[part][part] += Self.drift * Self.widths[part] * Self.widths[part]
    }
  }

  /// The standard deviation of what `work` is believed to take, ms.
  func doubt(of work: Work) -> Double {
    var variance = 0.0
    for part in 0..<Part.count { variance += work[part] * (covariance[part] * work).sum() }
    return max(0, variance).squareRoot()
  }

  /// How much of the step model is borrowed of other types, 0…1.
  ///
  /// What is borrowed widens all half-widths alike; few data, only those of some coefficients.
  static func doubt(_ engine: EngineModel) -> Double {
    var (least, count) = (Double.infinity, 0)
    for index in engine.stepCoefficients.indices where index < engine.stepHalfWidths.count {
      let size = abs(engine.stepCoefficients[index])
      guard size > 0 else { continue }
      least = min(least, Double(engine.stepHalfWidths[index]) / size)
      guard least > knownWidth else { return 0 }
      count += 1
    }
    guard count > 1, least.isFinite else { return 0 }
    return min(max((least - knownWidth) / (borrowedWidth - knownWidth), 0), 1)
  }

  /// The least relative half-width of an engine in no doubt: few data alone leave as much.
  private static let knownWidth = 0.06
  /// That of one which has next to no requests of its own.
  private static let borrowedWidth = 0.15
  /// By what the parts of an engine of which nothing is known deviate.
  private static let widths = Work(0.3, 0.3, 0.5, 0.3, 0.1, 0.2, 0, 0)
  /// The requests in a batch at which its additive part would equal the base step.
  private static let batchScale = 32.0
  /// The same of requests on other endpoints.
  private static let otherScale = 100.0
  /// Surprises beyond as many standard deviations say no more.
  private static let clip = 1.5
  /// How much of the variance of an engine of which nothing is known comes back with each equation:
  /// engines change, and believe too soon what agrees with them.
  private static let drift = 1e-4
}

/// Where an engine stands: what lies between two such is what it did meanwhile.
struct StepMark: Sendable {
  /// Its steps so far.
  var steps = 0.0
  /// What they have computed.
  var work = StepLearning.Work()

  /// Nothing that can be compared.
  static let unknown = StepMark(steps: .nan, work: StepLearning.Work(repeating: .nan))
}
