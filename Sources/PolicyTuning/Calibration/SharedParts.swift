internal import FleetSimulation
internal import LogReplay
internal import RequestLog

/// What prompts share beyond the whole blocks that a gateway hashes.
///
/// Engines cache shorter blocks than gateways hash: prompts that part within a hashed block share
/// its beginning in the engine, and so do a session's turns. The log shows how much: where a prompt
/// met a cache that held its first blocks and no more, the cached tokens beyond them were shared.
/// Taken for the length that all prompts with the same blocks before share there, blocks are cut in
/// two: the part that is shared, and the rest. Without it, a simulated cache finds a little less
/// than the engine, and near saturation queues make much of that.
///
/// It says what prompts have in common and nothing of when anything happened.
struct SharedParts: Sendable {
  /// Where blocks are cut, tokens from their beginning, rising; by the hash of the block before.
  private var cuts: [UInt64: [Int32]] = [:]
  private let blockTokens: Int

  /// Nothing beyond whole blocks.
  init(blockTokens: Int) { self.blockTokens = blockTokens }

  /// The hash that stands before the first block.
  private static let beginning: UInt64 = 0x626c_6f63_6b73
  /// Parts of a block are at least this share of it: gateways count tokens by bytes, so that the
  /// same cut is logged at places some tokens apart.
  private static let leastShare = 8
  /// Prompts with cached tokens, in full accordance with the hashes, of all such prompts.
  private static let leastAccordance = 0.5

  private func before(_ position: Int, _ blocks: ArraySlice<UInt64>) -> UInt64 {
    position > 0 ? blocks[blocks.startIndex + position - 1] : Self.beginning
  }

  /// Learns from every prompt that was served, in order of dispatch.
  ///
  /// - Complexity: O(rows × log blocks + different blocks).
  init(_ log: TuningLog) {
    self.init(blockTokens: log.blockTokens)
    let least = Int32(max(1, blockTokens / Self.leastShare))
    var seen = [Set<UInt64>](repeating: [], count: log.endpoints.count)
    var (reused, accordant) = (0, 0)
    for row in 0..<log.count {
      let prefill = log.prefillEndpoint(ofRow: row)
      let endpoint = prefill >= 0 ? prefill : log.endpoint(ofRow: row)
      let blocks = log.prefixBlocks(ofRow: row)
      guard endpoint >= 0 else { continue }
      let known = Self.known(blocks, seen[endpoint])
      for position in blocks.indices.dropFirst(known) { seen[endpoint].insert(blocks[position]) }
      let cached = log.replay.rows[row].cachedTokens
      guard cached > 0 else { continue }
      reused += 1
      let rest = cached - Int32(clamping: known * blockTokens)
      guard rest > -least, rest < Int32(clamping: blockTokens) else { continue }
      accordant += 1
      if rest >= least { cut(after: before(known, blocks), at: rest, least: least) }
    }
    // Where hashes and tokens do not fit together, the log cannot tell.
    if Double(accordant) < Self.leastAccordance * Double(reused) { cuts = [:] }
  }

  /// How many leading blocks were seen; with each, those before it were.
  private static func known(_ blocks: ArraySlice<UInt64>, _ seen: Set<UInt64>) -> Int {
    var (low, high) = (0, blocks.count)
    while low < high {
      let middle = (low + high) / 2
      if seen.contains(blocks[blocks.startIndex + middle]) {
        low = middle + 1
      } else {
        high = middle
      }
    }
    return low
  }

  private mutating func cut(after block: UInt64, at tokens: Int32, least: Int32) {
    guard Int(tokens) + Int(least) <= blockTokens else { return }
    var places = cuts[block] ?? []
    guard places.allSatisfy({ abs($0 - tokens) >= least }) else { return }
    places.append(tokens)
    places.sort()
    cuts[block] = places
  }

  /// The blocks of a prompt of `tokens`, cut; empty where none is.
  func blocks(_ whole: ArraySlice<UInt64>, tokens: Int) -> CacheBlocks {
    guard !cuts.isEmpty else { return CacheBlocks() }
    var hashes: [UInt64] = []
    var ends: [Int32] = []
    for position in 0...whole.count {
      let start = position * blockTokens
      let previous = before(position, whole)
      var last: Int32 = 0
      if let places = cuts[previous] {
        if hashes.isEmpty, position > 0 {
          hashes = Array(whole.prefix(position))
          ends = (1...position).map { Int32(clamping: $0 * blockTokens) }
        }
        for place in places where start + Int(place) <= tokens {
          hashes.append(Self.mixed(previous, UInt64(place)))
          ends.append(Int32(clamping: start + Int(place)))
          last = place
        }
      }
      if position < whole.count, !hashes.isEmpty {
        let hash = whole[whole.startIndex + position]
        // What is left of a block is no whole one, should its hash stand elsewhere, too.
        hashes.append(last > 0 ? Self.mixed(hash, UInt64(blockTokens) + UInt64(last)) : hash)
        ends.append(Int32(clamping: start + blockTokens))
      }
    }
    return CacheBlocks(hashes: hashes, ends: ends)
  }

  private static func mixed(_ hash: UInt64, _ place: UInt64) -> UInt64 {
    let product = (hash ^ 0x7061_7274).multipliedFullWidth(by: 0xa076_1d64_78bd_642f &+ 2 &* place)
    return product.high ^ product.low
  }
}
