/// Reads JSON lines of any shape through a mapping.
struct MappedLineReader {
  /// Completes, checks and stores a request.
  typealias Finish = (inout RequestDraft, inout RequestBatch) throws(Rejection) -> Void

  /// A record of the document with what surrounds it.
  private struct Record {
    var index: Int
    var resource: Int?
    var scope: Int?
  }

  private let mapping: FieldMapping
  private let document = JSONDocument()
  private let assigner = FieldAssigner(acceptsText: true)

  init(_ mapping: FieldMapping) { self.mapping = mapping.separateCopy() }

  /// Reads the records of the line at `range`.
  mutating func read(
    _ bytes: PaddedBytes, _ range: Range<Int>, _ batch: inout RequestBatch,
    _ names: inout NameCache, _ rejections: inout [Rejection], _ skipped: inout Int64,
    _ finish: Finish
  ) {
    if let fault = document.parse(bytes, range) {
      rejections.append(LineDiagnosis.rejection(fault, bytes, range))
      return
    }
    guard document.kind(0) == .object else {
      rejections.append(Rejection(nil, .malformed("it is no JSON object")))
      return
    }
    guard let records = records() else {
      rejections.append(Rejection(nil, .malformed("it has no list of records where one should be")))
      return
    }
    for record in records {
      guard mapping.conditions.allSatisfy({ holds($0, record) }) else {
        skipped += 1
        continue
      }
      let mark = BatchMark(batch)
      var draft = RequestDraft()
      do throws(Rejection) {
        for rule in mapping.rules { try apply(rule, record, &draft, &batch, &names) }
        try finish(&draft, &batch)
      } catch {
        mark.restore(&batch)
        rejections.append(error)
      }
    }
  }

  private func records() -> [Record]? {
    if mapping.format == .otlp { return spans() }
    guard let path = mapping.records else { return [Record(index: 0)] }
    guard let list = document.resolve(path, from: 0), document.kind(list) == .array else {
      return nil
    }
    var records: [Record] = []
    document.forEachChild(list) { records.append(Record(index: $0)) }
    return records
  }

  private static let resourceSpans = Array("resourceSpans".utf8)
  private static let scopeSpans = Array("scopeSpans".utf8)
  private static let spansName = Array("spans".utf8)
  private static let resource = Array("resource".utf8)
  private static let scope = Array("scope".utf8)

  private func spans() -> [Record]? {
    guard let outer = document.member(0, Self.resourceSpans), document.kind(outer) == .array
    else { return nil }
    var records: [Record] = []
    document.forEachChild(outer) { resourceSpan in
      guard let middle = document.member(resourceSpan, Self.scopeSpans) else { return }
      let resource = document.member(resourceSpan, Self.resource)
      document.forEachChild(middle) { scopeSpan in
        guard let inner = document.member(scopeSpan, Self.spansName) else { return }
        let scope = document.member(scopeSpan, Self.scope)
        document.forEachChild(inner) {
          records.append(Record(index: $0, resource: resource, scope: scope))
        }
      }
    }
    return records
  }

  private func value(_ path: JSONPath, _ record: Record) -> FieldValue {
    let start: Int? =
      switch path.origin {
      case .record: record.index
      case .resource: record.resource
      case .scope: record.scope
      }
    guard let start, let found = document.resolve(path, from: start) else { return .null }
    return document.unwrappedValue(found)
  }

  private func holds(_ condition: FieldMapping.Condition, _ record: Record) -> Bool {
    value(condition.path, record).satisfies(condition)
  }

  private func apply(
    _ rule: FieldMapping.Rule, _ record: Record, _ draft: inout RequestDraft,
    _ batch: inout RequestBatch, _ names: inout NameCache
  ) throws(Rejection) {
    if rule.isGenerated {
      assigner.setIdentity(generatedID(record), &draft, &batch)
      return
    }
    var found = FieldValue.null
    for path in rule.paths where found.isNull { found = rule.replace(value(path, record)) }
    if found.isNull, let constant = rule.constant { found = .text(constant) }
    let times = rule.times.map { value($0, record) }
    try assigner.assign(
      try rule.scale(found, times: times, assigner), to: rule.field, of: &draft, &batch, &names)
  }

