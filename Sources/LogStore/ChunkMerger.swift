import RequestLog

/// Merges chunks that come in order of their first arrival into one sequence in order.
struct ChunkMerger {
  private let window: ClosedRange<Int64>
  private var pending = RequestBatch()
  /// Rows of `pending` that were handed out.
  private var taken = 0
  /// Rows that no later chunk can come before.
  private(set) var settled = 0

  init(window: ClosedRange<Int64>) { self.window = window }

  /// Marks the rows that arrived before `arrival`; `nil` marks all.
  mutating func settle(before arrival: Int64?) {
    var end = taken + settled
    if let arrival {
      while end < pending.rows.count, pending.rows[end].receivedNanoseconds < arrival { end += 1 }
    } else {
      end = pending.rows.count
    }
    settled = end - taken
  }

  /// Adds the rows of `chunk` that are in the window.
  mutating func add(_ chunk: StoredChunk, _ symbols: [Symbol]) throws(ChunkFault) {
    let first = pending.rows.count
    try chunk.unpack(into: &pending, symbols: symbols)
    if chunk.receivedFrom < window.lowerBound || chunk.receivedTo > window.upperBound {
      var kept = first
      for index in first..<pending.rows.count
      where window.contains(pending.rows[index].receivedNanoseconds) {
        if kept != index { pending.rows[kept] = pending.rows[index] }
        kept += 1
      }
      pending.rows.removeSubrange(kept...)
    }
    merge(at: first)
  }

  /// Merges the sorted rows from `middle` on with the sorted unsettled ones before them.
  private mutating func merge(at middle: Int) {
    guard middle > 0, middle < pending.rows.count,
      pending.rows[middle].isBefore(pending.rows[middle - 1])
    else { return }
    var start = middle
    while start > taken + settled, pending.rows[middle].isBefore(pending.rows[start - 1]) {
      start -= 1
    }
    let left = Array(pending.rows[start..<middle])
    var (from, right, place) = (0, middle, start)
    while from < left.count {
      if right < pending.rows.count, pending.rows[right].isBefore(left[from]) {
        pending.rows[place] = pending.rows[right]
        right += 1
      } else {
        pending.rows[place] = left[from]
        from += 1
      }
      place += 1
    }
  }

  /// The next `count` settled rows, with parts of their own.
  mutating func take(_ count: Int) -> RequestBatch {
    if taken == 0, count == pending.rows.count {
      defer {
        pending = RequestBatch()
        settled = 0
      }
      return pending
    }
    let batch = copy(taken..<taken + count)
    taken += count
    settled -= count
    // What was handed out is dropped once it outweighs the rest.
    if taken > pending.rows.count - taken {
      pending = copy(taken..<pending.rows.count)
      taken = 0
    }
    return batch
  }

  private func copy(_ range: Range<Int>) -> RequestBatch {
    var batch = RequestBatch()
    batch.rows = Array(pending.rows[range])
    for index in batch.rows.indices {
      let row = batch.rows[index]
      batch.rows[index].requestID.start = Int32(clamping: batch.text.count)
      batch.text.append(contentsOf: pending.text[row.requestID.indices])
      batch.rows[index].candidates.start = Int32(clamping: batch.text.count)
      batch.text.append(contentsOf: pending.text[row.candidates.indices])
      batch.rows[index].prefixBlocks.start = Int32(clamping: batch.blocks.count)
      batch.blocks.append(contentsOf: pending.blocks[row.prefixBlocks.indices])
      batch.rows[index].chunkOffsets.start = Int32(clamping: batch.chunkOffsets.count)
      batch.chunkOffsets.append(contentsOf: pending.chunkOffsets[row.chunkOffsets.indices])
    }
    return batch
  }
}
