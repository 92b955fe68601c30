internal import CoefficientFile
internal import LinearAlgebra
internal import LogReplay
internal import RequestLog
internal import RoutingRuntime

/// Learns how long engine steps take, and the engines' limits, from a request log.
///
/// A first token's time is the sum of the steps from the request's arrival to the end of its
/// prompt, and each step's length is linear in what it computes; so once a replay says which steps
/// those were, every TTFT is one linear equation in the step coefficients. So is the time between
/// two step ends that the gateway saw, and so is the length of an answer, whose tokens count its
/// steps. Which steps they were depends on the coefficients, so replay and fit alternate, from gaps
/// of few steps, whose number is certain, to longer ones. Answers give the first guess: without them
/// two quick steps may pass for one slow one.
struct EngineCalibration {
  /// What is searched and how long.
  struct Configuration: Sendable {
    /// Rounds of replay and fit after the trials.
    var rounds = 4
    /// Rounds when a limit is tried out.
    var trialRounds = 5
    /// Requests that are replayed: the newest.
    var sampleRows = 30_000
    /// Requests that are replayed when a limit is tried out.
    var trialRows = 8_000
    /// Chunked-prefill budgets that are tried.
    var tokenBudgets: [Double] = [512, 1024, 2048, 4096, 8192, 16_384]
    /// One-way delays that are tried, ms.
    var uplinks: [Double] = [0.5, 3, 6]
    /// How far a gap may deviate from its forecast and count, in steps.
    var gates: [Double] = [0.35, 1]
  }

  /// What was learned.
  struct Result {
    /// One engine per class, after the pool's default.
    var engines: [EngineModel]
    /// The accelerator of each class; the default's is ``Symbol/none``.
    var classes: [Symbol]
    /// The replay's assignment.
    var assignment: EngineAssignment
    /// The mean relative error of the forecast alone.
    var error: Double
  }

  /// One guess at an engine's limits.
  private struct Limits: Hashable, Sendable {
    var tokenBudget = 8192.0
    var uplink = 0.5
    var gate = 0.35
    /// Whether answers' lengths are equations, too: not where their tokens do not count steps.
    var usesAnswers = true
  }

  private let log: ReplayLog
  private let configuration: Configuration
  private let classes: [Symbol]
  private let classOfSymbol: [Int]
  private let maximumSequences: Double
  private let threads: Int

  init(_ log: ReplayLog, configuration: Configuration, threads: Int) {
    self.log = log
    self.configuration = configuration
    self.threads = threads
    var classes: [Symbol] = []
    var classOfSymbol = [Int](repeating: 0, count: log.symbols.names.count)
    for row in log.rows where row.endpoint != .none {
      let position: Int
      if let known = classes.firstIndex(of: row.accelerator) {
        position = known
      } else {
        position = classes.count
        classes.append(row.accelerator)
      }
      classOfSymbol[Int(row.endpoint.index)] = position
    }
    self.classes = classes
    self.classOfSymbol = classOfSymbol
    maximumSequences = Self.sequenceLimit(log)
  }

  /// One guess with what it led to.
  private struct Trial: Sendable {
    var limits: Limits
    var engines: [EngineModel]
    var error: Double

    /// Answers are left out only for a clear gain: without them a step may pass for two.
    var handicappedError: Double { limits.usesAnswers ? error : 1.1 * error }
  }

  /// Calibrates on rows `range`.
  func run(_ range: Range<Int>) throws(LinearAlgebraError) -> Result {
    let trialRange = newest(range, configuration.trialRows)
    var best = try best(configuration.tokenBudgets.map { Limits(tokenBudget: $0) }, on: trialRange)
    let delays = configuration.uplinks.flatMap { uplink in
      configuration.gates.map {
        Limits(tokenBudget: best.limits.tokenBudget, uplink: uplink, gate: $0)
      }
    }
    let guessed = Limits(tokenBudget: best.limits.tokenBudget, usesAnswers: false)
    best = try self.best(delays + [guessed], on: trialRange)
    let final = try calibrate(
      newest(range, configuration.sampleRows), limits: best.limits, rounds: configuration.rounds,
      start: best.engines)
    return Result(
      engines: final.engines, classes: classes,
      assignment: EngineAssignment(engines: final.engines, engineOfSymbol: classOfSymbol),
      error: final.error)
  }

  private func newest(_ range: Range<Int>, _ count: Int) -> Range<Int> {
    max(range.lowerBound, range.upperBound - count)..<range.upperBound
  }

