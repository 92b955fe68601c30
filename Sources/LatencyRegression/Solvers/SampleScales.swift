import LinearAlgebra

/// Sizes that the solvers measure before they start.
enum SampleScales {
  /// `Σ w x² / s²` per column.
  static func columnSquares(_ rows: RegressionRows, threads: Int) -> [Double] {
    let sums = LossSums.over(
      rows, loss: SquaredLoss(), coefficients: [Double](repeating: 0, count: rows.columnCount),
      threads: threads)
    return (0..<rows.columnCount).map { sums.hessian[$0, $0] }
  }

  /// The sizes of scaled residuals, in rising order, of at most `count` rows.
  static func sortedResidualSizes(
    _ rows: RegressionRows, coefficients: [Double], count: Int
  ) -> [Double] {
    let width = rows.columnCount
    return rows.sampleRows(count: count).map { row in
      let base = row * width
      var prediction = 0.0
      for column in 0..<width {
        prediction += coefficients[column] * Double(rows.design.elements[base + column])
      }
      return abs(rows.targets[row] - prediction) * (rows.inverseScales?[row] ?? 1)
    }.sorted()
  }
}
