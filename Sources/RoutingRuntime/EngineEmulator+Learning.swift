/// What step ends and answers say of the length of steps, where the model borrows of other types.
extension EngineEmulator {
  /// Learns from the time between two boundaries, ms, where its steps are surely those counted.
  ///
  /// - Parameter weight: How much one says, as a share of a first token's or an end's.
  mutating func learn(gap elapsed: Double, weight: Double) {
    guard isLearning else { return }
    let done = learners[0].work - learners[0].workAtBoundary
    let step = predictedSinceBoundary / stepsSinceBoundary
    // One step less or more would pass for quicker or slower ones.
    let isCountSure =
      stepsSinceBoundary < 1.5 || learners[0].doubt(of: done) < Self.countedDoubt * step
    guard isCountSure, abs(elapsed - predictedSinceBoundary) < Self.learnedDeviation * step else {
      return
    }
    learners[0].observe(
      done, elapsedMilliseconds: elapsed, noise: Self.gapNoise * step / weight.squareRoot())
    believe()
  }

  /// Learns from an answer, which took part in one step per token after its first.
  ///
  /// What is not certain is in which steps: it counts as so many of those that the emulator ran.
  /// The prompts that were computed meanwhile are certain, too.
  ///
  /// - Parameters:
  ///   - steps: Its tokens after the first.
  ///   - start: What was computed by its first token.
  ///   - milliseconds: Its first token → its last.
  mutating func learn(
    answerSteps steps: Double, since start: StepLearning.Work, milliseconds: Double
  ) {
    guard isLearning, steps >= Self.learnedSteps else { return }
    let base = learners[0].base
    var done = learners[0].work - start
    let counted = done[StepLearning.Part.step] / base
    guard counted > 0 else { return }
    let prefill = done[StepLearning.Part.prefill]
    done *= steps / counted
    done[StepLearning.Part.prefill] = prefill
    learners[0].observe(
      done, elapsedMilliseconds: milliseconds,
      noise: Self.answerNoise * (milliseconds + 2 * base))
    believe()
  }

  /// Whether it learns its steps.
  @inline(always)
  var isLearning: Bool { !learners.isEmpty }
  /// How much of the step model is borrowed of other types, 0…1.
  var doubt: Double { isLearning ? learners[0].doubt : 0 }
  /// Where the engine stands.
  var mark: StepMark {
    StepMark(steps: stepCount, work: isLearning ? learners[0].work : StepLearning.Work())
  }

  private mutating func believe() {
    stepModel = learners[0].believed
    version &+= 1
  }

  /// Gaps that deviate by more, in steps, may be of another number of steps.
  private static let learnedDeviation = 0.35
  /// Doubt of the length of several steps, in steps, beyond which their number is not sure.
  private static let countedDoubt = 0.15
  /// What gaps scatter by, in steps.
  private static let gapNoise = 0.2
  /// What answers scatter by, relative to their length.
  private static let answerNoise = 0.05
  /// Fewer steps are too quantized to say how long a step is.
  private static let learnedSteps = 4.0
}

extension EndpointPool {
  /// Learns from an answer that has ended how long steps are; elsewhere, whether its tokens count
  /// them.
  ///
  /// - Parameters:
  ///   - mark: Where its endpoint's engine stood at its first token.
  ///   - tpot: Its TPOT, ms.
  mutating func learn(
    _ endpoint: Int, since mark: StepMark, _ outputTokens: Double, _ tpot: Double
  ) {
    let steps = outputTokens - 1
    if !endpoints[endpoint].engine.isLearning {
      let counted = endpoints[endpoint].engine.stepCount - mark.steps
      guard outputTokens > Self.judgedOutputTokens, counted > 0 else { return }
      tokensPerStep.observe(min(max(steps / counted, 0.25), 4))
    } else if abs(tokensPerStep.value - 1) < Self.countedDeviation {
      endpoints[endpoint].learn(
        answerSteps: steps, since: mark.work, milliseconds: tpot * steps)
    }
  }

  /// How far the tokens of a step may be from 1 for answers to count steps.
  private static let countedDeviation = 0.2
}
