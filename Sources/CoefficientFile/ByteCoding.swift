/// Appends little-endian fields.
struct ByteWriter {
  private(set) var bytes: [UInt8] = []

  mutating func put<Value: FixedWidthInteger>(_ value: Value) {
    var rest = value.littleEndian
    for _ in 0..<(Value.bitWidth / 8) {
      bytes.append(UInt8(truncatingIfNeeded: rest))
      rest >>= Value.bitWidth > 8 ? 8 : 0
    }
  }

  mutating func put(_ value: Double) { put(value.bitPattern) }
  mutating func put(_ value: Float) { put(value.bitPattern) }

  /// A length byte, then UTF-8.
  mutating func put(text: String, field: String) throws(CoefficientFileError) {
    let utf8 = Array(text.utf8)
    guard utf8.count <= 255 else { throw .badText(field: field) }
    put(UInt8(utf8.count))
    bytes += utf8
  }

  mutating func put(raw: [UInt8]) { bytes += raw }
}

/// Takes little-endian fields off the front, checking every one.
struct ByteReader {
  private let bytes: [UInt8]
  private let end: Int
  private(set) var offset: Int

  init(_ bytes: [UInt8], from offset: Int, to end: Int) {
    self.bytes = bytes
    self.offset = offset
    self.end = end
  }

  var remaining: Int { end - offset }

  mutating func integer<Value: FixedWidthInteger & UnsignedInteger>(
    _ field: String, as: Value.Type = Value.self
  ) throws(CoefficientFileError) -> Value {
    let width = Value.bitWidth / 8
    guard remaining >= width else { throw .truncated(field: field, offset: offset) }
    var value: Value = 0
    for index in 0..<width { value |= Value(bytes[offset + index]) << Value(8 * index) }
    offset += width
    return value
  }

  mutating func number(_ field: String) throws(CoefficientFileError) -> Double {
    Double(bitPattern: try integer(field))
  }

  mutating func single(_ field: String) throws(CoefficientFileError) -> Float {
    Float(bitPattern: try integer(field))
  }

  /// A finite number within `range`.
  mutating func number(
    _ field: String, in range: ClosedRange<Double>
  ) throws(CoefficientFileError) -> Double {
    let value = try number(field)
    guard value.isFinite else { throw .notFinite(field: field) }
    guard range.contains(value) else {
      throw .outOfRange(
        field: field, value: value, allowed: "\(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  mutating func single(
    _ field: String, in range: ClosedRange<Float>
  ) throws(CoefficientFileError) -> Float {
    let value = try single(field)
    guard value.isFinite else { throw .notFinite(field: field) }
    guard range.contains(value) else {
      throw .outOfRange(
        field: field, value: Double(value),
        allowed: "\(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  /// A count of at most `limit`, each of which needs at least `width` bytes that must be there.
  mutating func count(
    _ field: String, limit: Int, width: Int
  ) throws(CoefficientFileError) -> Int {
    let value = Int(try integer(field, as: UInt16.self))
    guard value <= limit else {
      throw .outOfRange(field: field, value: Double(value), allowed: "0 to \(limit)")
    }
    guard remaining >= value * width else { throw .truncated(field: field, offset: offset) }
    return value
  }

  mutating func text(_ field: String) throws(CoefficientFileError) -> String {
    let count = Int(try integer(field, as: UInt8.self))
    guard remaining >= count else { throw .truncated(field: field, offset: offset) }
    guard let text = String(validating: bytes[offset..<(offset + count)], as: UTF8.self) else {
      throw .badText(field: field)
    }
    offset += count
    return text
  }
}
