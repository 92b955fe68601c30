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
    var rounds = 2
    /// Rounds when a limit is tried out.
    var trialRounds = 5
    /// Rounds when another budget of one class is tried out.
    var budgetRounds = 3
    /// Rounds when a delay is tried out, from engines that are roughly right.
    var delayRounds = 1
    /// Requests that are replayed: the newest.
    var sampleRows = 30_000
    /// Requests that are replayed when a limit is tried out.
    var trialRows = 8_000
    /// Those of them that the first rounds replay.
    var firstTrialRows = 4_000
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

  private let log: ReplayLog
  private let configuration: Configuration
  private let classes: [Symbol]
  private let classOfSymbol: [Int]
  private let maximumSequences: [Double]
  private let threads: Int

  init(_ log: ReplayLog, configuration: Configuration, threads: Int) {
    self.log = log
    self.configuration = configuration
    self.threads = threads
    let survey = LogSurvey(log, threads: threads)
    classes = survey.classes
    classOfSymbol = survey.classOfSymbol
    maximumSequences = survey.maximumSequences
  }

  /// Calibrates on rows `range`.
  func run(_ range: Range<Int>) throws(LinearAlgebraError) -> Result {
    let trialRange = newest(range, configuration.trialRows)
    let start = Start(
      answers: answers(trialRange),
      engines: RowBlocks(rowCount: classes.count, blockRows: 1).map(threads: threads) {
        initialEngine($0.lowerBound, trialRange)
      })
    var guesses = configuration.tokenBudgets.map { EngineLimits(tokenBudget: $0) }
    guesses.append(EngineLimits(usesAnswers: false))
    let first = guesses
    var best = try best(
      RowBlocks(rowCount: first.count, blockRows: 1).map(threads: threads) {
        trial(first[$0.lowerBound], start)
      }, beside: nil, on: trialRange)
    best = try withOwnBudgets(best, start.answers, on: trialRange)
    let (leader, sample) = (best, newest(range, configuration.sampleRows))
    let (outcome, sampleAnswers) = SideBySide.run(threads: threads) {
      () -> Swift.Result<CalibrationTrial, LinearAlgebraError> in
      do throws(LinearAlgebraError) {
        return .success(try self.best(delayed(leader), beside: leader, on: trialRange))
      } catch {
        return .failure(error)
      }
    } _: {
      self.answers(sample).equations(leader.limits)
    }
    best = try outcome.get()
    var final = best.continued(best.limits, rounds: configuration.rounds)
    if best.limits.usesAnswers { final.answers = sampleAnswers }
    while !final.isDone { try advance(&final, on: sample, threads: threads) }
    return Result(
      engines: final.best, classes: classes,
      assignment: EngineAssignment(engines: final.best, engineOfSymbol: classOfSymbol),
      error: final.error)
  }

  /// `leader`, or what it becomes where engines of one class have a budget of their own: smaller GPUs
  /// are often given less.
  ///
  /// A class has one if it takes a clear share of the error off that remains when `leader` goes on as
  /// it is.
  private func withOwnBudgets(
    _ leader: CalibrationTrial, _ answers: Answers, on range: Range<Int>
  ) throws(LinearAlgebraError) -> CalibrationTrial {
    guard classes.count > 1 else { return leader }
    var chosen = leader
    var control = leader.continued(leader.limits, rounds: configuration.budgetRounds)
    while !control.isDone { try advance(&control, on: range, threads: threads) }
    for index in classes.indices {
      let trials = configuration.tokenBudgets.compactMap { budget -> CalibrationTrial? in
        guard budget != chosen.limits.tokenBudget(ofClass: index) else { return nil }
        var limits = chosen.limits
        limits.ownBudgets[index] = budget
        var trial = chosen.continued(limits, rounds: configuration.budgetRounds)
        if limits.usesAnswers { trial.answers = answers.equations(limits) }
        return trial
      }
      let found = try best(trials, beside: nil, on: range)
      if found.error < Self.clearGain * control.error { (chosen, control) = (found, found) }
    }
    return chosen
  }

  /// What a budget of a class's own must multiply the error by, at most.
  private static let clearGain = 0.99

  /// Trials of other delays and gates, from what `leader` has learned.
  private func delayed(_ leader: CalibrationTrial) -> [CalibrationTrial] {
    var trials: [CalibrationTrial] = []
    for uplink in configuration.uplinks {
      for gate in configuration.gates {
        var limits = leader.limits
        (limits.uplink, limits.gate) = (uplink, gate)
        guard limits != leader.limits else { continue }
        trials.append(leader.continued(limits, rounds: configuration.delayRounds))
      }
    }
    return trials
  }

  private func newest(_ range: Range<Int>, _ count: Int) -> Range<Int> {
    max(range.lowerBound, range.upperBound - count)..<range.upperBound
  }

  private func answers(_ range: Range<Int>) -> Answers {
    Answers(
      log, range: range, classOfSymbol: classOfSymbol, classes: classes, threads: threads)
  }

  /// What trials start from.
  private struct Start: Sendable {
    var answers: Answers
    var engines: [EngineModel]
  }

  /// A trial of `limits` from a first guess.
  private func trial(_ limits: EngineLimits, _ start: Start) -> CalibrationTrial {
    var engines = start.engines
    for index in engines.indices {
      engines[index].tokenBudget = limits.tokenBudget
      engines[index].uplinkMilliseconds = limits.uplink
    }
    return CalibrationTrial(
      limits: limits,
      answers: limits.usesAnswers ? start.answers.equations(limits) : [],
      engines: engines, rounds: configuration.trialRounds)
  }

  // MARK: - Trials

  /// The trial of least error; the earlier one where they tie within a thousandth.
  ///
  /// All take turns, and who has fallen behind is left out: a trial's error after some rounds tells
  /// within a few percent where it will end.
  ///
  /// - Parameter leader: A trial that has ended, which comes before all others.
  private func best(
    _ candidates: [CalibrationTrial], beside leader: CalibrationTrial?, on range: Range<Int>
  ) throws(LinearAlgebraError) -> CalibrationTrial {
    var ended = leader.map { [$0] } ?? []
    var running = candidates
    while !running.isEmpty {
      let alike = CalibrationTrial.alike(running)
      running = RowBlocks(rowCount: alike.count, blockRows: 1).map(threads: threads) {
        advanced(alike[$0.lowerBound], on: range)
      }.flatMap { $0 }
      running = CalibrationTrial.promising(running, beside: leader)
      ended += running.filter(\.isDone)
      running.removeAll(where: \.isDone)
    }
    var chosen: CalibrationTrial?
    for trial in ended
    where trial.handicappedError < (chosen?.handicappedError ?? .infinity) * 0.999
      || chosen == nil
    {
      chosen = trial
    }
    if let chosen { return chosen }
    var only = candidates[0]
    while !only.isDone { try advance(&only, on: range, threads: 1) }
    return only
  }

  /// Trials of the same engines after one replay, which they share; those that fail are left out.
  private func advanced(
    _ alike: [CalibrationTrial], on range: Range<Int>
  ) -> [CalibrationTrial] {
    // A trial that begins is alone here.
    var first = alike[0]
    do { try begin(&first) } catch { return [] }
    let rows = replay(first, on: range, threads: 1)
    return ([first] + alike.dropFirst()).compactMap { given in
      var trial = given
      do { try learn(from: rows, &trial, threads: 1) } catch { return nil }
      return trial
    }
  }

  /// One replay of the trial's engines, and, before its last, a fit to what it yields.
  private func advance(
    _ trial: inout CalibrationTrial, on range: Range<Int>, threads: Int
  ) throws(LinearAlgebraError) {
    try begin(&trial)
    try learn(from: replay(trial, on: range, threads: threads), &trial, threads: threads)
  }

  private func begin(_ trial: inout CalibrationTrial) throws(LinearAlgebraError) {
    if trial.isFresh { try startFromAnswers(trial.answers, &trial.engines) }
  }

  private func replay(
    _ trial: CalibrationTrial, on range: Range<Int>, threads: Int
  ) -> CalibrationRows {
    let isEarly = trial.isEarly && range.count > configuration.firstTrialRows
    return replay(
      isEarly ? newest(range, configuration.firstTrialRows) : range, trial.engines, threads: threads
    )
  }

  private func learn(
    from rows: CalibrationRows, _ trial: inout CalibrationTrial, threads: Int
  ) throws(LinearAlgebraError) {
    let fitted = trial.engines
    let round = trial.round
    trial.note(error: rows.error)
    guard !trial.isDone else { return }
    var pooled = NormalMatrix(columnCount: StepFeature.count)
    var own: [NormalMatrix] = []
    for index in classes.indices {
      var normal = try StepEquations(rows, classIndex: index, engine: fitted[index])
        .normalMatrix(round: round, gate: trial.limits.gate, threads: threads)
      if trial.limits.usesAnswers {
        normal.merge(
          try trial.answers[index].normalMatrix(
            fitted[index].stepCoefficients, threads: threads))
      }
      own.append(normal)
      pooled.merge(normal)
    }
    let columns = round < 2 ? Self.simpleColumns : Array(0..<StepFeature.count)
    for index in classes.indices {
      trial.engines[index].take(
        try StepFit(pooled: pooled, own: own[index]).solution(
          columns: columns, previous: fitted[index]))
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

  private func replay(
    _ range: Range<Int>, _ engines: [EngineModel], threads: Int
  ) -> CalibrationRows {
    let assignment = EngineAssignment(engines: engines, engineOfSymbol: classOfSymbol)
    let chunks = RowBlocks(rowCount: range.count, blockRows: Self.chunkRows, blockLimit: 1 << 20)
    let parts = chunks.map(threads: threads) { chunk -> CalibrationRows in
      let own = (range.lowerBound + chunk.lowerBound)..<(range.lowerBound + chunk.upperBound)
      let start = max(range.lowerBound, own.lowerBound - Self.warmUpRows)
      var rows = CalibrationRows(
        log: log, own: own, classOfSymbol: classOfSymbol, engines: engines)
      let pools = Replay(log, assignment: assignment, isTracing: true)
        .run(start..<own.upperBound, observer: &rows)
      rows.collectGaps(pools)
      return rows
    }
    guard var all = parts.first else {
      return CalibrationRows(log: log, own: range, classOfSymbol: classOfSymbol, engines: engines)
    }
    for part in parts.dropFirst() { all.append(part) }
    return all
  }

  /// Rows per chunk of a replay; fixed, so that no result depends on the number of threads.
  private static let chunkRows = 8_000
  /// Rows that a chunk replays before its own, so that its engines are warm.
  private static let warmUpRows = 1_000

  // MARK: - Starting points

  /// The base step from the quickest answers, the prefill slope from requests to a quiet endpoint.
  private func initialEngine(_ classIndex: Int, _ range: Range<Int>) -> EngineModel {
    let limits = EngineLimits()
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
      tokenBudget: limits.tokenBudget, maximumSequences: maximumSequences[classIndex],
      uplinkMilliseconds: limits.uplink, downlinkMilliseconds: 0.4)
  }
}

extension EngineModel {
  fileprivate mutating func take(_ solution: StepFit.Solution) {
    stepCoefficients = solution.coefficients
    stepHalfWidths = solution.halfWidths
  }
}

/// The equations of all classes' answers, for any token budget.
private struct Answers {
  private let base: [AnswerEquations]

  init(_ log: ReplayLog, range: Range<Int>, classOfSymbol: [Int], classes: [Symbol], threads: Int) {
    let batches = BatchHistory(log, rows: range)
    var rows = [[Int]](repeating: [], count: classOfSymbol.count)
    for index in range where log.rows[index].endpoint != .none {
      rows[Int(log.rows[index].endpoint.index)].append(index)
    }
    base = classes.indices.map { classIndex in
      AnswerEquations(
        log, rows: rows.indices.filter { classOfSymbol[$0] == classIndex }.map { rows[$0] },
        tokenBudget: .infinity, batches: batches, threads: threads)
    }
  }

  /// One per class.
  func equations(_ limits: EngineLimits) -> [AnswerEquations] {
    base.indices.map { base[$0].withTokenBudget(limits.tokenBudget(ofClass: $0)) }
  }
}
