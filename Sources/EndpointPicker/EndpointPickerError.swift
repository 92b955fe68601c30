/// What can go wrong with the picker's surroundings; a request never does.
public enum EndpointPickerError: Error, Sendable, Hashable {
  /// A field of the configuration, or of an endpoint file, is wrong; `remedy` says what would do.
  case badField(String, problem: String, remedy: String)
  /// The text is no YAML, or more than it should be.
  case badDocument(name: String, problem: String)
  /// The system refused to open, read or write a file.
  case inputOutput(path: String, errno: Int32)
  /// The cluster's API did not answer as it should.
  case cluster(String)
  /// The admin server could not start.
  case admin(String)
}

extension EndpointPickerError: CustomStringConvertible {
  /// What happened, and what to do, for a person.
  public var description: String {
    switch self {
    case .badField(let field, let problem, let remedy): "\(field): \(problem); \(remedy)"
    case .badDocument(let name, let problem): "\(name): \(problem)"
    case .inputOutput(let path, let code): "\(path): \(SystemCall.message(code))"
    case .cluster(let detail): "the cluster's API: \(detail)"
    case .admin(let detail): "the admin server: \(detail)"
    }
  }
}
