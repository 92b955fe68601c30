/// A request's or an event's JSON cannot be read.
public struct MalformedJSON: Error, Sendable, Hashable {
  /// Where it goes wrong, bytes from the start.
  public var offset: Int
  /// What is wrong there, in a few words.
  public var reason: String
}

/// Walks over JSON text, byte by byte, and builds nothing.
///
/// It checks the whole grammar of RFC 8259 except that strings are valid UTF-8. The text is handed
/// to every call, so that a scanner is a position and no more. Nesting is bounded, because each
/// level uses stack.
struct JSONScanner {
  /// The deepest nesting that is read.
  static let maximumDepth = 200

  /// A string's content between its quotes.
  struct Text {
    var range: Range<Int>
    var hasEscapes: Bool
  }

  /// The next byte to look at.
  var position = 0

  func failure(_ reason: String) -> MalformedJSON {
    MalformedJSON(offset: position, reason: reason)
  }

  // MARK: - Structure

  /// The next byte that is not white space; the text must not end before it.
  mutating func peek(_ bytes: Span<UInt8>) throws(MalformedJSON) -> UInt8 {
    while position < bytes.count {
      let byte = bytes[position]
      guard byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 else { return byte }
      position += 1
    }
    throw failure("it ends too early")
  }

  /// Nothing but white space may follow.
  mutating func expectEnd(_ bytes: Span<UInt8>) throws(MalformedJSON) {
    while position < bytes.count {
      let byte = bytes[position]
      guard byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 else {
        throw failure("text after the value")
      }
      position += 1
    }
  }

  mutating func expect(_ byte: UInt8, _ bytes: Span<UInt8>) throws(MalformedJSON) {
    guard try peek(bytes) == byte else {
      throw failure("expected '\(Character(UnicodeScalar(byte)))'")
    }
    position += 1
  }

  /// The next member's key, with the position at its value; `nil` past the closing brace.
  ///
  /// - Parameter isFirst: True before the first call after the opening brace; set to false.
  mutating func nextKey(
    _ bytes: Span<UInt8>, _ isFirst: inout Bool
  ) throws(MalformedJSON) -> Text? {
    if try peek(bytes) == UInt8(ascii: "}") {
      position += 1
      return nil
    }
    if !isFirst { try expect(UInt8(ascii: ","), bytes) }
    isFirst = false
    guard try peek(bytes) == UInt8(ascii: "\"") else { throw failure("expected a key") }
    let key = try text(bytes)
    try expect(UInt8(ascii: ":"), bytes)
    _ = try peek(bytes)
    return key
  }

  /// Whether another element follows, with the position at it; false past the closing bracket.
  ///
  /// - Parameter isFirst: True before the first call after the opening bracket; set to false.
  mutating func nextElement(
    _ bytes: Span<UInt8>, _ isFirst: inout Bool
  ) throws(MalformedJSON) -> Bool {
    if try peek(bytes) == UInt8(ascii: "]") {
      position += 1
      return false
    }
    if !isFirst { try expect(UInt8(ascii: ","), bytes) }
    isFirst = false
    if try peek(bytes) == UInt8(ascii: "]") { throw failure("expected a value") }
    return true
  }

  /// Passes over one value of any kind, and checks it.
  mutating func skipValue(_ bytes: Span<UInt8>, depth: Int = 0) throws(MalformedJSON) {
    guard depth < Self.maximumDepth else { throw failure("nested too deep") }
    switch try peek(bytes) {
    case UInt8(ascii: "{"):
      position += 1
      var isFirst = true
      while try nextKey(bytes, &isFirst) != nil { try skipValue(bytes, depth: depth + 1) }
    case UInt8(ascii: "["):
      position += 1
      var isFirst = true
      while try nextElement(bytes, &isFirst) { try skipValue(bytes, depth: depth + 1) }
    case UInt8(ascii: "\""): _ = try text(bytes)
    case UInt8(ascii: "t"): try literal("true", bytes)
    case UInt8(ascii: "f"): try literal("false", bytes)
    case UInt8(ascii: "n"): try literal("null", bytes)
    default: _ = try number(bytes)
    }
  }

  // MARK: - Values

  private mutating func literal(
    _ word: String, _ bytes: Span<UInt8>
  ) throws(MalformedJSON) {
    for expected in word.utf8 {
      guard position < bytes.count, bytes[position] == expected else {
        throw failure("expected '\(word)'")
      }
      position += 1
    }
  }

