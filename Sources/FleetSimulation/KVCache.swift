/// The KV memory of a simulated engine: what running requests hold, and what they left behind.
///
/// Memory is counted in tokens. Full prompt blocks are known by their hash, which says how long they
/// are, too, and shared; while no request refers to them they stay, oldest use first to leave. Answers and the rest of a prompt
/// belong to one request and stay behind as memory without a name, which leaves in the same order.
struct KVCache: Sendable {
  private struct Node: Sendable {
    var hash: UInt64 = 0
    var newer: Int32 = -1
    var older: Int32 = -1
    /// Running requests that refer to it; -1 for memory without a name.
    var references: Int32 = 0
    var tokens: Int32 = 0
  }

  /// All of it, tokens.
  let capacity: Int
  /// Whether memory without a name stays behind, too.
  let retainsUnnamed: Bool
  /// What running requests hold, tokens; shared blocks count once.
  private(set) var held = 0
  /// What stayed behind and may be evicted, tokens.
  private(set) var evictable = 0
  private var nodes: [Node] = []
  /// Nodes that are free, each with the next as its newer one; -1 for none.
  private var firstFree: Int32 = -1
  private var ends = Ends()
  /// Nodes by hash.
  ///
  /// The upper half is a tag of the hash, the lower half the node; `empty` where there is none. Its
  /// size is a power of two.
  private var table: [UInt64]
  private var namedCount = 0

  init(capacity: Int, retainsUnnamed: Bool = true) {
    self.retainsUnnamed = retainsUnnamed
    self.capacity = max(capacity, 1)
    table = [UInt64](repeating: Self.empty, count: 1024)
  }

  /// How much running requests may grow by, tokens.
  var room: Int { capacity - held }

  /// Forgets everything.
  mutating func clear() {
    (held, evictable, namedCount) = (0, 0, 0)
    nodes.removeAll(keepingCapacity: true)
    firstFree = -1
    ends = Ends()
    for index in table.indices { table[index] = Self.empty }
  }

  // MARK: - Running requests

  /// Takes hold of the cached leading blocks.
  ///
  /// - Parameter limit: The most blocks that may be taken.
  /// - Returns: How many blocks were found; their nodes are appended to `taken`.
  mutating func acquire(_ blocks: [UInt64], limit: Int, into taken: inout [Int32]) -> Int {
    // Moved out and back, so that the array is checked once and never copied.
    var own: [Node] = []
    swap(&own, &nodes)
    var list = own.mutableSpan
    var ends = ends
    let blocks = blocks.span
    var (found, revived) = (0, 0)
    while found < blocks.count, found < limit {
      let entry = table[Self.find(blocks[found], table.span, list.span)]
      guard entry != Self.empty else { break }
      let node = Self.node(entry)
      if list[Int(node)].references == 0 {
        ends.unlink(node, &list)
        revived += Int(list[Int(node)].tokens)
      }
      list[Int(node)].references += 1
      taken.append(node)
      found += 1
    }
    swap(&own, &nodes)
    self.ends = ends
    held += revived
    evictable -= revived
    return found
  }

  /// Gives a running request more memory of its own; evicts what has to go.
  ///
  /// - Returns: Whether there is room; without it nothing changes.
  mutating func grow(by tokens: Int) -> Bool {
    guard held + tokens <= capacity else { return false }
    held += tokens
    evict(downTo: capacity - held)
    return true
  }

  /// A request has computed a full block of `tokens`: others may share it from now on.
  ///
  /// The memory is the request's already. Where another computed the same block meanwhile, the
  /// request refers to that one and gives its own back.
  ///
  /// - Returns: The block's node.
  mutating func name(_ hash: UInt64, tokens: Int) -> Int32 {
    let slot = find(hash)
    let entry = table[slot]
    if entry != Self.empty {
      let node = Self.node(entry)
      refer(to: node)
      held -= tokens
      return node
    }
    let node = makeNode(hash: hash, references: 1, tokens: Int32(truncatingIfNeeded: tokens))
    table[slot] = Self.mix(hash) & Self.tagMask | UInt64(UInt32(bitPattern: node))
    namedCount += 1
    if 2 * namedCount > table.count { rebuildTable() }
    return node
  }

