/// Why entries cannot be read, predicted or kept.
public enum PredictorEntriesError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The text is not JSON.
  case malformed(offset: Int, reason: String)
  /// The JSON breaks the API's rules; the first violations, at most
  /// ``EntryParser/maximumViolations``.
  case invalid([EntryViolation])
  /// The entry log cannot be written or read.
  case inputOutput(path: String, operation: String, code: Int32)

  /// What happened.
  public var description: String {
    switch self {
    case .malformed(let offset, let reason): "not JSON at byte \(offset): \(reason)"
    case .invalid(let violations):
      violations.map { "\($0.location.joined(separator: ".")): \($0.message)" }
        .joined(separator: "; ")
    case .inputOutput(let path, let operation, let code): "\(operation) \(path): error \(code)"
    }
  }
}

/// One broken rule of the API, in the terms that its clients know.
public struct EntryViolation: Sendable, Hashable {
  /// The path to the value: `body`, the array's name, the row, the field.
  public var location: [String]
  /// The rule's name, such as `missing` or `less_than_equal`.
  public var kind: String
  /// What is wrong, for a person.
  public var message: String

  /// A violation made of its parts.
  public init(location: [String], kind: String, message: String) {
    self.location = location
    self.kind = kind
    self.message = message
  }
}
