internal import CoefficientFile
internal import FleetSimulation
internal import LinearAlgebra
internal import LogReplay
internal import RequestLog
internal import RoutingRuntime

/// Learns step lengths from the steps that a simulation of the log says requests waited for.
///
/// Simulated under the logged decisions, each request spends its TTFT and its decoding in known
/// steps, those included that later requests lengthened; both times are linear in the step
/// coefficients. What the log says of them gives new coefficients, and those new steps. A
/// forecast at dispatch cannot know who joins later and puts that into its coefficients; here it is
/// in the steps.
///
/// - Complexity: one simulation and O(*n p²*) per round.
struct StepRegression {
  let bench: CalibrationBench

  /// Step features, and one column for the delay before the queue.
  private static let size = StepFeature.count + 1
  private static let delayColumn = StepFeature.count
  private static let fewestRows = 200

  /// Which coefficients are learned from which times, the others being given.
  enum Part: Sendable {
    /// What prompts add and the delay, from TTFT.
    case prefill
    /// The step, its batch and its context, from the time between first and last token.
    case decode

    var columns: [Int] {
      switch self {
      case .prefill: [3, 4, 5, 6] + Array(18..<25) + [delayColumn]
      case .decode: [0, 1, 2] + Array(8..<18) + Array(StepFeature.bumps)
      }
    }
  }

  /// The normal equations of one class and part.
  private struct Sums {
    let columns: [Int]
    var gram: Matrix
    var moment: [Double]
    var count = 0

    init(_ part: Part) {
      columns = part.columns
      gram = Matrix(rowCount: columns.count, columnCount: columns.count)
      moment = [Double](repeating: 0, count: columns.count)
    }
  }

  /// `guess` with the coefficients and delays that its own steps lead to.
  ///
  /// - Parameters:
  ///   - support: Per class, what the log has seen.
  ///   - parts: What is learned, in this order.
  func refined(
    _ guess: FleetGuess, support: [StepSupport], parts: [Part], rounds: Int
  ) -> FleetGuess {
    var result = guess
    for _ in 0..<rounds {
      let (outcomes, runs) = bench.trace(result)
      let histories = runs.map(StepHistory.init)
      for index in result.classes.indices {
        for part in parts {
          let guess = result.classes[index]
          let sums = equations(part, outcomes, histories, guess, classIndex: index)
          guard sums.count >= Self.fewestRows, let solution = Self.solve(sums) else { continue }
          var coefficients = guess.configuration(blockTokens: 1).engine.stepCoefficients
          var delay = guess.delay
          for (value, column) in zip(solution, sums.columns) {
            if column == Self.delayColumn {
              delay = max(0, value)
            } else {
              coefficients[column] = value
            }
          }
          coefficients[0] = max(coefficients[0], Self.shortestStep)
          result.classes[index].take(
            coefficients: support[index].sane(coefficients), delay: delay)
        }
      }
    }
    return result
  }

  private static let shortestStep = 0.2

  // MARK: - Equations

  private func equations(
    _ part: Part, _ outcomes: [RequestOutcome], _ histories: [StepHistory], _ guess: ClassGuess,
    classIndex: Int
  ) -> Sums {
    var sums = Sums(part)
    let engine = guess.configuration(blockTokens: bench.log.blockTokens).engine
    let downlink = max(engine.downlinkMilliseconds, 0)
    var steps = [Double](repeating: 0, count: Self.size)
    let previous = engine.stepCoefficients + [guess.delay]
    for row in bench.judged where bench.log.replay.isComplete(row) {
      let endpoint = bench.log.endpoint(ofRow: row)
      let outcome = outcomes[row - bench.rows.lowerBound]
      guard endpoint >= 0, bench.classOfEndpoint[endpoint] == classIndex,
        outcome.status == .completed
      else { continue }
      let logged = bench.log.replay.rows[row]
      let sent = outcome.arrivalMilliseconds
      let token = sent + outcome.ttftMilliseconds - downlink
      switch part {
      case .prefill:
        let ttft = logged.ttftMilliseconds - bench.log.replay.dispatchDelay(row) - downlink
        histories[endpoint].difference(from: sent + guess.delay, to: token, into: &steps)
        steps[Self.delayColumn] = 1
        Self.add(steps, target: ttft, previous: previous, to: &sums)
      case .decode:
        guard logged.outputTokens >= 2 else { continue }
        let end = sent + outcome.e2eMilliseconds - downlink
        histories[endpoint].difference(from: token, to: end, into: &steps)
        Self.add(
          steps, target: logged.e2eMilliseconds - logged.ttftMilliseconds, previous: previous,
          to: &sums)
      }
    }
    return sums
  }

