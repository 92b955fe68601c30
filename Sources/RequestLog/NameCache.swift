/// The names that one parsing thread has met, numbered in its own order.
///
/// Threads number names apart, so that they need no lock; the assembler renumbers them in the order
/// of the log.
struct NameCache {
  private struct Slot {
    var hash: UInt64 = 0
    var index: Int32 = -1
    var start: Int32 = 0
    var count: Int32 = 0
  }

  private var slots = [Slot](repeating: Slot(), count: 256)
  private var bytes: [UInt8] = []
  private(set) var names: [String] = []
  private var handedOut = 0

  /// The names that are new since the last call.
  mutating func takeNewNames() -> ArraySlice<String> {
    defer { handedOut = names.count }
    return names[handedOut...]
  }

  /// The thread's own symbol of a name of `count` bytes, of which `word` gives eight from an offset.
  @inline(__always) mutating func intern(
    count: Int, word: (Int) -> UInt64, bytes copy: () -> [UInt8]
  ) -> Symbol {
    let hash = RequestIdentity(count: count, word: word).low
    let mask = slots.count - 1
    var place = Int(truncatingIfNeeded: hash) & mask
    while slots[place].index >= 0 {
      if slots[place].hash == hash, slots[place].count == Int32(count),
        matches(slots[place], count: count, word: word)
      {
        return Symbol(index: slots[place].index)
      }
      place = (place + 1) & mask
    }
    return add(copy(), hash: hash)
  }

  /// The thread's own symbol of `name`.
  mutating func intern(_ name: [UInt8]) -> Symbol {
    intern(count: name.count, word: { Self.word(name, $0) }, bytes: { name })
  }

  @inline(__always) private func matches(
    _ slot: Slot, count: Int, word: (Int) -> UInt64
  ) -> Bool {
    var offset = 0
    while offset < count {
      let left = count - offset
      let mask: UInt64 = left >= 8 ? .max : (1 &<< UInt64(8 * left)) &- 1
      // The store is padded, so that a whole word can be put together at each offset.
      if (Self.word(bytes, Int(slot.start) + offset) ^ word(offset)) & mask != 0 { return false }
      offset += 8
    }
    return true
  }

  @inline(__always) private static func word(_ bytes: [UInt8], _ offset: Int) -> UInt64 {
    guard offset + 8 <= bytes.count else {
      var word: UInt64 = 0
      for index in offset..<max(offset, bytes.count) {
        word |= UInt64(bytes[index]) &<< UInt64(8 * (index - offset))
      }
      return word
    }
    return unsafe bytes.withUnsafeBytes {
      unsafe $0.loadUnaligned(fromByteOffset: offset, as: UInt64.self).littleEndian
    }
  }

  private mutating func add(_ name: [UInt8], hash: UInt64) -> Symbol {
    if names.count * 2 >= slots.count { grow() }
    let index = Int32(names.count)
    insert(
      Slot(hash: hash, index: index, start: Int32(bytes.count), count: Int32(name.count)))
    bytes.append(contentsOf: name)
    names.append(String(decoding: name, as: UTF8.self))
    return Symbol(index: index)
  }

  private mutating func insert(_ slot: Slot) {
    let mask = slots.count - 1
    var place = Int(truncatingIfNeeded: slot.hash) & mask
    while slots[place].index >= 0 { place = (place + 1) & mask }
    slots[place] = slot
  }

  private mutating func grow() {
    let old = slots
    slots = [Slot](repeating: Slot(), count: old.count * 4)
    for slot in old where slot.index >= 0 { insert(slot) }
  }
}
