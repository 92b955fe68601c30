public import LinearAlgebra

/// Weighted least squares on a normal matrix, with some coefficients at least 0.
///
/// Minimizes `½ Σ w (y − xβ)² + ½ Σ penalty (β − prior)²`.
public struct NonNegativeLeastSquares: Sendable {
  /// What was found.
  public struct Solution: Sendable, Hashable {
    /// Shape `[p]`.
    public let coefficients: [Double]
    /// Coefficients on their bound, held, or without data.
    public let isFixed: [Bool]
    /// How the last system was solved.
    public let method: LeastSquaresMethod
    /// The condition of the last system, scaled to a unit diagonal.
    public let conditionNumber: Double
    /// The largest violation of the optimality (Karush–Kuhn–Tucker) conditions.
    ///
    /// A gradient relative to the sum of its terms; rounding leaves about 1e-14.
    public let optimalityResidual: Double
    /// `Σ w (y − xβ)²`.
    public let residualSquares: Double
  }

  /// Bounds and priors.
  public let rules: ColumnRules

  /// - Parameter rules: one entry per column.
  public init(rules: ColumnRules) { self.rules = rules }

  /// Solves for the sums given.
  ///
  /// - Parameter normal: see ``NormalMatrix``; a column without data gets its prior.
  /// - Throws: ``SolverError`` for rules of the wrong length or sums that are not finite.
  /// - Complexity: O(*p*⁴) at worst, O(*p*³) as a rule.
  public func fit(_ normal: NormalMatrix) throws(SolverError) -> Solution {
    try rules.check(columnCount: normal.columnCount)
    guard normal.columnCount > 0 else { throw .nothingToFit(what: "no columns") }
    var (gram, moment) = (normal.gram, normal.moment)
    for column in moment.indices {
      gram[column, column] += rules.penalties[column]
      moment[column] += rules.penalties[column] * rules.priors[column]
    }
    let problem = BoundedQuadratic(matrix: gram, linear: moment, rules: rules)
    let found = try problem.minimize(start: rules.projected(rules.priors))
    return Solution(
      coefficients: found.values, isFixed: found.isFixed, method: found.method,
      conditionNumber: found.conditionNumber, optimalityResidual: found.residual,
      residualSquares: normal.residualSquares(found.values))
  }
}
