import Foundation
import LatencyRegression
import LinearAlgebra
import Testing

/// Inputs that logs really bring: copied, constant and empty columns, few rows, one value.
@Suite struct SolverRobustnessTests {
  private let levels = [0.5, 0.9, 0.95, 0.99]

  /// Latency-like rows: `20 + 3 a + b` milliseconds times noise.
  private func rows(
    count: Int, columns: Int = 3, seed: UInt64 = 1, noise: Double = 0.2,
    edit: (inout [Float], Int) -> Void = { _, _ in }
  ) throws -> RegressionRows {
    var numbers = SeededNumbers(state: seed)
    var design = Design(columnCount: columns)
    var targets: [Double] = []
    for row in 0..<count {
      var values = (0..<columns).map { _ in Float(10 * numbers.uniform()) }
      values[0] = 1
      let centre = 20 + 3 * Double(values[1]) + (columns > 2 ? Double(values[2]) : 0)
      targets.append(centre * Foundation.exp(noise * numbers.normal()))
      edit(&values, row)
      design.append(values)
    }
    return try RegressionRows(design: design, targets: targets, scales: targets)
  }

  private func fitAll(_ rows: RegressionRows, rules: ColumnRules? = nil) throws -> [FitResult] {
    let rules = rules ?? ColumnRules(columnCount: rows.columnCount)
    let centre = try RobustRelativeLeastSquares(rules: rules).fit(rows)
    let quantiles = try SmoothedQuantile(rules: rules)
      .fit(rows, levels: levels, start: centre.coefficients)
    let all = [centre] + quantiles
    for fit in all {
      #expect(fit.coefficients.allSatisfy { $0.isFinite })
      #expect(fit.standardErrors.allSatisfy { $0.isFinite && $0 >= 0 })
      #expect(fit.objective.isFinite)
    }
    return all
  }

  @Test func copiedColumnChangesNoPrediction() throws {
    let plain = try fitAll(rows(count: 400, columns: 4) { values, _ in values[3] = 0 })
    let copied = try rows(count: 400, columns: 4) { values, _ in values[3] = values[1] }
    for (fit, reference) in zip(try fitAll(copied), plain) {
      let together = fit.coefficients[1] + fit.coefficients[3]
      // The copy makes the matrix singular; the solver cuts at 1e-13, and smoothing adds 1e-3.
      #expect(abs(together - reference.coefficients[1]) < 2e-3 * reference.coefficients[1])
      #expect(abs(fit.objective / reference.objective - 1) < 1e-4)
    }
  }

  @Test func emptyColumnKeepsItsPrior() throws {
    var rules = ColumnRules(columnCount: 3)
    rules.priors[2] = 0.25
    let rows = try rows(count: 300) { values, _ in values[2] = 0 }
    for fit in try fitAll(rows, rules: rules) {
      #expect(fit.coefficients[2] == 0.25)
      #expect(fit.standardErrors[2] == 0)
      #expect(fit.isFixed[2])
    }
  }

