/// What each endpoint is thought to have cached: block hashes per endpoint, of which the least
/// recently used leave first.
///
/// Engines drop a prompt's tail before its head, so an insertion makes the head the most recent.
/// Per endpoint: nodes in a list by recency, and an open-addressing table from hash to node.
public struct PrefixIndex: Sendable {
  fileprivate struct Node: Sendable {
    var hash: UInt64 = 0
    var newer: Int32 = -1
    var older: Int32 = -1
  }

  fileprivate struct EndpointState: Sendable {
    /// Blocks that it may have, at most `capacity`.
    var limit: Int32
    var count: Int32 = 0
    var newest: Int32 = -1
    var oldest: Int32 = -1
  }

  /// Blocks remembered per endpoint.
  public let capacity: Int
  private let tableSize: Int
  private var endpoints: [EndpointState] = []
  private var nodes: [Node] = []
  /// Node numbers by hash in the low 24 bits, and eight bits of the hash above them, so that most
  /// strangers are passed without a look at their node; `tableSize` per endpoint.
  private var table: [UInt32] = []

  /// An index of at most `capacity` blocks per endpoint.
  ///
  /// - Complexity: allocates O(`capacity`) when an endpoint is added, and never after.
  public init(capacity: Int) {
    self.capacity = min(max(capacity, 1), Int(Self.nodeMask))
    var size = 2
    while size < 2 * self.capacity { size *= 2 }
    tableSize = size
  }

  /// Adds an endpoint with nothing cached.
  public mutating func addEndpoint() {
    endpoints.append(EndpointState(limit: Int32(capacity)))
    nodes.append(contentsOf: repeatElement(Node(), count: capacity))
    table.append(contentsOf: repeatElement(Self.empty, count: tableSize))
  }

  /// How many of the leading blocks the endpoint has.
  ///
  /// A block's hash covers all blocks before it, and an insertion leaves each block more recent than
  /// those after it; so an endpoint that has a block has all before it. The end of the match is
  /// searched for from a guess on, in steps that double.
  ///
  /// - Parameter guess: About how many there may be.
  /// - Complexity: O(log(1 + |matched − guess|)), no allocation.
  public func matchedBlocks(_ blocks: [UInt64], endpoint: Int, near guess: Int = 0) -> Int {
    search(blocks.span, endpoint: endpoint, near: guess)
  }

  /// The same in place, for those who ask for one endpoint after another.
  @inline(always)
  func search(_ blocks: Span<UInt64>, endpoint: Int, near guess: Int) -> Int {
    guard endpoints[endpoint].count > 0 else { return 0 }
    let table = table.span.extracting(endpoint * tableSize..<(endpoint + 1) * tableSize)
    let nodes = nodes.span.extracting(endpoint * capacity..<(endpoint + 1) * capacity)
    // It has `matched` blocks, and fewer than `bound`.
    var (matched, bound, step) = (0, blocks.count + 1, 1)
    var probe = max(guess, 1)
    while bound - matched > 1 {
      if probe <= matched || probe >= bound { probe = (matched + bound) / 2 }
      if Self.has(blocks[probe - 1], table, nodes) {
        matched = probe
        probe &+= step
      } else {
        bound = probe
        probe &-= step
      }
      step &*= 2
    }
    return matched
  }

