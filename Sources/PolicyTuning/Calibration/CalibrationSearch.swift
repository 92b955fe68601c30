internal import CoefficientFile
internal import FleetSimulation
internal import Glibc
internal import LatencyRegression
internal import LinearAlgebra
internal import LogReplay
internal import RequestLog
internal import RoutingRuntime

/// Moves a guess until its simulation resembles the log.
///
/// Under forced decisions classes do not depend on each other (but for a shared host's slowdown,
/// which is small): one simulation tries a move in all classes, and each keeps it if it helped.
struct CalibrationSearch {
  let bench: CalibrationBench
  let classes: AcceleratorClasses
  /// Per class, what the log has seen.
  let support: [StepSupport]

  init(bench: CalibrationBench, classes: AcceleratorClasses, rows: Range<Int>) {
    self.bench = bench
    self.classes = classes
    support = classes.engines.indices.map { index in
      StepSupport(bench.log, rows: rows, tokenBudget: classes.engines[index].tokenBudget) {
        bench.classOfEndpoint[$0] == index
      }
    }
  }

  /// What is uncertain about a class, 95 % half-widths as shares.
  struct HalfWidths {
    var decode = Double.nan
    var prefill = Double.nan
    var cache = Double.nan
  }

  /// The guess that a regression gives.
  func initial(_ source: FleetCalibration.Source, rows: Range<Int>) -> FleetGuess {
    let others = bench.classOfEndpoint.count > 1 ? BatchHistory(bench.log.replay, rows: rows) : nil
    var guess = FleetGuess(classes: [])
    for index in classes.names.indices {
      var engine = classes.engines[index]
      if source.isByAnswers {
        engine.stepCoefficients = answersFit(
          index, rows: rows, engine: engine, others: others,
          columns: source == .answers ? Self.columns : Self.plainColumns)
        engine.uplinkMilliseconds = min(engine.uplinkMilliseconds, 0.5)
      }
      engine.stepCoefficients = decoupled(engine.stepCoefficients, rows: rows, others: others)
      engine.stepCoefficients = support[index].sane(engine.stepCoefficients)
      guess.classes.append(ClassGuess(base: engine, source: source))
    }
    return guess
  }

  /// Step coefficients from how long answers took, none negative.
  private func answersFit(
    _ index: Int, rows: Range<Int>, engine: EngineModel, others: BatchHistory?,
    columns: [Int]
  ) -> [Double] {
    let members = bench.classOfEndpoint.indices.filter { bench.classOfEndpoint[$0] == index }
    let equations = AnswerEquations(
      bench.log.replay,
      rows: members.map { endpoint in rows.filter { bench.log.endpoint(ofRow: $0) == endpoint } },
      tokenBudget: engine.tokenBudget, batches: others)
    let tpots = rows.compactMap { row -> Double? in
      let logged = bench.log.replay.rows[row]
      return members.contains(bench.log.endpoint(ofRow: row)) && logged.outputTokens > 8
        && logged.tpotMilliseconds > 0 ? logged.tpotMilliseconds : nil
    }
    guard tpots.count >= 20 else { return engine.stepCoefficients }
    var coefficients = [Double](repeating: 0, count: StepFeature.count)
    coefficients[0] = SimulationComparison.Pair.quantile(tpots, 0.05)
    for _ in 0..<Self.regressionRounds {
      guard let normal = try? equations.normalMatrix(coefficients).selecting(columns: columns),
        let solution = try? NonNegativeLeastSquares(
          rules: ColumnRules(nonNegative: columns.map { _ in true })
        ).fit(normal)
      else { return coefficients }
      for (position, column) in columns.enumerated() {
        coefficients[column] = solution.coefficients[position]
      }
      coefficients[0] = max(coefficients[0], 0.2)
    }
    return coefficients
  }

