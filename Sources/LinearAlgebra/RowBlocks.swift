import Dispatch
import Synchronization

/// A fixed cut of rows into blocks, and work on them by several threads.
///
/// The cut depends on the number of rows alone, and results come back in block order. So a sum
/// made of them is the same, bit for bit, for every number of threads.
public struct RowBlocks: Sendable, Hashable {
  /// The rows to be cut.
  public let rowCount: Int
  /// Rows in every block but the last, which may be shorter.
  public let blockRows: Int

  /// Cuts `rowCount` rows into blocks of `blockRows`, or longer ones beyond `blockLimit` blocks.
  ///
  /// - Parameters:
  ///   - rowCount: At least 0.
  ///   - blockRows: Rows a block, at least 1.
  ///   - blockLimit: The most blocks, at least 1; it bounds the memory of results kept per block.
  public init(rowCount: Int, blockRows: Int = 16_384, blockLimit: Int = 256) {
    precondition(rowCount >= 0 && blockRows > 0 && blockLimit > 0, "sizes are positive")
    let share = (rowCount + blockLimit - 1) / blockLimit
    self.rowCount = rowCount
    self.blockRows = (max(blockRows, share) + blockRows - 1) / blockRows * blockRows
  }

  /// The number of blocks; 0 without rows.
  public var count: Int { (rowCount + blockRows - 1) / blockRows }

  /// The rows of one block.
  public func rows(of block: Int) -> Range<Int> {
    (block * blockRows)..<min((block + 1) * blockRows, rowCount)
  }

  /// Calls `body` once a block, on up to `threads` threads.
  ///
  /// - Returns: what `body` returned, in block order.
  public func map<Value: Sendable>(
    threads: Int, _ body: @Sendable (Range<Int>) -> Value
  ) -> [Value] {
    let blockCount = count
    let workers = min(max(1, threads), blockCount)
    guard workers > 1 else { return (0..<blockCount).map { body(rows(of: $0)) } }
    let next = Atomic<Int>(0)
    return unsafe [Value](unsafeUninitializedCapacity: blockCount) { buffer, initializedCount in
      // Each block is taken once from the counter, so no two threads write one slot.
      nonisolated(unsafe) let slots = unsafe buffer
      DispatchQueue.concurrentPerform(iterations: workers) { _ in
        while true {
          let block = next.add(1, ordering: .relaxed).oldValue
          guard block < blockCount else { return }
          unsafe slots.initializeElement(at: block, to: body(rows(of: block)))
        }
      }
      initializedCount = blockCount
    }
  }

  /// Calls `body` once a block and folds the results in block order.
  ///
  /// - Returns: nil without rows.
  public func reduce<Value: Sendable>(
    threads: Int, _ body: @Sendable (Range<Int>) -> Value,
    merge: (inout Value, borrowing Value) -> Void
  ) -> Value? {
    let parts = map(threads: threads, body)
    guard var total = parts.first else { return nil }
    for part in parts.dropFirst() { merge(&total, part) }
    return total
  }
}
