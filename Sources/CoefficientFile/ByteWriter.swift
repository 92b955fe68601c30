/// Appends little-endian fields.
struct ByteWriter {
  private(set) var bytes: [UInt8] = []

  mutating func put<Value: FixedWidthInteger & UnsignedInteger>(_ value: Value) {
    for shift in stride(from: 0, to: Value.bitWidth, by: 8) {
      bytes.append(UInt8(truncatingIfNeeded: value >> Value(shift)))
    }
  }

  mutating func put(_ value: Double) { put(value.bitPattern) }

  /// A length byte, then UTF-8.
  mutating func put(text: String, field: String) throws(CoefficientFileError) {
    let utf8 = Array(text.utf8)
    guard utf8.count <= GlideFormat.textLimit else { throw .badText(field: field) }
    put(UInt8(utf8.count))
    bytes += utf8
  }

  /// Numbers whose count the reader knows: a tag, then the values; nothing when there are none.
  mutating func put(packed values: [Double]) {
    guard !values.isEmpty else { return }
    let tag = PackedNumbers.tag(values)
    put(tag)
    for value in tag & PackedNumbers.isRun == 0 ? values[...] : values.prefix(1) {
      switch tag & ~PackedNumbers.isRun {
      case 2: put(UInt16(truncatingIfNeeded: Float(value).bitPattern >> 16))
      case 4: put(Float(value).bitPattern)
      default: put(value)
      }
    }
  }

  mutating func put(packed values: [Float]) { put(packed: values.map(Double.init)) }

  mutating func put(raw: [UInt8]) { bytes += raw }
}
