internal import CoefficientFile
internal import LinearAlgebra

/// Fits one target: chooses its terms, then fits its heads.
struct TargetFitter {
  /// The latency that is fitted.
  enum Target: String, Sendable {
    case ttft = "TTFT"
    case tpot = "TPOT"
  }

  /// What came out.
  struct Fitted: Sendable {
    var model: TargetModel
    /// The mean squared relative error under cross-validation, Huber's loss.
    var crossValidationError: Double
    /// How the mean head was solved.
    var method: LeastSquaresMethod
    var conditionNumber: Double
    var candidateCount: Int
  }

  let target: Target
  let table: FeatureTable
  let threads: Int

  /// Where relative residuals start to count linearly.
  static let huber = 0.2
  /// Rows on which heads are fitted at most: of more, every so many-th.
  ///
  /// A few dozen coefficients are as sure then as the terms are right; state and groups come from
  /// all rows.
  private static let headRows = 250_000
  /// Of more rows than these, quantiles are smoothed by ``longSmoothing``: a share of the loss that
  /// shifts a level by less than calibration does, at a third of the passes.
  private static let longRows = 100_000
  private static let longSmoothing = 1e-2
  /// Rows on which the pilot fit begins, where there are four times as many.
  private static let pilotSampleRows = 8_192
  /// Rows on which the heads of a long log begin: more hardly save a pass over all.
  private static let headSampleRows = 32_768
  /// Rows on which terms are chosen.
  private static let selectionRows = 40_000

  private func value(_ index: Int) -> Double {
    target == .ttft ? table.ttft[index] : table.tpot[index]
  }

  /// The samples that are examples of the target, of `candidates`.
  func examples(_ candidates: Range<Int>) -> [Int] {
    candidates.filter { value($0) > 0 && !table.isCensored[$0] }
  }

  /// Chooses and fits on samples `range`, which are in time order.
  ///
  /// - Parameter given: The terms to choose from; `nil` for those of a gateway's log.
  func fit(
    _ range: Range<Int>, library given: TermLibrary? = nil
  ) throws(SolverError) -> Fitted {
    let rows = examples(range)
    guard rows.count >= 30 else {
      throw .nothingToFit(what: "\(rows.count) usable \(target.rawValue) examples; 30 are needed")
    }
    let library =
      given
      ?? (target == .ttft
        ? TermLibrary.ttft(table, rows: rows) : TermLibrary.tpot(table, rows: rows))
    let (terms, isFree, error) = try select(library, rows: rows)
    let step = (rows.count + Self.headRows - 1) / Self.headRows
    let kept = step == 1 ? rows : stride(from: 0, to: rows.count, by: step).map { rows[$0] }
    return try fitHeads(
      terms, isFree: isFree, rows: kept, error: error,
      candidateCount: library.base.count + library.candidates.count, range: range)
  }

  // MARK: - Terms

  private func select(
    _ library: TermLibrary, rows: [Int]
  ) throws(SolverError) -> (terms: [Term], isFree: [Bool], error: Double) {
    let all = library.base + library.candidates
    let step = max(1, rows.count / Self.selectionRows)
    let sample = step == 1 ? rows : stride(from: 0, to: rows.count, by: step).map { rows[$0] }
    let design = TermDesign.make(all, table: table, rows: sample, threads: threads)
    let targets = sample.map(value)
    guard sample.count >= 40 * TermSelection.blockCount else {
      return (library.base, library.base.map { _ in true }, .nan)
    }
    let (weights, predicted) = try pilot(design, targets)
    let location = try selection(
      design, targets, weights, base: Array(library.base.indices), count: all.count,
      limit: TermSelection.termLimit)
    // Terms that tell how far outcomes scatter matter to the levels, even where the centre does
    // without them.
    let spread = try selection(
      design, targets.indices.map { abs(targets[$0] - predicted[$0]) },
      predicted.map { 1 / ($0 * $0) }, base: location.columns, count: all.count,
      limit: location.columns.count + Self.spreadTerms)
    // Floods are a matter of waiting: many requests at all times tell TPOT's tail.
    let isFree = spread.columns.map {
      target == .tpot || $0 < library.base.count || !location.columns.contains($0)
    }
    return (spread.columns.map { all[$0] }, isFree, location.error)
  }

  /// Terms that the spread may add.
  private static let spreadTerms = 6

  private func selection(
    _ design: Design, _ targets: [Double], _ weights: [Double], base: [Int], count: Int, limit: Int
  ) throws(SolverError) -> (columns: [Int], error: Double) {
    let embargo = Int(TermSelection.embargoShare * Double(targets.count))
    let cuts = RowBlocks(rowCount: TermSelection.blockCount, blockRows: 1)
    let outcomes = cuts.map(threads: threads) { cut -> Result<NormalMatrix, LinearAlgebraError> in
      let block = cut.lowerBound
      let start = block * targets.count / TermSelection.blockCount + embargo
      let end = (block + 1) * targets.count / TermSelection.blockCount - embargo
      let part = Array(start..<end)
      do throws(LinearAlgebraError) {
        return .success(
          try NormalMatrix(
            design.selecting(rows: part), targets: part.map { targets[$0] },
            weights: part.map { weights[$0] }))
      } catch {
        return .failure(error)
      }
    }
    var blocks: [NormalMatrix] = []
    for outcome in outcomes {
      do { blocks.append(try outcome.get()) } catch { throw .linearAlgebra(error) }
    }
    return TermSelection(
      blocks: blocks, base: base, candidates: (0..<count).filter { !base.contains($0) },
      limit: limit
    ).run(threads: threads)
  }

