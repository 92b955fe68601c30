internal import Yams

/// Reads YAML that strangers may have written: bounded in size and nesting, strict about fields.
enum YAMLDocument {
  /// Columns that may pass before a line's own text; nesting takes at least one column a level.
  private static let maximumIndentation = 128
  private static let maximumFlowDepth = 16

  /// The document's top mapping.
  static func mapping(
    _ bytes: [UInt8], name: String, path: String = ""
  ) throws(EndpointPickerError) -> YAMLMapping {
    try checkNesting(bytes, name: name)
    let text = String(decoding: bytes, as: UTF8.self)
    let node: Node?
    do {
      node = try Yams.compose(yaml: text)
    } catch {
      throw .badDocument(name: name, problem: "is no valid YAML (\(error))")
    }
    guard let node else { return YAMLMapping(path: path) }
    return try YAMLMapping(node, path: path, document: name)
  }

  /// The parser descends recursively, so depth is bounded before it sees the text.
  private static func checkNesting(_ bytes: [UInt8], name: String) throws(EndpointPickerError) {
    var (column, depth, isIndentation) = (0, 0, true)
    for byte in bytes {
      switch byte {
      case UInt8(ascii: "\n"), UInt8(ascii: "\r"): (column, isIndentation) = (0, true)
      case UInt8(ascii: " "), UInt8(ascii: "-"), UInt8(ascii: "?"), UInt8(ascii: ":"),
        UInt8(ascii: "\t"):
        column += 1
      case UInt8(ascii: "["), UInt8(ascii: "{"):
        depth += 1
        isIndentation = false
      case UInt8(ascii: "]"), UInt8(ascii: "}"):
        depth = max(0, depth - 1)
        isIndentation = false
      case UInt8(ascii: "&"), UInt8(ascii: "*"), UInt8(ascii: "!"):
        column += 1
      default: isIndentation = false
      }
      if isIndentation, column > maximumIndentation {
        throw .badDocument(name: name, problem: "is indented over \(maximumIndentation) columns")
      }
      if depth > maximumFlowDepth {
        throw .badDocument(name: name, problem: "has over \(maximumFlowDepth) open brackets")
      }
    }
  }
}

/// A mapping whose fields are taken one by one, so that what is left over is unknown.
struct YAMLMapping {
  /// Where it stands in its document; empty at the top.
  let path: String
  private var fields: [String: Node] = [:]
  private var known: [String] = []

  /// An empty mapping.
  init(path: String) { self.path = path }

  init(_ node: Node, path: String, document: String = "") throws(EndpointPickerError) {
    self.path = path
    if case .scalar(let scalar) = node, scalar.string.isEmpty || scalar.string == "null" { return }
    guard case .mapping(let mapping) = node else {
      throw .badField(
        path.isEmpty ? document : path, problem: "is not a mapping", remedy: "write `name: value`")
    }
    for (key, value) in mapping {
      guard case .scalar(let scalar) = key else {
        throw .badField(path, problem: "has a field without a name", remedy: "name it")
      }
      let name = scalar.string
      guard fields.updateValue(value, forKey: name) == nil else {
        throw .badField(field(name), problem: "is given twice", remedy: "keep one of the two")
      }
    }
  }

  /// The path of a field.
  func field(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

  private mutating func take(_ name: String) -> Node? {
    known.append(name)
    guard let node = fields.removeValue(forKey: name) else { return nil }
    if case .scalar(let scalar) = node, scalar.style == .plain,
      ["", "~", "null"].contains(scalar.string)
    {
      return nil
    }
    return node
  }

  private mutating func scalar(_ name: String) throws(EndpointPickerError) -> String? {
    guard let node = take(name) else { return nil }
    guard case .scalar(let scalar) = node else {
      throw .badField(field(name), problem: "is not a single value", remedy: "write one value")
    }
    guard scalar.string.utf8.count <= 4096 else {
      throw .badField(field(name), problem: "is longer than 4096 bytes", remedy: "shorten it")
    }
    return scalar.string
  }

  /// Sets `value` to the field's text, if it is there.
  mutating func read(_ name: String, into value: inout String) throws(EndpointPickerError) {
    if let text = try scalar(name) { value = text }
  }

  /// Sets `value` to the field's whole number, if it is there.
  mutating func read(_ name: String, into value: inout Int) throws(EndpointPickerError) {
    guard let text = try scalar(name) else { return }
    guard let number = Int(text.filter { $0 != "_" }) else {
      throw .badField(
        field(name), problem: "`\(text)` is no whole number", remedy: "write one, such as \(value)")
    }
    value = number
  }

  /// Sets `value` to the field's number, if it is there.
  mutating func read(_ name: String, into value: inout Double) throws(EndpointPickerError) {
    guard let text = try scalar(name) else { return }
    guard let number = Double(text), number.isFinite else {
      throw .badField(
        field(name), problem: "`\(text)` is no number", remedy: "write one, such as \(value)")
    }
    value = number
  }

  /// Sets `value` to the field's truth, if it is there.
  mutating func read(_ name: String, into value: inout Bool) throws(EndpointPickerError) {
    switch try scalar(name) {
    case nil: break
    case "true": value = true
    case "false": value = false
    case let text?:
      throw .badField(
        field(name), problem: "`\(text)` is neither true nor false", remedy: "write one of them")
    }
  }

  /// The mapping in a field; empty when it is not there.
  mutating func mapping(_ name: String) throws(EndpointPickerError) -> YAMLMapping {
    guard let node = take(name) else { return YAMLMapping(path: field(name)) }
    return try YAMLMapping(node, path: field(name))
  }

  /// Whether the field is there.
  func has(_ name: String) -> Bool { fields[name] != nil }

  /// The numbers of a mapping of names.
  mutating func numbers(_ name: String) throws(EndpointPickerError) -> [String: Double] {
    var inner = try mapping(name)
    var values: [String: Double] = [:]
    for key in inner.fields.keys.sorted() {
      var value = 0.0
      try inner.read(key, into: &value)
      values[key] = value
    }
    return values
  }

  /// The mappings of a list; empty when it is not there.
  mutating func list(_ name: String, limit: Int) throws(EndpointPickerError) -> [YAMLMapping] {
    guard let node = take(name) else { return [] }
    guard case .sequence(let sequence) = node else {
      throw .badField(field(name), problem: "is no list", remedy: "write `- name: …` items")
    }
    guard sequence.count <= limit else {
      throw .badField(field(name), problem: "has over \(limit) items", remedy: "shorten it")
    }
    var items: [YAMLMapping] = []
    for (index, item) in sequence.enumerated() {
      items.append(try YAMLMapping(item, path: "\(field(name))[\(index)]"))
    }
    return items
  }

  /// Fails if a field is left that nobody asked for.
  func finish() throws(EndpointPickerError) {
    guard let unknown = fields.keys.sorted().first else { return }
    throw .badField(
      field(String(unknown.prefix(80))), problem: "is no known field",
      remedy: "use one of \(known.joined(separator: ", "))")
  }
}