  /// One equation, weighted by its relative error under the previous coefficients.
  private static func add(
    _ row: [Double], target: Double, previous: [Double], to sums: inout Sums
  ) {
    guard target > 0 else { return }
    var predicted = 0.0
    for column in 0..<size { predicted += row[column] * previous[column] }
    // Relative to both, so that neither the short nor the long is favoured.
    let scale = 0.5 * (target + max(predicted, 0)) + 1
    let residual = abs(target - predicted) / scale
    let weight = min(1, huber / max(residual, 1e-9)) / (scale * scale)
    var left = target - predicted
    for column in sums.columns { left += row[column] * previous[column] }
    for (position, column) in sums.columns.enumerated() where row[column] != 0 {
      let weighted = weight * row[column]
      sums.moment[position] += weighted * left
      for other in 0...position {
        sums.gram[position, other] += weighted * row[sums.columns[other]]
      }
    }
    sums.count += 1
  }

  private static let huber = 0.2

  private static func solve(_ sums: Sums) -> [Double]? {
    var gram = sums.gram
    for (position, column) in sums.columns.enumerated() {
      for other in 0..<position { gram[other, position] = gram[position, other] }
      gram[position, position] *= 1 + ridge
      gram[position, position] += precision(column)
    }
    return (try? SymmetricSolver(gram, tolerance: 1e-10))?.solve(sums.moment)
  }

  private static let ridge = 1e-6

  /// How surely a bend, a jump or an interaction is small, before any data.
  private static func precision(_ column: Int) -> Double {
    let size: Double
    switch column {
    case 6: size = 0.01
    case 8..<15: size = 0.1
    case 15..<18: size = 1
    case 18..<24: size = 0.01
    case StepFeature.bumps: size = 0.2
    default: return 0
    }
    return (relativeError / size) * (relativeError / size)
  }

  private static let relativeError = 0.1
}

/// What one engine's steps computed until any moment.
struct StepHistory {
  private let runs: [EngineRun]
  /// Before each run, shape `[runs + 1, StepFeature.count]`.
  private var sums: [Double]

  init(_ runs: [EngineRun]) {
    self.runs = runs
    let size = StepFeature.count
    sums = [Double](repeating: 0, count: (runs.count + 1) * size)
    var running = [Double](repeating: 0, count: size)
    for (index, run) in runs.enumerated() {
      run.accumulate(weight: 1, into: &running)
      for column in 0..<size { sums[(index + 1) * size + column] = running[column] }
    }
  }

  /// What was computed between two moments; of a run that lies in both, its share of the time.
  ///
  /// - Parameter row: Shape at least `[StepFeature.count]`; its first elements are set.
  func difference(from start: Double, to end: Double, into row: inout [Double]) {
    let size = StepFeature.count
    let (first, firstShare) = position(start)
    let (last, lastShare) = position(end)
    for column in 0..<size {
      row[column] =
        value(last, lastShare, column, size) - value(first, firstShare, column, size)
    }
  }

  private func value(_ run: Int, _ share: Double, _ column: Int, _ size: Int) -> Double {
    let before = sums[run * size + column]
    guard share > 0 else { return before }
    return before + share * (sums[(run + 1) * size + column] - before)
  }

  /// The run at `time` and the share of it that is done; the next one's beginning between runs.
  private func position(_ time: Double) -> (run: Int, share: Double) {
    var (low, high) = (0, runs.count)
    while low < high {
      let middle = (low + high) / 2
      if runs[middle].end <= time { low = middle + 1 } else { high = middle }
    }
    guard low < runs.count, time > runs[low].start else { return (low, 0) }
    return (low, (time - runs[low].start) / max(runs[low].end - runs[low].start, 1e-9))
  }
}
