/// The sums that weighted least squares needs of its rows: `XᵀWX`, `XᵀWy`, `yᵀWy`, `Σw`.
///
/// Mergeable: parts of a log can be reduced anywhere and added. Size O(*p*²), for any row count.
public struct NormalMatrix: Sendable, Hashable {
  /// `XᵀWX`, symmetric, shape `[p, p]`.
  public internal(set) var gram: Matrix
  /// `XᵀWy`, shape `[p]`.
  public internal(set) var moment: [Double]
  /// `yᵀWy`.
  public internal(set) var targetSquares = 0.0
  /// `Σw`.
  public internal(set) var weightSum = 0.0
  /// The rows taken in, those of weight 0 too.
  public internal(set) var rowCount = 0

  /// The number of columns (p).
  public var columnCount: Int { moment.count }

  /// The sums over no rows.
  public init(columnCount: Int) {
    gram = Matrix(rowCount: columnCount, columnCount: columnCount)
    moment = [Double](repeating: 0, count: columnCount)
  }

  /// The sums over all rows of a design.
  ///
  /// - Parameters:
  ///   - design: Shape `[n, p]`.
  ///   - targets: Shape `[n]`.
  ///   - weights: Shape `[n]`, at least 0; nil means 1 each.
  ///   - threads: How many share the rows; the result does not depend on it.
  /// - Throws: ``LinearAlgebraError`` for a wrong length, a value that is not finite, or a
  ///   negative weight, with its row.
  /// - Complexity: O(*n p²*).
  public init(
    _ design: Design, targets: [Double], weights: [Double]? = nil, threads: Int = 1
  ) throws(LinearAlgebraError) {
    try Self.check(design, targets, weights)
    let total = RowBlocks(rowCount: design.rowCount).reduce(threads: threads) { rows in
      var part = NormalMatrix(columnCount: design.columnCount)
      part.addBlock(design, targets, weights, rows)
      return part
    } merge: {
      $0.merge($1)
    }
    self = total ?? NormalMatrix(columnCount: design.columnCount)
    gram.mirrorLowerTriangle()
    guard gram.firstNotFinite == nil, moment.allSatisfy(\.isFinite), targetSquares.isFinite else {
      throw Self.place(design, targets, weights)
    }
  }

  /// Adds the sums of other rows over the same columns.
  ///
  /// - Precondition: equal column counts.
  public mutating func merge(_ other: NormalMatrix) {
    precondition(other.columnCount == columnCount, "sums over the same columns")
    for index in gram.elements.indices { gram.elements[index] += other.gram.elements[index] }
    for index in moment.indices { moment[index] += other.moment[index] }
    targetSquares += other.targetSquares
    weightSum += other.weightSum
    rowCount += other.rowCount
  }

  /// The same sums for the columns named, in that order.
  public func selecting(columns: [Int]) -> NormalMatrix {
    var result = NormalMatrix(columnCount: columns.count)
    result.gram = gram.submatrix(rows: columns, columns: columns)
    result.moment = columns.map { moment[$0] }
    (result.targetSquares, result.weightSum) = (targetSquares, weightSum)
    result.rowCount = rowCount
    return result
  }

  /// `Σ w (y − xβ)²`, at least 0.
  public func residualSquares(_ coefficients: [Double]) -> Double {
    let image = gram.product(coefficients)
    var sum = targetSquares
    for column in moment.indices {
      sum += coefficients[column] * (image[column] - 2 * moment[column])
    }
    return max(0, sum)
  }

  private mutating func addBlock(
    _ design: Design, _ targets: [Double], _ weights: [Double]?, _ rows: Range<Int>
  ) {
    var tile = DesignTile(columnCount: design.columnCount)
    let capacity = DesignTile.capacity(columnCount: design.columnCount)
    var weight = [Double](repeating: 1, count: capacity)
    var product = [Double](repeating: 0, count: capacity)
    var start = rows.lowerBound
    while start < rows.upperBound {
      let range = start..<min(start + capacity, rows.upperBound)
      tile.load(design, rows: range)
      for row in range {
        let value = weights?[row] ?? 1
        weight[row - start] = value
        product[row - start] = value * targets[row]
        targetSquares += value * targets[row] * targets[row]
        weightSum += value
      }
      tile.addProduct(product, to: &moment)
      tile.addGram(weight, to: &gram)
      start = range.upperBound
    }
    rowCount += rows.count
  }

  static func check(
    _ design: Design, _ targets: [Double], _ weights: [Double]?
  ) throws(LinearAlgebraError) {
    guard targets.count == design.rowCount else {
      throw .shapeMismatch(what: "targets", expected: design.rowCount, actual: targets.count)
    }
    guard let weights else { return }
    guard weights.count == design.rowCount else {
      throw .shapeMismatch(what: "weights", expected: design.rowCount, actual: weights.count)
    }
    if let row = weights.firstIndex(where: { $0 < 0 }) { throw .negativeWeight(row: row) }
  }

  /// Finds the value that made the sums not finite.
  static func place(
    _ design: Design, _ targets: [Double], _ weights: [Double]?
  ) -> LinearAlgebraError {
    if let (row, column) = design.firstNotFinite() {
      return .notFinite(what: "design", row: row, column: column)
    }
    if let row = targets.firstIndex(where: { !$0.isFinite }) {
      return .notFinite(what: "targets", row: row, column: 0)
    }
    if let row = weights?.firstIndex(where: { !$0.isFinite }) {
      return .notFinite(what: "weights", row: row, column: 0)
    }
    return .notFinite(what: "sums of squares", row: 0, column: 0)
  }
}