  /// The candidate of least error; the earlier one where they tie within a thousandth.
  private func best(
    _ candidates: [Limits], on range: Range<Int>
  ) throws(LinearAlgebraError) -> Trial {
    let trials = RowBlocks(rowCount: candidates.count, blockRows: 1).map(threads: threads) {
      rows -> Trial? in
      try? calibrate(
        range, limits: candidates[rows.lowerBound], rounds: configuration.trialRounds, start: nil)
    }
    var chosen: Trial?
    for case .some(let trial) in trials
    where trial.handicappedError < (chosen?.handicappedError ?? .infinity) * 0.999
      || chosen == nil
    {
      chosen = trial
    }
    guard let chosen else {
      return try calibrate(range, limits: candidates[0], rounds: 1, start: nil)
    }
    return chosen
  }

  // MARK: - Rounds

  /// Alternates replay and fit, from `start` or from a first guess.
  private func calibrate(
    _ range: Range<Int>, limits: Limits, rounds: Int, start: [EngineModel]?
  ) throws(LinearAlgebraError) -> Trial {
    let answers = answerEquations(range, limits)
    var engines = start ?? classes.indices.map { initialEngine($0, range, limits) }
    if start == nil { try startFromAnswers(answers, &engines) }
    var error = Double.infinity
    var best = engines
    // An engine that is roughly right already may learn from longer gaps at once.
    let first = start == nil ? 0 : configuration.trialRounds
    for round in first..<(first + rounds) {
      let rows = replay(range, engines)
      let current = rows.error
      if current < error || round < 3 {
        (error, best) = (current, engines)
      }
      var pooled: NormalMatrix?
      var own: [NormalMatrix] = []
      for index in classes.indices {
        var normal = try normalMatrix(
          rows, classIndex: index, engine: engines[index], round: round, gate: limits.gate)
        if limits.usesAnswers {
          normal.merge(try answers[index].normalMatrix(engines[index].stepCoefficients))
        }
        own.append(normal)
        if pooled == nil { pooled = normal } else { pooled?.merge(normal) }
      }
      guard let pooled else { break }
      let columns = round < 2 ? Self.simpleColumns : Array(0..<StepFeature.count)
      for index in classes.indices {
        try engines[index].take(
          StepFit(pooled: pooled, own: own[index]).solution(
            columns: columns, previous: engines[index]))
      }
    }
    let final = replay(range, engines).error
    return final <= error
      ? Trial(limits: limits, engines: engines, error: final)
      : Trial(limits: limits, engines: best, error: error)
  }

  /// Per class, the equations of its answers; none when `limits` are without.
  private func answerEquations(_ range: Range<Int>, _ limits: Limits) -> [AnswerEquations] {
    guard limits.usesAnswers else { return [] }
    let batches = BatchHistory(log, rows: range)
    var rows = [[Int]](repeating: [], count: classOfSymbol.count)
    for index in range where log.rows[index].endpoint != .none {
      rows[Int(log.rows[index].endpoint.index)].append(index)
    }
    return classes.indices.map { classIndex in
      AnswerEquations(
        log, rows: rows.indices.filter { classOfSymbol[$0] == classIndex }.map { rows[$0] },
        tokenBudget: limits.tokenBudget, batches: batches)
    }
  }

  /// First coefficients from the answers alone.
  private func startFromAnswers(
    _ answers: [AnswerEquations], _ engines: inout [EngineModel]
  ) throws(LinearAlgebraError) {
    guard !answers.isEmpty else { return }
    for _ in 0..<Self.answerRounds {
      var own: [NormalMatrix] = []
      var pooled = NormalMatrix(columnCount: StepFeature.count)
      for index in classes.indices {
        own.append(try answers[index].normalMatrix(engines[index].stepCoefficients))
        pooled.merge(own[index])
      }
      for index in classes.indices {
        try engines[index].take(
          StepFit(pooled: pooled, own: own[index]).solution(
            columns: Self.simpleColumns, previous: engines[index]))
      }
    }
  }

  /// The answers' steps depend on the coefficients a little: a few rounds settle it.
  private static let answerRounds = 5

  /// Features of the first rounds, before the engines are roughly right: step, batch, context,
  /// prefill tokens, attention, and prefill over 256.
  private static let simpleColumns = [0, 1, 2, 3, 4, 19]

  /// Steps per gap that count in each round.
  private static func longestGap(_ round: Int) -> Double {
    round < 7 ? Double(1 << round) + 0.5 : 200
  }

  private func replay(_ range: Range<Int>, _ engines: [EngineModel]) -> CalibrationRows {
    var rows = CalibrationRows(log: log, classOfSymbol: classOfSymbol, engines: engines)
    let assignment = EngineAssignment(engines: engines, engineOfSymbol: classOfSymbol)
    let pools = Replay(log, assignment: assignment, isTracing: true).run(range, observer: &rows)
    rows.collectGaps(pools)
    return rows
  }

