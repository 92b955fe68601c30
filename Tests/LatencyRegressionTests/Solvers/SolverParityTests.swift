import LatencyRegression
import LinearAlgebra
import Testing

@Suite struct SolverParityTests {
  @Test func leastSquaresMatchesNumPyAndStatsmodels() throws {
    let fixture = try SolverFixtures.load("least_squares", as: SolverFixtures.LeastSquares.self)
    let design = try SolverFixtures.design(fixture.x)
    let plain = try leastSquares(design, targets: fixture.y)
    // Condition 20: both round at about 1e-15 times its square.
    #expect(relativeDeviation(plain.coefficients, fixture.ordinary) < 1e-11)
    #expect(relativeDeviation([plain.residualSquares], [fixture.residual_squares]) < 1e-11)
    let weighted = try leastSquares(design, targets: fixture.y, weights: fixture.weights)
    #expect(relativeDeviation(weighted.coefficients, fixture.weighted) < 1e-11)
  }

  @Test func robustStandardErrorsMatchStatsmodels() throws {
    let fixture = try SolverFixtures.load("least_squares", as: SolverFixtures.LeastSquares.self)
    let rows = try RegressionRows(design: SolverFixtures.design(fixture.x), targets: fixture.y)
    var configuration = RobustRelativeLeastSquares.Configuration()
    configuration.threshold = .infinity
    let fit = try RobustRelativeLeastSquares(
      rules: ColumnRules(columnCount: 4), configuration: configuration
    ).fit(rows)
    #expect(relativeDeviation(fit.coefficients, fixture.ordinary) < 1e-9)
    #expect(relativeDeviation(fit.standardErrors, fixture.ordinary_errors) < 1e-9)
    for (interval, value) in zip(fit.intervals(), fit.coefficients) {
      #expect(interval.contains(value))
    }
  }

  @Test func ridgeTowardsPriorsMatchesNumPy() throws {
    let fixture = try SolverFixtures.load("least_squares", as: SolverFixtures.LeastSquares.self)
    let design = try SolverFixtures.design(fixture.x)
    var rules = ColumnRules(columnCount: 4)
    rules.penalties = fixture.penalties
    rules.priors = fixture.priors
    let sums = try NormalMatrix(design, targets: fixture.y)
    let direct = try NonNegativeLeastSquares(rules: rules).fit(sums)
    #expect(relativeDeviation(direct.coefficients, fixture.ridge) < 1e-11)
    var configuration = RobustRelativeLeastSquares.Configuration()
    configuration.threshold = .infinity
    let iterated = try RobustRelativeLeastSquares(rules: rules, configuration: configuration)
      .fit(RegressionRows(design: design, targets: fixture.y))
    // Damping of 1e-11 times the condition of the matrix.
    #expect(relativeDeviation(iterated.coefficients, fixture.ridge) < 1e-8)
  }

  @Test func huberMatchesSciPy() throws {
    let fixture = try SolverFixtures.load("huber", as: SolverFixtures.Huber.self)
    let rows = try RegressionRows(
      design: SolverFixtures.design(fixture.x), targets: fixture.y, scales: fixture.y)
    let free = try RobustRelativeLeastSquares(rules: ColumnRules(columnCount: 4)).fit(rows)
    // SciPy stops on the gradient at about 1e-8; our objective is never above its.
    #expect(relativeDeviation(free.coefficients, fixture.free) < 1e-5)
    #expect(free.objective <= fixture.free_objective * (1 + 1e-12))
    let rules = ColumnRules(nonNegative: [false, true, true, true])
    let bounded = try RobustRelativeLeastSquares(rules: rules).fit(rows)
    #expect(relativeDeviation(bounded.coefficients, fixture.bounded) < 1e-5)
    #expect(bounded.objective <= fixture.bounded_objective * (1 + 1e-12))
    #expect(bounded.coefficients.dropFirst().allSatisfy { $0 >= 0 })
  }

  @Test func quantilesMatchLinearProgramming() throws {
    let fixture = try SolverFixtures.load("quantile", as: SolverFixtures.Quantile.self)
    let rows = try RegressionRows(
      design: SolverFixtures.design(fixture.x), targets: fixture.y, scales: fixture.scales)
    var configuration = SmoothedQuantile.Configuration()
    configuration.smoothingTolerance = 1e-8
    configuration.tolerance = 1e-12
    for rules in [
      ColumnRules(columnCount: 4), ColumnRules(nonNegative: [false, true, true, true]),
    ] {
      let isFree = rules.bounds[1] == .free
      let fits = try SmoothedQuantile(rules: rules, configuration: configuration)
        .fit(rows, levels: fixture.levels.map(\.level))
      for (fit, expected) in zip(fits, fixture.levels) {
        let (coefficients, objective) =
          isFree
          ? (expected.program, expected.objective)
          : (expected.non_negative, expected.non_negative_objective)
        // Smoothing may cost 1e-8 of the objective; coefficients follow to about its root.
        let deviation = relativeDeviation(fit.coefficients, coefficients, floor: 1e-1)
        #expect(deviation < 1e-4, "level \(expected.level), free \(isFree)")
        #expect(abs(fit.objective / objective - 1) < 1e-7, "level \(expected.level)")
        #expect(!isFree || fit.objective < expected.quantreg_objective * (1 + 1e-7))
      }
    }
  }

  @Test func nonNegativeLeastSquaresMatchesSciPy() throws {
    let fixture = try SolverFixtures.load("nnls", as: SolverFixtures.NonNegative.self)
    let design = try SolverFixtures.design(fixture.x)
    let rules = ColumnRules(nonNegative: [Bool](repeating: true, count: design.columnCount))
    let normal = try NormalMatrix(design, targets: fixture.y)
    let fit = try NonNegativeLeastSquares(rules: rules).fit(normal)
    // Same active set, so the same small system; its condition is about 100.
    #expect(relativeDeviation(fit.coefficients, fixture.coefficients) < 1e-10)
    let norm = fixture.residual_norm * fixture.residual_norm
    #expect(relativeDeviation([fit.residualSquares], [norm]) < 1e-10)
    #expect(fit.optimalityResidual < 1e-11)
  }

  @Test func collinearColumnsMatchTheMinimumNormOfNumPy() throws {
    let fixture = try SolverFixtures.load("collinear", as: SolverFixtures.Collinear.self)
    let design = try SolverFixtures.design(fixture.x)
    let fit = try leastSquares(design, targets: fixture.y)
    #expect(fit.method == .svd)
    #expect(fit.rank == 4)
    // The cut direction is Float rounding (6e-8), so the answers differ by about that.
    #expect(relativeDeviation(fit.coefficients, fixture.minimum_norm) < 1e-6)
    #expect(relativeDeviation(design.predictions(fit.coefficients), fixture.predictions) < 1e-7)
    let near = try SolverFixtures.design(fixture.near)
    let close = try leastSquares(near, targets: fixture.y)
    // Condition 1e5 or so, on 1e-16.
    #expect(relativeDeviation(close.coefficients, fixture.near_answer) < 1e-7)
  }
}
