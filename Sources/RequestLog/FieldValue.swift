/// A value of a line, whatever format it stood in.
enum FieldValue {
  case null
  case flag(Bool)
  case integer(Int64)
  case unsigned(UInt64)
  case number(Double)
  case text([UInt8])
  case list([FieldValue])
  case object

  /// Whether the value says that there is none.
  var isNull: Bool { if case .null = self { true } else { false } }
}

extension JSONDocument {
  /// The value at `index`; objects only as such.
  func value(_ index: Int) -> FieldValue {
    switch kind(index) {
    case .null: return .null
    case .bool: return .flag(bits(index) != 0)
    case .integer: return .integer(Int64(bitPattern: bits(index)))
    case .unsigned: return .unsigned(bits(index))
    case .double: return .number(Double(bitPattern: bits(index)))
    case .string: return .text(text(index))
    case .object: return .object
    case .array:
      var elements: [FieldValue] = []
      forEachChild(index) { elements.append(value($0)) }
      return .list(elements)
    }
  }
}

/// Puts values into a request, with their types checked; the slow and general path.
struct FieldAssigner {
  /// Whether numbers and booleans may stand in strings, as in CSV, OTLP and Envoy's logs.
  var acceptsText = false

  /// Sets `field` to `value`.
  func assign(
    _ value: FieldValue, to field: RequestField, of draft: inout RequestDraft,
    _ batch: inout RequestBatch, _ names: inout NameCache
  ) throws(Rejection) {
    if value.isNull { return }
    switch field.kind {
    case .identity: setIdentity(try identity(value, field), &draft, &batch)
    case .time: draft.set(field, time: try time(value, field))
    case .name:
      let name = try name(value, field)
      draft.set(field, name: name.isEmpty ? .none : names.intern(name))
    case .count:
      let count = try integer(value, field, in: 0...Int64(Int32.max))
      draft.set(field, count: Int32(count))
    case .milliseconds, .fraction:
      draft.set(field, number: try nonNegative(value, field))
    case .status:
      draft.row.status = Int16(try integer(value, field, in: 0...Int64(Int16.max)))
    case .priority:
      let limits = Int64(Int16.min)...Int64(Int16.max)
      draft.row.priority = Int16(try integer(value, field, in: limits))
    case .flag: draft.row.stream = try flag(value, field) ? 1 : 0
    case .blocks: try setBlocks(value, field, &draft, &batch)
    case .offsets: try setOffsets(value, field, &draft, &batch)
    case .json:
      // `candidates` keeps its JSON; the document reader hands it over as text.
      guard case .text(let json) = value else { return }
      draft.row.candidates = append(json, to: &batch.text)
    case .ignored: break
    }
  }

  func setIdentity(
    _ id: [UInt8], _ draft: inout RequestDraft, _ batch: inout RequestBatch
  ) {
    let identity = RequestIdentity(id)
    draft.row.identityHigh = identity.high
    draft.row.identityLow = identity.low
    draft.row.requestID = append(id, to: &batch.text)
  }

  private func append(_ bytes: [UInt8], to text: inout [UInt8]) -> TextRange {
    defer { text.append(contentsOf: bytes) }
    return TextRange(start: Int32(text.count), count: Int32(bytes.count))
  }

  private func identity(_ value: FieldValue, _ field: RequestField) throws(Rejection) -> [UInt8] {
    switch value {
    case .text(let text): return text
    case .integer(let number): return Array("\(number)".utf8)
    case .unsigned(let number): return Array("\(number)".utf8)
    default: throw Rejection(field, .wrongType(expected: "a string"))
    }
  }

  private func name(_ value: FieldValue, _ field: RequestField) throws(Rejection) -> [UInt8] {
    if acceptsText { return try identity(value, field) }
    guard case .text(let text) = value else {
      throw Rejection(field, .wrongType(expected: "a string"))
    }
    return text
  }

  func flag(_ value: FieldValue, _ field: RequestField) throws(Rejection) -> Bool {
    switch value {
    case .flag(let flag): return flag
    case .integer(0) where acceptsText: return false
    case .integer(1) where acceptsText: return true
    case .text(let text) where acceptsText:
      switch String(decoding: text, as: UTF8.self).lowercased() {
      case "true", "1": return true
      case "false", "0": return false
      default: break
      }
    default: break
    }
    throw Rejection(field, .wrongType(expected: "true or false"))
  }

