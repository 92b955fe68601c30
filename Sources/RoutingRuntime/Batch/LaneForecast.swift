/// ``EngineForecast`` of one prompt on a group's engines at once.
struct LaneForecast: Sendable {
  var queue = all(0)
  var prefill = all(0)
  var decodeStep = all(0)
  var contextAfter = all(0)
  /// Arrival at the engine → the start of the step that completes the prompt.
  var lastStep = all(0)
  /// Prompt tokens that the same step has room for besides.
  var room = all(0)

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
    var step =
      rows[.base]
      + Self.prefillPart(
        rows, tokens: rows[.tokens] + taken, attention: attention, slope: rows[.tokenSlope],
        hasLargeSteps)
    let left = newTokens - taken
    if promptTokens > StepFeature.attentionKnot {
      step += Self.farPart(rows, from: promptTokens - newTokens, to: promptTokens - left)
    }
    prefill = larger(step, all(StepModel.shortestMilliseconds))
    lastStep = prefill
    room = rows[.budget] - taken
    contextAfter = rows[.laterContext]
    if largest(left) > 0 { goOn(rows, promptTokens: promptTokens, left: left, hasLargeSteps) }
    let slowness = rows[.slowness]
    lastStep = queue + slowness * (prefill - lastStep)
    room = smaller(room, rows[.roomLimit])
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
      var step =
        rows[.laterBase] + rows[.perContext] * contextAfter
        + Self.prefillPart(
          rows, tokens: taken, attention: attention, slope: rows[.laterTokenSlope], hasLargeSteps)
      if promptTokens > StepFeature.attentionKnot {
        step += Self.farPart(rows, from: promptTokens - left, to: promptTokens - left + taken)
      }
      let length = larger(step, all(StepModel.shortestMilliseconds))
      prefill += choose(left, above: 0, length, all(0))
      lastStep = choose(left, above: 0, length, lastStep)
      room = choose(left, above: 0, rows[.laterBudget] - taken, room)
      contextAfter += choose(left, above: 0, rows[.laterBatch], all(0))
      left -= taken
    } while largest(left) > 0
  }

  /// What attention to far context costs, of the tokens from `start` to `end` of a prompt.
  private static func farPart(_ rows: LaneRows, from start: Lanes, to end: Lanes) -> Lanes {
    let near = larger(all(0), start - StepFeature.attentionKnot)
    let far = larger(all(0), end - StepFeature.attentionKnot)
    return rows[.perFarAttention] * (0.5e-6 * (far - near) * (far + near))
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
