import LinearAlgebra

/// Standard errors that stay right when the variance differs from row to row.
///
/// `Cov β = A⁻¹ B A⁻¹ · n / (n − p)` over the coefficients that the rows determine, A the Hessian with
/// penalties, B the sum of squared scores.
///
/// - Source: White (1980), doi:10.2307/1912934; the factor is "HC1".
enum SandwichErrors {
  static func compute(
    hessian: Matrix, scores: Matrix, isFixed: [Bool], rowCount: Int
  ) throws(SolverError) -> [Double] {
    var errors = [Double](repeating: 0, count: isFixed.count)
    let moving = isFixed.indices.filter { !isFixed[$0] }
    guard !moving.isEmpty else { return errors }
    let inverse: Matrix
    do {
      inverse = try SymmetricSolver(hessian.submatrix(rows: moving, columns: moving)).inverse()
    } catch {
      throw .linearAlgebra(error)
    }
    let middle = scores.submatrix(rows: moving, columns: moving)
    let covariance = inverse.product(middle.product(inverse))
    let spare = max(1, rowCount - moving.count)
    let factor = Double(rowCount) / Double(spare)
    for (index, column) in moving.enumerated() {
      errors[column] = max(0, covariance[index, index] * factor).squareRoot()
    }
    return errors
  }
}
