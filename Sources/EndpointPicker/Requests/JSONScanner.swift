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
    while position < bytes.count {
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

  /// The bytes of `range` as text, with what is not UTF-8 replaced.
  static func string(_ bytes: Span<UInt8>, _ range: Range<Int>) -> String {
    var copy: [UInt8] = []
    copy.reserveCapacity(range.count)
    for index in range { copy.append(bytes[index]) }
    return String(decoding: copy, as: UTF8.self)
  }

  /// A string's content, its escapes resolved, cut at `limit` bytes of JSON.
  static func string(_ bytes: Span<UInt8>, _ text: Text, limit: Int = 512) -> String {
    guard text.hasEscapes else {
      return string(bytes, text.range.prefix(limit))
    }
    var copy: [UInt8] = []
    forEachByte(bytes, Text(range: text.range.prefix(limit), hasEscapes: true)) { copy.append($0) }
    return String(decoding: copy, as: UTF8.self)
  }

  /// Hands on a string's content as UTF-8, its escapes resolved.
  static func forEachByte(_ bytes: Span<UInt8>, _ text: Text, _ body: (UInt8) -> Void) {
    var index = text.range.lowerBound
    let end = text.range.upperBound
    while index < end {
      let byte = bytes[index]
      guard byte == UInt8(ascii: "\\"), index + 1 < end else {
        body(byte)
        index += 1
        continue
      }
      switch bytes[index + 1] {
      case UInt8(ascii: "b"): body(0x08)
      case UInt8(ascii: "f"): body(0x0c)
      case UInt8(ascii: "n"): body(0x0a)
      case UInt8(ascii: "r"): body(0x0d)
      case UInt8(ascii: "t"): body(0x09)
      case UInt8(ascii: "u"):
        let (scalar, length) = scalar(bytes, at: index, end: end)
        for unit in String(scalar).utf8 { body(unit) }
        index += length
        continue
      case let other: body(other)
      }
      index += 2
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
