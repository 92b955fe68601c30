import COpenBLAS

/// The Cholesky factor of a symmetric positive definite matrix, scaled to a unit diagonal first.
///
/// Scaling makes the condition estimate independent of the units of the columns: milliseconds
/// beside squared tokens do not count as ill-conditioned.
public struct CholeskyFactor: Sendable {
  /// The size of the matrix.
  public let columnCount: Int
  /// An estimate of 1/condition (1-norm) of the scaled matrix; near 2e-16 means singular.
  public let reciprocalCondition: Double
  /// One over the square root of each diagonal element.
  let scales: [Double]
  private let lower: [Double]

  /// Factors `matrix`, of which only the lower triangle is read.
  ///
  /// - Throws: ``LinearAlgebraError/notPositiveDefinite(column:)``, also for a diagonal element
  ///   that is zero or negative; ``LinearAlgebraError/notFinite(what:row:column:)``.
  /// - Complexity: O(*p*³/3).
  public init(_ matrix: Matrix) throws(LinearAlgebraError) {
    let size = matrix.columnCount
    guard matrix.rowCount == size else {
      throw .shapeMismatch(what: "rows of a square matrix", expected: size, actual: matrix.rowCount)
    }
    guard size > 0 else { throw .empty(what: "matrix") }
    if let place = matrix.firstNotFinite {
      throw .notFinite(what: "matrix", row: place.row, column: place.column)
    }
    var scales = [Double](repeating: 1, count: size)
    for column in 0..<size {
      guard matrix[column, column] > 0 else { throw .notPositiveDefinite(column: column) }
      scales[column] = 1 / matrix[column, column].squareRoot()
    }
    var scaled = matrix
    scaled.scaleSymmetrically(scales)
    let norm = scaled.symmetricOneNorm
    BLASThreads.keepSingle()
    let info = unsafe copenblas_potrf(blas_int(size), &scaled.elements)
    precondition(info >= 0, "dpotrf: argument \(-info)")
    guard info == 0 else { throw .notPositiveDefinite(column: Int(info) - 1) }
    var reciprocal = 0.0
    var work = [Double](repeating: 0, count: 3 * size)
    var integers = [blas_int](repeating: 0, count: size)
    let state = unsafe copenblas_pocon(
      blas_int(size), scaled.elements, norm, &reciprocal, &work, &integers)
    precondition(state == 0, "dpocon: argument \(-state)")
    columnCount = size
    reciprocalCondition = reciprocal
    self.scales = scales
    lower = scaled.elements
  }

  /// Solves `matrix · x = right`.
  ///
  /// - Precondition: `right.count == columnCount`.
  public func solve(_ right: [Double]) -> [Double] {
    precondition(right.count == columnCount, "one value per column")
    var solution = zip(right, scales).map { $0 * $1 }
    let info = unsafe copenblas_potrs(blas_int(columnCount), 1, lower, &solution)
    precondition(info == 0, "dpotrs: argument \(-info)")
    for column in 0..<columnCount { solution[column] *= scales[column] }
    return solution
  }

  /// The inverse of the matrix.
  ///
  /// - Complexity: O(2*p*³/3).
  public func inverse() -> Matrix {
    var result = Matrix(rowCount: columnCount, columnCount: columnCount)
    result.elements = lower
    let info = unsafe copenblas_potri(blas_int(columnCount), &result.elements)
    precondition(info == 0, "dpotri: a factor with a zero diagonal, \(info)")
    result.scaleSymmetrically(scales)
    result.mirrorLowerTriangle()
    return result
  }

  /// The diagonal of the inverse; times the noise variance it is each coefficient's variance.
  public func inverseDiagonal() -> [Double] {
    let inverse = inverse()
    return (0..<columnCount).map { inverse[$0, $0] }
  }
}

extension Matrix {
  /// Multiplies element (row, column) by both their scales.
  mutating func scaleSymmetrically(_ scales: [Double]) {
    for column in 0..<columnCount {
      for row in 0..<rowCount { self[row, column] *= scales[row] * scales[column] }
    }
  }

  /// The 1-norm of a symmetric matrix of which the lower triangle is read.
  fileprivate var symmetricOneNorm: Double {
    var sums = [Double](repeating: 0, count: columnCount)
    for column in 0..<columnCount {
      sums[column] += abs(self[column, column])
      for row in (column + 1)..<max(rowCount, column + 1) {
        sums[column] += abs(self[row, column])
        sums[row] += abs(self[row, column])
      }
    }
    return sums.max() ?? 0
  }
}
