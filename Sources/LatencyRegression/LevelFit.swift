internal import LinearAlgebra

/// Fits the quantile heads of one target, each level from the one below.
///
/// Requests of one flood share its fate, so that a few floods say less about a tail than their
/// thousands of rows seem to. A level above the median is therefore drawn to a multiple of the level
/// below; only the terms that physics asks for, and those chosen because outcomes scatter with them,
/// are left alone. How strongly it is drawn is chosen by cross-validation over stretches of time.
struct LevelFit {
  /// All rows, in order of time; the scales are a centre's predictions.
  let rows: RegressionRows
  /// The centre's bounds and ridge.
  let rules: ColumnRules
  /// Shape `[p]`: the columns that every level moves as it likes.
  let isFree: [Bool]
  let configuration: SmoothedQuantile.Configuration

  /// With how many times the data's own weight a level may be drawn to the one below.
  private static let pulls = [0, 0.03, 0.1, 0.3, 1, 3]
  /// The level by which the pull is chosen.
  private static let judgedLevel = 0.9
  /// Fewer rows than these cannot be cut into stretches; more tell the tails by themselves.
  private static let chosenRows = 1_000...100_000
  /// While choosing, levels need not be exact.
  private static let roughSmoothing = 1e-2

  /// One fit a level of ``HeadLevels``.
  ///
  /// - Parameter centre: Shape `[p]`, the mean head.
  /// - Complexity: O(*n p*) a pass; about twenty times as many passes where a pull is chosen.
  func fit(centre: [Double]) throws(SolverError) -> [FitResult] {
    let isChosen = isFree.contains(false) && Self.chosenRows.contains(rows.rowCount)
    let pull = try isChosen ? chosenPull(centre: centre) : 0
    guard pull > 0 else {
      return try solver(rules, configuration).fit(rows, levels: HeadLevels.all, start: centre)
    }
    var results = try solver(rules, configuration).fit(rows, levels: [0.5], start: centre)
    for level in HeadLevels.all.dropFirst() {
      guard let below = results.last?.coefficients else { break }
      results += try fit(rows, level, above: below, pull: pull, configuration)
    }
    return results
  }

  private func solver(
    _ rules: ColumnRules, _ configuration: SmoothedQuantile.Configuration
  ) throws(SolverError) -> SmoothedQuantile {
    try SmoothedQuantile(rules: rules, configuration: configuration)
  }

  private func fit(
    _ rows: RegressionRows, _ level: Double, above below: [Double], pull: Double,
    _ configuration: SmoothedQuantile.Configuration
  ) throws(SolverError) -> [FitResult] {
    guard pull > 0 else {
      return try solver(rules, configuration).fit(rows, levels: [level], start: below)
    }
    let predicted = rows.design.product(below, threads: configuration.threads)
    let ratios = predicted.indices.lazy.filter { predicted[$0] > 0 }
      .map { rows.targets[$0] / predicted[$0] }.sorted()
    guard !ratios.isEmpty else { throw .nothingToFit(what: "no row above 0") }
    let multiple = ratios[min(Int(level * Double(ratios.count)), ratios.count - 1)]
    let squares = rows.design.columnSquares(scales: rows.scales, threads: configuration.threads)
    var drawn = rules
    for column in isFree.indices where !isFree[column] {
      drawn.priors[column] = multiple * below[column]
      drawn.penalties[column] += pull * squares[column]
    }
    return try solver(drawn, configuration).fit(
      rows, levels: [level], start: below.map { multiple * $0 })
  }

  // MARK: - Cross-validation

  /// The strongest pull that does as well, within chance, as the one with the least loss on
  /// stretches of time that did not fit it.
  func chosenPull(centre: [Double]) throws(SolverError) -> Double {
    let blocks = RowBlocks(rowCount: TermSelection.blockCount, blockRows: 1)
    let outcomes = blocks.map(threads: configuration.threads) {
      block -> Result<[Loss], SolverError> in
      do throws(SolverError) {
        return .success(try losses(onBlock: block.lowerBound, centre: centre))
      } catch {
        return .failure(error)
      }
    }
    var parts: [[Loss]] = []
    for outcome in outcomes { parts.append(try outcome.get()) }
    let scores = Self.pulls.indices.map { pull in
      parts.reduce(into: Loss()) { $0.add($1[pull]) }.score
    }
    let best = scores.indices.min { scores[$0] < scores[$1] } ?? 0
    let chosen = scores.indices.last { pull in
      scores[pull] <= scores[best]
        * (1 + Self.chance(parts.map { $0[pull].score / $0[best].score }))
    }
    return Self.pulls[chosen ?? best]
  }

  /// The standard error of the mean of `ratios`, one a block.
  private static func chance(_ ratios: [Double]) -> Double {
    let count = Double(ratios.count)
    let mean = ratios.reduce(0, +) / count
    let squares = ratios.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    return (squares / (count * max(count - 1, 1))).squareRoot()
  }

  /// Pinball losses, in ms and in shares of the centre.
  ///
  /// The former are mostly those of floods, the latter those of ordinary requests; both count.
  private struct Loss: Sendable {
    var milliseconds = 0.0
    var relative = 0.0

    mutating func add(_ other: Loss) {
      milliseconds += other.milliseconds
      relative += other.relative
    }

    var score: Double { milliseconds * relative }
  }

  /// The loss of each pull on block `block` when fitted on the others.
  private func losses(onBlock block: Int, centre: [Double]) throws(SolverError) -> [Loss] {
    let count = rows.rowCount
    let embargo = Int(TermSelection.embargoShare * Double(count))
    let start = block * count / TermSelection.blockCount
    let end = (block + 1) * count / TermSelection.blockCount
    let others = rows.picking(
      Array(0..<max(0, start - embargo)) + (min(count, end + embargo)..<count))
    let held = rows.picking(Array(start..<end))
    var rough = configuration
    rough.threads = 1
    rough.smoothingTolerance = max(rough.smoothingTolerance, Self.roughSmoothing)
    let median = try solver(rules, rough).fit(others, levels: [0.5], start: centre)[0]
    return try Self.pulls.map { pull throws(SolverError) in
      let fit = try fit(
        others, Self.judgedLevel, above: median.coefficients, pull: pull, rough)[0]
      return loss(of: fit.coefficients, on: held)
    }
  }

  private func loss(of coefficients: [Double], on held: RegressionRows) -> Loss {
    let predicted = held.design.product(coefficients, threads: 1)
    let scales = held.scales
    var loss = Loss()
    for row in predicted.indices {
      let residual = held.targets[row] - predicted[row]
      let pinball = max(Self.judgedLevel * residual, (Self.judgedLevel - 1) * residual)
      loss.milliseconds += pinball
      loss.relative += pinball / scales[row]
    }
    return loss
  }
}
