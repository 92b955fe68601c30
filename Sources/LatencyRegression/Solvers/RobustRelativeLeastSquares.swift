import LinearAlgebra

/// The centre of a target: Huber's loss on residuals in units of each row's scale.
///
/// Minimizes `Σ w ρ((y − xβ)/s) + ½ Σ penalty (β − prior)²` with `ρ(u) = ½u²` up to the threshold and
/// linear beyond: first reweighted least squares, then Newton steps, first on a sample of the rows,
/// then on all. With s = y the residual is the relative error.
public struct RobustRelativeLeastSquares: Sendable {
  /// Options, and their meaning.
  public struct Configuration: Sendable, Hashable {
    /// Where the loss turns linear, in scales, above 0; infinite means least squares.
    public var threshold = 0.3
    /// The share of the objective that the last step may still promise, above 0.
    public var tolerance = 1e-10
    /// The most steps on all rows.
    public var stepLimit = 100
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
    guard configuration.threshold > 0 else {
      throw .optionOutOfRange(name: "threshold", value: configuration.threshold)
    }
    guard configuration.tolerance > 0 else {
      throw .optionOutOfRange(name: "tolerance", value: configuration.tolerance)
    }
    self.rules = rules
    self.configuration = configuration
  }

  /// Fits the coefficients.
  ///
  /// - Parameters:
  ///   - rows: Shape `[n, p]`; columns without data keep their prior.
  ///   - start: Shape `[p]`, an earlier fit; nil starts at the priors.
  /// - Throws: ``SolverError``, ``SolverError/notConverged(iterations:relativeDecrease:)`` too.
  /// - Complexity: O(*n p²*) a step.
  public func fit(
    _ rows: RegressionRows, start: [Double]? = nil
  ) throws(SolverError) -> FitResult {
    let (descent, state) = try solve(rows, start: start)
    return try result(descent, state)
  }

  /// The coefficients alone, shape `[p]`, for two passes less.
  func coefficients(_ rows: RegressionRows) throws(SolverError) -> [Double] {
    try solve(rows, start: nil).state.coefficients
  }

  private func solve(
    _ rows: RegressionRows, start: [Double]?
  ) throws(SolverError) -> (descent: NewtonDescent, state: NewtonDescent.State) {
    try rules.check(columnCount: rows.columnCount)
    if let start, start.count != rows.columnCount {
      throw .shapeMismatch(what: "start", expected: rows.columnCount, actual: start.count)
    }
    var coefficients = rules.projected(start ?? rules.priors)
    let isLong = rows.rowCount > 4 * configuration.sampleRows
    let sample = isLong ? rows.sample(count: configuration.sampleRows) : rows
    let share = Double(sample.rowCount) / Double(rows.rowCount)
    let squares = SampleScales.Squares(sample, threads: configuration.threads)
    if isLong {
      let descent = descent(sample, rules.scaled(by: share), squares)
      coefficients = try minimize(descent, from: coefficients, isWarm: start != nil).coefficients
    }
    let descent = descent(rows, rules, squares.scaled(by: 1 / share))
    let state = try minimize(descent, from: coefficients, isWarm: isLong || start != nil)
    return (descent, state)
  }

  private func descent(
    _ rows: RegressionRows, _ rules: ColumnRules, _ squares: SampleScales.Squares
  ) -> NewtonDescent {
    NewtonDescent(
      rows: rows, rules: rules, threads: configuration.threads, columnSquares: squares.columns,
      smallestObjective: squares.smallestSquaredLoss
    ).pulled(curvature: 1)
  }

  private func minimize(
    _ descent: NewtonDescent, from coefficients: [Double], isWarm: Bool
  ) throws(SolverError) -> NewtonDescent.State {
    let threshold = configuration.threshold
    let reweighted = HuberLoss(threshold: threshold, isMajorizing: true)
    let exact = HuberLoss(threshold: threshold, isMajorizing: false)
    var state: NewtonDescent.State
    if isWarm {
      state = try descent.state(at: coefficients, loss: exact)
    } else {
      state = try descent.state(at: coefficients, loss: reweighted)
      _ = try descent.run(&state, loss: reweighted, tolerance: 1e-4, limit: 10)
      descent.restart(&state, loss: exact)
    }
    let limit = configuration.stepLimit
    if try descent.run(
      &state, loss: exact, tolerance: configuration.tolerance, limit: min(20, limit))
    {
      return state
    }
    // Newton steps of a loss with flat parts can stall; reweighting cannot.
    descent.restart(&state, loss: reweighted)
    guard
      try descent.run(
        &state, loss: reweighted, tolerance: configuration.tolerance, limit: limit)
    else {
      throw .notConverged(iterations: limit, relativeDecrease: state.relativeDecrease)
    }
    return state
  }

  private func result(
    _ descent: NewtonDescent, _ state: NewtonDescent.State
  ) throws(SolverError) -> FitResult {
    let exact = HuberLoss(threshold: configuration.threshold, isMajorizing: false)
    var sums = LossSums.over(
      descent.rows, loss: exact, coefficients: state.coefficients, threads: descent.threads,
      extent: .hessianAndScores)
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
}
