internal import CoefficientFile
internal import LogReplay
internal import RequestLog
internal import RoutingRuntime

/// Which batches and prompts a log has seen, and step coefficients that are sane beyond them.
///
/// A regression is free to say anything of batches that the log hardly has: a slope and a jump at
/// one knot cancel where there are data and part ways right behind. Another policy goes there. So
/// bends outside of what was seen are dropped, and the slope at the border goes on, never falling.
struct StepSupport {
  /// Requests decoded at one time, from and to.
  var decoding: ClosedRange<Double>
  /// A quarter of the time fewer were decoded.
  var lowerQuartile: Double
  /// The most prompt tokens of a step.
  var prefill: Double

  private static let slope = 1
  private static let hinges = 8..<15
  private static let jumps = 15..<18
  private static let prefillSlope = 3
  private static let prefillHinges = 18..<24
  private static let attentionSlope = 4
  private static let attentionHinges = 24..<25
  private static let hingeKnots = [4.0, 8, 16, 32, 48, 64, 128]
  private static let jumpKnots = [8.0, 32, 64]
  private static let prefillKnots = [64.0, 256, 512, 1024, 2048, 4096]
  /// The share of the time, and of the prompts, beyond which nothing counts as seen.
  private static let tail = 0.01

  /// `given` without bends that were not seen.
  func sane(_ given: [Double]) -> [Double] {
    guard given.count >= Self.prefillHinges.upperBound else { return given }
    var result = given
    raiseLow(&result)
    for (index, knot) in zip(Self.hinges, Self.hingeKnots) where knot >= decoding.upperBound {
      result[index] = 0
    }
    for (index, knot) in zip(Self.jumps, Self.jumpKnots) where knot >= decoding.upperBound {
      result[index] = 0
    }
    // What single batch sizes deviate is small, and blurred where they are rare.
    for (batch, index) in zip(1..., StepFeature.bumps) where index < result.count {
      if Double(batch) < lowerQuartile || Double(batch) > decoding.upperBound { result[index] = 0 }
    }
    for (index, knot) in zip(Self.prefillHinges, Self.prefillKnots) where knot >= prefill {
      result[index] = 0
    }
    Self.flatten(&result, slope: Self.slope, hinges: Self.hinges)
    Self.flatten(&result, slope: Self.prefillSlope, hinges: Self.prefillHinges)
    if given.count >= Self.attentionHinges.upperBound {
      Self.flatten(&result, slope: Self.attentionSlope, hinges: Self.attentionHinges)
    }
    return result
  }

  /// Slopes of segments below what is common may not fall.
  ///
  /// What is known of them is blurred by who comes and goes. Those below all that was seen go on as their neighbour.
  private func raiseLow(_ result: inout [Double]) {
    let count = Self.hingeKnots.filter { $0 <= lowerQuartile }.count
    guard count > 0 else { return }
    var slopes = [result[Self.slope]]
    for index in Self.hinges { slopes.append(slopes[slopes.count - 1] + result[index]) }
    var value = result[0]
    for (segment, slope) in slopes.prefix(count).enumerated() {
      value += slope * (Self.hingeKnots[segment] - (segment > 0 ? Self.hingeKnots[segment - 1] : 0))
    }
    for segment in stride(from: count - 1, through: 0, by: -1) {
      let isSeen = Self.hingeKnots[segment] > decoding.lowerBound
      slopes[segment] = max(0, isSeen ? slopes[segment] : slopes[segment + 1])
      value -=
        slopes[segment]
        * (Self.hingeKnots[segment] - (segment > 0 ? Self.hingeKnots[segment - 1] : 0))
    }
    result[0] = value
    result[Self.slope] = slopes[0]
    for (position, index) in Self.hinges.enumerated() {
      result[index] = slopes[position + 1] - slopes[position]
    }
  }

  /// Raises the last hinge in use until the slope behind it is not negative.
  private static func flatten(_ result: inout [Double], slope: Int, hinges: Range<Int>) {
    let total = hinges.reduce(result[slope]) { $0 + result[$1] }
    guard total < 0 else { return }
    result[hinges.last { result[$0] != 0 } ?? slope] -= total
  }
}

extension StepSupport {
  /// Of `rows`, whose endpoints `isMember` takes.
  ///
  /// - Parameter tokenBudget: The most prompt tokens that a step takes.
  init(_ log: TuningLog, rows: Range<Int>, tokenBudget: Double, isMember: (Int) -> Bool) {
    var changes = [[(time: Double, count: Int)]](repeating: [], count: log.endpoints.count)
    var prompts: [Double] = []
    for row in rows {
      let endpoint = log.endpoint(ofRow: row)
      guard endpoint >= 0, isMember(endpoint), log.replay.isComplete(row),
        let first = log.replay.firstTokenTime(row)
      else { continue }
      changes[endpoint].append((first, 1))
      changes[endpoint].append((log.replay.endTime(row), -1))
      let logged = log.replay.rows[row]
      let new = Double(logged.inputTokens) - Double(max(logged.cachedTokens, 0))
      prompts.append(min(max(new, 1), tokenBudget))
    }
    let times = Self.times(changes)
    decoding = Self.quantile(times, Self.tail)...Self.quantile(times, 1 - Self.tail)
    lowerQuartile = Self.quantile(times, 0.25)
    prompts.sort()
    prefill =
      prompts.isEmpty
      ? .infinity : SimulationComparison.Pair.sortedQuantile(prompts, 1 - Self.tail)
  }

  /// How long each batch size lasted, ms; the idle time is left out.
  private static func times(_ changes: [[(time: Double, count: Int)]]) -> [Double] {
    var times: [Double] = []
    for endpoint in changes {
      var (count, last) = (0, 0.0)
      for change in endpoint.sorted(by: { $0.time < $1.time }) {
        while times.count <= count { times.append(0) }
        if count > 0 { times[count] += change.time - last }
        count = max(0, count + change.count)
        last = change.time
      }
    }
    return times
  }

  /// The batch size that is not exceeded for `share` of the time.
  private static func quantile(_ times: [Double], _ share: Double) -> Double {
    let total = times.reduce(0, +)
    var sum = 0.0
    for (count, time) in times.enumerated() {
      sum += time
      if sum >= share * total, sum > 0 { return Double(count) }
    }
    return 0
  }
}
