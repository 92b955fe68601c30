/// A position in JSON text; the text is handed to every call, and nothing is built.
///
/// It checks the grammar of RFC 8259 except that strings are valid UTF-8. Nesting is bounded,
/// because each level uses stack.
struct JSONCursor {
  private static let maximumDepth = 64
  var position = 0

  func failure(_ reason: String) -> PredictorEntriesError {
    .malformed(offset: position, reason: reason)
  }

  /// The next byte that is no white space; 0 at the end.
  mutating func peek(_ bytes: Span<UInt8>) -> UInt8 {
    while position < bytes.count {
      let byte = bytes[position]
      guard byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 else { return byte }
      position += 1
    }
    return 0
  }

  mutating func expect(
    _ character: Unicode.Scalar, _ bytes: Span<UInt8>
  ) throws(PredictorEntriesError) {
    guard peek(bytes) == UInt8(ascii: character) else { throw failure("expected '\(character)'") }
    position += 1
  }

  /// Nothing but white space may follow.
  mutating func expectEnd(_ bytes: Span<UInt8>) throws(PredictorEntriesError) {
    _ = peek(bytes)
    guard position == bytes.count else { throw failure("text after the value") }
  }

  /// Calls `body` at each member's value, which it must pass over.
  mutating func forEachMember(
    _ bytes: Span<UInt8>,
    _ body: (inout JSONCursor, Range<Int>) throws(PredictorEntriesError) -> Void
  ) throws(PredictorEntriesError) {
    try expect("{", bytes)
    if peek(bytes) == UInt8(ascii: "}") {
      position += 1
      return
    }
    while true {
      guard peek(bytes) == UInt8(ascii: "\"") else { throw failure("expected a key") }
      let key = try string(bytes)
      try expect(":", bytes)
      _ = peek(bytes)
      try body(&self, key)
      if peek(bytes) == UInt8(ascii: "}") {
        position += 1
        return
      }
      try expect(",", bytes)
    }
  }

  /// Calls `body` at each element, which it must pass over.
  mutating func forEachElement(
    _ bytes: Span<UInt8>,
    _ body: (inout JSONCursor) throws(PredictorEntriesError) -> Void
  ) throws(PredictorEntriesError) {
    try expect("[", bytes)
    if peek(bytes) == UInt8(ascii: "]") {
      position += 1
      return
    }
    while true {
      _ = peek(bytes)
      try body(&self)
      if peek(bytes) == UInt8(ascii: "]") {
        position += 1
        return
      }
      try expect(",", bytes)
    }
  }

  /// Passes over a string; its content between the quotes, escapes and all.
  mutating func string(_ bytes: Span<UInt8>) throws(PredictorEntriesError) -> Range<Int> {
    position += 1
    let start = position
    while position < bytes.count {
      switch bytes[position] {
      case UInt8(ascii: "\""):
        position += 1
        return start..<position - 1
      case UInt8(ascii: "\\"): position += 2
      case 0..<0x20: throw failure("a control character in a string")
      default: position += 1
      }
    }
    position = bytes.count
    throw failure("it ends within a string")
  }

  /// Passes over a number; its value.
  mutating func number(_ bytes: Span<UInt8>) throws(PredictorEntriesError) -> Double {
    let start = position
    let isNegative = position < bytes.count && bytes[position] == UInt8(ascii: "-")
    if isNegative { position += 1 }
    var whole = 0.0
    let digits = position
    while let digit = digit(bytes) {
      whole = whole * 10 + digit
      position += 1
    }
    guard position > digits else { throw failure("expected a value") }
    guard position == digits + 1 || bytes[digits] != UInt8(ascii: "0") else {
      throw failure("a number with a leading zero")
    }
    var isPlain = position - digits <= 15
    if position < bytes.count, bytes[position] == UInt8(ascii: ".") {
      isPlain = false
      try passDigits(bytes)
    }
    if position < bytes.count, bytes[position] | 0x20 == UInt8(ascii: "e") {
      isPlain = false
      if position + 1 < bytes.count,
        bytes[position + 1] == UInt8(ascii: "+") || bytes[position + 1] == UInt8(ascii: "-")
      {
        position += 1
      }
      try passDigits(bytes)
    }
    if isPlain { return isNegative ? -whole : whole }
    var text: [UInt8] = []
    for index in start..<position { text.append(bytes[index]) }
    return Double(String(decoding: text, as: UTF8.self)) ?? .nan
  }

  private func digit(_ bytes: Span<UInt8>) -> Double? {
    guard position < bytes.count, bytes[position] >= 0x30, bytes[position] <= 0x39 else {
      return nil
    }
    return Double(bytes[position] - 0x30)
  }

  private mutating func passDigits(_ bytes: Span<UInt8>) throws(PredictorEntriesError) {
    position += 1
    let start = position
    while digit(bytes) != nil { position += 1 }
    guard position > start else { throw failure("expected a digit") }
  }

  /// Passes over `word` if it stands here.
  mutating func take(_ word: StaticString, _ bytes: Span<UInt8>) -> Bool {
    let range = position..<position + word.utf8CodeUnitCount
    guard range.upperBound <= bytes.count, Self.matches(bytes, range, word) else { return false }
    position = range.upperBound
    return true
  }

  /// Passes over one value of any kind, and checks it.
  mutating func skipValue(
    _ bytes: Span<UInt8>, depth: Int = 0
  ) throws(PredictorEntriesError) {
    guard depth < Self.maximumDepth else { throw failure("nested too deep") }
    switch peek(bytes) {
    case UInt8(ascii: "{"):
      try forEachMember(bytes) { (cursor, _) throws(PredictorEntriesError) in
        try cursor.skipValue(bytes, depth: depth + 1)
      }
    case UInt8(ascii: "["):
      try forEachElement(bytes) { (cursor) throws(PredictorEntriesError) in
        try cursor.skipValue(bytes, depth: depth + 1)
      }
    case UInt8(ascii: "\""): _ = try string(bytes)
    default:
      if take("true", bytes) || take("false", bytes) || take("null", bytes) { return }
      _ = try number(bytes)
    }
  }

  static func matches(_ bytes: Span<UInt8>, _ range: Range<Int>, _ text: StaticString) -> Bool {
    guard range.count == text.utf8CodeUnitCount else { return false }
    for index in range.indices where unsafe bytes[index] != text.utf8Start[index - range.lowerBound]
    {
      return false
    }
    return true
  }
}