  /// The endpoint has been sent a prompt of these blocks.
  ///
  /// - Returns: How many of the leading blocks it had before.
  /// - Complexity: O(blocks), no allocation.
  @discardableResult
  public mutating func insert(_ blocks: [UInt64], endpoint: Int) -> Int {
    let matched = matchedBlocks(blocks, endpoint: endpoint, near: blocks.count)
    var place = endpoints[endpoint]
    // Moved out and back, so that neither array is copied.
    var (ownTable, ownNodes): ([UInt32], [Node]) = ([], [])
    swap(&ownTable, &self.table)
    swap(&ownNodes, &self.nodes)
    var allSlots = ownTable.mutableSpan
    var allNodes = ownNodes.mutableSpan
    var table = allSlots._mutatingExtracting(endpoint * tableSize..<(endpoint + 1) * tableSize)
    var nodes = allNodes._mutatingExtracting(endpoint * capacity..<(endpoint + 1) * capacity)
    let blocks = blocks.span
    var index = min(blocks.count, Int(place.limit))
    while index > 0 {
      index -= 1
      place.touch(blocks[index], &table, &nodes)
    }
    swap(&ownTable, &self.table)
    swap(&ownNodes, &self.nodes)
    endpoints[endpoint] = place
    return matched
  }

  /// Blocks that the endpoint's cache is thought to hold.
  public func limit(endpoint: Int) -> Int { Int(endpoints[endpoint].limit) }

  /// Says how many blocks the endpoint's cache holds; held to 1…``capacity``.
  ///
  /// An endpoint that has more than that remembered begins anew.
  public mutating func setLimit(_ blocks: Int, endpoint: Int) {
    let limit = Int32(min(max(blocks, 1), capacity))
    guard limit != endpoints[endpoint].limit else { return }
    endpoints[endpoint].limit = limit
    if endpoints[endpoint].count > limit { clear(endpoint: endpoint) }
  }

  /// The endpoint restarted, or was emptied.
  public mutating func clear(endpoint: Int) {
    endpoints[endpoint] = EndpointState(limit: endpoints[endpoint].limit)
    for index in endpoint * tableSize..<(endpoint + 1) * tableSize { table[index] = Self.empty }
  }

  /// How full the endpoint's share of the index is, 0…1.
  public func fill(endpoint: Int) -> Double {
    Double(endpoints[endpoint].count) / Double(endpoints[endpoint].limit)
  }

  // MARK: - The table

  fileprivate static let empty = UInt32.max
  fileprivate static let nodeMask: UInt32 = 0xff_ffff

  @inline(always)
  fileprivate static func mixed(_ hash: UInt64) -> UInt64 { hash &* 0x9e37_79b9_7f4a_7c15 }

  @inline(always)
  fileprivate static func home(_ mixed: UInt64) -> Int { Int(truncatingIfNeeded: mixed >> 32) }

  @inline(always)
  fileprivate static func tag(_ mixed: UInt64) -> UInt32 {
    UInt32(truncatingIfNeeded: mixed >> 24) << 24
  }

  @inline(always)
  fileprivate static func node(_ entry: UInt32) -> Int { Int(entry & nodeMask) }

  /// Whether an endpoint's table has `hash`.
  @inline(always)
  private static func has(_ hash: UInt64, _ table: Span<UInt32>, _ nodes: Span<Node>) -> Bool {
    let (mask, mixed) = (table.count - 1, mixed(hash))
    let tag = tag(mixed)
    var slot = home(mixed) & mask
    if slot &+ 4 <= table.count, isAbsent(tag, from: slot, table) { return false }
    while true {
      let entry = table[slot]
      if entry == empty { return false }
      if entry & ~nodeMask == tag, nodes[node(entry)].hash == hash { return true }
      slot = (slot + 1) & mask
    }
  }

  /// Whether the next four slots show that no hash of this tag is there.
  ///
  /// One of them is empty and none has the tag. Where probing ends within them could not be foreseen,
  /// but that it does.
  @inline(always)
  fileprivate static func isAbsent(
    _ tag: UInt32, from slot: Int, _ table: Span<UInt32>
  ) -> Bool {
    let entries = SIMD4(table[slot], table[slot + 1], table[slot + 2], table[slot + 3])
    let empties = entries .== SIMD4(repeating: empty)
    let tags = (entries & SIMD4(repeating: ~nodeMask)) .== SIMD4(repeating: tag)
    return any(empties) && !any(tags)
  }
}

