import COpenBLAS

/// The triangle `R` of a QR factorization of `[√W X, √W y]`, taken block of rows by block of rows.
///
/// It holds what a ``NormalMatrix`` holds (`RᵀR` is that matrix) without squaring the condition
/// number, at about four times the cost.
///
/// - Source: Demmel, Grigori, Hoemmen, Langou (2012), doi:10.1137/080731992 (tall-skinny QR).
public struct TriangularFactor: Sendable {
  /// The number of columns of `X` (p).
  public let columnCount: Int
  /// `R`, upper, shape `[p + 1, p + 1]`; the last column belongs to the targets.
  public private(set) var triangle: Matrix

  /// Factors all rows of a design; parameters as for ``NormalMatrix``.
  ///
  /// - Throws: ``LinearAlgebraError`` for a wrong length, a value that is not finite, or a
  ///   negative weight, with its row.
  /// - Complexity: O(*n p²*); memory O(*p* · block).
  public init(
    _ design: Design, targets: [Double], weights: [Double]? = nil, threads: Int = 1
  ) throws(LinearAlgebraError) {
    try NormalMatrix.check(design, targets, weights)
    columnCount = design.columnCount
    let width = design.columnCount + 1
    let blocks = RowBlocks(rowCount: design.rowCount)
    let total = blocks.reduce(threads: threads) { rows in
      Self.reduce(design, targets, weights, rows)
    } merge: {
      Self.fold(&$0, $1)
    }
    triangle = total ?? Matrix(rowCount: width, columnCount: width)
    guard triangle.firstNotFinite == nil else {
      throw NormalMatrix.place(design, targets, weights)
    }
  }

  private static func reduce(
    _ design: Design, _ targets: [Double], _ weights: [Double]?, _ rows: Range<Int>
  ) -> Matrix {
    let width = design.columnCount + 1
    var triangle = Matrix(rowCount: width, columnCount: width)
    var start = rows.lowerBound
    while start < rows.upperBound {
      let range = start..<min(start + 1024, rows.upperBound)
      let block = Matrix(rowCount: range.count, columnCount: width) { index, column in
        let row = start + index
        let root = weights?[row].squareRoot() ?? 1
        return root * (column == width - 1 ? targets[row] : Double(design[row, column]))
      }
      fold(&triangle, block)
      start = range.upperBound
    }
    return triangle
  }

  /// Replaces `triangle` by the triangle of `triangle` stacked on `rows`.
  private static func fold(_ triangle: inout Matrix, _ rows: Matrix) {
    let width = triangle.columnCount
    let height = width + rows.rowCount
    var stacked = Matrix(rowCount: height, columnCount: width)
    for column in 0..<width {
      for row in 0..<width { stacked[row, column] = triangle[row, column] }
      for row in 0..<rows.rowCount { stacked[width + row, column] = rows[row, column] }
    }
    var tau = [Double](repeating: 0, count: width)
    var work = [Double](repeating: 0, count: 64 * width)
    BLASThreads.keepSingle()
    let info = unsafe copenblas_geqrf(
      blas_int(height), blas_int(width), &stacked.elements, &tau, &work, blas_int(64 * width))
    precondition(info == 0, "dgeqrf: argument \(-info)")
    for column in 0..<width {
      for row in 0..<width { triangle[row, column] = row <= column ? stacked[row, column] : 0 }
    }
  }

  /// The least-squares solution, by substitution, or by singular values where `R` is too
  /// ill-conditioned for that.
  ///
  /// - Throws: ``LinearAlgebraError/notConverged(routine:)``.
  func solve() throws(LinearAlgebraError) -> LeastSquaresSolution {
    let size = columnCount
    let scales = (0..<size).map { column in
      let norm = (0...column).reduce(0.0) { $0 + triangle[$1, column] * triangle[$1, column] }
      return norm > 0 ? 1 / norm.squareRoot() : 0
    }
    var square = Matrix(rowCount: size, columnCount: size) { triangle[$0, $1] * scales[$1] }
    var right = (0..<size).map { triangle[$0, size] }
    let rest = triangle[size, size] * triangle[size, size]
    var reciprocal = 0.0
    if scales.allSatisfy({ $0 > 0 }) {
      var work = [Double](repeating: 0, count: 3 * size)
      var integers = [blas_int](repeating: 0, count: size)
      let info = unsafe copenblas_trcon(
        blas_int(size), square.elements, &reciprocal, &work, &integers)
      precondition(info == 0, "dtrcon: argument \(-info)")
    }
    if reciprocal > LeastSquaresSolution.smallestTriangleCondition {
      let info = unsafe copenblas_trtrs(blas_int(size), 1, square.elements, &right)
      precondition(info == 0, "dtrtrs: \(info)")
      return LeastSquaresSolution(
        coefficients: zip(right, scales).map { $0 * $1 }, method: .qr,
        conditionNumber: 1 / reciprocal, rank: size, residualSquares: rest)
    }
    let (solution, rank, lost) = try Self.minimumNorm(&square, right)
    return LeastSquaresSolution(
      coefficients: zip(solution, scales).map { $0 * $1 }, method: .svd,
      conditionNumber: .infinity, rank: rank, residualSquares: rest + lost)
  }

  /// Singular-value solution of a square system, and the squares that it leaves.
  private static func minimumNorm(
    _ square: inout Matrix, _ right: [Double]
  ) throws(LinearAlgebraError) -> (solution: [Double], rank: Int, lost: Double) {
    let size = square.columnCount
    let original = square
    var solution = right
    var values = right
    let levels = 32
    let workCount = 12 * size + 2 * size * 25 + 8 * size * levels + size + 26 * 26
    var work = [Double](repeating: 0, count: workCount)
    var integers = [blas_int](repeating: 0, count: 3 * size * levels + 11 * size)
    var rank: blas_int = 0
    let info = unsafe copenblas_gelsd(
      blas_int(size), blas_int(size), &square.elements, &solution, blas_int(size), &values,
      LeastSquaresSolution.smallestTriangleCondition, &rank, &work, blas_int(workCount), &integers)
    precondition(info >= 0, "dgelsd: argument \(-info)")
    guard info == 0 else { throw .notConverged(routine: "dgelsd") }
    let image = original.product(solution)
    let lost = zip(image, right).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    return (solution, Int(rank), lost)
  }
}
