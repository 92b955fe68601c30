/// ``EngineForecast`` of one prompt on a group's engines at once.
struct LaneForecast: Sendable {
  var queue = all(0)
  var prefill = all(0)
  var decodeStep = all(0)
  var contextAfter = all(0)

  /// The forecasts at `time`, by the formulas of ``EngineForecaster``.
  ///
  /// - Parameters:
  ///   - newTokens: Per endpoint, at least 1.
  ///   - hasLargeSteps: Whether some engine's steps may reach the upper three knots.
  /// - Complexity: O(steps of the longest prompt), no allocation.
  @inline(always)
  init(
    _ rows: LaneRows, promptTokens: Double, newTokens: Lanes, hasLargeSteps: Bool, at time: Double
  ) {
    let arrival = rows[.uplink] + time
    let expectedEnd = larger(
      rows[.stepEnd], arrival + EngineEmulator.overdueShare * (arrival - rows[.stepStart]))
    queue = rows[.isBusy] * larger(all(0), expectedEnd + rows[.afterEnd] - arrival)
    compute(rows, promptTokens: promptTokens, newTokens: newTokens, hasLargeSteps)
  }

  /// A smooth step from 0 to 1 over `width`.
  @inline(always)
  static func sigmoid(_ x: Lanes, width: Lanes) -> Lanes {
    0.5 + 0.5 * x / (width * width + x * x).squareRoot()
  }

  /// The prompt's own steps.
  @inline(always)
  private mutating func compute(
    _ rows: LaneRows, promptTokens: Double, newTokens: Lanes, _ hasLargeSteps: Bool
  ) {
    let taken = smaller(newTokens, rows[.budget])
    // Σ tokens × context, in millions, of the tokens taken.
    let attention =
      rows[.attention] + 1e-6 * taken * (promptTokens - newTokens + 0.5 * taken)
    let step =
      rows[.base]
      + Self.prefillPart(
        rows, tokens: rows[.tokens] + taken, attention: attention, slope: rows[.tokenSlope],
        hasLargeSteps)
    let left = newTokens - taken
    prefill = larger(step, all(StepModel.shortestMilliseconds))
    contextAfter = rows[.laterContext]
    if largest(left) > 0 { goOn(rows, promptTokens: promptTokens, left: left, hasLargeSteps) }
    let slowness = rows[.slowness]
    prefill *= slowness
    contextAfter += promptTokens
    decodeStep =
      slowness
      * larger(
        rows[.decodeBase] + rows[.perContext] * contextAfter,
        all(StepModel.shortestMilliseconds))
  }

  /// The steps after the first.
  private mutating func goOn(
    _ rows: LaneRows, promptTokens: Double, left: Lanes, _ hasLargeSteps: Bool
  ) {
    var left = left
    repeat {
      let taken = smaller(larger(left, all(0)), rows[.laterBudget])
      let attention = 1e-6 * taken * (promptTokens - left + 0.5 * taken)
      let step =
        rows[.laterBase] + rows[.perContext] * contextAfter
        + Self.prefillPart(
          rows, tokens: taken, attention: attention, slope: rows[.laterTokenSlope], hasLargeSteps)
      let length = larger(step, all(StepModel.shortestMilliseconds))
      prefill += choose(left, above: 0, length, all(0))
      contextAfter += choose(left, above: 0, rows[.laterBatch], all(0))
      left -= taken
    } while largest(left) > 0
  }

  @inline(always)
  private static func prefillPart(
    _ rows: LaneRows, tokens: Lanes, attention: Lanes, slope: Lanes, _ hasLargeSteps: Bool
  ) -> Lanes {
    var part = slope * tokens + rows[.perAttention] * attention
    part += rows[.anyPrefill]
    part += rows[.knot0] * larger(all(0), tokens - StepFeature.prefillKnots[0])
    part += rows[.knot1] * larger(all(0), tokens - StepFeature.prefillKnots[1])
    part += rows[.knot2] * larger(all(0), tokens - StepFeature.prefillKnots[2])
    guard hasLargeSteps else { return part }
    part += rows[.knot3] * larger(all(0), tokens - StepFeature.prefillKnots[3])
    part += rows[.knot4] * larger(all(0), tokens - StepFeature.prefillKnots[4])
    part += rows[.knot5] * larger(all(0), tokens - StepFeature.prefillKnots[5])
    return part
  }
}
