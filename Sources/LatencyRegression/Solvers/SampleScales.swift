import LinearAlgebra

/// Sizes that the solvers measure before they start.
enum SampleScales {
  /// `Σ w x² / s²` per column, `Σ w y² / s²` and `Σ w`.
  struct Squares {
    var columns: [Double]
    var targets: Double
    var weightSum: Double

    init(_ rows: RegressionRows, threads: Int) {
      let sums = LossSums.over(
        rows, loss: SquaredLoss(), coefficients: [Double](repeating: 0, count: rows.columnCount),
        threads: threads)
      columns = (0..<rows.columnCount).map { sums.hessian[$0, $0] }
      targets = 2 * sums.objective
      weightSum = sums.weightSum
    }

    /// The same for `factor` times as many rows.
    func scaled(by factor: Double) -> Squares {
      var copy = self
      copy.columns = columns.map { $0 * factor }
      copy.targets *= factor
      copy.weightSum *= factor
      return copy
    }

    /// The root mean square of scaled targets, above 0.
    var targetSize: Double {
      max((targets / max(weightSum, .leastNormalMagnitude)).squareRoot(), 1e-100)
    }

    /// Squared loss, and absolute loss, of residuals a millionth of the targets.
    var smallestSquaredLoss: Double { max(0.5e-12 * targets, .leastNormalMagnitude) }
    var smallestAbsoluteLoss: Double {
      max(1e-6 * (targets * weightSum).squareRoot(), .leastNormalMagnitude)
    }
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
