/// A least-squares fit and how it was found.
public struct LeastSquaresSolution: Sendable, Hashable {
  /// Shape `[p]`, target units per column unit.
  public let coefficients: [Double]
  /// What answered.
  public let method: LeastSquaresMethod
  /// The condition of the columns, scaled to unit length; infinite where they are collinear.
  public let conditionNumber: Double
  /// The number of directions that the rows determine; below p the answer has minimum norm.
  public let rank: Int
  /// `Σ w (y − xβ)²`.
  public let residualSquares: Double

  /// A normal matrix squares the condition: below this reciprocal of the square, Cholesky would
  /// leave fewer than six sure digits, and QR takes over.
  public static let smallestNormalCondition = 1e-10
  /// Below this reciprocal condition of the triangle itself, columns count as collinear.
  ///
  /// Columns are `Float`, rounded to 6e-8 of their size: a fainter direction is rounding, not data.
  public static let smallestTriangleCondition = 1e-7
}

/// Minimizes `Σ w (y − xβ)²`: Cholesky of the normal matrix, then QR, then singular values, as the
/// condition demands.
///
/// - Parameters:
///   - design: Shape `[n, p]`; *n* below *p* gives the minimum-norm answer.
///   - targets: Shape `[n]`.
///   - weights: Shape `[n]`, at least 0; nil means 1 each.
///   - threads: How many share the rows; the result does not depend on it.
/// - Throws: ``LinearAlgebraError`` for nothing to fit, a wrong length, a value that is not finite,
///   or a negative weight.
/// - Complexity: O(*n p²*).
public func leastSquares(
  _ design: Design, targets: [Double], weights: [Double]? = nil, threads: Int = 1
) throws(LinearAlgebraError) -> LeastSquaresSolution {
  guard design.columnCount > 0 else { throw .empty(what: "the list of columns") }
  guard design.rowCount > 0 else { throw .empty(what: "the list of rows") }
  let normal = try NormalMatrix(design, targets: targets, weights: weights, threads: threads)
  if let factor = try? CholeskyFactor(normal.gram),
    factor.reciprocalCondition > LeastSquaresSolution.smallestNormalCondition
  {
    let coefficients = factor.solve(normal.moment)
    return LeastSquaresSolution(
      coefficients: coefficients, method: .cholesky,
      conditionNumber: (1 / factor.reciprocalCondition).squareRoot(), rank: design.columnCount,
      residualSquares: normal.residualSquares(coefficients))
  }
  return try TriangularFactor(
    design, targets: targets, weights: weights, threads: threads
  ).solve()
}