  /// Passes over a string; the position is at its opening quote.
  mutating func text(_ bytes: Span<UInt8>) throws(MalformedJSON) -> Text {
    position += 1
    let start = position
    var hasEscapes = false
    // Up to here, words hold something to look at byte by byte.
    var unsure = position
    while position < bytes.count {
      if position >= unsure {
        if Self.isPlain(Self.word(bytes, at: position)) {
          position += 8
          continue
        }
        unsure = position + 8
      }
      let byte = bytes[position]
      if byte == UInt8(ascii: "\"") {
        position += 1
        return Text(range: start..<position - 1, hasEscapes: hasEscapes)
      }
      if byte == UInt8(ascii: "\\") {
        hasEscapes = true
        try escape(bytes)
      } else {
        guard byte >= 0x20 else { throw failure("a control character in a string") }
        position += 1
      }
    }
    throw failure("it ends within a string")
  }

  private mutating func escape(_ bytes: Span<UInt8>) throws(MalformedJSON) {
    guard position + 1 < bytes.count else { throw failure("it ends within a string") }
    switch bytes[position + 1] {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"),
      UInt8(ascii: "f"), UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
      position += 2
    case UInt8(ascii: "u"):
      guard Self.codeUnit(bytes, at: position + 2) != nil else { throw failure("a bad escape") }
      position += 6
    default: throw failure("a bad escape")
    }
  }

