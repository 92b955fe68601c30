import Foundation
import LatencyRegression
import LinearAlgebra
import Testing

/// Random problems made of everything that troubles a solver at once.
@Suite struct SolverStressTests {
  private enum Kind: Int, CaseIterable { case constant, uniform, rare, heavy, copy, sum, rectified }

  private func value(
    _ kind: Kind, _ row: [Float], _ column: Int, _ numbers: inout SeededNumbers
  ) -> Float {
    switch kind {
    case .constant: 1
    case .uniform: Float(100 * numbers.uniform())
    case .rare: numbers.uniform() < 0.01 ? 1 : 0
    case .heavy: Float(1e4 * Foundation.exp(3 * numbers.normal()))
    case .copy: column > 0 ? 2 * row[column - 1] : 1
    case .sum: column > 1 ? row[column - 1] + row[column - 2] : 0
    case .rectified: Float(1e-3 * max(0, numbers.normal()))
    }
  }

  /// Columns on scales from 1e-3 to 1e9, sums and copies of each other, mostly zero; noise none to
  /// huge; one target in a hundred 20 times too large; targets rounded to ties.
  private func rows(seed: UInt64) throws -> RegressionRows {
    var numbers = SeededNumbers(state: seed &* 7_919)
    let count = [1, 3, 10, 50, 200, 600][Int(6 * numbers.uniform())]
    let columns = 1 + Int(14 * numbers.uniform())
    let kinds = (0..<columns).map { _ in Kind(rawValue: Int(7 * numbers.uniform())) ?? .constant }
    let noise = [0, 0.01, 0.3, 1.5][Int(4 * numbers.uniform())]
    let isRounded = numbers.uniform() < 0.3
    var design = Design(columnCount: columns)
    var targets: [Double] = []
    for _ in 0..<count {
      var row = [Float](repeating: 0, count: columns)
      for column in 0..<columns { row[column] = value(kinds[column], row, column, &numbers) }
      design.append(row)
      var target = 10 + row.reduce(0) { $0 + Foundation.log(1 + Double(abs($1))) }
      target *= Foundation.exp(noise * numbers.normal()) * (numbers.uniform() < 0.01 ? 20 : 1)
      targets.append(isRounded ? max(1, (target / 5).rounded()) : target)
    }
    return try RegressionRows(design: design, targets: targets, scales: targets)
  }

  @Test(arguments: UInt64(0)..<40)
  func everyProblemEndsFiniteAndNoWorseThanNothing(seed: UInt64) throws {
    let rows = try rows(seed: seed)
    var numbers = SeededNumbers(state: seed)
    let flags = (0..<rows.columnCount).map { _ in numbers.uniform() < 0.5 }
    let rules = ColumnRules(nonNegative: flags)
    let centre = try RobustRelativeLeastSquares(rules: rules).fit(rows)
    let levels = [0.5, 0.9, 0.99]
    let quantiles = try SmoothedQuantile(rules: rules)
      .fit(rows, levels: levels, start: centre.coefficients)
    for fit in [centre] + quantiles {
      #expect((fit.coefficients + fit.standardErrors).allSatisfy { $0.isFinite })
      for column in flags.indices where flags[column] { #expect(fit.coefficients[column] >= 0) }
    }
    // Coefficients of 0 leave residuals of 1 in every row.
    let count = Double(rows.rowCount)
    #expect(centre.objective <= count * 0.3 * (1 - 0.15) * (1 + 1e-12))
    for (fit, level) in zip(quantiles, levels) {
      // Smoothing may cost 1e-3 of the loss.
      #expect(fit.objective <= level * count * (1 + 1e-3))
    }
  }
}
