import Yams

/// How the records of another log format become ours: our field ← path, unit factor or constant.
///
/// `Mappings/README.md` describes the file format; ready-made mappings are ``readyMade``.
public struct FieldMapping: Sendable {
  /// The shape of the log.
  public enum Format: String, Sendable, CaseIterable {
    /// One JSON object a line.
    case jsonl
    /// RFC 4180 with a header row.
    case csv
    /// OpenTelemetry's OTLP/JSON, one export request a line, a record a span.
    case otlp
  }

  /// Where one field comes from.
  struct Rule: Sendable {
    var field: RequestField
    /// The first path that leads to a value is taken.
    var paths: [JSONPath] = []
    var constant: [UInt8]?
    /// Multiplies numbers into our unit.
    var factor: Double?
    /// A second number of the record, by which the first is multiplied.
    var times: JSONPath?
    /// Texts that stand for others; "" makes a value missing.
    var values: [[UInt8]: [UInt8]] = [:]
    /// What any other text stands for that is no number.
    var words: [UInt8]?
    /// The id is a hash of the record's bytes: for logs without ids.
    var isGenerated = false
  }

  /// What a record must satisfy to be taken; others are skipped, not quarantined.
  struct Condition: Sendable {
    var path: JSONPath
    var equals: [[UInt8]]?
    var above: Double?
  }

  /// What errors and `doctor` call it.
  public let name: String
  /// The shape of the log.
  public let format: Format
  let records: JSONPath?
  let conditions: [Condition]
  let rules: [Rule]
  let required: Set<RequestField>
  private let text: String

  /// Reads a mapping from the text of a YAML file.
  public init(yaml text: String, name: String) throws(RequestLogError) {
    let node: Node?
    do { node = try compose(yaml: text) } catch {
      throw .badMapping(name: name, detail: "it is no YAML: \(error)")
    }
    guard let root = node?.mapping else {
      throw .badMapping(name: name, detail: "it must be a table with `format` and `fields`")
    }
    var parser = MappingParser(name: name)
    self.name = name
    self.text = text
    format = try parser.format(root)
    records = try parser.records(root)
    conditions = try parser.conditions(root)
    rules = try parser.rules(root)
    required = try parser.required(root)
    for field in required where field != .tpot && !rules.contains(where: { $0.field == field }) {
      let derivesE2E = field == .e2e && rules.contains { $0.field == .tpot }
      if !derivesE2E {
        throw .badMapping(
          name: name,
          detail: "`\(field.name)` is required but not mapped; map it or change `required`")
      }
    }
  }

  /// The same mapping in memory of its own: threads that counted references to one would wait for each
  /// other.
  func separateCopy() -> FieldMapping { (try? FieldMapping(yaml: text, name: name)) ?? self }

  /// The ready-made mapping of that name, else the mapping in the file at that path.
  public static func named(_ nameOrPath: String) throws(RequestLogError) -> FieldMapping {
    if let text = readyMade[nameOrPath] { return try FieldMapping(yaml: text, name: nameOrPath) }
    let file: SystemFile
    do throws(RequestLogError) { file = try SystemFile(reading: nameOrPath) } catch {
      guard case .noSuchInput = error else { throw error }
      let names = readyMade.keys.sorted().joined(separator: ", ")
      throw .badMapping(
        name: nameOrPath, detail: "there is no such file, and ready-made are only \(names)")
    }
    let block = ByteBlock(capacity: 1 << 16)
    while try file.read(into: block, room: 1 << 16) > 0 {
      guard block.count <= 1 << 20 else {
        throw .badMapping(name: nameOrPath, detail: "it is over 1 MiB; is this a mapping?")
      }
    }
    let text = String(decoding: block.bytes.array(0..<block.count), as: UTF8.self)
    return try FieldMapping(yaml: text, name: nameOrPath)
  }

  /// The mappings that ship, by name: their YAML.
  public static let readyMade: [String: String] = [
    "envoy": ReadyMappings.envoy,
    "otel-genai": ReadyMappings.otelGenAI,
    "llm-d": ReadyMappings.llmD,
  ]
}

/// Turns YAML nodes into a mapping; every refusal names the offending key.
private struct MappingParser {
  let name: String
  private var isOTLP = false

  init(name: String) { self.name = name }

  mutating func format(_ root: Node.Mapping) throws(RequestLogError) -> FieldMapping.Format {
    let known: Set = ["format", "records", "where", "required", "fields", "description"]
    for (key, _) in root where !known.contains(key.string ?? "") {
      throw fault(
        "unknown key `\(key.string ?? "?")`; known are \(known.sorted().joined(separator: ", "))")
    }
    let text = root["format"]?.string ?? "jsonl"
    guard let format = FieldMapping.Format(rawValue: text) else {
      throw fault("`format: \(text)` is unknown; known are jsonl, csv, otlp")
    }
    isOTLP = format == .otlp
    return format
  }

