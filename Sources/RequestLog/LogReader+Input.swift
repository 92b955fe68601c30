// One input through the pipeline.
extension LogReader {
  mutating func read(
    _ source: LineSource, from offset: Int64, line: Int64, _ assembler: inout BatchAssembler,
    _ onBatch: BatchHandler, _ onRejected: RejectionHandler, _ meter: inout ProgressMeter,
    leavesPartialLine: Bool = false
  ) throws(RequestLogError) {
    files.append(source.path)
    let start = try open(source, offset: offset, line: line, leavesPartialLine)
    assembler.begin(
      file: source.path, index: files.count - 1, threads: configuration.threads,
      line: start.line, offset: source.offset, headerLines: start.line - line)
    let pipeline = BlockPipeline(source, format: start.format, configuration: configuration)
    defer { pipeline.stop() }
    var joiner = BatchJoiner(minimumRows: configuration.batchRows)
    var held = try pipeline.next()
    while var block = held {
      held = try pipeline.next()
      if held == nil, leavesPartialLine { block.leavePartialLine() }
      let rejected = try assembler.take(&block, upcoming: held?.batch)
      if held == nil, block.partialBytes > 0 { assembler.stepBack(bytes: block.partialBytes) }
      do {
        for line in rejected { try onRejected(line) }
        try joiner.add(block.batch, isLast: held == nil) { try onBatch($0, assembler.symbols) }
      } catch {
        throw .stopped(by: error)
      }
      meter.report(block.packedPosition)
      pipeline.recycle(block)
    }
    meter.endOfInput(source.packedPosition)
  }

  /// Finds out the format and goes to `offset`.
  private func open(
    _ source: LineSource, offset: Int64, line: Int64, _ leavesPartialLine: Bool
  ) throws(RequestLogError) -> (format: RecordFormat, line: Int64) {
    let mapping = configuration.mapping
    var format = RecordFormat.native
    var line = line
    if mapping?.format == .csv || (mapping == nil && Self.isCSV(source.path)) {
      source.isCSV = true
      // A cell may be cut short and still be a number: only its newline says that a record is whole.
      source.leavesPartialLine = leavesPartialLine
      let header = try source.header()
      format = .csv(
        try CSVLayout(header: header.bytes, mapping: mapping, path: source.path))
      if offset <= source.offset { line = header.lines }
    } else if let mapping {
      format = .mapped(mapping)
    }
    try source.seek(to: offset)
    return (format, line)
  }

  private static func isCSV(_ path: String) -> Bool {
    var name = Substring(path.lowercased())
    for suffix in [".gz", ".zst", ".zstd"] where name.hasSuffix(suffix) {
      name = name.dropLast(suffix.count)
    }
    return name.hasSuffix(".csv")
  }
}

/// Joins small batches, so that each but the last has a least number of rows.
struct BatchJoiner {
  let minimumRows: Int
  private var pending = RequestBatch()

  init(minimumRows: Int) { self.minimumRows = minimumRows }

  mutating func add(
    _ batch: RequestBatch, isLast: Bool, _ deliver: (RequestBatch) throws -> Void
  ) throws {
    if pending.rows.isEmpty, batch.rows.count >= minimumRows || isLast {
      if !batch.rows.isEmpty { try deliver(batch) }
      return
    }
    if !pending.append(batch) {
      try deliver(pending)
      pending.removeAll()
      _ = pending.append(batch)
    }
    if pending.rows.count >= minimumRows || isLast, !pending.rows.isEmpty {
      try deliver(pending)
      pending.removeAll()
    }
  }
}

extension RequestBatch {
  /// Appends the requests of `other` with their parts; `false`, and nothing done, when the buffers would
  /// outgrow their 32-bit ranges.
  mutating func append(_ other: RequestBatch) -> Bool {
    let limit = Int(Int32.max)
    guard text.count + other.text.count <= limit, blocks.count + other.blocks.count <= limit,
      chunkOffsets.count + other.chunkOffsets.count <= limit
    else { return false }
    let textStart = Int32(text.count)
    let blockStart = Int32(blocks.count)
    let offsetStart = Int32(chunkOffsets.count)
    let first = rows.count
    rows.append(contentsOf: other.rows)
    for index in first..<rows.count {
      rows[index].requestID.start += textStart
      rows[index].candidates.start += textStart
      rows[index].prefixBlocks.start += blockStart
      rows[index].chunkOffsets.start += offsetStart
    }
    text.append(contentsOf: other.text)
    blocks.append(contentsOf: other.blocks)
    chunkOffsets.append(contentsOf: other.chunkOffsets)
    return true
  }

  /// Forgets the content and keeps the memory.
  mutating func removeAll() {
    rows.removeAll(keepingCapacity: true)
    text.removeAll(keepingCapacity: true)
    blocks.removeAll(keepingCapacity: true)
    chunkOffsets.removeAll(keepingCapacity: true)
  }
}

/// Sums progress over inputs.
struct ProgressMeter {
  private let handler: LogReader.ProgressHandler?
  private let total: Int64?
  private var done: Int64 = 0

  init(paths: [String], handler: LogReader.ProgressHandler?) {
    self.handler = handler
    var total: Int64? = 0
    if handler != nil {
      for path in paths {
        let size = path == "-" ? nil : (try? SystemFile(reading: path))?.size
        total = total.flatMap { sum in size.map { sum + $0 } }
      }
    }
    self.total = total
  }

  func report(_ position: Int64) { handler?(done + position, total) }

  mutating func endOfInput(_ position: Int64) {
    done += position
    handler?(done, total)
  }
}
