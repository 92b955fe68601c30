/// What one thread made of one block of lines.
struct ParsedBlock {
  /// The thread; names of the batch are numbered in its own order.
  var worker = 0
  var batch = RequestBatch()
  var rejections: [BlockRejection] = []
  /// Names that this thread had not met before.
  var newNames: [String] = []
  var lineCount: Int64 = 0
  var byteCount: Int64 = 0
  var skipped: Int64 = 0
  /// Bytes of a last line without newline that was rejected; 0 when there is none.
  var partialBytes: Int64 = 0
  /// Packed bytes that the source had read with this block.
  var packedPosition: Int64 = 0

  /// Takes back the rejection of a last line that is not whole yet.
  mutating func leavePartialLine() {
    guard partialBytes > 0 else { return }
    while let last = rejections.last, last.line == lineCount { rejections.removeLast() }
  }

  /// Forgets the content and keeps the memory.
  mutating func reset(worker: Int) {
    self.worker = worker
    batch.rows.removeAll(keepingCapacity: true)
    batch.text.removeAll(keepingCapacity: true)
    batch.blocks.removeAll(keepingCapacity: true)
    batch.chunkOffsets.removeAll(keepingCapacity: true)
    rejections.removeAll()
    newNames.removeAll()
    lineCount = 0
    byteCount = 0
    skipped = 0
    partialBytes = 0
  }
}

/// A rejected line of a block.
struct BlockRejection {
  /// The line's number within the block, from 1.
  var line: Int64
  var rejection: Rejection
  var excerpt: String
}

/// How the lines of one input are to be read.
enum RecordFormat: Sendable {
  case native
  case mapped(FieldMapping)
  case csv(CSVLayout)
}

/// One thread's parser: blocks in, requests out.
struct BlockParser {
  private let worker: Int
  private let validator: RequestValidator
  private var names = NameCache()
  private var native: NativeLineReader
  private var mapped: MappedLineReader?
  private var csv: CSVLineReader?

  init(worker: Int, format: RecordFormat, limits: RequestLimits, usesFastPath: Bool = true) {
    self.worker = worker
    native = NativeLineReader(usesFastPath: usesFastPath)
    var validator = RequestValidator(limits: limits)
    switch format {
    case .native: break
    case .mapped(let mapping):
      validator.required = mapping.required
      mapped = MappedLineReader(mapping)
    case .csv(let layout):
      validator.required = layout.required
      csv = CSVLineReader(layout)
    }
    self.validator = validator
  }

  /// Parses the lines of `block` into `parsed`.
  mutating func parse(_ block: ByteBlock, into parsed: inout ParsedBlock) {
    parsed.reset(worker: worker)
    let bytes = block.bytes
    parsed.byteCount = Int64(bytes.count)
    if mapped != nil || csv != nil {
      parseGeneral(bytes, into: &parsed)
    } else {
      parseNative(bytes, into: &parsed)
    }
    parsed.newNames.append(contentsOf: names.takeNewNames())
  }

  private mutating func parseNative(_ bytes: PaddedBytes, into parsed: inout ParsedBlock) {
    var place = 0
    var draft = RequestDraft()
    while place < bytes.count {
      parsed.lineCount += 1
      if let next = blankLine(bytes, place) {
        place = next
        continue
      }
      let mark = BatchMark(parsed.batch)
      draft = RequestDraft()
      let start = place
      let result = native.read(bytes, from: place, into: &draft, &parsed.batch, &names)
      place = result.next
      var rejection = result.rejection
      if rejection == nil {
        do throws(Rejection) { try validator.validate(&draft) } catch { rejection = error }
      }
      if let rejection {
        mark.restore(&parsed.batch)
        reject(rejection, bytes, start..<lineEnd(bytes, place), &parsed)
      } else {
        draft.row.lineNumber = parsed.lineCount
        parsed.batch.rows.append(draft.row)
      }
    }
  }

  private mutating func parseGeneral(_ bytes: PaddedBytes, into parsed: inout ParsedBlock) {
    var place = 0
    while place < bytes.count {
      parsed.lineCount += 1
      if let next = blankLine(bytes, place) {
        place = next
        continue
      }
      let start = place
      let line = parsed.lineCount
      if csv != nil {
        place = csv?.endOfRecord(bytes, place) ?? bytes.count
      } else {
        place = min(bytes.endOfLine(from: place) + 1, bytes.count)
      }
      let range = start..<lineEnd(bytes, place)
      if csv != nil { parsed.lineCount += Int64(newlines(bytes, range)) }
      var batch = parsed.batch
      parsed.batch = RequestBatch()
      let outcome = records(bytes, range, line, &batch)
      parsed.batch = batch
      parsed.skipped += outcome.skipped
      for rejection in outcome.rejections {
        reject(rejection, bytes, range, &parsed, line: line)
      }
    }
  }

  /// Reads the records of one line, of which OTLP has several.
  private mutating func records(
    _ bytes: PaddedBytes, _ range: Range<Int>, _ line: Int64, _ batch: inout RequestBatch
  ) -> (rejections: [Rejection], skipped: Int64) {
    var rejections: [Rejection] = []
    var skipped: Int64 = 0
    let validator = validator
    let finish: (inout RequestDraft, inout RequestBatch) throws(Rejection) -> Void = {
      draft, batch throws(Rejection) in
      try validator.validate(&draft)
      draft.row.lineNumber = line
      batch.rows.append(draft.row)
    }
    if var reader = mapped {
      reader.read(bytes, range, &batch, &names, &rejections, &skipped, finish)
    } else if var reader = csv {
      reader.read(bytes, range, &batch, &names, &rejections, &skipped, finish)
    }
    return (rejections, skipped)
  }

  private func reject(
    _ rejection: Rejection, _ bytes: PaddedBytes, _ range: Range<Int>,
    _ parsed: inout ParsedBlock, line: Int64? = nil
  ) {
    if range.upperBound == bytes.count { parsed.partialBytes = Int64(range.count) }
    parsed.rejections.append(
      BlockRejection(
        line: line ?? parsed.lineCount, rejection: rejection,
        excerpt: LineDiagnosis.excerpt(bytes.array(range), field: rejection.field)))
  }

  /// The start of the next line when the one at `start` is blank.
  @inline(__always) private func blankLine(_ bytes: PaddedBytes, _ start: Int) -> Int? {
    guard bytes[start] <= 0x20 else { return nil }
    var place = start
    while place < bytes.count {
      switch bytes[place] {
      case 0x0A: return place + 1
      case 0x20, 0x09, 0x0D: place += 1
      default: return nil
      }
    }
    return place
  }

  /// The end of the content of the line that ends before `next`.
  private func lineEnd(_ bytes: PaddedBytes, _ next: Int) -> Int {
    next > 0 && bytes[next - 1] == 0x0A ? next - 1 : next
  }

  private func newlines(_ bytes: PaddedBytes, _ range: Range<Int>) -> Int {
    range.count { bytes[$0] == 0x0A }
  }
}
