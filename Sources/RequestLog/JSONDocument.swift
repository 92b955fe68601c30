import CSimdJSON

/// One parsed JSON document, as simdjson sees it: values by index, in document order.
///
/// Index 0 is the root. A document lives until the next ``parse(_:_:)``; its strings are copied out.
/// Not for sharing between threads.
@safe final class JSONDocument {
  /// The kinds of values.
  enum Kind { case null, bool, integer, unsigned, double, string, array, object }

  /// Why a text is no document.
  enum Fault { case malformed, notUTF8, badNumber, tooDeep, tooLarge }

  private let parser: OpaquePointer?
  // Only `parse` writes them; a check at each of millions of reads would cost a fifth of the time.
  @exclusivity(unchecked) private var nodes: UnsafePointer<gp_json_node>?
  @exclusivity(unchecked) private var count = 0

  init() { unsafe parser = gp_json_create() }

  deinit { unsafe gp_json_destroy(parser) }

  /// Parses `bytes[range]`; `nil` when it is a document.
  func parse(_ bytes: PaddedBytes, _ range: Range<Int>) -> Fault? {
    guard let parser = unsafe parser else { return .tooLarge }
    let status = unsafe bytes.withUnsafeBytes(range) { text in
      unsafe gp_json_parse(
        parser, text.baseAddress, text.count, "candidates", &nodes, &count)
    }
    switch status {
    case GP_JSON_OK: return nil
    case GP_JSON_NOT_UTF8: return .notUTF8
    case GP_JSON_BAD_NUMBER: return .badNumber
    case GP_JSON_TOO_DEEP: return .tooDeep
    case GP_JSON_TOO_LARGE: return .tooLarge
    default: return .malformed
    }
  }

  @inline(__always) private func node(_ index: Int) -> gp_json_node {
    precondition(unsafe index >= 0 && index < count, "an index of this document")
    guard let nodes = unsafe nodes else { preconditionFailure("a document was parsed") }
    return unsafe nodes[index]
  }

  /// What the value at `index` is.
  func kind(_ index: Int) -> Kind {
    switch unsafe node(index).type {
    case UInt32(GP_JSON_BOOL.rawValue): .bool
    case UInt32(GP_JSON_INT64.rawValue): .integer
    case UInt32(GP_JSON_UINT64.rawValue): .unsigned
    case UInt32(GP_JSON_DOUBLE.rawValue): .double
    case UInt32(GP_JSON_STRING.rawValue): .string
    case UInt32(GP_JSON_ARRAY.rawValue): .array
    case UInt32(GP_JSON_OBJECT.rawValue): .object
    default: .null
    }
  }

  /// The bits of a number or boolean.
  func bits(_ index: Int) -> UInt64 { unsafe node(index).bits }

  /// The UTF-8 of a string.
  func text(_ index: Int) -> [UInt8] {
    let value = unsafe node(index)
    return unsafe Array(UnsafeBufferPointer(start: value.text, count: Int(value.text_length)))
  }

  /// The name of a member; empty for an element.
  func key(_ index: Int) -> [UInt8] {
    let value = unsafe node(index)
    return unsafe Array(UnsafeBufferPointer(start: value.key, count: Int(value.key_length)))
  }

  /// Whether the member at `index` is named `name`.
  func isNamed(_ index: Int, _ name: [UInt8]) -> Bool {
    let value = unsafe node(index)
    guard unsafe Int(value.key_length) == name.count else { return false }
    return unsafe UnsafeBufferPointer(start: value.key, count: name.count).elementsEqual(name)
  }

  /// Calls `body` with the index of each member or element of the value at `index`.
  func forEachChild<Failure: Error>(
    _ index: Int, _ body: (Int) throws(Failure) -> Void
  ) throws(Failure) {
    let end = Int(unsafe node(index).next)
    var child = index + 1
    while child < end {
      try body(child)
      child = Int(unsafe node(child).next)
    }
  }

  /// The first child for which `matches` holds.
  func firstChild(_ index: Int, where matches: (Int) -> Bool) -> Int? {
    let end = Int(unsafe node(index).next)
    var child = index + 1
    while child < end {
      if matches(child) { return child }
      child = Int(unsafe node(child).next)
    }
    return nil
  }
}
