/// What the columns of a CSV log are.
///
/// The reader is our own: the log's bytes are cut into blocks for all cores, with gzip, zstd and growing
/// files, and a CSV package would want the whole text as one string.
struct CSVLayout: Sendable {
  /// A rule with the column of each of its paths.
  struct Column: Sendable {
    var rule: FieldMapping.Rule
    var indices: [Int]
    var timesIndex: Int?
  }

  let columns: [Column]
  let conditions: [(FieldMapping.Condition, Int?)]
  let required: Set<RequestField>
  let width: Int
  private let header: [UInt8]
  private let mapping: FieldMapping?

  /// Reads the header row; without a mapping its names must be ours.
  init(header: [UInt8], mapping: FieldMapping?, path: String) throws(RequestLogError) {
    guard let names = CSVRecord.split(header) else {
      throw .badHeader(path: path, detail: "the header row has a quote that does not end")
    }
    var places: [String: Int] = [:]
    for (index, name) in names.enumerated() {
      var text = Substring(String(decoding: name, as: UTF8.self))
      if index == 0, text.unicodeScalars.first == "\u{FEFF}" { text.unicodeScalars.removeFirst() }
      let trimmed = String(text.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
      guard places.updateValue(index, forKey: trimmed) == nil else {
        throw .badHeader(path: path, detail: "the header names `\(trimmed)` twice")
      }
    }
    width = names.count
    self.header = header
    self.mapping = mapping
    let required = mapping?.required ?? RequestValidator.nativelyRequired
    var columns: [Column] = []
    for rule in mapping?.rules ?? Self.nativeRules {
      let indices = rule.paths.compactMap { places[$0.text] }
      let isEmpty = indices.isEmpty && rule.constant == nil && !rule.isGenerated
      if isEmpty {
        // E2E may follow from TPOT.
        guard required.contains(rule.field), rule.field != .e2e else { continue }
        throw .badHeader(
          path: path,
          detail: "the header row has no column for `\(rule.field.name)`; name one so, or map "
            + "another to it with a mapping file")
      }
      columns.append(
        Column(
          rule: rule, indices: indices, timesIndex: rule.times.flatMap { places[$0.text] }))
    }
    self.columns = columns
    self.required = required
    conditions = (mapping?.conditions ?? []).map { ($0, places[$0.path.text]) }
  }

  /// The same layout in memory of its own, as ``FieldMapping/separateCopy()``.
  func separateCopy() -> CSVLayout {
    let layout = try? CSVLayout(header: header, mapping: mapping?.separateCopy(), path: "")
    return layout ?? self
  }

  private static var nativeRules: [FieldMapping.Rule] {
    RequestField.allCases.compactMap { field in
      guard field != .ignored, let path = JSONPath(field.name) else { return nil }
      return FieldMapping.Rule(field: field, paths: [path])
    }
  }
}

/// RFC 4180 records on bytes.
enum CSVRecord {
  /// A quoted cell over more lines than this is taken for a stray quote.
  static let maximumLines = 16

  /// The place behind the record at `start` and its newline.
  ///
  /// - Returns: `nil` when the bytes end before the record does and `isLast` is false.
  static func end(_ bytes: PaddedBytes, _ start: Int, isLast: Bool) -> Int? {
    var place = start
    var isQuoted = false
    for _ in 0..<maximumLines {
      let end = bytes.endOfLine(from: place)
      var index = place
      while index < end {
        if bytes[index] == UInt8(ascii: "\"") { isQuoted.toggle() }
        index += 1
      }
      if !isQuoted, end < bytes.count || isLast { return min(end + 1, bytes.count) }
      if end >= bytes.count {
        // A quote that never ends: take the first line alone.
        return isLast ? min(bytes.endOfLine(from: start) + 1, bytes.count) : nil
      }
      place = end + 1
    }
    return min(bytes.endOfLine(from: start) + 1, bytes.count)
  }

