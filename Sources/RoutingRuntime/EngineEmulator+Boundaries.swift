internal import CoefficientFile
internal import Glibc

/// What a step's end that was seen says: when the next one is, and how slow the engine is.
extension EngineEmulator {
  /// Moves the step boundary nearest to `boundary` there.
  mutating func resynchronize(at boundary: Double, endedRequest: Bool = false) {
    guard isBusy else { return }
    let length = stepEnd - stepStart
    if boundary - stepStart < 0.5 * length {
      stepStart = boundary
      if endedRequest {
        current.decodingRequests = decodingRequests
        current.contextTokens = contextTokens
        stepEnd = boundary + stepModel.length(of: current) * slowness
      } else {
        stepEnd = boundary + length
      }
    } else {
      completeStep()
      stepEnd = boundary
    }
  }

  /// Compares the time since the last boundary with the steps predicted in it.
  mutating func observeBoundary(
    _ boundary: Double, isClean: Bool, weight: Double = 1
  ) {
    let elapsed = boundary - lastBoundary
    if isGapClean, isClean, stepsSinceBoundary > 0, elapsed > 0 {
      trace?.record(elapsedMilliseconds: elapsed, predictedMilliseconds: predictedSinceBoundary)
      // Calibration learns the steps themselves: nothing may stand between them and the gaps.
      if trace == nil, stepsSinceBoundary <= Self.trackedSteps {
        let surprise = (elapsed / predictedSinceBoundary - 1) / Self.surpriseScale
        slownessLogarithm += weight * Self.trackingStep * min(max(surprise, -1), 1)
        slownessLogarithm = min(max(slownessLogarithm, -1.5), 1.5)
        let outside = max(0, abs(slownessLogarithm) - deadZone)
        slowness = exp(slownessLogarithm < 0 ? -outside : outside)
        learn(gap: elapsed, weight: weight)
      }
    }
    if isLearning { learners[0].workAtBoundary = learners[0].work }
    trace?.clear()
    lastBoundary = boundary
    stepsSinceBoundary = 0
    predictedSinceBoundary = 0
    isGapClean = true
  }

  /// Over more steps than this, a boundary may belong to the step before or after.
  private static let trackedSteps = 3.0
  /// A gap moves ``slowness`` by at most this, on the log scale: it follows the median gap.
  private static let trackingStep = 0.004
  /// Chunks are many, and should not make ``slowness`` follow noise.
  static let chunkWeight = 0.2
  /// What comes back within this share of a step after its start left with the step before.
  static let sameEndShare = 0.2
  /// Relative surprise that moves it fully.
  private static let surpriseScale = 0.1
  /// The dead zone of an engine whose steps are well known.
  private static let widestDeadZone = 0.2
  /// Relative half-widths of the base step at which the dead zone begins to narrow, and is none.
  private static let knownWidth = 0.015
  private static let unknownWidth = 0.05

  /// An engine whose steps are not well known believes what it sees; of others, it may be noise.
  ///
  /// One that learns its steps part by part leaves noise, too.
  static func deadZone(_ engine: EngineModel, isLearning: Bool) -> Double {
    guard !isLearning, let step = engine.stepCoefficients.first,
      let width = engine.stepHalfWidths.first, step > 0
    else { return widestDeadZone }
    let share = (unknownWidth - Double(width) / step) / (unknownWidth - knownWidth)
    return widestDeadZone * min(max(share, 0), 1)
  }

  /// What the next step decodes; without queued prompts that is all of it.
  @inline(always)
  var nextStep: StepComposition {
    var step = StepComposition()
    step.decodingRequests = decodingRequests
    step.contextTokens = contextTokens + (isBusy ? decodingRequests : 0)
    step.otherDecodingRequests = otherDecodingRequests
    return step
  }

  /// The prompt tokens that fit into a step beside so many requests, at least 1.
  @inline(always)
  func budget(beside batch: Double) -> Double { max(tokenBudget - batch, 1) }
}
