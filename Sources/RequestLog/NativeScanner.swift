/// The fast path: reads one native line as the gateway writes it, straight off the bytes.
///
/// It takes flat objects of ASCII strings without escapes, plain decimal numbers, booleans, nulls
/// and arrays of numbers. Anything else is left to ``JSONDocument``, and so is every fault: the scanner
/// answers only "read" or "not mine", and what it reads equals what the document gives.
///
/// Writers keep the order of members, so that each key is first compared with the one that followed
/// the same predecessor the last time.
struct NativeScanner {
  /// `"name":` as the bytes in which it stands.
  private struct Key {
    var bytes = SIMD4<UInt64>()
    var mask = SIMD4<UInt64>(repeating: .max)
    var length = 0
    var field = RequestField.ignored
    var kind = RequestField.Kind.ignored
    var successor = 0

    @inline(__always) func matches(_ line: SIMD4<UInt64>) -> Bool {
      let difference = (line ^ bytes) & mask
      return (difference[0] | difference[1] | difference[2] | difference[3]) == 0
    }
  }

  /// A name as it stood in a line, quotes included, and its symbol in the thread's own ``NameCache``.
  private struct RecentName {
    var bytes = SIMD4<UInt64>()
    // Without mask nothing matches: a quote comes first.
    var mask = SIMD4<UInt64>(repeating: .max)
    var length = 0
    var symbol = Symbol.none
  }

  /// Names remembered for each field; a log mostly repeats them.
  private static let namesPerKey = 4
  /// Unknown members that are remembered; further ones are looked up each time.
  private static let maximumKeys = 256
  /// The longest `"name":` that fits a key.
  private static let maximumLength = 32
  // Index 0 stands for the opening brace and matches nothing.
  private var keys: [Key] = [Key()]
  private var recentNames: [RecentName] = []
  // In place, since reference counting of arrays would cost more than the parsing.
  let integerPowers = InlineArray<9, UInt64> { exponent in
    (0..<exponent).reduce(1) { power, _ in power * 10 }
  }
  let powers = InlineArray<16, Double> { exponent in
    (0..<exponent).reduce(1) { power, _ in power * 10 }
  }

  init() {
    for field in RequestField.allCases where field != .ignored {
      keys.append(Self.key(Array("\"\(field.name)\":".utf8), field))
    }
    recentNames = Array(repeating: RecentName(), count: Self.namesPerKey * keys.count)
  }

  private static func key(_ bytes: [UInt8], _ field: RequestField) -> Key {
    var key = Key()
    key.mask = SIMD4<UInt64>()
    for (index, byte) in bytes.enumerated() {
      key.bytes[index / 8] |= UInt64(byte) &<< UInt64(8 * (index % 8))
      key.mask[index / 8] |= UInt64(0xFF) &<< UInt64(8 * (index % 8))
    }
    key.length = bytes.count
    key.field = field
    key.kind = field.kind
    return key
  }

  /// Reads the line that starts at `start`.
  ///
  /// - Returns: The place behind its newline; `nil` when it is not a line for the fast path, and then
  ///   `draft` and the ends of the batch's buffers hold leavings.
  mutating func scan(
    _ bytes: PaddedBytes, from start: Int, into draft: inout RequestDraft,
    _ batch: inout RequestBatch, _ names: inout NameCache
  ) -> Int? {
    var place = start
    guard bytes[place] == UInt8(ascii: "{") else { return nil }
    place &+= 1
    var previous = 0
    while true {
      while bytes[place] == UInt8(ascii: " ") { place &+= 1 }
      var current = keys[previous].successor
      if !keys[current].matches(bytes.quad(at: place)) {
        guard let found = find(bytes, place) else { return nil }
        keys[previous].successor = found
        current = found
      }
      let field = keys[current].field
      place &+= keys[current].length
      while bytes[place] == UInt8(ascii: " ") { place &+= 1 }
      let value = place
      let kind = keys[current].kind
      if kind == .name {
        guard readName(bytes, &place, field, current, into: &draft, &names) else { return nil }
      } else if !read(bytes, &place, field, kind, into: &draft, &batch, &names) {
        place = value
        guard skipNull(bytes, &place) else { return nil }
      }
      previous = current
      if bytes[place] == UInt8(ascii: ",") {
        place &+= 1
        continue
      }
      guard bytes[place] == UInt8(ascii: "}") else { return nil }
      return endOfLine(bytes, place &+ 1)
    }
  }

  @inline(__always) private func endOfLine(_ bytes: PaddedBytes, _ start: Int) -> Int? {
    var place = start
    if bytes[place] == 0x0D { place &+= 1 }
    if place == bytes.count { return place }
    return bytes[place] == 0x0A ? place &+ 1 : nil
  }

