/// What each endpoint is thought to have cached: block hashes, per endpoint, least recently used
/// first out.
public struct PrefixIndex: Sendable {
  /// An index of at most `capacity` blocks per endpoint.
  ///
  /// - Complexity: allocates O(`capacity`) when an endpoint is added, and never after.
  public init(capacity: Int) {}

  /// Adds an endpoint with nothing cached.
  public mutating func addEndpoint() {}

  /// How many of the leading blocks the endpoint has.
  ///
  /// - Complexity: O(matched blocks), no allocation.
  public func matchedBlocks(_ blocks: [UInt64], endpoint: Int) -> Int { 0 }

  /// The endpoint has been sent a prompt of these blocks.
  ///
  /// - Complexity: O(blocks), no allocation.
  public mutating func insert(_ blocks: [UInt64], endpoint: Int) {}

  /// The endpoint restarted, or was emptied.
  public mutating func clear(endpoint: Int) {}
}
