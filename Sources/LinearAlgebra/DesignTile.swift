import COpenBLAS

/// A few hundred rows of a ``Design`` in `Double`, small enough for the second-level cache, and the
/// three products that a Newton step needs of them.
///
/// Every pass over the rows goes tile by tile: load, predict, weigh, add up; memory is read once.
public struct DesignTile: Sendable {
  /// Rows in the tile now.
  public private(set) var rowCount = 0
  private let columnCount: Int
  private var rows: [Double]
  private var packed: [Double]

  /// The most rows a tile holds for `columnCount` columns: 256 KB of values.
  public static func capacity(columnCount: Int) -> Int {
    max(64, 32_768 / max(1, columnCount))
  }

  /// An empty tile.
  public init(columnCount: Int) {
    self.columnCount = columnCount
    let capacity = DesignTile.capacity(columnCount: columnCount)
    rows = [Double](repeating: 0, count: capacity * columnCount)
    packed = rows
    BLASThreads.keepSingle()
  }

  /// Copies rows of the design into the tile.
  ///
  /// - Precondition: at most ``capacity(columnCount:)`` rows, of as many columns.
  public mutating func load(_ design: borrowing Design, rows range: Range<Int>) {
    precondition(design.columnCount == columnCount, "the tile was made for another design")
    precondition(range.count * columnCount <= rows.count, "too many rows for a tile")
    precondition(range.lowerBound >= 0 && range.upperBound <= design.rowCount, "rows exist")
    let count = range.count * columnCount
    let first = range.lowerBound * columnCount
    unsafe design.elements.withUnsafeBufferPointer { source in
      unsafe rows.withUnsafeMutableBufferPointer { target in
        guard count > 0, let from = source.baseAddress, let to = target.baseAddress else { return }
        unsafe Self.widen(from + first, into: to, count: count)
      }
    }
    rowCount = range.count
  }

  /// Bare pointers, so that the loop is run on vectors.
  private static func widen(
    _ source: UnsafePointer<Float>, into target: UnsafeMutablePointer<Double>, count: Int
  ) {
    var index = 0
    while index &+ 8 <= count {
      let low = unsafe UnsafeRawPointer(source + index).loadUnaligned(as: SIMD4<Float>.self)
      let high = unsafe UnsafeRawPointer(source + index + 4).loadUnaligned(as: SIMD4<Float>.self)
      unsafe UnsafeMutableRawPointer(target + index)
        .storeBytes(of: SIMD4<Double>(low), as: SIMD4<Double>.self)
      unsafe UnsafeMutableRawPointer(target + index + 4)
        .storeBytes(of: SIMD4<Double>(high), as: SIMD4<Double>.self)
      index &+= 8
    }
    while index < count {
      unsafe target[index] = Double(source[index])
      index &+= 1
    }
  }

  /// Writes `x · coefficients` of each row to the start of `predictions`.
  public func predict(_ coefficients: [Double], into predictions: inout [Double]) {
    precondition(coefficients.count == columnCount && predictions.count >= rowCount, "sizes agree")
    guard rowCount > 0, columnCount > 0 else { return }
    unsafe cblas_dgemv(
      CInt(CBLAS_COLUMN_MAJOR), CInt(CBLAS_TRANS), blas_int(columnCount), blas_int(rowCount), 1,
      rows, blas_int(columnCount), coefficients, 1, 0, &predictions, 1)
  }

  /// Adds `Σ factors[i] · xᵢ` to `sums`.
  public func addProduct(_ factors: [Double], to sums: inout [Double]) {
    precondition(sums.count == columnCount && factors.count >= rowCount, "sizes agree")
    guard rowCount > 0, columnCount > 0 else { return }
    unsafe cblas_dgemv(
      CInt(CBLAS_COLUMN_MAJOR), CInt(CBLAS_NO_TRANS), blas_int(columnCount), blas_int(rowCount), 1,
      rows, blas_int(columnCount), factors, 1, 1, &sums, 1)
  }

  /// Adds `Σ weights[i] · xᵢ²`, column by column, to `sums`.
  func addSquares(_ weights: [Double], to sums: inout [Double]) {
    precondition(sums.count == columnCount && weights.count >= rowCount, "sizes agree")
    let (width, count) = (columnCount, rowCount)
    unsafe rows.withUnsafeBufferPointer { source in
      unsafe sums.withUnsafeMutableBufferPointer { target in
        for row in 0..<count {
          let (weight, base) = (weights[row], row &* width)
          for column in 0..<width {
            let x = unsafe source[base &+ column]
            unsafe target[column] += weight * x * x
          }
        }
      }
    }
  }

  /// Adds `Σ weights[i] · xᵢ xᵢᵀ` to the lower triangle of `gram`; rows of weight 0 cost nothing.
  ///
  /// - Precondition: weights are at least 0.
  public mutating func addGram(_ weights: [Double], to gram: inout Matrix) {
    precondition(gram.columnCount == columnCount && weights.count >= rowCount, "sizes agree")
    guard columnCount > 0 else { return }
    let used = packWeightedRows(weights)
    guard used > 0 else { return }
    unsafe cblas_dsyrk(
      CInt(CBLAS_COLUMN_MAJOR), CInt(CBLAS_LOWER), CInt(CBLAS_NO_TRANS), blas_int(columnCount),
      blas_int(used), 1, packed, blas_int(columnCount), 1, &gram.elements, blas_int(columnCount))
  }

  /// Copies the rows of positive weight, each times the root of it, side by side.
  private mutating func packWeightedRows(_ weights: [Double]) -> Int {
    let (width, count) = (columnCount, rowCount)
    var used = 0
    unsafe rows.withUnsafeBufferPointer { source in
      unsafe packed.withUnsafeMutableBufferPointer { target in
        guard let from = source.baseAddress, let to = target.baseAddress else { return }
        for row in 0..<count where weights[row] > 0 {
          unsafe Self.scale(
            from + row * width, by: weights[row].squareRoot(), into: to + used * width,
            count: width)
          used += 1
        }
      }
    }
    return used
  }

  private static func scale(
    _ source: UnsafePointer<Double>, by factor: Double, into target: UnsafeMutablePointer<Double>,
    count: Int
  ) {
    var index = 0
    while index &+ 4 <= count {
      let values = unsafe UnsafeRawPointer(source + index).loadUnaligned(as: SIMD4<Double>.self)
      unsafe UnsafeMutableRawPointer(target + index)
        .storeBytes(of: values * factor, as: SIMD4<Double>.self)
      index &+= 4
    }
    while index < count {
      unsafe target[index] = source[index] * factor
      index &+= 1
    }
  }
}
