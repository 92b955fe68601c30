/// What can be wrong with a tuning.
public enum PolicyTuningError: Error, Sendable, Hashable {
  /// The log has too few requests to tune and to judge.
  case tooFewRequests(count: Int, needed: Int)
  /// The model cannot be used: the runtime's reason.
  case unusableModel(String)
  /// A saved search belongs to another problem, or is damaged.
  case foreignState(path: String, reason: String)
  /// A file could not be read or written.
  case inputOutput(path: String, reason: String)
  /// A name that is none of those known.
  case unknownName(String, known: [String])
}

extension PolicyTuningError: CustomStringConvertible {
  /// A sentence for a person.
  public var description: String {
    switch self {
    case .tooFewRequests(let count, let needed):
      "the log has \(count) complete requests; tuning needs \(needed)"
    case .unusableModel(let reason): "the model cannot be used: \(reason)"
    case .foreignState(let path, let reason):
      "\(path): this search cannot be resumed: \(reason)"
    case .inputOutput(let path, let reason): "\(path): \(reason)"
    case .unknownName(let name, let known):
      "unknown name \"\(name)\"; known are \(known.joined(separator: ", "))"
    }
  }
}