  /// An id made of a record's content, the same wherever the record stands.
  private func generatedID(_ record: Record) -> [UInt8] {
    var content: [UInt8] = []
    flatten(record.index, into: &content)
    let identity = RequestIdentity(content)
    let hex = String(identity.high, radix: 16) + "-" + String(identity.low, radix: 16)
    return Array("generated-\(hex)".utf8)
  }

  private func flatten(_ index: Int, into content: inout [UInt8]) {
    document.forEachChild(index) { child in
      content.append(contentsOf: document.key(child))
      content.append(UInt8(ascii: ":"))
      switch document.kind(child) {
      case .object, .array: flatten(child, into: &content)
      case .string: content.append(contentsOf: document.text(child))
      default: content.append(contentsOf: "\(document.bits(child))".utf8)
      }
      content.append(UInt8(ascii: ","))
    }
  }
}

extension FieldMapping.Rule {
  private static let dash = Array("-".utf8)

  /// `value` after the table of `values` and `words`; Envoy's "-" and "" are no values.
  func replace(_ value: FieldValue) -> FieldValue {
    let text: [UInt8]
    switch value {
    case .text(let bytes): text = bytes
    case .integer(let number) where !values.isEmpty: text = Array("\(number)".utf8)
    default: return value
    }
    if let replacement = values[text] { return replacement.isEmpty ? .null : .text(replacement) }
    if text.isEmpty || text == Self.dash { return .null }
    if let words, Double(String(decoding: text, as: UTF8.self)) == nil { return .text(words) }
    return value
  }

  /// `value` in our unit, and times another number where the mapping says so.
  func scale(
    _ value: FieldValue, times other: FieldValue?, _ assigner: FieldAssigner
  ) throws(Rejection) -> FieldValue {
    guard let other else { return try scale(value, assigner) }
    guard !value.isNull, !other.isNull else { return .null }
    let product =
      try assigner.double(value, field) * assigner.double(other, field) * (factor ?? 1)
    return .number(field.kind == .count ? product.rounded(.down) : product)
  }

  private func scale(
    _ value: FieldValue, _ assigner: FieldAssigner
  ) throws(Rejection) -> FieldValue {
    guard let factor, !value.isNull else { return value }
    if case .text(let text) = value {
      if field.kind == .time, Timestamp.nanoseconds(text) != nil { return value }
      if let whole = Int64(String(decoding: text, as: UTF8.self)) {
        return try scale(.integer(whole), assigner)
      }
    }
    if case .integer(let whole) = value, let exact = Int64(exactly: factor) {
      let (product, overflow) = whole.multipliedReportingOverflow(by: exact)
      if !overflow { return .integer(product) }
    }
    let product = try assigner.double(value, field) * factor
    return .number(field.kind == .time || field.kind == .count ? product.rounded() : product)
  }
}

extension FieldValue {
  /// Whether a record with this value is taken.
  func satisfies(_ condition: FieldMapping.Condition) -> Bool {
    if let equals = condition.equals {
      let text: [UInt8]
      switch self {
      case .text(let bytes): text = bytes
      case .integer(let number): text = Array("\(number)".utf8)
      case .flag(let flag): text = Array("\(flag)".utf8)
      default: return false
      }
      if !equals.contains(text) { return false }
    }
    guard let above = condition.above else { return true }
    switch self {
    case .integer(let number): return Double(number) > above
    case .unsigned(let number): return Double(number) > above
    case .number(let number): return number > above
    case .text(let text):
      return Double(String(decoding: text, as: UTF8.self)).map { $0 > above } ?? false
    default: return false
    }
  }
}