  /// The four hexadecimal digits at `start`.
  static func codeUnit(_ bytes: Span<UInt8>, at start: Int) -> UInt32? {
    guard start + 4 <= bytes.count else { return nil }
    var value: UInt32 = 0
    for index in start..<start + 4 {
      let byte = bytes[index]
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt32(byte - 48)
      case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt32(byte - 87)
      case UInt8(ascii: "A")...UInt8(ascii: "F"): value = value << 4 | UInt32(byte - 55)
      default: return nil
      }
    }
    return value
  }

  /// Passes over a number and returns its value, rounded as the nearest `Double`.
  mutating func number(_ bytes: Span<UInt8>) throws(MalformedJSON) -> Double {
    let start = position
    if position < bytes.count, bytes[position] == UInt8(ascii: "-") { position += 1 }
    let leading = position
    let whole = try digits(bytes)
    if bytes[leading] == UInt8(ascii: "0"), position - leading > 1 {
      position = leading
      throw failure("a number with a leading zero")
    }
    let isNegative = bytes[start] == UInt8(ascii: "-")
    var isInteger = position - leading <= 15
    if position < bytes.count, bytes[position] == UInt8(ascii: ".") {
      position += 1
      isInteger = false
      _ = try digits(bytes)
    }
    if position < bytes.count, bytes[position] | 0x20 == UInt8(ascii: "e") {
      position += 1
      isInteger = false
      if position < bytes.count,
        bytes[position] == UInt8(ascii: "+") || bytes[position] == UInt8(ascii: "-")
      {
        position += 1
      }
      _ = try digits(bytes)
    }
    if isInteger { return isNegative ? -whole : whole }
    return Double(Self.string(bytes, start..<position)) ?? .nan
  }

  /// At least one digit; their value, exact up to 15 of them.
  private mutating func digits(_ bytes: Span<UInt8>) throws(MalformedJSON) -> Double {
    let start = position
    var value = 0.0
    while position < bytes.count, bytes[position] >= 0x30, bytes[position] <= 0x39 {
      value = value * 10 + Double(bytes[position] - 0x30)
      position += 1
    }
    guard position > start else { throw failure("expected a value") }
    return value
  }

  // MARK: - Text

  /// The eight bytes at `index`, the first one lowest; 0 when there are fewer.
  static func word(_ bytes: Span<UInt8>, at index: Int) -> UInt64 {
    guard index >= 0, index <= bytes.count - 8 else { return 0 }
    return unsafe UInt64(
      littleEndian: bytes.bytes.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self))
  }

  /// Whether none of eight bytes ends a string, starts an escape or is a control character.
  private static func isPlain(_ word: UInt64) -> Bool {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let quotes = word ^ (ones * UInt64(UInt8(ascii: "\"")))
    let escapes = word ^ (ones * UInt64(UInt8(ascii: "\\")))
    // The high bit of each byte that is zero, or below 0x20; bytes from 0x80 on are neither. A
    // borrow may mark a byte too many, never one too few.
    let found =
      ((quotes &- ones) & ~quotes) | ((escapes &- ones) & ~escapes)
      | ((word &- ones * 0x20) & ~word)
    return found & (ones * 0x80) == 0
  }

  /// Whether the bytes from `start` on are those of `text`.
  static func matches(_ bytes: Span<UInt8>, at start: Int, _ text: String) -> Bool {
    guard start >= 0, start + text.utf8.count <= bytes.count else { return false }
    var index = start
    for byte in text.utf8 {
      guard bytes[index] == byte else { return false }
      index += 1
    }
    return true
  }

  /// The bytes of `range` as text, with what is not UTF-8 replaced.
  static func string(_ bytes: Span<UInt8>, _ range: Range<Int>) -> String {
    // Up to 15 bytes, which most names have, this allocates nothing.
    unsafe String(unsafeUninitializedCapacity: range.count) { buffer in
      for (offset, index) in range.enumerated() { unsafe buffer[offset] = bytes[index] }
      return range.count
    }
  }

  /// A string's content, its escapes resolved, cut at `limit` bytes of JSON.
  static func string(_ bytes: Span<UInt8>, _ text: Text, limit: Int = 512) -> String {
    let range = text.range.prefix(limit)
    guard text.hasEscapes else { return string(bytes, range) }
    var result = ""
    var index = range.lowerBound
    while index < range.upperBound {
      let runEnd = runEnd(bytes, from: index, to: range.upperBound)
      result += string(bytes, index..<runEnd)
      guard runEnd < range.upperBound else { break }
      let (scalar, length) = unescape(bytes, at: runEnd, end: range.upperBound)
      result.unicodeScalars.append(scalar)
      index = runEnd + length
    }
    return result
  }

  /// Where the bytes from `start` on first hold a backslash, or `end`.
  static func runEnd(_ bytes: Span<UInt8>, from start: Int, to end: Int) -> Int {
    var index = start
    while index + 8 <= end, hasNoByte(word(bytes, at: index), UInt8(ascii: "\\")) { index += 8 }
    while index < end, bytes[index] != UInt8(ascii: "\\") { index += 1 }
    return index
  }

  private static func hasNoByte(_ word: UInt64, _ byte: UInt8) -> Bool {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let others = word ^ (ones * UInt64(byte))
    return (others &- ones) & ~others & (ones * 0x80) == 0
  }

  /// What the escape at `index` stands for, and the bytes that it takes.
  static func unescape(
    _ bytes: Span<UInt8>, at index: Int, end: Int
  ) -> (scalar: Unicode.Scalar, length: Int) {
    guard index + 1 < end else { return ("\\", 1) }
    switch bytes[index + 1] {
    case UInt8(ascii: "b"): return ("\u{8}", 2)
    case UInt8(ascii: "f"): return ("\u{c}", 2)
    case UInt8(ascii: "n"): return ("\n", 2)
    case UInt8(ascii: "r"): return ("\r", 2)
    case UInt8(ascii: "t"): return ("\t", 2)
    case UInt8(ascii: "u"): return scalar(bytes, at: index, end: end)
    case let other: return (Unicode.Scalar(other), 2)
    }
  }

  /// The character of a `\u` escape, or of a pair of them, and the bytes it takes.
  private static func scalar(
    _ bytes: Span<UInt8>, at index: Int, end: Int
  ) -> (Unicode.Scalar, Int) {
    let replacement: Unicode.Scalar = "\u{fffd}"
    guard let first = codeUnit(bytes, at: index + 2) else { return (replacement, 2) }
    if let scalar = Unicode.Scalar(first) { return (scalar, 6) }
    guard first < 0xdc00, index + 12 <= end, bytes[index + 6] == UInt8(ascii: "\\"),
      bytes[index + 7] == UInt8(ascii: "u"), let second = codeUnit(bytes, at: index + 8),
      (0xdc00..<0xe000).contains(second)
    else { return (replacement, 6) }
    let value = 0x10000 + (first - 0xd800) << 10 + (second - 0xdc00)
    return (Unicode.Scalar(value) ?? replacement, 12)
  }
}
