import LinearAlgebra

/// Conditional quantiles by Newton steps on the smoothed pinball loss.
///
/// Minimizes `Σ w ρ_level((y − xβ)/s) + ½ Σ penalty (β − prior)²` with the kernel's half width lowered in
/// stages: wide, every row pulls and steps are safe; narrow, the answer is the quantile's. It ends
/// when smoothing can change the objective by no more than a stated share.
public struct SmoothedQuantile: Sendable {
  /// Options, and their meaning.
  public struct Configuration: Sendable, Hashable {
    /// The share of the objective that smoothing may add at most, above 0.
    ///
    /// The default shifts a level by about a thousandth of the residuals' spread; 1e-7 gives the
    /// exact (linear programming) answer to about four digits, in more passes.
    public var smoothingTolerance = 1e-3
    /// The share of the objective that the last step may still promise, above 0.
    public var tolerance = 1e-8
    /// The most steps at one bandwidth.
    public var stepLimit = 60
    /// Rows of the sample that a long fit starts on.
    public var sampleRows = 65_536
    /// Threads that share the rows; no result depends on it.
    public var threads = 4

    /// The defaults.
    public init() {}
  }

  /// Bounds and priors.
  public let rules: ColumnRules
  /// Options.
  public let configuration: Configuration

  /// - Throws: ``SolverError/optionOutOfRange(name:value:)``.
  public init(
    rules: ColumnRules, configuration: Configuration = Configuration()
  ) throws(SolverError) {
    guard configuration.smoothingTolerance > 0 else {
      throw .optionOutOfRange(name: "smoothingTolerance", value: configuration.smoothingTolerance)
    }
    guard configuration.tolerance > 0 else {
      throw .optionOutOfRange(name: "tolerance", value: configuration.tolerance)
    }
    self.rules = rules
    self.configuration = configuration
  }

  /// Fits several levels, each started from the one before.
  ///
  /// - Parameters:
  ///   - rows: Shape `[n, p]`; columns without data keep their prior.
  ///   - levels: Each above 0 and below 1; rising order is fastest.
  ///   - start: Shape `[p]`, a fit of the centre; nil starts from least squares.
  /// - Returns: one fit a level, in the order given. They are fitted one by one and may cross.
  /// - Throws: ``SolverError``, ``SolverError/notConverged(iterations:relativeDecrease:)`` too.
  /// - Complexity: O(*n p*) a step, and O(*p²*) for each row within the bandwidth.
  public func fit(
    _ rows: RegressionRows, levels: [Double], start: [Double]? = nil
  ) throws(SolverError) -> [FitResult] {
    try rules.check(columnCount: rows.columnCount)
    for level in levels where !(level > 0 && level < 1) {
      throw .optionOutOfRange(name: "level", value: level)
    }
    if let start, start.count != rows.columnCount {
      throw .shapeMismatch(what: "start", expected: rows.columnCount, actual: start.count)
    }
    let isLong = rows.rowCount > 4 * configuration.sampleRows
    let sample = isLong ? rows.sample(count: configuration.sampleRows) : rows
    let share = Double(sample.rowCount) / Double(rows.rowCount)
    let squares = SampleScales.Squares(sample, threads: configuration.threads)
    let small = descent(sample, rules.scaled(by: share), squares)
    let large = descent(rows, rules, squares.scaled(by: 1 / share))
    var coefficients = rules.projected(start ?? rules.priors)
    if start == nil {
      var state = try small.state(at: coefficients, loss: SquaredLoss())
      _ = try small.run(&state, loss: SquaredLoss(), tolerance: 1e-6, limit: 5)
      coefficients = state.coefficients
    }
    let chance = max(
      configuration.tolerance,
      Self.chanceShare * Double(rows.columnCount) / Double(rows.rowCount))
    let samplesChance = isLong ? max(configuration.tolerance, chance / share) : nil
    var results: [FitResult] = []
    for level in levels {
      let first = firstBandwidth(sample, coefficients, squares.targetSize)
      let curvature = 0.5 / first
      var (state, loss) = try anneal(
        small.pulled(curvature: curvature), SmoothedPinball(level: level, bandwidth: first),
        from: coefficients, floor: 1e-9 * squares.targetSize, tolerance: samplesChance)
      coefficients = state.coefficients
      if isLong {
        let all = large.pulled(curvature: curvature)
        (state, loss) = try anneal(
          all, loss, from: coefficients, floor: 1e-9 * squares.targetSize, tolerance: chance)
      }
      results.append(try result(large, state, loss))
    }
    return results
  }

  /// Chance takes a share p/n off the objective of n rows with p coefficients; on a long log,
  /// decreases below this share of that are not worth a pass.
  private static let chanceShare = 0.25

