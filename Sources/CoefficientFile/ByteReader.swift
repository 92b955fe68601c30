/// Takes little-endian fields off the front, checking every one.
struct ByteReader {
  private let bytes: [UInt8]
  private let end: Int
  private(set) var offset: Int

  /// Reads `bytes[offset..<end]`, which must exist.
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

  /// A finite number within `range`.
  mutating func number(
    _ field: String, in range: ClosedRange<Double>
  ) throws(CoefficientFileError) -> Double {
    try Self.checked(Double(bitPattern: try integer(field)), field, in: range)
  }

  /// A finite number within `range`, or the one NaN that stands for "none".
  mutating func optionalNumber(
    _ field: String, in range: ClosedRange<Double>
  ) throws(CoefficientFileError) -> Double {
    let pattern: UInt64 = try integer(field)
    if pattern == Double.nan.bitPattern { return .nan }
    return try Self.checked(Double(bitPattern: pattern), field, in: range)
  }

  /// A count of at most `limit`, each of which needs at least `width` bytes that must be there.
  mutating func count(
    _ field: String, atLeast least: Int = 0, limit: Int, width: Int
  ) throws(CoefficientFileError) -> Int {
    let value = Int(try integer(field, as: UInt16.self))
    guard value >= least, value <= limit else {
      throw .outOfRange(field: field, value: Double(value), allowed: "\(least) to \(limit)")
    }
    guard remaining >= value * width else { throw .truncated(field: field, offset: offset) }
    return value
  }

  /// `count` finite numbers within `range`, as narrow as they can be and at most `widest` bytes each.
  mutating func packed(
    _ field: String, count: Int, widest: UInt8 = 8, in range: ClosedRange<Double>
  ) throws(CoefficientFileError) -> [Double] {
    guard count > 0 else { return [] }
    let tag: UInt8 = try integer("\(field)' width")
    let width = tag & ~PackedNumbers.isRun
    guard width <= widest, width == 2 || width == 4 || width == 8 else {
      throw .outOfRange(
        field: "\(field)' width", value: Double(width), allowed: "2, 4 or 8, at most \(widest)")
    }
    let stored = tag & PackedNumbers.isRun == 0 ? count : 1
    guard remaining >= stored * Int(width) else {
      throw .truncated(field: field, offset: offset)
    }
    var values: [Double] = []
    values.reserveCapacity(count)
    for index in 0..<stored {
      values.append(
        try Self.checked(try value(field, width: width), "\(field)[\(index)]", in: range))
    }
    if let first = values.first, stored < count {
      values = [Double](repeating: first, count: count)
    }
    // One model, one file: no number is wider than it needs.
    let expected = PackedNumbers.tag(values)
    guard tag == expected else {
      throw .outOfRange(
        field: "\(field)' width", value: Double(tag), allowed: "\(expected) for these numbers")
    }
    return values
  }

  /// ``packed(_:count:widest:in:)`` of numbers that were `Float`.
  mutating func packedSingles(
    _ field: String, count: Int, in range: ClosedRange<Double>
  ) throws(CoefficientFileError) -> [Float] {
    try packed(field, count: count, widest: 4, in: range).map { Float($0) }
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

  private mutating func value(_ field: String, width: UInt8) throws(CoefficientFileError) -> Double
  {
    switch width {
    case 2: Double(Float(bitPattern: UInt32(try integer(field, as: UInt16.self)) << 16))
    case 4: Double(Float(bitPattern: try integer(field)))
    default: Double(bitPattern: try integer(field))
    }
  }

  private static func checked(
    _ value: Double, _ field: String, in range: ClosedRange<Double>
  ) throws(CoefficientFileError) -> Double {
    guard value.isFinite else { throw .notFinite(field: field) }
    guard range.contains(value) else {
      throw .outOfRange(
        field: field, value: value, allowed: "\(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }
}