  func records(_ root: Node.Mapping) throws(RequestLogError) -> JSONPath? {
    guard let node = root["records"] else { return nil }
    return try path(node, "records")
  }

  func conditions(_ root: Node.Mapping) throws(RequestLogError) -> [FieldMapping.Condition] {
    guard let node = root["where"] else { return [] }
    guard let entries = node.sequence else { throw fault("`where` must be a list") }
    var conditions: [FieldMapping.Condition] = []
    for entry in entries {
      guard let table = entry.mapping, let source = table["path"] else {
        throw fault("each condition of `where` needs a `path`")
      }
      var condition = FieldMapping.Condition(path: try path(source, "where"))
      if let node = table["equals"] {
        condition.equals = try strings(node, "equals").map { Array($0.utf8) }
      }
      if let node = table["above"] { condition.above = try number(node, "above") }
      if condition.equals == nil, condition.above == nil {
        throw fault("a condition of `where` needs `equals` or `above`")
      }
      conditions.append(condition)
    }
    return conditions
  }

  func required(_ root: Node.Mapping) throws(RequestLogError) -> Set<RequestField> {
    guard let node = root["required"] else { return RequestValidator.nativelyRequired }
    var fields: Set<RequestField> = [.requestID, .received]
    for name in try strings(node, "required") { fields.insert(try field(name)) }
    return fields
  }

  func rules(_ root: Node.Mapping) throws(RequestLogError) -> [FieldMapping.Rule] {
    guard let table = root["fields"]?.mapping else { throw fault("`fields` must be a table") }
    var rules: [FieldMapping.Rule] = []
    for (key, node) in table {
      rules.append(try rule(try field(key.string ?? ""), node))
    }
    return rules
  }

  private func rule(
    _ field: RequestField, _ node: Node
  ) throws(RequestLogError) -> FieldMapping.Rule {
    var rule = FieldMapping.Rule(field: field)
    guard let table = node.mapping else {
      rule.paths = try paths(node, field.name)
      return rule
    }
    let known: Set = ["path", "constant", "factor", "times", "values", "words", "generate"]
    for (key, _) in table where !known.contains(key.string ?? "") {
      throw fault("`\(field.name)` has the unknown key `\(key.string ?? "?")`")
    }
    if let node = table["path"] { rule.paths = try paths(node, field.name) }
    if let node = table["constant"] { rule.constant = Array(try string(node, "constant").utf8) }
    if let node = table["factor"] {
      let factor = try number(node, "factor")
      guard factor.isFinite, factor > 0 else { throw fault("`factor` must be above 0") }
      rule.factor = factor
    }
    if let node = table["times"] { rule.times = try path(node, "times") }
    if let node = table["values"] {
      guard let pairs = node.mapping else { throw fault("`values` must be a table") }
      for (from, into) in pairs {
        let key = Array(try string(from, "values").utf8)
        rule.values[key] = Array(try string(into, "values").utf8)
      }
    }
    if let node = table["words"] { rule.words = Array(try string(node, "words").utf8) }
    if let node = table["generate"] {
      guard field == .requestID, node.string == "content" else {
        throw fault("`generate: content` is for `request_id` only")
      }
      rule.isGenerated = true
    }
    if rule.paths.isEmpty, rule.constant == nil, !rule.isGenerated {
      throw fault("`\(field.name)` needs a `path` or a `constant`")
    }
    return rule
  }

  private func field(_ name: String) throws(RequestLogError) -> RequestField {
    guard let field = RequestField.named(Array(name.utf8)) else {
      throw fault("`\(name)` is no field of the request log")
    }
    return field
  }

  private func paths(_ node: Node, _ key: String) throws(RequestLogError) -> [JSONPath] {
    var paths: [JSONPath] = []
    for text in try strings(node, key) { paths.append(try path(text, key)) }
    return paths
  }

  private func path(_ node: Node, _ key: String) throws(RequestLogError) -> JSONPath {
    try path(try string(node, key), key)
  }

  private func path(_ text: String, _ key: String) throws(RequestLogError) -> JSONPath {
    guard let path = JSONPath(text, isOTLP: isOTLP) else {
      throw fault("`\(text)` of `\(key)` is no path")
    }
    return path
  }

  private func strings(_ node: Node, _ key: String) throws(RequestLogError) -> [String] {
    guard let entries = node.sequence else { return [try string(node, key)] }
    var texts: [String] = []
    for entry in entries { texts.append(try string(entry, key)) }
    return texts
  }

  private func string(_ node: Node, _ key: String) throws(RequestLogError) -> String {
    guard let scalar = node.scalar else { throw fault("`\(key)` must be a plain value") }
    return scalar.string
  }

  private func number(_ node: Node, _ key: String) throws(RequestLogError) -> Double {
    guard let number = Double(try string(node, key)) else {
      throw fault("`\(key)` must be a number")
    }
    return number
  }

  private func fault(_ detail: String) -> RequestLogError {
    .badMapping(name: name, detail: detail)
  }
}