  private func descent(
    _ rows: RegressionRows, _ rules: ColumnRules, _ squares: SampleScales.Squares
  ) -> NewtonDescent {
    NewtonDescent(
      rows: rows, rules: rules, threads: configuration.threads, columnSquares: squares.columns,
      smallestObjective: squares.smallestAbsoluteLoss)
  }

  /// A bandwidth with two fifths of the rows in it.
  private func firstBandwidth(
    _ rows: RegressionRows, _ coefficients: [Double], _ targetSize: Double
  ) -> Double {
    let sizes = SampleScales.sortedResidualSizes(rows, coefficients: coefficients, count: 16_384)
    // The lower bounds matter where the start fits perfectly.
    return max(sizes[sizes.count * 2 / 5], 1e-3 * (sizes.last ?? 0), 1e-6 * targetSize)
  }

  /// Lowers the bandwidth until smoothing no longer matters.
  private func anneal(
    _ descent: NewtonDescent, _ first: SmoothedPinball, from coefficients: [Double], floor: Double,
    tolerance: Double? = nil
  ) throws(SolverError) -> (NewtonDescent.State, SmoothedPinball) {
    var loss = first
    var state = try descent.state(at: coefficients, loss: loss)
    var earlier: (coefficients: [Double], bandwidth: Double)?
    var stageTolerance = 1e-3
    while true {
      _ = try descent.run(
        &state, loss: loss, tolerance: stageTolerance, limit: configuration.stepLimit)
      let excess = loss.largestExcess * state.sums.windowWeight
      let allowed = configuration.smoothingTolerance * state.sums.objective
      let isPerfect = state.sums.objective <= descent.smallestObjective
      if excess <= allowed || isPerfect || loss.bandwidth <= floor { break }
      stageTolerance = min(1e-3, 0.01 * excess / state.sums.objective)
      // Not much at once: the next start must see enough rows.
      let bandwidth = loss.bandwidth * max(0.3, min(0.4, allowed / excess))
      // Near the end the minimum moves in proportion to the bandwidth.
      let guess = earlier.map { earlier in
        let share = (bandwidth - loss.bandwidth) / (earlier.bandwidth - loss.bandwidth)
        return state.coefficients.indices.map {
          state.coefficients[$0] + share * (earlier.coefficients[$0] - state.coefficients[$0])
        }
      }
      earlier = (state.coefficients, loss.bandwidth)
      loss = SmoothedPinball(level: loss.level, bandwidth: bandwidth)
      descent.restart(&state, loss: loss, guess: guess)
    }
    try finish(descent, &state, loss, tolerance: tolerance ?? configuration.tolerance)
    return (state, loss)
  }

  private func finish(
    _ descent: NewtonDescent, _ state: inout NewtonDescent.State, _ loss: SmoothedPinball,
    tolerance: Double
  ) throws(SolverError) {
    let isDone = try descent.run(
      &state, loss: loss, tolerance: tolerance, limit: configuration.stepLimit)
    guard isDone || state.relativeDecrease < configuration.smoothingTolerance else {
      throw .notConverged(
        iterations: configuration.stepLimit, relativeDecrease: state.relativeDecrease)
    }
  }

  /// Adds standard errors, with a bandwidth of their own: the density at the quantile needs more rows
  /// than the quantile does.
  private func result(
    _ descent: NewtonDescent, _ state: NewtonDescent.State, _ loss: SmoothedPinball
  ) throws(SolverError) -> FitResult {
    let sizes = SampleScales.sortedResidualSizes(
      descent.rows, coefficients: state.coefficients, count: 16_384)
    let share = Self.densityShare(level: loss.level, rowCount: descent.rows.rowCount)
    let width = sizes[min(sizes.count - 1, Int(share * Double(sizes.count)))]
    let density = SmoothedPinball(level: loss.level, bandwidth: max(width, loss.bandwidth))
    var sums = LossSums.over(
      descent.rows, loss: PinballScores(smoothed: density), coefficients: state.coefficients,
      threads: descent.threads, extent: .hessianAndScores)
    sums.addPenalty(rules, at: state.coefficients)
    let errors = try SandwichErrors(
      hessian: sums.hessian, scores: sums.scores, isFixed: state.isFixed,
      rowCount: descent.rows.rowCount)
    return FitResult(
      coefficients: state.coefficients, standardErrors: errors.standardErrors,
      isFixed: state.isFixed, passes: state.passes + 1, method: errors.method,
      conditionNumber: errors.conditionNumber,
      objective: sums.objective)
  }

  /// The share of rows around the quantile that estimates the density there.
  ///
  /// The n^(−1/3) rate of Hall and Sheather (1988), narrowed towards the tails.
  static func densityShare(level: Double, rowCount: Int) -> Double {
    let spread = 4 * level * (1 - level)
    let rule = 2 * spread / Double(rowCount).squareRoot().squareRoot()
    return min(rule, 0.8 * min(level, 1 - level))
  }
}
