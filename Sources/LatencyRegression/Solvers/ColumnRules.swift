/// What a fitted coefficient may be.
public enum ColumnBound: Sendable, Hashable {
  /// Any number.
  case free
  /// At least 0: physics has a sign.
  case nonNegative
  /// Exactly this value.
  case held(Double)
}

/// Per column: its bound, and the value towards which it is drawn, with what force.
///
/// The objective gains `½ Σ penalty · (β − prior)²`, beside a loss summed (not averaged) over rows.
public struct ColumnRules: Sendable, Hashable {
  /// Shape `[p]`.
  public var bounds: [ColumnBound]
  /// Shape `[p]`, in units of the coefficients.
  public var priors: [Double]
  /// Shape `[p]`, at least 0, in units of loss per squared coefficient; 0 means no pull.
  public var penalties: [Double]

  /// No bound and no pull on any of `columnCount` columns.
  public init(columnCount: Int) {
    bounds = [ColumnBound](repeating: .free, count: columnCount)
    priors = [Double](repeating: 0, count: columnCount)
    penalties = priors
  }

  /// The columns flagged are at least 0, the others free; no pull.
  public init(nonNegative: [Bool]) {
    self.init(columnCount: nonNegative.count)
    for column in nonNegative.indices where nonNegative[column] { bounds[column] = .nonNegative }
  }

  func check(columnCount: Int) throws(SolverError) {
    for (name, count) in [
      ("bounds", bounds.count), ("priors", priors.count), ("penalties", penalties.count),
    ] where count != columnCount {
      throw .shapeMismatch(what: name, expected: columnCount, actual: count)
    }
    for column in 0..<columnCount {
      guard priors[column].isFinite else {
        throw .optionOutOfRange(name: "prior of column \(column)", value: priors[column])
      }
      guard penalties[column].isFinite, penalties[column] >= 0 else {
        throw .optionOutOfRange(name: "penalty of column \(column)", value: penalties[column])
      }
      if case .held(let value) = bounds[column], !value.isFinite {
        throw .optionOutOfRange(name: "held value of column \(column)", value: value)
      }
    }
  }

  /// The same pull per row for a share of the rows.
  func scaled(by share: Double) -> ColumnRules {
    var copy = self
    copy.penalties = penalties.map { $0 * share }
    return copy
  }

  /// The nearest values that the bounds allow.
  func projected(_ values: [Double]) -> [Double] {
    values.indices.map { column in
      switch bounds[column] {
      case .free: values[column]
      case .nonNegative: max(0, values[column])
      case .held(let value): value
      }
    }
  }
}
