internal import FleetSimulation
internal import LogReplay
internal import RequestLog

/// Looks for where a simulation that failed its proof departs from the log.
struct ProofDiagnosis {
  private(set) var sentences: [String] = []

  init(_ log: TuningLog, _ outcomes: [RequestOutcome], firstRow: Int, judged: Range<Int>) {
    let before = firstRow..<judged.lowerBound
    let seen = SimulationComparison(log, outcomes, firstRow: firstRow, rows: before)
    let whole = SimulationComparison(log, outcomes, firstRow: firstRow, rows: judged)
    compareTimes(seen, whole)
    compareLoads(log, before: before, judged: judged)
    compareStretches(log, outcomes, firstRow: firstRow, judged: judged)
    compareSpeeds(log, outcomes, firstRow: firstRow, judged: judged)
    compareCaches(whole)
  }

  /// A deviation that the calibration's own time shows, too, is the model's; another is the time's.
  private mutating func compareTimes(_ seen: SimulationComparison, _ judged: SimulationComparison) {
    let (early, late) = (Self.meanRatio(seen.e2e), Self.meanRatio(judged.e2e))
    guard early.isFinite, late.isFinite, abs(late - 1) > 0.03 else { return }
    if abs(early - 1) < 0.5 * abs(late - 1) {
      sentences.append(
        "Mean E2E was right to \(Self.percent(early - 1)) in the time that was calibrated on: "
          + "the endpoints or the load have changed since.")
    } else {
      sentences.append(
        "Mean E2E was \(Self.percent(early - 1)) in the time that was calibrated on, too: "
          + "the engine's model does not fit these engines.")
    }
  }

  private mutating func compareLoads(
    _ log: TuningLog, before: Range<Int>, judged: Range<Int>
  ) {
    let (early, late) = (Self.rate(log, before), Self.rate(log, judged))
    guard early > 0, late > 0, late / early > 1.15 || late / early < 0.87 else { return }
    sentences.append(
      "Requests arrived at \(Self.number(late)) a second, \(Self.number(late / early)) times as "
        + "fast as in the time before.")
  }

  /// How much of the deviation comes from the few stretches that deviate most.
  private mutating func compareStretches(
    _ log: TuningLog, _ outcomes: [RequestOutcome], firstRow: Int, judged: Range<Int>
  ) {
    guard judged.count >= 20 * Self.stretches else { return }
    var deviations: [(excess: Double, queued: Double)] = []
    for index in 0..<Self.stretches {
      let start = judged.lowerBound + index * judged.count / Self.stretches
      let end = judged.lowerBound + (index + 1) * judged.count / Self.stretches
      let part = SimulationComparison(log, outcomes, firstRow: firstRow, rows: start..<end)
      let excess = zip(part.ttft.simulated, part.ttft.logged).reduce(0) { $0 + $1.0 - $1.1 }
      let logged = part.ttft.logged.reduce(0, +)
      deviations.append((excess, logged / Double(max(part.ttft.logged.count, 1))))
    }
    let total = deviations.reduce(0) { $0 + abs($1.excess) }
    deviations.sort { abs($0.excess) > abs($1.excess) }
    let worst = deviations.prefix(Self.stretches / 10)
    let share = total > 0 ? worst.reduce(0) { $0 + abs($1.excess) } / total : 0
    let mean = worst.reduce(0) { $0 + $1.queued } / Double(max(worst.count, 1))
    guard share > 0.4 else { return }
    sentences.append(
      "\(Self.percent(share, isSigned: false)) of the TTFT deviation comes from a tenth of the "
        + "requests, whose logged TTFT averages \(Self.number(mean)) ms: in overload, queues add up "
        + "small differences in speed.")
  }

  /// Engines that are now quicker, now slower than one model says.
  private mutating func compareSpeeds(
    _ log: TuningLog, _ outcomes: [RequestOutcome], firstRow: Int, judged: Range<Int>
  ) {
    guard judged.count >= 20 * Self.stretches else { return }
    var ratios: [Double] = []
    for index in 0..<Self.stretches {
      let start = judged.lowerBound + index * judged.count / Self.stretches
      let end = judged.lowerBound + (index + 1) * judged.count / Self.stretches
      let part = SimulationComparison(log, outcomes, firstRow: firstRow, rows: start..<end)
      let logged = SimulationComparison.Pair.quantile(part.tpot.logged, 0.5)
      if logged > 0 {
        ratios.append(SimulationComparison.Pair.quantile(part.tpot.simulated, 0.5) / logged)
      }
    }
    let low = SimulationComparison.Pair.quantile(ratios, 0.1)
    let high = SimulationComparison.Pair.quantile(ratios, 0.9)
    guard high - low > 0.1 else { return }
    sentences.append(
      "From stretch to stretch the simulated TPOT lies between \(Self.percent(low - 1)) and "
        + "\(Self.percent(high - 1)) of the logged: the engines' speed varies with the time.")
  }

  private mutating func compareCaches(_ judged: SimulationComparison) {
    let ratio = Self.meanRatio(judged.cached)
    guard ratio.isFinite, abs(ratio - 1) > 0.02 else { return }
    sentences.append(
      "The simulated caches found \(Self.percent(ratio - 1)) of the logged tokens: evictions, or "
        + "the sharing of answers, differ.")
  }

  private static let stretches = 40

  private static func meanRatio(_ pair: SimulationComparison.Pair) -> Double {
    let logged = SimulationComparison.Pair.mean(pair.logged)
    return logged > 0 ? SimulationComparison.Pair.mean(pair.simulated) / logged : .nan
  }

  /// Requests per second.
  private static func rate(_ log: TuningLog, _ rows: Range<Int>) -> Double {
    guard rows.count > 1 else { return 0 }
    let time =
      log.replay.dispatchTime(rows.upperBound - 1) - log.replay.dispatchTime(rows.lowerBound)
    return time > 0 ? 1000 * Double(rows.count) / time : 0
  }

  // MARK: - Words

  /// A share as a percentage.
  static func percent(_ share: Double, isSigned: Bool = true) -> String {
    guard share.isFinite else { return "–" }
    let tenths = Int((abs(share) * 1000).rounded())
    let sign = share < 0 ? "−" : isSigned ? "+" : ""
    return "\(sign)\(tenths / 10).\(tenths % 10) %"
  }

  /// A number to three places that matter.
  static func number(_ value: Double) -> String {
    guard value.isFinite, abs(value) < 1e15 else { return "–" }
    if abs(value) >= 100 { return "\(Int(value.rounded()))" }
    let hundredths = Int((abs(value) * 100).rounded())
    let fraction = hundredths % 100
    return "\(value < 0 ? "−" : "")\(hundredths / 100).\(fraction < 10 ? "0" : "")\(fraction)"
  }
}
