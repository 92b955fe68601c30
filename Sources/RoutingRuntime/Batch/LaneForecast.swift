/// ``EngineForecast`` of one prompt on eight engines at once.
struct LaneForecast: Sendable {
  var queue = Lanes(repeating: 0)
  var prefill = Lanes(repeating: 0)
  var phase = Lanes(repeating: 0)
  var miss = Lanes(repeating: 0)
  var caught = Lanes(repeating: 0)
  var slot = Lanes(repeating: 0)
  var decodeStep = Lanes(repeating: 0)
  var decodingAfter = Lanes(repeating: 0)
  var contextAfter = Lanes(repeating: 0)

  /// The forecasts at `time`, by the formulas of ``EngineForecaster``.
  ///
  /// - Parameter newTokens: Per endpoint, at least 1.
  /// - Complexity: O(steps of the longest prompt), no allocation.
  init(
    _ columns: LaneColumns, group: Int, promptTokens: Double, newTokens: Lanes, at time: Double
  ) {
    let isBusy = columns[group, .isBusy]
    let stepStart = columns[group, .stepStart]
    let stepEnd = columns[group, .stepEnd]
    let arrival = columns[group, .uplink] + time
    let running = arrival - stepStart
    let expectedEnd = larger(stepEnd, arrival + EngineEmulator.overdueShare * running)
    queue = isBusy * larger(zero, expectedEnd + columns[group, .afterEnd] - arrival)
    slot = smaller(columns[group, .slot], queue)

    let length = stepEnd - stepStart
    phase = isBusy * (expectedEnd - arrival)
    let blur = 0.25 + columns[group, .blur] * length
    miss = isBusy * length * Self.sigmoid((0.3 - phase) / blur)
    caught = isBusy * length * Self.sigmoid((0.0 - running) / blur)
    compute(columns, group, promptTokens: promptTokens, newTokens: newTokens)
  }

  private var zero: Lanes { Lanes(repeating: 0) }

  private static func sigmoid(_ x: Lanes) -> Lanes { 0.5 * (1 + x / (1 + x * x).squareRoot()) }

  /// The prompt's own steps.
  private mutating func compute(
    _ columns: LaneColumns, _ group: Int, promptTokens: Double, newTokens: Lanes
  ) {
    let shortest = Lanes(repeating: StepModel.shortestMilliseconds)
    let slowness = columns[group, .slowness]
    let perContext = columns[group, .perContext]
    var taken = smaller(newTokens, columns[group, .budget])
    var left = newTokens
    // Σ tokens × context, in millions, of the tokens taken.
    var attention =
      columns[group, .attention] + 1e-6 * taken * (promptTokens - left + 0.5 * taken)
    var step =
      columns[group, .base]
      + prefillPart(
        columns, group, tokens: columns[group, .tokens] + taken, attention: attention,
        slope: columns[group, .tokenSlope])
    left -= taken
    prefill = larger(step, shortest)
    let batch = columns[group, .laterBatch]
    var context = columns[group, .laterContext]
    while any(left .> 0) {
      let isOn = left .> 0
      taken = smaller(left, columns[group, .laterBudget])
      attention = 1e-6 * taken * (promptTokens - left + 0.5 * taken)
      step =
        columns[group, .laterBase] + perContext * context
        + prefillPart(
          columns, group, tokens: taken, attention: attention,
          slope: columns[group, .laterTokenSlope])
      prefill.replace(with: prefill + larger(step, shortest), where: isOn)
      context.replace(with: context + batch, where: isOn)
      left.replace(with: left - taken, where: isOn)
    }
    prefill *= slowness
    decodingAfter = batch + 1
    contextAfter = context + promptTokens
    decodeStep =
      slowness
      * larger(columns[group, .decodeBase] + perContext * contextAfter, shortest)
  }

  private func prefillPart(
    _ columns: LaneColumns, _ group: Int, tokens: Lanes, attention: Lanes, slope: Lanes
  ) -> Lanes {
    var part = slope * tokens + columns[group, .perAttention] * attention
    part += columns[group, .anyPrefill]
    part += columns[group, .knot0] * larger(zero, tokens - StepFeature.prefillKnots[0])
    part += columns[group, .knot1] * larger(zero, tokens - StepFeature.prefillKnots[1])
    part += columns[group, .knot2] * larger(zero, tokens - StepFeature.prefillKnots[2])
    part += columns[group, .knot3] * larger(zero, tokens - StepFeature.prefillKnots[3])
    part += columns[group, .knot4] * larger(zero, tokens - StepFeature.prefillKnots[4])
    part += columns[group, .knot5] * larger(zero, tokens - StepFeature.prefillKnots[5])
    return part
  }
}
