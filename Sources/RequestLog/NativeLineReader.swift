/// Reads native lines: the fast path first, the document parser for everything else.
struct NativeLineReader {
  private var scanner = NativeScanner()
  private let document = JSONDocument()
  private let assigner = FieldAssigner()
  private let usesFastPath: Bool

  /// Without the fast path every line goes through the document parser: for tests.
  init(usesFastPath: Bool = true) { self.usesFastPath = usesFastPath }

  /// Reads the line at `start`; returns the place behind its newline.
  mutating func read(
    _ bytes: PaddedBytes, from start: Int, into draft: inout RequestDraft,
    _ batch: inout RequestBatch, _ names: inout NameCache
  ) -> (next: Int, rejection: Rejection?) {
    let mark = BatchMark(batch)
    if usesFastPath, let next = scanner.scan(bytes, from: start, into: &draft, &batch, &names) {
      return (next, nil)
    }
    mark.restore(&batch)
    draft = RequestDraft()
    let end = bytes.endOfLine(from: start)
    do throws(Rejection) {
      try readDocument(bytes, start..<end, into: &draft, &batch, &names)
      return (min(end + 1, bytes.count), nil)
    } catch {
      return (min(end + 1, bytes.count), error)
    }
  }

  private func readDocument(
    _ bytes: PaddedBytes, _ line: Range<Int>, into draft: inout RequestDraft,
    _ batch: inout RequestBatch, _ names: inout NameCache
  ) throws(Rejection) {
    if let fault = document.parse(bytes, line) {
      throw LineDiagnosis.rejection(fault, bytes, line)
    }
    guard document.kind(0) == .object else {
      throw Rejection(nil, .malformed("it is no JSON object"))
    }
    try document.forEachChild(0) { child throws(Rejection) in
      guard let field = RequestField.named(document.key(child)) else { return }
      let value: FieldValue =
        field == .candidates ? .text(document.text(child)) : document.value(child)
      try assigner.assign(value, to: field, of: &draft, &batch, &names)
    }
  }
}

/// The ends of a batch's buffers, to undo a rejected line.
struct BatchMark {
  private let text: Int
  private let blocks: Int
  private let chunkOffsets: Int

  @inline(__always) init(_ batch: RequestBatch) {
    text = batch.text.count
    blocks = batch.blocks.count
    chunkOffsets = batch.chunkOffsets.count
  }

  /// Cuts the buffers back.
  func restore(_ batch: inout RequestBatch) {
    batch.text.removeSubrange(text...)
    batch.blocks.removeSubrange(blocks...)
    batch.chunkOffsets.removeSubrange(chunkOffsets...)
  }
}

/// Finds out why a line is no JSON document, in terms that a person can act on.
enum LineDiagnosis {
  static func rejection(
    _ fault: JSONDocument.Fault, _ bytes: PaddedBytes, _ range: Range<Int>
  ) -> Rejection {
    let line = bytes.array(range)
    switch fault {
    case .notUTF8: return Rejection(nil, .notUTF8)
    case .tooDeep: return Rejection(nil, .malformed("it nests deeper than 64 levels"))
    case .tooLarge: return Rejection(nil, .malformed("it is too long to parse"))
    case .malformed, .badNumber: break
    }
    if let field = notFiniteField(line) {
      var rejection = Rejection(nil, .notFinite)
      rejection.field = field
      return rejection
    }
    let content = line.last { $0 != 0x20 && $0 != 0x0D && $0 != 0x09 }
    let first = line.first { $0 != 0x20 && $0 != 0x09 }
    if first == UInt8(ascii: "{"), content != UInt8(ascii: "}") {
      return Rejection(nil, .truncated)
    }
    return Rejection(
      nil, .malformed(fault == .badNumber ? "a number is out of range" : "it is no valid JSON"))
  }

  /// The member whose value is the bare word NaN, Infinity or the like.
  private static func notFiniteField(_ line: [UInt8]) -> String? {
    var quoted: Range<Int>?
    var start: Int?
    var index = 0
    while index < line.count {
      let byte = line[index]
      if let opening = start {
        if byte == UInt8(ascii: "\\") {
          index += 1
        } else if byte == UInt8(ascii: "\"") {
          quoted = (opening + 1)..<index
          start = nil
        }
      } else if byte == UInt8(ascii: "\"") {
        start = index
      } else if isNotFinite(line, index), let quoted {
        return String(decoding: line[quoted], as: UTF8.self)
      }
      index += 1
    }
    return nil
  }

  private static func isNotFinite(_ line: [UInt8], _ index: Int) -> Bool {
    guard [0x4E, 0x6E, 0x49, 0x69].contains(line[index]), index > 0 else { return false }
    let word = String(decoding: line[index..<min(index + 3, line.count)], as: UTF8.self)
      .lowercased()
    guard word == "nan" || word == "inf" else { return false }
    return [0x3A, 0x20, 0x2D, 0x2B, 0x2C, 0x5B, 0x09].contains(line[index - 1])
  }

  /// The part of a line to show: the field, or the start; at most 160 characters, none of them
  /// a control.
  static func excerpt(_ line: [UInt8], field: String?) -> String {
    var start = 0
    if let field, line.count > 160 {
      let name = Array(field.utf8)
      let last = line.count - name.count
      if last > 0, let found = (0..<last).first(where: { line[$0...].starts(with: name) }) {
        start = max(0, found - 20)
      }
    }
    let end = min(line.count, start + 150)
    let text = String(decoding: line[start..<end], as: UTF8.self)
    let visible = String(text.unicodeScalars.map { $0.value < 32 ? " " : Character($0) })
    return (start > 0 ? "…" : "") + visible + (end < line.count ? "…" : "")
  }
}
