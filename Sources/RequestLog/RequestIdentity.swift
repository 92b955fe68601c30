/// The 128-bit identity of a request: a hash of its id that never changes between versions.
///
/// Two lanes of multiply-and-fold over 16-byte blocks. It resists accidents, not attackers: at 10⁸
/// requests two ids share an identity with a probability near 10⁻²³.
struct RequestIdentity: Hashable {
  var high: UInt64
  var low: UInt64

  private static let odd = SIMD4<UInt64>(
    0x9E37_79B9_7F4A_7C15, 0xC2B2_AE3D_27D4_EB4F, 0x1656_67B1_9E37_79F9, 0xD6E8_FEB8_6659_FD93)

  @inline(__always) private static func fold(_ left: UInt64, _ right: UInt64) -> UInt64 {
    let product = left.multipliedFullWidth(by: right)
    return product.high ^ product.low
  }

  /// The identity of `count` bytes, of which `word` gives eight from an offset on (any bytes may
  /// stand behind the last).
  @inline(__always) init(count: Int, word: (Int) -> UInt64) {
    var first = Self.odd[0] ^ UInt64(count)
    var second = Self.odd[1] &+ UInt64(count)
    var offset = 0
    while offset < count {
      let left = Self.masked(word(offset), count - offset)
      let right = count - offset > 8 ? Self.masked(word(offset + 8), count - offset - 8) : 0
      first = Self.fold(first ^ left ^ Self.odd[2], right ^ Self.odd[3]) &+ first
      second = Self.fold(second ^ right ^ Self.odd[1], left ^ Self.odd[0]) &+ (second &<< 1)
      offset += 16
    }
    high = Self.fold(first ^ Self.odd[1], second ^ Self.odd[2]) ^ first
    low = Self.fold(second ^ Self.odd[3], first ^ Self.odd[0]) ^ second
  }

  /// The identity of `bytes`.
  init(_ bytes: some Sequence<UInt8>) {
    let bytes = Array(bytes)
    self.init(count: bytes.count) { offset in
      var word: UInt64 = 0
      for index in offset..<min(offset + 8, bytes.count) {
        word |= UInt64(bytes[index]) &<< UInt64(8 * (index - offset))
      }
      return word
    }
  }

  @inline(__always) private static func masked(_ word: UInt64, _ count: Int) -> UInt64 {
    count >= 8 ? word : word & ((1 &<< UInt64(8 * count)) &- 1)
  }
}

/// Identities seen lately, 64 bits each, in memory that does not grow with the log.
///
/// It remembers the last five to eleven million in at most 134 MB: 8 bytes times at most 2.9 slots a
/// request, in two generations of which the older one is let go. Two different ids are taken for one
/// with a probability of about *n*²/2⁶⁵: 3·10⁻⁶ at ten million.
struct IdentitySet {
  private var slots: [UInt64]
  /// Identities of the current generation.
  private(set) var count = 0
  /// The generation before; empty in logs that need only one.
  private var older: [UInt64] = []
  private var warmed: UInt64 = 0
  private let generation: Int

  /// - Parameter generation: Identities of one generation, at least 1; by default what fills 67 MB.
  init(generation: Int = 5_800_000) {
    slots = Array(repeating: 0, count: 1 << 12)
    self.generation = generation
  }

  /// Adds `identity`; `false` when it was there.
  mutating func insert(_ identity: UInt64) -> Bool {
    if count >= generation { age() }
    if count &* 10 >= slots.count &* 7 { grow() }
    let identity = identity == 0 ? 1 : identity
    if !older.isEmpty, Self.holds(older, identity) { return false }
    return place(identity)
  }

  /// Loads the slots of some identities at once; inserting them soon after need not wait for memory.
  mutating func warm(_ rows: ArraySlice<LoggedRequest>) {
    let mask = slots.count - 1
    var seen: UInt64 = 0
    for index in rows.indices {
      seen |= slots[Int(truncatingIfNeeded: rows[index].identityHigh) & mask]
    }
    // Used, so that the loads stay.
    warmed = seen
  }

  private static func holds(_ slots: [UInt64], _ identity: UInt64) -> Bool {
    let mask = slots.count - 1
    var slot = Int(truncatingIfNeeded: identity) & mask
    while slots[slot] != 0 {
      if slots[slot] == identity { return true }
      slot = (slot + 1) & mask
    }
    return false
  }

  @inline(__always) private mutating func place(_ identity: UInt64) -> Bool {
    let mask = slots.count - 1
    var slot = Int(truncatingIfNeeded: identity) & mask
    while slots[slot] != 0 {
      if slots[slot] == identity { return false }
      slot = (slot + 1) & mask
    }
    slots[slot] = identity
    count += 1
    return true
  }

  private mutating func age() {
    older = slots
    slots = Array(repeating: 0, count: 1 << 12)
    count = 0
  }

  private mutating func grow() {
    let old = slots
    slots = Array(repeating: 0, count: old.count * 2)
    count = 0
    for identity in old where identity != 0 { _ = place(identity) }
  }
}
