internal import RoutingRuntime
internal import Synchronization

/// What became of each attempt to put a model in force, newest last.
final class ReloadHistory: Sendable {
  /// One attempt.
  struct Entry: Sendable, Hashable, Codable {
    var unixMilliseconds: Int64
    /// The version in force after it; 0 where it was refused.
    var version: UInt64
    /// The kind of reason for a refusal; empty when it was put in force.
    var kind: String
    /// The reason in words.
    var reason: String
  }

  struct Totals: Sendable {
    var loaded: UInt64 = 0
    var refused: [String: UInt64] = [:]
    var loadedUnixMilliseconds: Int64 = 0
    var entries: [Entry] = []
  }

  private static let capacity = 50
  private let totals_ = Mutex(Totals())

  var totals: Totals { totals_.withLock { $0 } }

  func note(_ outcome: Result<UInt64, ReloadRefusal>, unixNanoseconds: Int64) {
    totals_.withLock { totals in
      var entry = Entry(
        unixMilliseconds: unixNanoseconds / 1_000_000, version: 0, kind: "", reason: "")
      switch outcome {
      case .success(let version):
        entry.version = version
        totals.loaded += 1
        totals.loadedUnixMilliseconds = entry.unixMilliseconds
      case .failure(let refusal):
        entry.kind = "\(refusal.kind)"
        entry.reason = refusal.reason
        totals.refused[entry.kind, default: 0] += 1
      }
      totals.entries.append(entry)
      if totals.entries.count > Self.capacity { totals.entries.removeFirst() }
    }
  }
}
