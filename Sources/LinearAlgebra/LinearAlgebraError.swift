/// Why a computation was refused.
public enum LinearAlgebraError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Two inputs disagree in length.
  case shapeMismatch(what: String, expected: Int, actual: Int)
  /// There is nothing to compute with.
  case empty(what: String)
  /// A value is NaN or infinite; `row` and `column` are where.
  case notFinite(what: String, row: Int, column: Int)
  /// The matrix is not positive definite; `column` is where the factorization stopped.
  case notPositiveDefinite(column: Int)
  /// An iterative LAPACK routine gave up.
  case notConverged(routine: String)
  /// A least-squares weight is negative.
  case negativeWeight(row: Int)

  /// A sentence for a person.
  public var description: String {
    switch self {
    case .shapeMismatch(let what, let expected, let actual):
      "\(what): \(expected) values expected, \(actual) given"
    case .empty(let what): "\(what) is empty"
    case .notFinite(let what, let row, let column):
      "\(what) holds a value that is not finite at row \(row), column \(column)"
    case .notPositiveDefinite(let column):
      "the matrix is not positive definite (column \(column))"
    case .notConverged(let routine): "\(routine) did not converge"
    case .negativeWeight(let row): "the weight of row \(row) is negative"
    }
  }
}