  /// The cells of `record`; `nil` when its quotes are wrong.
  static func split(_ record: [UInt8]) -> [[UInt8]]? {
    var cells: [[UInt8]] = []
    var cell: [UInt8] = []
    var index = 0
    var end = record.count
    if end > 0, record[end - 1] == 0x0D { end -= 1 }
    while true {
      if index < end, record[index] == UInt8(ascii: "\"") {
        index += 1
        while true {
          guard index < end else { return nil }
          if record[index] == UInt8(ascii: "\"") {
            guard index + 1 < end, record[index + 1] == UInt8(ascii: "\"") else { break }
            index += 1
          }
          cell.append(record[index])
          index += 1
        }
        index += 1
        guard index == end || record[index] == UInt8(ascii: ",") else { return nil }
      } else {
        let start = index
        while index < end, record[index] != UInt8(ascii: ",") {
          if record[index] == UInt8(ascii: "\"") { return nil }
          index += 1
        }
        cell.append(contentsOf: record[start..<index])
      }
      cells.append(cell)
      cell.removeAll(keepingCapacity: true)
      guard index < end else { return cells }
      index += 1
    }
  }
}

/// Reads CSV records by a layout.
struct CSVLineReader {
  private let layout: CSVLayout
  private let assigner = FieldAssigner(acceptsText: true)

  init(_ layout: CSVLayout) { self.layout = layout.separateCopy() }

  /// The place behind the record at `start`.
  func endOfRecord(_ bytes: PaddedBytes, _ start: Int) -> Int {
    CSVRecord.end(bytes, start, isLast: true) ?? bytes.count
  }

  /// Reads the record at `range`.
  mutating func read(
    _ bytes: PaddedBytes, _ range: Range<Int>, _ batch: inout RequestBatch,
    _ names: inout NameCache, _ rejections: inout [Rejection], _ skipped: inout Int64,
    _ finish: MappedLineReader.Finish
  ) {
    let mark = BatchMark(batch)
    let record = bytes.array(range)
    do throws(Rejection) {
      guard record.isValidUTF8 else { throw Rejection(nil, .notUTF8) }
      guard let cells = CSVRecord.split(record) else {
        throw Rejection(nil, .malformed("its quotes do not match"))
      }
      guard cells.count == layout.width else {
        throw cells.count < layout.width
          ? Rejection(nil, .truncated)
          : Rejection(nil, .malformed("it has \(cells.count) cells, the header \(layout.width)"))
      }
      let isTaken = layout.conditions.allSatisfy { condition, index in
        (index.map { FieldValue.text(cells[$0]) } ?? .null).satisfies(condition)
      }
      guard isTaken else {
        skipped += 1
        return
      }
      var draft = RequestDraft()
      for column in layout.columns { try apply(column, cells, record, &draft, &batch, &names) }
      try finish(&draft, &batch)
    } catch {
      mark.restore(&batch)
      rejections.append(error)
    }
  }

  private func apply(
    _ column: CSVLayout.Column, _ cells: [[UInt8]], _ record: [UInt8],
    _ draft: inout RequestDraft, _ batch: inout RequestBatch, _ names: inout NameCache
  ) throws(Rejection) {
    let rule = column.rule
    if rule.isGenerated {
      let identity = RequestIdentity(record)
      let hex = String(identity.high, radix: 16) + "-" + String(identity.low, radix: 16)
      assigner.setIdentity(Array("generated-\(hex)".utf8), &draft, &batch)
      return
    }
    var value = FieldValue.null
    for index in column.indices where value.isNull { value = rule.replace(.text(cells[index])) }
    if value.isNull, let constant = rule.constant { value = .text(constant) }
    let times = rule.times.map { _ in
      column.timesIndex.map { FieldValue.text(cells[$0]) } ?? .null
    }
    try assigner.assign(
      try rule.scale(value, times: times, assigner), to: rule.field, of: &draft, &batch, &names)
  }
}

extension [UInt8] {
  /// Whether the bytes are UTF-8.
  var isValidUTF8: Bool { String(validating: self, as: UTF8.self) != nil }
}
