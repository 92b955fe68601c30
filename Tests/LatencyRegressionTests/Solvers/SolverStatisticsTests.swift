import Foundation
import LatencyRegression
import LinearAlgebra
import Testing

@Suite struct SolverStatisticsTests {
  private func rows(count: Int, seed: UInt64) throws -> (rows: RegressionRows, centre: [Double]) {
    var numbers = SeededNumbers(state: seed)
    var design = Design(columnCount: 3)
    var (targets, centre) = ([Double](), [Double]())
    for _ in 0..<count {
      let (first, second) = (Float(numbers.uniform() * 10), Float(numbers.uniform() * 4))
      design.append([1, first, second])
      centre.append(10 + 2 * Double(first) + 5 * Double(second))
      targets.append((centre.last ?? 0) * (1 + 0.2 * numbers.normal()))
    }
    return (try RegressionRows(design: design, targets: targets, scales: centre), centre)
  }

  @Test(arguments: [2, 3, 4])
  func anyNumberOfThreadsGivesTheSameBits(threads: Int) throws {
    let (rows, _) = try rows(count: 60_000, seed: 5)
    func fit(_ threads: Int) throws -> [FitResult] {
      let rules = ColumnRules(nonNegative: [false, true, true])
      var centre = RobustRelativeLeastSquares.Configuration()
      (centre.threads, centre.sampleRows) = (threads, 4_000)
      var quantile = SmoothedQuantile.Configuration()
      (quantile.threads, quantile.sampleRows) = (threads, 4_000)
      let first = try RobustRelativeLeastSquares(rules: rules, configuration: centre).fit(rows)
      return try [first]
        + SmoothedQuantile(rules: rules, configuration: quantile)
        .fit(rows, levels: [0.5, 0.9], start: first.coefficients)
    }
    let (several, alone) = (try fit(threads), try fit(1))
    #expect(several == alone)
  }

  @Test func sampleFirstEndsWhereAllRowsDo() throws {
    let (rows, _) = try rows(count: 20_000, seed: 6)
    let rules = ColumnRules(columnCount: 3)
    var sampled = SmoothedQuantile.Configuration()
    sampled.sampleRows = 2_000
    let first = try SmoothedQuantile(rules: rules, configuration: sampled)
      .fit(rows, levels: [0.5, 0.9, 0.99])
    let second = try SmoothedQuantile(rules: rules).fit(rows, levels: [0.5, 0.9, 0.99])
    for (left, right) in zip(first, second) {
      // Bandwidths come from different rows; each may cost 1e-3 of the objective.
      #expect(abs(left.objective / right.objective - 1) < 1e-3)
    }
  }

  @Test func levelsCoverTheirShare() throws {
    let (rows, _) = try rows(count: 20_000, seed: 7)
    let levels = [0.5, 0.9, 0.95, 0.99]
    let fits = try SmoothedQuantile(rules: ColumnRules(columnCount: 3)).fit(rows, levels: levels)
    for (fit, level) in zip(fits, levels) {
      let predictions = rows.design.predictions(fit.coefficients)
      let share = Double(zip(rows.targets, predictions).count { $0.0 <= $0.1 }) / 20_000
      // Exactly fitted it is within p/n; smoothing adds about a thousandth.
      #expect(abs(share - level) < 2e-3)
    }
  }

  /// The truth lies within 1.96 standard errors in about 95 % of 60 logs, for the mean and p90.
  @Test func intervalsCoverTheTruth() throws {
    var hits = [0, 0]
    let truth = [10.0, 2, 5]
    let ninety = 1.2815515655446004 * 0.2 + 1
    for seed in UInt64(100)..<160 {
      let (rows, _) = try rows(count: 600, seed: seed)
      var configuration = RobustRelativeLeastSquares.Configuration()
      configuration.threshold = .infinity
      let rules = ColumnRules(columnCount: 3)
      let mean = try RobustRelativeLeastSquares(rules: rules, configuration: configuration).fit(
        rows)
      let quantile = try SmoothedQuantile(rules: rules).fit(rows, levels: [0.9])[0]
      for column in 0..<3 {
        if mean.intervals()[column].contains(truth[column]) { hits[0] += 1 }
        if quantile.intervals()[column].contains(truth[column] * ninety) { hits[1] += 1 }
      }
    }
    // 180 intervals at 0.95: mean 171, deviation 2.9 (more, for they are dependent within a log).
    #expect(hits[0] >= 160)
    #expect(hits[1] >= 155 && hits[1] < 180)
  }

  @Test func warmStartTakesNoMorePassesAndEndsTheSame() throws {
    let (rows, _) = try rows(count: 5_000, seed: 8)
    let solver = try RobustRelativeLeastSquares(rules: ColumnRules(columnCount: 3))
    let cold = try solver.fit(rows)
    let warm = try solver.fit(rows, start: cold.coefficients)
    #expect(warm.passes < cold.passes)
    #expect(relativeDeviation(warm.coefficients, cold.coefficients) < 1e-8)
  }

  @Test(arguments: UInt64(0)..<20)
  func nonNegativeSolutionIsOptimal(seed: UInt64) throws {
    var numbers = SeededNumbers(state: seed)
    let columns = 12
    let elements = (0..<60 * columns).map { _ in Float(numbers.normal()) }
    let design = try Design(rowCount: 60, columnCount: columns, elements: elements)
    let targets = (0..<60).map { _ in numbers.normal() }
    let normal = try NormalMatrix(design, targets: targets)
    let rules = ColumnRules(nonNegative: (0..<columns).map { $0 > 2 })
    let fit = try NonNegativeLeastSquares(rules: rules).fit(normal)
    let image = normal.gram.product(fit.coefficients)
    for column in 0..<columns {
      let gradient = image[column] - normal.moment[column]
      if fit.coefficients[column] == 0 {
        #expect(column > 2 && gradient > -1e-10)
      } else {
        #expect(abs(gradient) < 1e-10)  // sums of 60 terms near 1
        #expect(column <= 2 || fit.coefficients[column] > 0)
      }
    }
    #expect(fit.optimalityResidual < 1e-11)
  }
}