  /// A request has ended or was preempted: its memory may be evicted, the prompt's tail first.
  ///
  /// - Parameters:
  ///   - own: Its tokens outside named blocks.
  ///   - taken: The nodes of its named blocks; emptied.
  mutating func release(own: Int, taken: inout [Int32]) {
    if own > 0 {
      held -= own
    }
    if own > 0, retainsUnnamed {
      evictable += own
      let node = makeNode(hash: 0, references: -1, tokens: Int32(truncatingIfNeeded: own))
      linkNewest(node)
    }
    guard !taken.isEmpty else { return }
    releaseNamed(taken)
    taken.dropAll()
  }

  private mutating func releaseNamed(_ taken: [Int32]) {
    var own: [Node] = []
    swap(&own, &nodes)
    var list = own.mutableSpan
    var (ends, freed) = (ends, 0)
    let taken = taken.span
    var position = taken.count
    while position > 0 {
      position -= 1
      let node = taken[position]
      list[Int(node)].references -= 1
      if list[Int(node)].references == 0 {
        freed += Int(list[Int(node)].tokens)
        ends.linkNewest(node, &list)
      }
    }
    swap(&own, &nodes)
    self.ends = ends
    held -= freed
    evictable += freed
  }

  private mutating func refer(to node: Int32) {
    let index = Int(node)
    if nodes[index].references == 0 {
      unlink(node)
      held += Int(nodes[index].tokens)
      evictable -= Int(nodes[index].tokens)
    }
    nodes[index].references += 1
  }

  // MARK: - Eviction

  @inline(always)
  private mutating func evict(downTo limit: Int) {
    if evictable > limit { evictOldest(downTo: limit) }
  }

  private mutating func evictOldest(downTo limit: Int) {
    // Moved out and back, so that each array is checked once.
    var (own, ownTable): ([Node], [UInt64]) = ([], [])
    swap(&own, &nodes)
    swap(&ownTable, &table)
    var list = own.mutableSpan
    var slots = ownTable.mutableSpan
    var ends = ends
    while evictable > limit, ends.oldest >= 0 {
      let node = ends.oldest
      let index = Int(node)
      if list[index].references < 0 {
        let surplus = min(Int(list[index].tokens), evictable - limit)
        evictable -= surplus
        list[index].tokens -= Int32(truncatingIfNeeded: surplus)
        if list[index].tokens > 0 { break }
      } else {
        evictable -= Int(list[index].tokens)
        Self.erase(list[index].hash, &slots, list)
        namedCount -= 1
      }
      ends.unlink(node, &list)
      list[index].newer = firstFree
      firstFree = node
    }
    swap(&own, &nodes)
    swap(&ownTable, &table)
    self.ends = ends
  }

  private mutating func makeNode(hash: UInt64, references: Int32, tokens: Int32) -> Int32 {
    let made = Node(hash: hash, newer: -1, older: -1, references: references, tokens: tokens)
    let free = firstFree
    guard free >= 0 else {
      nodes.append(made)
      return Int32(truncatingIfNeeded: nodes.count - 1)
    }
    firstFree = nodes[Int(free)].newer
    nodes[Int(free)] = made
    return free
  }

  // MARK: - The table

  private static let empty = UInt64.max
  private static let tagMask: UInt64 = 0xffff_ffff_0000_0000

  private static func mix(_ hash: UInt64) -> UInt64 { hash &* 0x9e37_79b9_7f4a_7c15 }

  private static func node(_ entry: UInt64) -> Int32 { Int32(truncatingIfNeeded: entry) }

  /// Where an entry or a mixed hash belongs: by the tag, so that nodes need not be looked at.
  private static func home(_ entry: UInt64, _ mask: Int) -> Int {
    Int(truncatingIfNeeded: entry >> 32) & mask
  }