  /// Huber's weights at a fit of all terms, over y²; and that fit's predictions.
  private func pilot(
    _ design: Design, _ targets: [Double]
  ) throws(SolverError) -> (weights: [Double], predicted: [Double]) {
    var rules = ColumnRules(columnCount: design.columnCount)
    rules.penalties = ridge(design, targets)
    var options = RobustRelativeLeastSquares.Configuration()
    options.threshold = Self.huber
    options.threads = threads
    options.tolerance = 1e-6
    options.sampleRows = Self.pilotSampleRows
    let pilot = try RobustRelativeLeastSquares(rules: rules, configuration: options).coefficients(
      try RegressionRows(design: design, targets: targets, scales: targets))
    let predicted = design.product(pilot, threads: threads)
    let weights = targets.indices.map { row in
      let residual = abs(targets[row] - predicted[row]) / targets[row]
      return (residual <= Self.huber ? 1 : Self.huber / residual) / (targets[row] * targets[row])
    }
    let floor = max(targets.min() ?? 1, 0.1)
    return (weights, predicted.map { max($0, floor) })
  }

  // MARK: - Heads

  private func fitHeads(
    _ terms: [Term], isFree: [Bool], rows: [Int], error: Double, candidateCount: Int,
    range: Range<Int>
  ) throws(SolverError) -> Fitted {
    let design = TermDesign.make(terms, table: table, rows: rows, threads: threads)
    let targets = rows.map(value)
    var rules = ColumnRules(
      nonNegative: terms.map(\.isNonNegative) + [false])
    rules.penalties = ridge(design, targets)
    var options = RobustRelativeLeastSquares.Configuration()
    options.threshold = Self.huber
    options.threads = threads
    options.sampleRows = Self.headSampleRows
    let mean = try RobustRelativeLeastSquares(rules: rules, configuration: options).fit(
      try RegressionRows(design: design, targets: targets, scales: targets))

    // Quantiles need a scale that does not know the outcome: the centre's prediction.
    let floor = max(targets.min() ?? 1, 0.1)
    let censored = CensoredRows(
      table: table, range: target == .ttft ? range : 0..<0,
      centre: { part in
        TermDesign.make(terms, table: table, rows: part, threads: threads)
          .product(mean.coefficients, threads: threads)
      })
    let (quantileDesign, quantileTargets) =
      censored.rows.isEmpty
      ? (design, targets) : merged(rows, targets, with: censored, terms: terms)
    let scales = quantileDesign.product(mean.coefficients, threads: threads).map { max($0, floor) }
    var quantileOptions = SmoothedQuantile.Configuration()
    quantileOptions.threads = threads
    quantileOptions.sampleRows = Self.headSampleRows
    if rows.count > Self.longRows { quantileOptions.smoothingTolerance = Self.longSmoothing }
    let levels = try LevelFit(
      rows: try RegressionRows(
        design: quantileDesign, targets: quantileTargets, scales: scales),
      rules: rules, isFree: isFree + [true], configuration: quantileOptions
    ).fit(centre: mean.coefficients)
    var heads = [head(.nan, mean)]
    for (level, fit) in zip(HeadLevels.all, levels) { heads.append(head(level, fit)) }
    return Fitted(
      model: TargetModel(terms: terms, heads: heads), crossValidationError: error,
      method: mean.method, conditionNumber: mean.conditionNumber, candidateCount: candidateCount)
  }

  /// All examples in order of time, those that were given up among them.
  private func merged(
    _ rows: [Int], _ targets: [Double], with censored: CensoredRows, terms: [Term]
  ) -> (design: Design, targets: [Double]) {
    let all = (Array(zip(rows, targets)) + Array(zip(censored.rows, censored.targets)))
      .sorted { $0.0 < $1.0 }
    return (
      TermDesign.make(terms, table: table, rows: all.map(\.0), threads: threads), all.map(\.1)
    )
  }

  private func head(_ level: Double, _ fit: FitResult) -> Head {
    let halfWidths = fit.standardErrors.map { Float(1.96 * $0) }
    return Head(
      level: level, intercept: fit.coefficients.last ?? 0,
      coefficients: Array(fit.coefficients.dropLast()),
      halfWidths: [halfWidths.last ?? 0] + halfWidths.dropLast(), calibration: 1)
  }

  /// A pull to zero that only decides between collinear terms.
  private func ridge(_ design: Design, _ targets: [Double]) -> [Double] {
    design.columnSquares(scales: targets, threads: threads).map { 1e-4 * $0 }
  }
}

/// The levels of the quantile heads.
enum HeadLevels {
  static let all: [Double] = [0.5, 0.9, 0.95, 0.99]
}

/// Requests that were given up before their first token: their TTFT is at least what they waited.
///
/// One that waited longer than the centre says is known to lie high, and counts there; one that
/// gave up earlier than the centre says nothing about the levels. Leaving out both would make
/// floods look short.
struct CensoredRows {
  let rows: [Int]
  let targets: [Double]

  /// A latency cut off is taken to have been half as long again.
  private static let continuation = 1.5

  init(table: FeatureTable, range: Range<Int>, centre: ([Int]) -> [Double]) {
    let all = range.filter { table.isCensored[$0] }
    let predicted = all.isEmpty ? [] : centre(all)
    var rows: [Int] = []
    var targets: [Double] = []
    for (index, row) in all.enumerated() where table.ttft[row] > predicted[index] {
      rows.append(row)
      targets.append(table.ttft[row] * Self.continuation)
    }
    self.rows = rows
    self.targets = targets
  }
}
