import LinearAlgebra

/// Standard errors that stay right when the variance differs from row to row.
///
/// `Cov β = A⁻¹ B A⁻¹ · n / (n − p)` over the coefficients that the rows determine, A the Hessian with
/// penalties, B the sum of squared scores.
///
/// - Source: White (1980), doi:10.2307/1912934; the factor is "HC1".
struct SandwichErrors {
  let standardErrors: [Double]
  /// How the Hessian of the coefficients that move was inverted, and its condition.
  let method: LeastSquaresMethod
  let conditionNumber: Double

  init(
    hessian: Matrix, scores: Matrix, isFixed: [Bool], rowCount: Int
  ) throws(SolverError) {
    var errors = [Double](repeating: 0, count: isFixed.count)
    let moving = isFixed.indices.filter { !isFixed[$0] }
    guard !moving.isEmpty else {
      (standardErrors, method, conditionNumber) = (errors, .cholesky, 1)
      return
    }
    let solver: SymmetricSolver
    do {
      solver = try SymmetricSolver(hessian.submatrix(rows: moving, columns: moving))
    } catch {
      throw .linearAlgebra(error)
    }
    let inverse = solver.inverse()
    let middle = scores.submatrix(rows: moving, columns: moving)
    let covariance = inverse.product(middle.product(inverse))
    let spare = max(1, rowCount - moving.count)
    let factor = Double(rowCount) / Double(spare)
    for (index, column) in moving.enumerated() {
      errors[column] = max(0, covariance[index, index] * factor).squareRoot()
    }
    standardErrors = errors
    method = solver.method
    conditionNumber = solver.conditionNumber
  }
}