// An endpoint's part: the spans are of its own slots and nodes.
extension PrefixIndex.EndpointState {
  /// The table position of `hash`, or the empty one where it would stand.
  @inline(always)
  private func find(
    _ hash: UInt64, _ table: borrowing MutableSpan<UInt32>,
    _ nodes: borrowing MutableSpan<PrefixIndex.Node>
  ) -> Int {
    let (mask, mixed) = (table.count - 1, PrefixIndex.mixed(hash))
    let tag = PrefixIndex.tag(mixed)
    var slot = PrefixIndex.home(mixed) & mask
    if slot &+ 4 <= table.count, PrefixIndex.isAbsent(tag, from: slot, table.span) {
      let third = table[slot + 2] == PrefixIndex.empty ? 2 : 3
      let second = table[slot + 1] == PrefixIndex.empty ? 1 : third
      return slot &+ (table[slot] == PrefixIndex.empty ? 0 : second)
    }
    while true {
      let entry = table[slot]
      if entry == PrefixIndex.empty { return slot }
      if entry & ~PrefixIndex.nodeMask == tag, nodes[PrefixIndex.node(entry)].hash == hash {
        return slot
      }
      slot = (slot + 1) & mask
    }
  }

  /// Makes a block the most recent; the least recent leaves where there is no room for it.
  @inline(always)
  fileprivate mutating func touch(
    _ hash: UInt64, _ table: inout MutableSpan<UInt32>,
    _ nodes: inout MutableSpan<PrefixIndex.Node>
  ) {
    var slot = find(hash, table, nodes)
    let entry = table[slot]
    let node: Int32
    if entry != PrefixIndex.empty {
      node = Int32(truncatingIfNeeded: PrefixIndex.node(entry))
      if node == newest { return }
      unlink(node, &nodes)
    } else {
      if count < limit {
        node = count
        count += 1
      } else {
        node = oldest
        erase(nodes[Int(node)].hash, &table, nodes)
        unlink(node, &nodes)
        slot = find(hash, table, nodes)
      }
      nodes[Int(node)].hash = hash
      table[slot] =
        UInt32(truncatingIfNeeded: node) | PrefixIndex.tag(PrefixIndex.mixed(hash))
    }
    linkNewest(node, &nodes)
  }

  /// Removes a hash from the table and closes the gap, so that probing finds what was behind it.
  private func erase(
    _ hash: UInt64, _ table: inout MutableSpan<UInt32>,
    _ nodes: borrowing MutableSpan<PrefixIndex.Node>
  ) {
    let mask = table.count - 1
    var gap = find(hash, table, nodes)
    guard table[gap] != PrefixIndex.empty else { return }
    table[gap] = PrefixIndex.empty
    var next = (gap + 1) & mask
    while true {
      let entry = table[next]
      if entry == PrefixIndex.empty { return }
      let wanted = PrefixIndex.home(PrefixIndex.mixed(nodes[PrefixIndex.node(entry)].hash)) & mask
      // It may move into the gap unless its home lies behind the gap.
      if (next &- wanted) & mask >= (next &- gap) & mask {
        table[gap] = entry
        table[next] = PrefixIndex.empty
        gap = next
      }
      next = (next + 1) & mask
    }
  }

  // MARK: - Recency

  @inline(always)
  private mutating func unlink(_ node: Int32, _ nodes: inout MutableSpan<PrefixIndex.Node>) {
    let (newer, older) = (nodes[Int(node)].newer, nodes[Int(node)].older)
    if newer >= 0 { nodes[Int(newer)].older = older } else { newest = older }
    if older >= 0 { nodes[Int(older)].newer = newer } else { oldest = newer }
  }

  @inline(always)
  private mutating func linkNewest(_ node: Int32, _ nodes: inout MutableSpan<PrefixIndex.Node>) {
    nodes[Int(node)].newer = -1
    nodes[Int(node)].older = newest
    if newest >= 0 { nodes[Int(newest)].newer = node } else { oldest = node }
    newest = node
  }
}
