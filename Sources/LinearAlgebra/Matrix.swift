import COpenBLAS

/// A dense matrix of `Double`, column after column.
public struct Matrix: Sendable, Hashable {
  /// The number of rows.
  public let rowCount: Int
  /// The number of columns.
  public let columnCount: Int
  /// The values, column-major: element (row, column) is at `column * rowCount + row`.
  public var elements: [Double]

  /// A matrix of zeros.
  public init(rowCount: Int, columnCount: Int) {
    self.rowCount = rowCount
    self.columnCount = columnCount
    elements = [Double](repeating: 0, count: rowCount * columnCount)
  }

  /// A matrix filled by `value(row, column)`.
  public init(rowCount: Int, columnCount: Int, value: (Int, Int) -> Double) {
    self.init(rowCount: rowCount, columnCount: columnCount)
    for column in 0..<columnCount {
      for row in 0..<rowCount { self[row, column] = value(row, column) }
    }
  }

  /// A matrix that takes over column-major `elements`.
  ///
  /// - Throws: ``LinearAlgebraError/shapeMismatch(what:expected:actual:)`` for a wrong count.
  public init(rowCount: Int, columnCount: Int, elements: [Double]) throws(LinearAlgebraError) {
    guard elements.count == rowCount * columnCount else {
      throw .shapeMismatch(
        what: "matrix elements", expected: rowCount * columnCount, actual: elements.count)
    }
    self.rowCount = rowCount
    self.columnCount = columnCount
    self.elements = elements
  }

  /// The element in `row` and `column`, both from 0.
  public subscript(row: Int, column: Int) -> Double {
    get { elements[column * rowCount + row] }
    set { elements[column * rowCount + row] = newValue }
  }

  /// The matrix with rows and columns exchanged.
  public var transposed: Matrix {
    Matrix(rowCount: columnCount, columnCount: rowCount) { self[$1, $0] }
  }

  /// The rows and columns named, in that order.
  public func submatrix(rows: [Int], columns: [Int]) -> Matrix {
    Matrix(rowCount: rows.count, columnCount: columns.count) { self[rows[$0], columns[$1]] }
  }

  /// `self · vector`, shape `[rowCount]`.
  ///
  /// - Precondition: `vector.count == columnCount`.
  public func product(_ vector: [Double]) -> [Double] {
    precondition(vector.count == columnCount, "one value per column")
    var result = [Double](repeating: 0, count: rowCount)
    guard rowCount > 0, columnCount > 0 else { return result }
    BLASThreads.keepSingle()
    unsafe cblas_dgemv(
      CInt(CBLAS_COLUMN_MAJOR), CInt(CBLAS_NO_TRANS), blas_int(rowCount), blas_int(columnCount), 1,
      elements, blas_int(rowCount), vector, 1, 0, &result, 1)
    return result
  }

  /// `self · other`, shape `[rowCount, other.columnCount]`.
  ///
  /// - Precondition: `other.rowCount == columnCount`.
  public func product(_ other: Matrix) -> Matrix {
    precondition(other.rowCount == columnCount, "inner sizes agree")
    var result = Matrix(rowCount: rowCount, columnCount: other.columnCount)
    guard rowCount > 0, columnCount > 0, other.columnCount > 0 else { return result }
    BLASThreads.keepSingle()
    unsafe cblas_dgemm(
      CInt(CBLAS_COLUMN_MAJOR), CInt(CBLAS_NO_TRANS), CInt(CBLAS_NO_TRANS), blas_int(rowCount),
      blas_int(other.columnCount), blas_int(columnCount), 1, elements, blas_int(rowCount),
      other.elements, blas_int(other.rowCount), 0, &result.elements, blas_int(rowCount))
    return result
  }

  /// Copies the lower triangle onto the upper one.
  ///
  /// - Precondition: the matrix is square.
  mutating func mirrorLowerTriangle() {
    precondition(rowCount == columnCount, "square")
    for column in 0..<columnCount {
      for row in (column + 1)..<max(rowCount, column + 1) { self[column, row] = self[row, column] }
    }
  }

  /// Where the first value stands that is not finite; nil when all are.
  var firstNotFinite: (row: Int, column: Int)? {
    guard let index = elements.firstIndex(where: { !$0.isFinite }) else { return nil }
    return (index % max(rowCount, 1), index / max(rowCount, 1))
  }
}
