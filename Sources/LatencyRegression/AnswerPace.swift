internal import LinearAlgebra
internal import LogReplay
internal import RequestLog

/// What each answer's tokens took, beside what its endpoint had to do meanwhile.
///
/// All of it is known only afterwards, so it tells an engine's speed apart from its load, without
/// any of the live features that follow a change of speed by themselves.
struct AnswerPace {
  /// An answer.
  struct Example: Sendable {
    var row: Int
    var endpoint: Symbol
    var accelerator: Symbol
    /// TPOT, ms, at the newest speed as far as it is known.
    var tpot: Double
    /// On average during the answer: decoding requests.
    var decoding: Double
    /// The tokens that those attended to.
    var context: Double
    /// Prompt tokens computed per token of the answer.
    var prefill: Double
    /// The logarithm of actual over expected.
    var residual = 0.0
  }

  /// In order of dispatch.
  private(set) var examples: [Example] = []

  /// The answers of `range` that ended within it, of its newest ``mostRows`` rows.
  ///
  /// - Complexity: O(*n* log *n*) over `threads`.
  init(_ log: ReplayLog, range given: Range<Int>, threads: Int) {
    let range = max(given.lowerBound, given.upperBound - Self.mostRows)..<given.upperBound
    guard let newest = range.last else { return }
    // By endpoint; those that the log does not name come first.
    var rows: [[Int]] = []
    for index in range where log.firstTokenTime(index) != nil {
      let place = Int(log.rows[index].endpoint.index) + 1
      while rows.count <= place { rows.append([]) }
      rows[place].append(index)
    }
    let endpoints = rows.filter { !$0.isEmpty }
    let last = log.dispatchTime(newest)
    examples = RowBlocks(rowCount: endpoints.count, blockRows: 1).map(threads: threads) {
      Self.examples(log, endpoints[$0.lowerBound], endingBy: last)
    }.flatMap { $0 }.sorted { $0.row < $1.row }
  }

  /// More rows than these are not searched: a change that long ago is forgotten with them.
  private static let mostRows = 120_000

  private static func examples(
    _ log: ReplayLog, _ rows: [Int], endingBy last: Double
  ) -> [Example] {
    // Decoding requests, the tokens that they attend to, and prompt tokens computed so far.
    var events: [(time: Double, by: SIMD3<Double>)] = []
    for index in rows {
      let row = log.rows[index]
      guard let start = log.firstTokenTime(index) else { continue }
      let tokens = Double(row.inputTokens) + 0.5 * Double(max(row.outputTokens, 0))
      let computed = Double(max(row.inputTokens - max(row.cachedTokens, 0), 1))
      events.append((start, SIMD3(1, tokens, computed)))
      events.append((max(log.endTime(index), start), SIMD3(-1, -tokens, 0)))
    }
    let sums = RunningSums(events)
    return rows.compactMap { index in
      let row = log.rows[index]
      guard log.isComplete(index), row.outputTokens > 8, row.tpotMilliseconds > 0,
        let start = log.firstTokenTime(index), log.endTime(index) <= last
      else { return nil }
      let end = log.endTime(index)
      let mean = sums.average(start, end)
      return Example(
        row: index, endpoint: row.endpoint, accelerator: row.accelerator,
        tpot: row.tpotMilliseconds, decoding: mean[0], context: mean[1],
        prefill: (sums.value(end) - sums.value(start))[2] / Double(row.outputTokens - 1))
    }
  }

  /// Multiplies the examples' latencies as `changes` say.
  mutating func apply(_ changes: [SpeedChanges.Change]) {
    for index in examples.indices {
      let (row, endpoint) = (examples[index].row, examples[index].endpoint)
      let logarithm = changes.logarithm(row: row, endpoint: endpoint)
      if logarithm != 0 { examples[index].tpot *= Exponential.value(logarithm) }
    }
  }

  /// What is left of TPOT beside what the composition says, per accelerator.
  ///
  /// - Returns: Whether there was something to fit.
  mutating func fitResiduals(threads: Int) -> Bool {
    let classes = Dictionary(grouping: examples.indices) { examples[$0].accelerator.index }
    for index in classes.keys.sorted() {
      guard let members = classes[index], fit(members, threads: threads) else { return false }
    }
    return !classes.isEmpty
  }

  private mutating func fit(_ members: [Int], threads: Int) -> Bool {
    var design = Design(columnCount: 4)
    for index in members {
      let example = examples[index]
      design.append(
        [1, Float(example.decoding), Float(example.context), Float(example.prefill)])
    }
    let targets = members.map { examples[$0].tpot }
    var rules = ColumnRules(nonNegative: [true, true, true, true])
    rules.penalties = design.columnSquares(scales: targets, threads: threads).map { 1e-6 * $0 }
    var options = RobustRelativeLeastSquares.Configuration()
    options.threads = threads
    options.threshold = Self.huber
    options.tolerance = 1e-6
    do throws(SolverError) {
      let rows = try RegressionRows(design: design, targets: targets, scales: targets)
      let coefficients = try RobustRelativeLeastSquares(rules: rules, configuration: options)
        .coefficients(rows)
      let expected = design.product(coefficients, threads: threads)
      for (position, index) in members.enumerated() {
        examples[index].residual = Exponential.logarithm(
          targets[position] / max(expected[position], 1e-3))
      }
    } catch {
      return false
    }
    return true
  }

  private static let huber = 0.1
}

/// Sums that events change, and their integrals.
private struct RunningSums {
  private var times: [Double] = []
  private var sums: [SIMD3<Double>] = []
  /// Up to each event, of the sums over time.
  private var areas: [SIMD3<Double>] = []

  init(_ events: [(time: Double, by: SIMD3<Double>)]) {
    var (sum, area) = (SIMD3<Double>.zero, SIMD3<Double>.zero)
    for event in events.sorted(by: { $0.time < $1.time }) {
      if let last = times.last { area += sum * (event.time - last) }
      sum += event.by
      times.append(event.time)
      sums.append(sum)
      areas.append(area)
    }
  }

  /// The sums after all events up to `time`.
  func value(_ time: Double) -> SIMD3<Double> {
    let index = count(time)
    return index > 0 ? sums[index - 1] : .zero
  }

  /// The mean from `start` to `end`.
  func average(_ start: Double, _ end: Double) -> SIMD3<Double> {
    end > start ? (area(end) - area(start)) / (end - start) : value(start)
  }

  private func area(_ time: Double) -> SIMD3<Double> {
    let index = count(time)
    guard index > 0 else { return .zero }
    return areas[index - 1] + sums[index - 1] * (time - times[index - 1])
  }

  /// How many events are not after `time`.
  private func count(_ time: Double) -> Int {
    var (low, high) = (0, times.count)
    while low < high {
      let middle = (low + high) / 2
      if times[middle] <= time { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