  /// The robust normal equations of one class: TTFT rows, then gaps.
  private func normalMatrix(
    _ rows: CalibrationRows, classIndex: Int, engine: EngineModel, round: Int, gate: Double
  ) throws(LinearAlgebraError) -> NormalMatrix {
    let size = StepFeature.count
    var design = Design(columnCount: size)
    var targets: [Double] = []
    var scales: [Double] = []
    for row in rows.requests where row.classIndex == classIndex {
      design.append(rows.features[row.start..<(row.start + size)])
      targets.append(row.target)
      scales.append(row.scale)
    }
    let longest = Self.longestGap(round)
    let width = round < 2 ? max(gate, 0.6) : gate
    for gap in rows.gaps where gap.classIndex == classIndex {
      let values = rows.gapValues
      let (steps, elapsed) = (Double(values[gap.start]), gap.elapsed)
      let step = gap.predicted / max(steps, 1)
      guard steps <= longest, abs(elapsed - gap.predicted) < width * step else { continue }
      design.append(values[gap.start..<(gap.start + size)])
      targets.append(elapsed)
      scales.append(3 * step + 0.02 * elapsed)
    }
    var engine = engine
    var normal = NormalMatrix(columnCount: size)
    for _ in 0..<3 {
      let weights = huberWeights(design, targets, scales, engine.stepCoefficients)
      normal = try NormalMatrix(design, targets: targets, weights: weights)
      try engine.take(
        StepFit(pooled: normal, own: normal).solution(
          columns: Array(0..<size), previous: engine))
    }
    return normal
  }

  private func huberWeights(
    _ design: Design, _ targets: [Double], _ scales: [Double], _ coefficients: [Double]
  ) -> [Double] {
    let elements = design.elements
    let size = design.columnCount
    return targets.indices.map { row in
      var sum = 0.0
      for column in 0..<size { sum += Double(elements[row * size + column]) * coefficients[column] }
      let residual = abs(targets[row] - sum) / scales[row]
      let bounded = residual < Self.huber ? 1 : Self.huber / residual
      return bounded / (scales[row] * scales[row])
    }
  }

  /// Relative residuals beyond this count linearly: other requests joined the step, say.
  private static let huber = 0.1

  // MARK: - Starting points

  /// The base step from the quickest answers, the prefill slope from requests to a quiet endpoint.
  private func initialEngine(
    _ classIndex: Int, _ range: Range<Int>, _ limits: Limits
  ) -> EngineModel {
    var tpots: [Double] = []
    var quiet: [(new: Double, ttft: Double)] = []
    for index in range {
      let row = log.rows[index]
      guard row.endpoint != .none, classOfSymbol[Int(row.endpoint.index)] == classIndex,
        log.isComplete(index)
      else { continue }
      if row.outputTokens > 8, row.tpotMilliseconds > 0 { tpots.append(row.tpotMilliseconds) }
      quiet.append((row.shape.newTokens, max(row.ttftMilliseconds, 0.1)))
    }
    tpots.sort()
    let base = tpots.isEmpty ? 8 : tpots[tpots.count / 50]
    // The slope that a fifth of the requests stay below: they met no queue.
    let slopes = quiet.filter { $0.new > 256 }.map { max($0.ttft - 2 * base, 0) / ($0.new - 256) }
      .sorted()
    let slope = slopes.isEmpty ? 0.02 : max(slopes[slopes.count / 5], 1e-5)
    var coefficients = [Double](repeating: 0, count: StepFeature.count)
    coefficients[0] = base
    coefficients[19] = slope
    return EngineModel(
      stepCoefficients: coefficients,
      stepHalfWidths: [Float](repeating: 0, count: StepFeature.count),
      tokenBudget: limits.tokenBudget, maximumSequences: maximumSequences,
      uplinkMilliseconds: limits.uplink, downlinkMilliseconds: 0.4)
  }

  /// The batch size at which engines stop admitting, if the log shows one.
  ///
  /// It does when the largest batch is common and nearly always has requests waiting behind it.
  private static func sequenceLimit(_ log: ReplayLog) -> Double {
    let largest = log.rows.map(\.runningRequests).max() ?? -1
    var (atLimit, waiting) = (0, 0)
    for row in log.rows where row.runningRequests == largest {
      atLimit += 1
      if row.waitingRequests > 0 { waiting += 1 }
    }
    let isCommon = atLimit >= max(20, log.rows.count / 500)
    return largest > 0 && isCommon && waiting * 10 >= atLimit * 8 ? Double(largest) : 256
  }
}

extension EngineModel {
  fileprivate mutating func take(_ solution: StepFit.Solution) {
    stepCoefficients = solution.coefficients
    stepHalfWidths = solution.halfWidths
  }
}
