/// Where a file says how many of something follow; found by walking it as Format.md lays it out.
struct LengthField: Hashable {
  let offset: Int
  /// 1, 2 or 4 bytes.
  let width: Int

  /// All of a valid file's, in file order: the body's length, counts, text lengths and widths.
  static func all(in bytes: [UInt8]) -> [LengthField] {
    var walker = Walker(bytes: bytes)
    walker.walk()
    return walker.found
  }
}

private struct Walker {
  let bytes: [UInt8]
  var offset = 12
  var found: [LengthField] = []

  mutating func walk() {
    _ = length(width: 4)
    offset += 8
    for _ in 0..<length() {
      offset += 32
      let size = length()
      packed(size)
      packed(size)
    }
    for _ in 0..<length() {
      offset += 1
      text()
      offset += 14
      for _ in 0..<2 { packed(length()) }
    }
    for _ in 0..<2 { target() }
    offset += 32
    let support = length()
    packed(support)
    packed(support)
    offset += 10 * length()
    offset += 32
    text()
    text()
  }

  private mutating func target() {
    let terms = length()
    for _ in 0..<terms {
      let flags = bytes[offset]
      offset += 3 + (flags & 4 != 0 ? 8 : 0)
      if flags & 2 != 0 { offset += 2 + (flags & 8 != 0 ? 8 : 0) }
    }
    for _ in 0..<length() {
      offset += 24
      packed(terms)
      packed(terms + 1)
    }
  }

  private mutating func text() { offset += length(width: 1) }

  private mutating func packed(_ count: Int) {
    guard count > 0 else { return }
    let tag = length(width: 1)
    offset += (tag & 0x80 != 0 ? 1 : count) * (tag & 0x7F)
  }

  private mutating func length(width: Int = 2) -> Int {
    found.append(LengthField(offset: offset, width: width))
    defer { offset += width }
    return (0..<width).reduce(0) { $0 | Int(bytes[offset + $1]) << (8 * $1) }
  }
}