  /// A whole number within `range`, which starts at zero unless negatives are allowed.
  func integer(
    _ value: FieldValue, _ field: RequestField, in range: ClosedRange<Int64>
  ) throws(Rejection) -> Int64 {
    let number: Int64
    switch try numeric(value, field, expected: "a whole number") {
    case .integer(let whole): number = whole
    case .unsigned: throw Rejection(field, .absurd(limit: "at most \(range.upperBound)"))
    case .number(let double):
      guard double.isFinite else { throw Rejection(field, .notFinite) }
      if double >= 0x1p63 { throw Rejection(field, .absurd(limit: "at most \(range.upperBound)")) }
      guard let whole = Int64(exactly: double) else {
        if double < 0, range.lowerBound == 0 { throw Rejection(field, .negative) }
        throw Rejection(field, .wrongType(expected: "a whole number"))
      }
      number = whole
    default: throw Rejection(field, .wrongType(expected: "a whole number"))
    }
    if range.lowerBound == 0, number < 0 { throw Rejection(field, .negative) }
    guard range.contains(number) else {
      throw Rejection(field, .absurd(limit: "at most \(range.upperBound)"))
    }
    return number
  }

  private func time(_ value: FieldValue, _ field: RequestField) throws(Rejection) -> Int64 {
    if acceptsText, case .text(let text) = value, let time = Timestamp.nanoseconds(text) {
      return time
    }
    return try integer(value, field, in: 0...Int64.max)
  }

  private func nonNegative(
    _ value: FieldValue, _ field: RequestField
  ) throws(Rejection) -> Double {
    let number = try double(value, field)
    guard number.isFinite else { throw Rejection(field, .notFinite) }
    guard number >= 0 else { throw Rejection(field, .negative) }
    return number == 0 ? 0 : number
  }

  func double(_ value: FieldValue, _ field: RequestField) throws(Rejection) -> Double {
    switch try numeric(value, field, expected: "a number") {
    case .integer(let whole): return Double(whole)
    case .unsigned(let whole): return Double(whole)
    case .number(let double): return double
    default: throw Rejection(field, .wrongType(expected: "a number"))
    }
  }

  /// `value` as a number, out of a string where strings are accepted.
  private func numeric(
    _ value: FieldValue, _ field: RequestField, expected: String
  ) throws(Rejection) -> FieldValue {
    guard case .text(let text) = value else { return value }
    let string = String(decoding: text, as: UTF8.self)
    if acceptsText {
      if let whole = Int64(string) { return .integer(whole) }
      if let number = Double(string) { return .number(number) }
    } else if let number = Double(string), !number.isFinite {
      throw Rejection(field, .notFinite)
    }
    throw Rejection(field, .wrongType(expected: expected))
  }

  private func setBlocks(
    _ value: FieldValue, _ field: RequestField, _ draft: inout RequestDraft,
    _ batch: inout RequestBatch
  ) throws(Rejection) {
    let start = batch.blocks.count
    for element in try elements(value, field) {
      switch element {
      case .integer(let hash): batch.blocks.append(UInt64(bitPattern: hash))
      case .unsigned(let hash): batch.blocks.append(hash)
      case .text(let text):
        let string = String(decoding: text, as: UTF8.self)
        batch.blocks.append(UInt64(string) ?? RequestIdentity(text).high)
      default: throw Rejection(field, .wrongType(expected: "an array of block hashes"))
      }
    }
    draft.row.prefixBlocks = TextRange(
      start: Int32(start), count: Int32(batch.blocks.count - start))
  }

  private func setOffsets(
    _ value: FieldValue, _ field: RequestField, _ draft: inout RequestDraft,
    _ batch: inout RequestBatch
  ) throws(Rejection) {
    let start = batch.chunkOffsets.count
    for element in try elements(value, field) {
      let offset = try nonNegative(element, field)
      guard offset <= RequestDraft.longestOffset else {
        throw Rejection(field, .absurd(limit: "at most \(Int(RequestDraft.longestOffset)) ms"))
      }
      batch.chunkOffsets.append(Float(offset))
    }
    draft.row.chunkOffsets = TextRange(
      start: Int32(start), count: Int32(batch.chunkOffsets.count - start))
  }

  /// The elements of an array, or of a cell such as `[1, 2]` or `1;2`.
  private func elements(
    _ value: FieldValue, _ field: RequestField
  ) throws(Rejection) -> [FieldValue] {
    if case .list(let elements) = value { return elements }
    guard acceptsText, case .text(let text) = value else {
      throw Rejection(field, .wrongType(expected: "an array"))
    }
    return text.split { byte in " ,;[]".utf8.contains(byte) }.map { .text(Array($0)) }
  }
}
