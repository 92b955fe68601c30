public import LinearAlgebra

/// What a solver found, and how sure it is.
public struct FitResult: Sendable, Hashable {
  /// Shape `[p]`, target units per column unit.
  public let coefficients: [Double]
  /// Shape `[p]`, same units, robust to unequal variances (sandwich); 0 for a coefficient that is
  /// held, rests on its bound, or that no row informs.
  public let standardErrors: [Double]
  /// Which coefficients are not determined by the rows alone: held, on the bound, or without data.
  public let isFixed: [Bool]
  /// Passes over all rows.
  public let passes: Int
  /// How the matrix behind the standard errors was inverted: ``LeastSquaresMethod/cholesky``, or
  /// ``LeastSquaresMethod/svd`` where columns are collinear.
  public let method: LeastSquaresMethod
  /// The condition of that matrix, scaled to a unit diagonal; infinite where collinear.
  public let conditionNumber: Double
  /// The loss summed over rows, with the pull towards the priors.
  public let objective: Double

  /// Each coefficient's interval.
  ///
  /// - Parameter deviations: its half width in standard errors; 1.96 covers 95 %.
  public func intervals(deviations: Double = 1.96) -> [ClosedRange<Double>] {
    zip(coefficients, standardErrors).map { value, error in
      (value - deviations * error)...(value + deviations * error)
    }
  }
}