  /// The table position of `hash`, or the empty one where it would stand.
  @inline(always)
  private static func find(_ hash: UInt64, _ table: Span<UInt64>, _ nodes: Span<Node>) -> Int {
    let mask = table.count - 1
    let mixed = mix(hash)
    let tag = mixed & tagMask
    var slot = home(mixed, mask)
    if slot &+ 4 <= table.count {
      // Where probing ends within the next four could not be foreseen, but that it does.
      let entries = SIMD4(table[slot], table[slot + 1], table[slot + 2], table[slot + 3])
      let empties = entries .== SIMD4(repeating: empty)
      let tags = (entries & SIMD4(repeating: tagMask)) .== SIMD4(repeating: tag)
      if any(empties), !any(tags) {
        let third = entries[2] == empty ? 2 : 3
        let second = entries[1] == empty ? 1 : third
        return slot &+ (entries[0] == empty ? 0 : second)
      }
    }
    while true {
      let entry = table[slot]
      if entry == empty { return slot }
      if entry & tagMask == tag, nodes[Int(node(entry))].hash == hash { return slot }
      slot = (slot + 1) & mask
    }
  }

  private func find(_ hash: UInt64) -> Int { Self.find(hash, table.span, nodes.span) }

  private mutating func rebuildTable() {
    let entries = table.filter { $0 != Self.empty }
    table = [UInt64](repeating: Self.empty, count: 2 * table.count)
    let mask = table.count - 1
    for entry in entries {
      var slot = Self.home(entry, mask)
      while table[slot] != Self.empty { slot = (slot + 1) & mask }
      table[slot] = entry
    }
  }

  /// Removes a hash and closes the gap, so that probing finds what was behind it.
  private static func erase(
    _ hash: UInt64, _ table: inout MutableSpan<UInt64>, _ nodes: borrowing MutableSpan<Node>
  ) {
    let mask = table.count - 1
    var gap = find(hash, table.span, nodes.span)
    guard table[gap] != empty else { return }
    table[gap] = empty
    var next = (gap + 1) & mask
    while true {
      let entry = table[next]
      if entry == empty { return }
      let wanted = home(entry, mask)
      if (next &- wanted) & mask >= (next &- gap) & mask {
        table[gap] = entry
        table[next] = empty
        gap = next
      }
      next = (next + 1) & mask
    }
  }

  // MARK: - Recency

  private mutating func unlink(_ node: Int32) {
    var ends = ends
    var list = nodes.mutableSpan
    ends.unlink(node, &list)
    self.ends = ends
  }

  private mutating func linkNewest(_ node: Int32) {
    var ends = ends
    var list = nodes.mutableSpan
    ends.linkNewest(node, &list)
    self.ends = ends
  }

  /// The ends of the list by recency; -1 for none.
  private struct Ends: Sendable {
    var newest: Int32 = -1
    var oldest: Int32 = -1

    @inline(always)
    mutating func unlink(_ node: Int32, _ nodes: inout MutableSpan<Node>) {
      let (newer, older) = (nodes[Int(node)].newer, nodes[Int(node)].older)
      if newer >= 0 { nodes[Int(newer)].older = older } else { newest = older }
      if older >= 0 { nodes[Int(older)].newer = newer } else { oldest = newer }
    }

    @inline(always)
    mutating func linkNewest(_ node: Int32, _ nodes: inout MutableSpan<Node>) {
      nodes[Int(node)].newer = -1
      nodes[Int(node)].older = newest
      if newest >= 0 { nodes[Int(newest)].newer = node } else { oldest = node }
      newest = node
    }
  }
}

extension KVCache {
  /// Nodes ever needed at one time; for tests.
  var nodeCount: Int { nodes.count }

  /// What must hold between operations; for tests.
  var isConsistent: Bool {
    var (listed, named, node) = (0, 0, ends.oldest)
    while node >= 0 {
      listed += Int(nodes[Int(node)].tokens)
      if nodes[Int(node)].references > 0 { return false }
      node = nodes[Int(node)].newer
    }
    for entry in table where entry != Self.empty {
      named += nodes[Int(Self.node(entry))].references >= 0 ? 1 : 0
    }
    return listed == evictable && named == namedCount && held >= 0 && held + evictable <= capacity
  }
}
