internal import Foundation

/// A search on disk, for the next run to go on with.
public struct SearchState: Sendable, Codable {
  /// What was searched: resuming another problem's search would be wrong.
  public var problem: String
  /// The search as it stood after a generation.
  public var search: PolicySearch

  /// The state of `search`.
  public init(problem: String, search: PolicySearch) {
    self.problem = problem
    self.search = search
  }

  /// Replaces the file at `path`; a reader sees the old or the new, never half.
  ///
  /// - Throws: ``PolicyTuningError/inputOutput(path:reason:)``.
  public func write(to path: String) throws(PolicyTuningError) {
    do {
      try JSONEncoder().encode(self).write(to: URL(fileURLWithPath: path), options: .atomic)
    } catch {
      throw .inputOutput(path: path, reason: "cannot be written: \(error.localizedDescription)")
    }
  }

  /// The state at `path`.
  ///
  /// - Throws: ``PolicyTuningError/foreignState(path:reason:)`` unless it is of `problem`, and
  ///   ``PolicyTuningError/inputOutput(path:reason:)``.
  public static func read(
    path: String, problem: String
  ) throws(PolicyTuningError) -> PolicySearch {
    let data: Data
    do {
      data = try Data(contentsOf: URL(fileURLWithPath: path))
    } catch {
      throw .inputOutput(path: path, reason: "cannot be read: \(error.localizedDescription)")
    }
    guard let state = try? JSONDecoder().decode(SearchState.self, from: data) else {
      throw .foreignState(path: path, reason: "it is not a saved search")
    }
    guard state.problem == problem else {
      throw .foreignState(path: path, reason: "its log, policy, objective or options differ")
    }
    return state.search
  }
}
