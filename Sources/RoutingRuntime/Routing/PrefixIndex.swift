/// What each endpoint is thought to have cached: block hashes per endpoint, of which the least
/// recently used leave first.
///
/// Engines drop a prompt's tail before its head, so an insertion makes the head the most recent.
/// Per endpoint: nodes in a list by recency, and an open-addressing table from hash to node.
public struct PrefixIndex: Sendable {
  private struct Node: Sendable {
    var hash: UInt64 = 0
    var newer: Int32 = -1
    var older: Int32 = -1
  }

  private struct EndpointState: Sendable {
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
  /// - Complexity: O(matched blocks), no allocation.
  public func matchedBlocks(_ blocks: [UInt64], endpoint: Int) -> Int {
    guard endpoints[endpoint].count > 0 else { return 0 }
    var matched = 0
    for hash in blocks {
      guard find(hash, endpoint) >= 0 else { break }
      matched += 1
    }
    return matched
  }

  /// The endpoint has been sent a prompt of these blocks.
  ///
  /// - Complexity: O(blocks), no allocation.
  public mutating func insert(_ blocks: [UInt64], endpoint: Int) {
    for hash in blocks.prefix(limit(endpoint: endpoint)).reversed() { touch(hash, endpoint) }
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

  private static let empty = UInt32.max
  private static let nodeMask: UInt32 = 0xff_ffff

  private func mixed(_ hash: UInt64) -> UInt64 { hash &* 0x9e37_79b9_7f4a_7c15 }

  private func home(_ hash: UInt64) -> Int {
    Int(truncatingIfNeeded: mixed(hash) >> 32) & (tableSize - 1)
  }

  private func tag(_ hash: UInt64) -> UInt32 {
    UInt32(truncatingIfNeeded: mixed(hash) >> 24) << 24
  }

  private func node(_ entry: UInt32) -> Int { Int(entry & Self.nodeMask) }

  /// The table position of `hash`, or -1.
  private func find(_ hash: UInt64, _ endpoint: Int) -> Int {
    let start = endpoint * tableSize
    let first = endpoint * capacity
    let tag = tag(hash)
    var slot = home(hash)
    while true {
      let entry = table[start + slot]
      if entry == Self.empty { return -1 }
      if entry & ~Self.nodeMask == tag, nodes[first + node(entry)].hash == hash { return slot }
      slot = (slot + 1) & (tableSize - 1)
    }
  }

  private mutating func touch(_ hash: UInt64, _ endpoint: Int) {
    let start = endpoint * tableSize
    let slot = find(hash, endpoint)
    if slot >= 0 {
      let node = Int32(node(table[start + slot]))
      unlink(node, endpoint)
      linkNewest(node, endpoint)
      return
    }
    let node: Int32
    if endpoints[endpoint].count < endpoints[endpoint].limit {
      node = endpoints[endpoint].count
      endpoints[endpoint].count += 1
    } else {
      node = endpoints[endpoint].oldest
      erase(nodes[endpoint * capacity + Int(node)].hash, endpoint)
      unlink(node, endpoint)
    }
    nodes[endpoint * capacity + Int(node)].hash = hash
    var free = home(hash)
    while table[start + free] != Self.empty { free = (free + 1) & (tableSize - 1) }
    table[start + free] = UInt32(node) | tag(hash)
    linkNewest(node, endpoint)
  }

  /// Removes a hash from the table and closes the gap, so that probing finds what was behind it.
  private mutating func erase(_ hash: UInt64, _ endpoint: Int) {
    let start = endpoint * tableSize
    var gap = find(hash, endpoint)
    guard gap >= 0 else { return }
    table[start + gap] = Self.empty
    var next = (gap + 1) & (tableSize - 1)
    while true {
      let entry = table[start + next]
      if entry == Self.empty { return }
      let wanted = home(nodes[endpoint * capacity + node(entry)].hash)
      // It may move into the gap unless its home lies behind the gap.
      if (next &- wanted) & (tableSize - 1) >= (next &- gap) & (tableSize - 1) {
        table[start + gap] = entry
        table[start + next] = Self.empty
        gap = next
      }
      next = (next + 1) & (tableSize - 1)
    }
  }

  // MARK: - Recency

  private mutating func unlink(_ node: Int32, _ endpoint: Int) {
    let first = endpoint * capacity
    let (newer, older) = (nodes[first + Int(node)].newer, nodes[first + Int(node)].older)
    if newer >= 0 {
      nodes[first + Int(newer)].older = older
    } else {
      endpoints[endpoint].newest = older
    }
    if older >= 0 {
      nodes[first + Int(older)].newer = newer
    } else {
      endpoints[endpoint].oldest = newer
    }
  }

  private mutating func linkNewest(_ node: Int32, _ endpoint: Int) {
    let first = endpoint * capacity
    let newest = endpoints[endpoint].newest
    nodes[first + Int(node)].newer = -1
    nodes[first + Int(node)].older = newest
    if newest >= 0 {
      nodes[first + Int(newest)].newer = node
    } else {
      endpoints[endpoint].oldest = node
    }
    endpoints[endpoint].newest = node
  }
}