  /// The index of the key at `place`; `nil` when it is none that the fast path takes.
  private mutating func find(_ bytes: PaddedBytes, _ place: Int) -> Int? {
    let line = bytes.quad(at: place)
    for index in keys.indices.dropFirst() where keys[index].matches(line) { return index }
    guard bytes[place] == UInt8(ascii: "\""), let end = endOfString(bytes, place &+ 1),
      bytes[end &+ 1] == UInt8(ascii: ":"), end &+ 2 &- place <= Self.maximumLength,
      keys.count < Self.maximumKeys
    else { return nil }
    keys.append(Self.key(bytes.array(place..<end + 2), .ignored))
    return keys.count - 1
  }

  @inline(__always) private func read(
    _ bytes: PaddedBytes, _ place: inout Int, _ field: RequestField, _ kind: RequestField.Kind,
    into draft: inout RequestDraft, _ batch: inout RequestBatch, _ names: inout NameCache
  ) -> Bool {
    switch kind {
    case .count:
      guard let value = integer(bytes, &place), value <= UInt64(Int32.max) else { return false }
      draft.set(field, count: Int32(truncatingIfNeeded: value))
    case .milliseconds, .fraction:
      guard let value = number(bytes, &place) else { return false }
      draft.set(field, number: value)
    case .time:
      guard let value = integer(bytes, &place), value <= UInt64(Int64.max) else { return false }
      draft.set(field, time: Int64(truncatingIfNeeded: value))
    case .status:
      guard let value = integer(bytes, &place), value <= 999 else { return false }
      draft.row.status = Int16(truncatingIfNeeded: value)
    case .priority:
      guard let value = integer(bytes, &place), value <= 32_767 else { return false }
      draft.row.priority = Int16(truncatingIfNeeded: value)
    case .flag:
      guard let value = flag(bytes, &place) else { return false }
      draft.row.stream = value ? 1 : 0
    case .identity:
      guard let text = string(bytes, &place) else { return false }
      let identity = RequestIdentity(count: text.count) { bytes.word(at: text.lowerBound &+ $0) }
      draft.row.identityHigh = identity.high
      draft.row.identityLow = identity.low
      draft.row.requestID = TextRange(start: Int32(batch.text.count), count: Int32(text.count))
      bytes.copy(text, to: &batch.text)
    case .blocks:
      return blocks(bytes, &place, into: &draft, &batch)
    case .offsets:
      return offsets(bytes, &place, into: &draft, &batch)
    case .json, .name:
      return false
    case .ignored:
      return skip(bytes, &place)
    }
    return true
  }

  @inline(__always) private mutating func readName(
    _ bytes: PaddedBytes, _ place: inout Int, _ field: RequestField, _ key: Int,
    into draft: inout RequestDraft, _ names: inout NameCache
  ) -> Bool {
    let line = bytes.quad(at: place)
    let first = key &* Self.namesPerKey
    for index in first..<(first &+ Self.namesPerKey) {
      let difference = (line ^ recentNames[index].bytes) & recentNames[index].mask
      if (difference[0] | difference[1] | difference[2] | difference[3]) == 0 {
        place &+= recentNames[index].length
        draft.set(field, name: recentNames[index].symbol)
        return true
      }
    }
    return internName(bytes, &place, field, first, into: &draft, &names)
  }

  @inline(never) private mutating func internName(
    _ bytes: PaddedBytes, _ place: inout Int, _ field: RequestField, _ first: Int,
    into draft: inout RequestDraft, _ names: inout NameCache
  ) -> Bool {
    let start = place
    guard let text = string(bytes, &place) else {
      place = start
      return skipNull(bytes, &place)
    }
    let symbol: Symbol =
      text.isEmpty
      ? .none
      : names.intern(
        count: text.count, word: { bytes.word(at: text.lowerBound &+ $0) },
        bytes: { bytes.array(text) })
    draft.set(field, name: symbol)
    guard place - start <= Self.maximumLength else { return true }
    // The oldest name goes.
    for index in (first + 1..<first + Self.namesPerKey).reversed() {
      recentNames[index] = recentNames[index - 1]
    }
    let key = Self.key(bytes.array(start..<place), .ignored)
    recentNames[first] = RecentName(
      bytes: key.bytes, mask: key.mask, length: key.length, symbol: symbol)
    return true
  }

  private func skipNull(_ bytes: PaddedBytes, _ place: inout Int) -> Bool {
    guard UInt32(truncatingIfNeeded: bytes.word(at: place)) == 0x6C6C_756E else { return false }
    place &+= 4
    return true
  }
}
