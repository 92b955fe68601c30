internal import Synchronization

/// Counts the bytes of request bodies that all exchanges of a server hold at one time.
///
/// Each body is bounded, but not how many clients send one; this bounds the sum.
final class HeldBytes: Sendable {
  private let limit: Int
  private let held = Atomic(0)

  init(limit: Int) { self.limit = limit }

  /// The bytes held now.
  var count: Int { held.load(ordering: .relaxed) }

  /// Takes `count` bytes more, unless that were too many.
  func take(_ count: Int) -> Bool {
    if held.add(count, ordering: .relaxed).newValue <= limit { return true }
    giveBack(count)
    return false
  }

  func giveBack(_ count: Int) { held.subtract(count, ordering: .relaxed) }
}
