/// The leading blocks of a prompt as an engine caches them, of different lengths.
///
/// A gateway may hash longer blocks than engines cache: prompts that part within such a block share
/// a part of it in the engine. Equal hashes must stand for equal lengths.
public struct CacheBlocks: Sendable, Hashable {
  /// Hashes; each covers its block and all before it.
  public var hashes: [UInt64]
  /// Where each block ends, tokens from the prompt's start; empty where all have the engine's
  /// length.
  public var ends: [Int32]

  /// Blocks of the engine's length, unless `ends` says otherwise.
  ///
  /// - Parameter ends: Rising, as many as hashes, or none.
  public init(hashes: [UInt64] = [], ends: [Int32] = []) {
    self.hashes = hashes
    self.ends = ends.count == hashes.count ? ends : []
  }

  /// How many blocks lie within the first `tokens`.
  ///
  /// - Complexity: O(log blocks).
  func full(within tokens: Int, blockTokens: Int) -> Int {
    if ends.isEmpty { return min(hashes.count, max(tokens, 0) / blockTokens) }
    var (low, high) = (0, ends.count)
    while low < high {
      let middle = (low + high) / 2
      if Int(ends[middle]) <= tokens { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// The tokens of the first `count` blocks.
  @inline(always)
  func end(of count: Int, blockTokens: Int) -> Int {
    if ends.isEmpty { return count * blockTokens }
    return count > 0 ? Int(ends[count - 1]) : 0
  }
}
