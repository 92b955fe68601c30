public import LinearAlgebra

/// Why a fit was refused.
public enum SolverError: Error, Hashable, Sendable, CustomStringConvertible {
  /// There are no rows, no columns, or no weight.
  case nothingToFit(what: String)
  /// An input has the wrong length.
  case shapeMismatch(what: String, expected: Int, actual: Int)
  /// A value is NaN or infinite, or negative where it must not be.
  case badValue(what: String, row: Int)
  /// An option is outside its range.
  case optionOutOfRange(name: String, value: Double)
  /// The iteration ended above its tolerance.
  case notConverged(iterations: Int, relativeDecrease: Double)
  /// The linear algebra refused its input.
  case linearAlgebra(LinearAlgebraError)

  /// A sentence for a person.
  public var description: String {
    switch self {
    case .nothingToFit(let what): "nothing to fit: \(what)"
    case .shapeMismatch(let what, let expected, let actual):
      "\(what): \(expected) values expected, \(actual) given"
    case .badValue(let what, let row): "\(what) of row \(row) is not a usable number"
    case .optionOutOfRange(let name, let value): "\(name) = \(value) is outside its range"
    case .notConverged(let iterations, let relativeDecrease):
      "no convergence in \(iterations) steps; the last one lowered the loss by a share of "
        + "\(relativeDecrease)"
    case .linearAlgebra(let error): error.description
    }
  }
}
