import COpenBLAS

/// Which factorization answered.
public enum LeastSquaresMethod: String, Sendable, Hashable, Codable {
  /// Cholesky of the normal matrix: fast, for well-conditioned columns.
  case cholesky
  /// Orthogonal triangularization of the rows: twice the digits, for nearly collinear columns.
  case qr
  /// Singular values, small ones cut: the minimum-norm answer for collinear columns.
  case svd
}

/// Solves a symmetric positive semidefinite system, by Cholesky where it is well-conditioned and
/// otherwise by eigenvalues with the small ones cut.
public struct SymmetricSolver: Sendable {
  /// What answered: ``LeastSquaresMethod/cholesky``, or ``LeastSquaresMethod/svd`` (an
  /// eigenvalue of `XᵀX` is a squared singular value of `X`).
  public let method: LeastSquaresMethod
  /// The condition of the matrix scaled to a unit diagonal; infinite where eigenvalues were cut.
  public let conditionNumber: Double
  /// The number of directions that the matrix determines.
  public let rank: Int
  private let inverseMatrix: Matrix?
  private let factor: CholeskyFactor?
  private let size: Int

  /// Below this reciprocal condition, fewer than three digits of a Cholesky solution are sure.
  public static let smallestReciprocalCondition = 1e-13

  /// Factors `matrix`; zero rows (columns without data) get the solution 0.
  ///
  /// - Parameter tolerance: the share of the largest eigenvalue, after scaling to a unit diagonal,
  ///   below which an eigenvalue counts as zero.
  /// - Throws: ``LinearAlgebraError`` for values that are not finite or an eigenvalue iteration
  ///   that does not converge.
  public init(
    _ matrix: Matrix, tolerance: Double = smallestReciprocalCondition
  ) throws(LinearAlgebraError) {
    size = matrix.columnCount
    if let place = matrix.firstNotFinite {
      throw .notFinite(what: "matrix", row: place.row, column: place.column)
    }
    if let factor = try? CholeskyFactor(matrix), factor.reciprocalCondition > tolerance {
      self.factor = factor
      inverseMatrix = nil
      method = .cholesky
      conditionNumber = 1 / factor.reciprocalCondition
      rank = size
      return
    }
    let (inverse, rank, condition) = try matrix.pseudoInverse(tolerance: tolerance)
    factor = nil
    inverseMatrix = inverse
    method = .svd
    conditionNumber = condition
    self.rank = rank
  }

  /// The solution of `matrix · x = right`; of minimum norm where there are several.
  public func solve(_ right: [Double]) -> [Double] {
    if let factor { return factor.solve(right) }
    return inverseMatrix?.product(right) ?? right
  }

  /// The (pseudo-)inverse.
  public func inverse() -> Matrix {
    factor?.inverse() ?? inverseMatrix ?? Matrix(rowCount: size, columnCount: size)
  }
}

extension Matrix {
  /// The pseudo-inverse of a symmetric semidefinite matrix, cut in unit-diagonal scaling.
  func pseudoInverse(
    tolerance: Double
  ) throws(LinearAlgebraError) -> (inverse: Matrix, rank: Int, condition: Double) {
    let size = columnCount
    guard size > 0 else { throw .empty(what: "matrix") }
    let scales = (0..<size).map { self[$0, $0] > 0 ? 1 / self[$0, $0].squareRoot() : 0 }
    var vectors = self
    vectors.scaleSymmetrically(scales)
    var values = [Double](repeating: 0, count: size)
    let workCount = 1 + 6 * size + 2 * size * size
    let integerCount = 3 + 5 * size
    var work = [Double](repeating: 0, count: workCount)
    var integers = [blas_int](repeating: 0, count: integerCount)
    BLASThreads.keepSingle()
    let info = unsafe copenblas_syevd(
      blas_int(size), &vectors.elements, &values, &work, blas_int(workCount), &integers,
      blas_int(integerCount))
    precondition(info >= 0, "dsyevd: argument \(-info)")
    guard info == 0 else { throw .notConverged(routine: "dsyevd") }
    let largest = max(values.last ?? 0, 0)
    let kept = (0..<size).filter { largest > 0 && values[$0] > tolerance * largest }
    var inverse = Matrix(rowCount: size, columnCount: size)
    let half = Matrix(rowCount: size, columnCount: kept.count) {
      vectors[$0, kept[$1]] / values[kept[$1]].squareRoot()
    }
    if !kept.isEmpty { inverse = half.product(half.transposed) }
    inverse.scaleSymmetrically(scales)
    let smallest = kept.first.map { values[$0] } ?? 0
    let condition = kept.count == size ? largest / smallest : Double.infinity
    return (inverse, kept.count, condition)
  }
}
