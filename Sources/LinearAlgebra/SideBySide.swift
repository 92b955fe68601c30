import Dispatch
import Synchronization

/// Two pieces of work at a time, each free to use all threads when the other leaves them idle.
///
/// Work nested in ``RowBlocks/map(threads:_:)`` gets only its share of the threads.
public enum SideBySide {
  /// Calls both; one after the other when there is only one thread.
  ///
  /// - Returns: What they returned.
  public static func run<First: Sendable, Second: Sendable>(
    threads: Int, _ first: @Sendable () -> First, _ second: @Sendable () -> Second
  ) -> (First, Second) {
    guard threads > 1 else { return (first(), second()) }
    return withoutActuallyEscaping(first) { first in
      let group = DispatchGroup()
      let box = Box<First>()
      DispatchQueue.global().async(group: group) { box.value.withLock { $0 = first() } }
      let own = second()
      group.wait()
      // Only a queue that drops its work leaves the box empty.
      let other = box.value.withLock { $0 }
      return (other ?? first(), own)
    }
  }

  private final class Box<Value: Sendable>: Sendable {
    let value = Mutex<Value?>(nil)
  }
}
