public import LinearAlgebra

/// The rows of one regression: columns, targets, and what one unit of error is in each row.
///
/// The residual that every loss sees is `(target − x · β) / scale`. For relative errors the scale
/// is the target; for quantiles it must be known without the target (a predicted centre, say):
/// weights that depend on the target tilt the levels.
public struct RegressionRows: Sendable {
  /// Shape `[n, p]`.
  public let design: Design
  /// Shape `[n]`, milliseconds for latencies.
  public let targets: [Double]
  /// One over the scale, shape `[n]`; nil means 1 each.
  public let inverseScales: [Double]?
  /// Shape `[n]`, at least 0; nil means 1 each.
  public let weights: [Double]?

  /// The number of rows (n).
  public var rowCount: Int { design.rowCount }
  /// The number of columns (p).
  public var columnCount: Int { design.columnCount }

  /// Checks lengths, signs and that targets, scales and weights are finite.
  ///
  /// - Parameters:
  ///   - scales: Shape `[n]`, above 0, in units of the targets; nil means 1 each.
  ///   - weights: Shape `[n]`, at least 0 and not all 0; nil means 1 each.
  /// - Throws: ``SolverError``. Values of the design are checked by the fit, which reads them anyway.
  public init(
    design: Design, targets: [Double], scales: [Double]? = nil, weights: [Double]? = nil
  ) throws(SolverError) {
    guard design.columnCount > 0 else { throw .nothingToFit(what: "no columns") }
    guard design.rowCount > 0 else { throw .nothingToFit(what: "no rows") }
    for (name, values) in [("targets", targets), ("scales", scales), ("weights", weights)] {
      guard let values else { continue }
      guard values.count == design.rowCount else {
        throw .shapeMismatch(what: name, expected: design.rowCount, actual: values.count)
      }
      if let row = values.firstIndex(where: { !$0.isFinite }) {
        throw .badValue(what: name, row: row)
      }
    }
    if let row = scales?.firstIndex(where: { $0 < Self.smallestScale }) {
      throw .badValue(what: "scales", row: row)
    }
    if let weights {
      if let row = weights.firstIndex(where: { $0 < 0 }) {
        throw .badValue(what: "weights", row: row)
      }
      guard weights.contains(where: { $0 > 0 }) else { throw .nothingToFit(what: "no weight") }
    }
    self.design = design
    self.targets = targets
    inverseScales = scales.map { $0.map { 1 / $0 } }
    self.weights = weights
  }

  /// The smallest scale accepted: its inverse squared stays finite.
  static let smallestScale = 1e-100

  private init(picking rows: [Int], of other: RegressionRows) {
    design = other.design.selecting(rows: rows)
    targets = rows.map { other.targets[$0] }
    inverseScales = other.inverseScales.map { all in rows.map { all[$0] } }
    weights = other.weights.map { all in rows.map { all[$0] } }
  }

  /// What one unit of error is in each row, shape `[n]`.
  var scales: [Double] {
    inverseScales?.map { 1 / $0 } ?? [Double](repeating: 1, count: rowCount)
  }

  /// The rows `rows`, in that order.
  func picking(_ rows: [Int]) -> RegressionRows { RegressionRows(picking: rows, of: self) }

  /// About `count` rows, one from each of `count` equal stretches, at a scattered place in it.
  ///
  /// Scattered, because every k-th row of a log could follow its rhythm; by a fixed hash, so that
  /// the same rows come each time.
  func sample(count: Int) -> RegressionRows {
    guard count < rowCount else { return self }
    return picking(sampleRows(count: count))
  }

  func sampleRows(count: Int) -> [Int] {
    guard count < rowCount else { return Array(0..<rowCount) }
    return (0..<count).map { index in
      let start = index * rowCount / count
      let length = (index + 1) * rowCount / count - start
      var bits = UInt64(truncatingIfNeeded: index) &* 0x9E37_79B9_7F4A_7C15
      bits = (bits ^ (bits >> 31)) &* 0xBF58_476D_1CE4_E5B9
      return start + Int(truncatingIfNeeded: (bits >> 33) % UInt64(length))
    }
  }

  /// Finds the value of the design that made a sum not finite.
  func notFinite() -> SolverError {
    if let (row, column) = design.firstNotFinite() {
      return .linearAlgebra(.notFinite(what: "design", row: row, column: column))
    }
    return .linearAlgebra(.notFinite(what: "sums of squares", row: 0, column: 0))
  }
}