  @Test func secondConstantColumnSharesTheIntercept() throws {
    let rows = try rows(count: 300) { values, _ in values[2] = 2 }
    let fits = try fitAll(rows)
    for fit in fits { #expect(fit.coefficients[0] + 2 * fit.coefficients[2] > 10) }
    #expect(fits[0].method == .svd)
  }

  @Test func allEqualTargetsAreReproduced() throws {
    var design = Design(columnCount: 2)
    for row in 0..<100 { design.append([1, Float(row % 7)]) }
    let targets = [Double](repeating: 40, count: 100)
    let rows = try RegressionRows(design: design, targets: targets, scales: targets)
    for fit in try fitAll(rows) {
      #expect(abs(fit.coefficients[0] - 40) < 0.05)
      #expect(abs(fit.coefficients[1]) < 0.01)
    }
  }

  @Test(arguments: [1, 2, 5, 10])
  func fewerRowsThanColumnsStayFinite(count: Int) throws {
    let rows = try rows(count: count, columns: 12)
    for fit in try fitAll(rows) {
      for (prediction, target) in zip(rows.design.predictions(fit.coefficients), rows.targets) {
        #expect(abs(prediction / target - 1) < 0.2)
      }
    }
  }

  @Test(arguments: UInt64(0)..<10)
  func fiftyRowsGiveOrderedCoverage(seed: UInt64) throws {
    let rows = try rows(count: 50, seed: seed)
    let fits = try fitAll(rows, rules: ColumnRules(nonNegative: [false, true, true]))
    let shares = fits.dropFirst().map { fit in
      let predictions = rows.design.predictions(fit.coefficients)
      return Double(zip(rows.targets, predictions).count { $0.0 <= $0.1 }) / 50
    }
    // At the minimum at most p = 3 rows lie on the plane, and smoothing blurs a few more.
    for (share, level) in zip(shares, levels) { #expect(abs(share - level) <= 6.0 / 50) }
  }

  @Test func flaggedColumnsStayAboveZeroAndTheRestAreOptimal() throws {
    let rows = try rows(count: 500) { values, _ in values[2] = -values[2] }
    let rules = ColumnRules(nonNegative: [false, true, true])
    for fit in try fitAll(rows, rules: rules) {
      #expect(fit.coefficients[2] == 0)
      #expect(fit.isFixed[2])
      #expect(fit.coefficients[1] > 1)
    }
  }

  @Test func heldColumnsStayAndHeavyPullWins() throws {
    var rules = ColumnRules(columnCount: 3)
    rules.bounds[1] = .held(2)
    rules.priors[2] = 5
    rules.penalties[2] = 1e12
    for fit in try fitAll(rows(count: 300), rules: rules) {
      #expect(fit.coefficients[1] == 2)
      #expect(abs(fit.coefficients[2] - 5) < 1e-6)  // the pull is 1e9 times the rows'
    }
  }

  @Test func wildScalesOfColumnsDoNotMatter() throws {
    let plain = try fitAll(rows(count: 400))
    let scaled = try rows(count: 400) { values, _ in
      values[1] *= 0x1p30
      values[2] *= 0x1p-30
    }
    for (fit, reference) in zip(try fitAll(scaled), plain) {
      // Powers of two are exact, so only the order of pivots could differ.
      #expect(abs(fit.coefficients[1] * 0x1p30 / reference.coefficients[1] - 1) < 1e-6)
      #expect(abs(fit.coefficients[2] * 0x1p-30 / reference.coefficients[2] - 1) < 1e-6)
    }
  }

  @Test func lessSmoothingLowersThePinballLoss() throws {
    let rows = try rows(count: 2_000)
    let rules = ColumnRules(columnCount: 3)
    var objectives: [Double] = []
    for tolerance in [1e-1, 1e-2, 1e-4, 1e-6] {
      var configuration = SmoothedQuantile.Configuration()
      configuration.smoothingTolerance = tolerance
      let fit = try SmoothedQuantile(rules: rules, configuration: configuration)
        .fit(rows, levels: [0.95])[0]
      objectives.append(fit.objective)
    }
    let best = objectives[3]
    #expect(objectives[0] <= best * 1.1 && objectives[1] <= best * 1.01)
    #expect(objectives[2] <= best * 1.0001 && objectives[2] >= best * (1 - 1e-6))
  }

  @Test func badInputIsRefusedWithItsPlace() throws {
    let design = try Design(rowCount: 2, columnCount: 1, elements: [1, .nan])
    let rows = try RegressionRows(design: design, targets: [1, 2])
    let rules = ColumnRules(columnCount: 1)
    let expected = SolverError.linearAlgebra(.notFinite(what: "design", row: 1, column: 0))
    #expect(throws: expected) { try RobustRelativeLeastSquares(rules: rules).fit(rows) }
    #expect(throws: expected) { try SmoothedQuantile(rules: rules).fit(rows, levels: [0.5]) }
    #expect(throws: SolverError.badValue(what: "targets", row: 0)) {
      try RegressionRows(design: design, targets: [.nan, 1])
    }
    #expect(throws: SolverError.badValue(what: "scales", row: 1)) {
      try RegressionRows(design: design, targets: [1, 1], scales: [1, 0])
    }
    #expect(throws: SolverError.nothingToFit(what: "no weight")) {
      try RegressionRows(design: design, targets: [1, 1], weights: [0, 0])
    }
    #expect(throws: SolverError.nothingToFit(what: "no rows")) {
      try RegressionRows(design: Design(columnCount: 1), targets: [])
    }
    #expect(throws: SolverError.optionOutOfRange(name: "level", value: 1)) {
      try SmoothedQuantile(rules: rules).fit(rows, levels: [1])
    }
    #expect(throws: SolverError.shapeMismatch(what: "bounds", expected: 1, actual: 2)) {
      try RobustRelativeLeastSquares(rules: ColumnRules(columnCount: 2)).fit(rows)
    }
  }
}