  /// What answers can tell: step, batch and its bends, context, others, prompts.
  private static let columns = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 19, 21]

  /// Step, batch, context, prompts and their attention.
  private static let plainColumns = [0, 1, 2, 3, 4, 5]

  /// Without what other endpoints' decoding adds, where it is next to nothing.
  private func decoupled(
    _ given: [Double], rows: Range<Int>, others: BatchHistory?
  ) -> [Double] {
    var coefficients = given
    guard coefficients.count > 7, coefficients[7] != 0 else { return coefficients }
    var (sum, count) = (0.0, 0.0)
    for row in rows {
      sum += others?.count(at: bench.log.replay.dispatchTime(row)) ?? 0
      count += 1
    }
    let endpoints = Double(max(bench.classOfEndpoint.count, 1))
    let added = coefficients[7] * sum / max(count, 1) * (endpoints - 1) / endpoints
    if abs(added) < 0.02 * coefficients[0] || coefficients[7] < 0 {
      coefficients[0] += added
      coefficients[7] = 0
    }
    return coefficients
  }

  private static let regressionRounds = 6

  /// What the steps of a simulation lead to, from `start` on, with the token budget that is nearest
  /// to the log.
  ///
  /// The model's own budget stands unless another is clearly nearer.
  func replayed(from start: FleetGuess) -> FleetGuess {
    let regression = StepRegression(bench: bench)
    var first = start
    for index in first.classes.indices { first.classes[index].source = .replayedSteps }
    var best = regression.refined(
      first, support: support, parts: [.prefill], rounds: Self.stepRounds)
    bench.judge(&best)
    // Gaps between step ends show decoding best where batches are small, answers where they are not.
    var both = regression.refined(
      first, support: support, parts: [.decode, .prefill], rounds: Self.stepRounds)
    bench.judge(&both)
    let hasBoth = best.classes.indices.map { both.discrepancies[$0] < best.discrepancies[$0] }
    for index in best.classes.indices where hasBoth[index] {
      best.classes[index] = both.classes[index]
      best.discrepancies[index] = both.discrepancies[index]
    }
    for factor in [0.25, 0.5, 2] {
      var tried = best
      for index in tried.classes.indices { tried.classes[index].budgetScale = factor }
      tried = regression.refined(tried, support: support, parts: [.prefill], rounds: 2)
      bench.judge(&tried)
      for index in tried.classes.indices
      where tried.discrepancies[index] < (1 - Self.discreteGain) * best.discrepancies[index] {
        best.classes[index] = tried.classes[index]
        best.discrepancies[index] = tried.discrepancies[index]
      }
    }
    return best
  }

  private static let stepRounds = 5

  // MARK: - Search

  /// The nearest of the guesses, class by class; `nil` without any.
  ///
  /// What answers say of steps is the coarsest and must be nearer by a tenth. Few numbers go before
  /// many that are hardly nearer: another policy takes engines where the log has not been.
  func nearest(_ guesses: [FleetGuess]) -> FleetGuess? {
    guard var result = guesses.first else { return nil }
    func distance(_ guess: FleetGuess, _ index: Int) -> Double {
      let factor =
        switch guess.classes[index].source {
        case .answers: 1.1
        case .plainAnswers: 0.8
        case .stepEnds, .replayedSteps: 1.0
        }
      return factor * guess.discrepancies[index]
    }
    for guess in guesses.dropFirst() {
      for index in result.classes.indices where distance(guess, index) < distance(result, index) {
        result.classes[index] = guess.classes[index]
        result.discrepancies[index] = guess.discrepancies[index]
      }
    }
    return result
  }

  /// Coordinate search with a shrinking step.
  func refine(_ guess: inout FleetGuess, step: Double, rounds: Int) {
    bench.judge(&guess)
    let unit = classes.names.indices.map { quickTTFT($0) }
    var step = step
    for round in 0..<rounds {
      for parameter in ClassGuess.Parameter.allCases {
        if parameter.isDiscrete, round > 0 { continue }
        for direction in [step, -step] { tryMove(&guess, parameter, by: direction, unit: unit) }
      }
      step /= 2
    }
  }

  /// Moves all classes for as long as it helps any.
  private func tryMove(
    _ guess: inout FleetGuess, _ parameter: ClassGuess.Parameter, by step: Double, unit: [Double]
  ) {
    var isMoving = [Bool](repeating: true, count: guess.classes.count)
    for _ in 0..<Self.longestWalk {
      var moved = guess
      for index in guess.classes.indices where isMoving[index] {
        moved.classes[index] = guess.classes[index].moved(parameter, by: step, unit: unit[index])
      }
      bench.judge(&moved)
      for index in guess.classes.indices where isMoving[index] {
        let least =
          parameter.isDiscrete ? Self.discreteGain * guess.discrepancies[index] : 1e-5
        isMoving[index] = moved.discrepancies[index] < guess.discrepancies[index] - least
        guard isMoving[index] else { continue }
        guess.classes[index] = moved.classes[index]
        guess.discrepancies[index] = moved.discrepancies[index]
      }
      if !isMoving.contains(true) { return }
    }
  }

  private static let longestWalk = 6
  /// The share of the discrepancy that a leap must save: where the log cannot tell, none is made.
  private static let discreteGain = 0.05

  private func quickTTFT(_ index: Int) -> Double {
    let log = bench.log
    let values = bench.judged.compactMap { row -> Double? in
      let endpoint = log.endpoint(ofRow: row)
      guard endpoint >= 0, bench.classOfEndpoint[endpoint] == index, log.replay.isComplete(row)
      else { return nil }
      return log.replay.rows[row].ttftMilliseconds
    }
    let quick = SimulationComparison.Pair.quantile(values, 0.1)
    return quick.isFinite ? max(quick, 0.5) : 10
  }

  // MARK: - Cache

  /// The KV cache's size by the usage that engines reported, then by what was cached.
  ///
  /// Without reported usage the evictions alone must tell, over a wider range.
  func fitCache(_ guess: inout FleetGuess) {
    let isKnown = fitCacheToUsage(&guess)
    if !isKnown { fitCacheToEvictions(&guess, factors: Self.wideFactors, penalty: 1e-4) }
    fitCacheToEvictions(
      &guess, factors: Self.cacheFactors,
      penalty: isKnown ? Self.knownPenalty : Self.departurePenalty)
    bench.judge(&guess)
  }

  /// - Returns: Whether the log has any class's usage.
  private func fitCacheToUsage(_ guess: inout FleetGuess) -> Bool {
    var isKnown = false
    for _ in 0..<3 {
      let outcomes = bench.simulate(guess)
      for index in guess.classes.indices {
        let ratio = bench.comparison(outcomes, classIndex: index).usageRatio
        guard ratio.isFinite, ratio > 0 else { continue }
        isKnown = true
        let size = guess.classes[index].cacheTokens * min(max(ratio, 0.1), 10)
        guess.classes[index].cacheTokens = max(size, longestRequest)
      }
    }
    return isKnown
  }

  /// The size, among factors of the present one, whose evictions are nearest to the log's.
  ///
  /// - Parameter penalty: What leaving the present size by a factor of e must gain.
  private func fitCacheToEvictions(
    _ guess: inout FleetGuess, factors: [Double], penalty: Double
  ) {
    var best = guess
    var mismatches = [Double](repeating: .infinity, count: guess.classes.count)
    for retains in [true, false] {
      for factor in factors {
        var tried = guess
        for index in tried.classes.indices {
          tried.classes[index].retainsAnswers = retains
          tried.classes[index].cacheTokens =
            max(longestRequest, tried.classes[index].cacheTokens * factor)
        }
        let outcomes = bench.simulate(tried)
        for index in tried.classes.indices {
          let mismatch =
            bench.comparison(outcomes, classIndex: index).cacheMismatch
            + penalty * abs(log(factor))
          guard mismatch < mismatches[index] - 1e-4 else { continue }
          mismatches[index] = mismatch
          best.classes[index] = tried.classes[index]
        }
      }
    }
    guess = best
  }

  /// From 2 million tokens of a cache that is taken to hold a million down to 16,000.
  private static let wideFactors = [1, 2, 0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015_625]
  private static let cacheFactors = [1, 0.96, 1.04, 0.92, 1.08, 0.85, 1.18, 0.75, 1.35]
  private static let departurePenalty = 0.02
  /// Where engines report their usage: evictions depend on the order in which requests end, too.
  private static let knownPenalty = 0.1

  /// A cache holds at least the longest request that was answered.
  private var longestRequest: Double {
    bench.rows.reduce(1) { longest, row in
      let logged = bench.log.replay.rows[row]
      return max(longest, Double(logged.inputTokens) + Double(max(logged.outputTokens, 0)))
    }
  }

  // MARK: - Uncertainty

  /// How far the best factors scatter over four blocks of the time.
  func halfWidths(_ guess: FleetGuess) -> [HalfWidths] {
    let moves = [-0.06, -0.03, 0, 0.03, 0.06]
    var result = [HalfWidths](repeating: HalfWidths(), count: guess.classes.count)
    for parameter in [ClassGuess.Parameter.decodeScale, .prefillScale] {
      let runs = moves.map { step in
        var moved = guess
        for index in moved.classes.indices {
          moved.classes[index] = moved.classes[index].moved(parameter, by: step, unit: 1)
        }
        return bench.simulate(moved)
      }
      for index in guess.classes.indices {
        let width = halfWidth(runs, moves: moves, classIndex: index) { $0.discrepancy }
        if parameter == .decodeScale {
          result[index].decode = width
        } else {
          result[index].prefill = width
        }
      }
    }
    let sizes = [-0.3, -0.15, 0, 0.15, 0.3]
    let runs = sizes.map { step in
      var moved = guess
      for index in moved.classes.indices { moved.classes[index].cacheTokens *= 1 + step }
      return bench.simulate(moved)
    }
    for index in guess.classes.indices {
      result[index].cache = halfWidth(runs, moves: sizes, classIndex: index) {
        $0.usageRatio.isFinite ? abs(log($0.usageRatio)) : $0.cacheMismatch
      }
    }
    return result
  }

  /// The 95 % half-width of the mean of the blocks' best moves.
  private func halfWidth(
    _ runs: [[RequestOutcome]], moves: [Double], classIndex: Int,
    by cost: (SimulationComparison) -> Double
  ) -> Double {
    let blocks = 4
    let size = bench.judged.count / blocks
    guard size >= 50 else { return .nan }
    let optima = (0..<blocks).map { block in
      let start = bench.judged.lowerBound + block * size
      let costs = runs.map {
        cost(bench.comparison($0, classIndex: classIndex, in: start..<(start + size)))
      }
      return Self.lowest(moves, costs)
    }
    let mean = optima.reduce(0, +) / Double(blocks)
    let variance = optima.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(blocks - 1)
    // Student's t for three degrees of freedom.
    return 3.182 * (variance / Double(blocks)).squareRoot()
  }

  /// Where the parabola through the lowest cost and its neighbours is lowest.
  private static func lowest(_ moves: [Double], _ costs: [Double]) -> Double {
    var lowest = 0
    for index in costs.indices where costs[index] < costs[lowest] { lowest = index }
    guard lowest > 0, lowest + 1 < costs.count else { return moves[lowest] }
    let (left, middle, right) = (costs[lowest - 1], costs[lowest], costs[lowest + 1])
    let curvature = left - 2 * middle + right
    guard curvature > 0 else { return moves[lowest] }
    return moves[lowest] + 0.5 * (left - right) / curvature * (moves[lowest + 1] - moves[lowest])
  }
}
