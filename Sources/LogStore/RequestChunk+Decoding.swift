import RequestLog

/// A chunk as it came back from SQLite.
struct StoredChunk {
  var id: Int64
  var fileID: Int64
  var rowCount: Int
  var receivedFrom: Int64
  var receivedTo: Int64
  var digest: RowDigest
  /// One value for each ``ChunkColumn``.
  var values: [StoredValue]

  /// Appends its requests to `batch`; `symbols` has the symbol of every name id.
  func unpack(into batch: inout RequestBatch, symbols: [Symbol]) throws(ChunkFault) {
    let first = batch.rows.count
    var unpacked = Array(repeating: LoggedRequest(), count: rowCount)
    do {
      var rows = unpacked.mutableSpan
      try unpackTimes(&rows)
      try unpackNames(&rows, symbols)
      try unpackCounts(&rows)
      try unpackFractions(&rows)
      try unpackRanges(&rows)
    }
    batch.rows.append(contentsOf: unpacked)
    try unpackIdentity(&batch, first)
    try unpackParts(&batch, first)
  }

  private func value(_ column: ChunkColumn) -> StoredValue { values[column.place] }

  private func unpackIdentity(_ batch: inout RequestBatch, _ first: Int) throws(ChunkFault) {
    guard case .bytes(let bytes) = value(.identity), bytes.count == 16 * rowCount else {
      throw ChunkFault("identities do not fit \(rowCount) rows")
    }
    for index in 0..<rowCount {
      batch.rows[first + index].identityHigh = word(bytes, 16 * index, 8)
      batch.rows[first + index].identityLow = word(bytes, 16 * index + 8, 8)
      batch.rows[first + index].fileIndex = Int32(truncatingIfNeeded: fileID)
    }
    try CellDecoder.texts(value(.requestID), count: rowCount) { index, cells, range in
      batch.rows[first + index].requestID = TextRange(
        start: Int32(truncatingIfNeeded: batch.text.count), count: Int32(range.count))
      for place in range { batch.text.append(cells[place]) }
    }
  }

  private func unpackTimes(_ rows: inout MutableSpan<LoggedRequest>) throws(ChunkFault) {
    try CellDecoder.integers(value(.receivedOffset), count: rowCount) {
      rows[$0].receivedNanoseconds = receivedFrom &+ $1
    }
    try CellDecoder.integers(value(.dispatchDelay), count: rowCount) {
      rows[$0].dispatchedNanoseconds =
        $1 == .min ? LoggedRequest.missingTime : rows[$0].receivedNanoseconds &+ $1
    }
  }

  private func unpackNames(
    _ rows: inout MutableSpan<LoggedRequest>, _ symbols: [Symbol]
  ) throws(ChunkFault) {
    func symbol(_ id: Int64) -> Symbol {
      id >= 0 && id < Int64(symbols.count) ? symbols[Int(id)] : .none
    }
    let count = rowCount
    try CellDecoder.integers(value(.endpoint), count: count) { rows[$0].endpoint = symbol($1) }
    try CellDecoder.integers(value(.prefillEndpoint), count: count) {
      rows[$0].prefillEndpoint = symbol($1)
    }
    try CellDecoder.integers(value(.gateway), count: count) { rows[$0].gateway = symbol($1) }
    try CellDecoder.integers(value(.pool), count: count) { rows[$0].pool = symbol($1) }
    try CellDecoder.integers(value(.model), count: count) { rows[$0].model = symbol($1) }
    try CellDecoder.integers(value(.adapter), count: count) { rows[$0].adapter = symbol($1) }
    try CellDecoder.integers(value(.accelerator), count: count) {
      rows[$0].accelerator = symbol($1)
    }
    try CellDecoder.integers(value(.role), count: count) { rows[$0].role = symbol($1) }
    try CellDecoder.integers(value(.policy), count: count) { rows[$0].policy = symbol($1) }
  }

  private func unpackCounts(_ rows: inout MutableSpan<LoggedRequest>) throws(ChunkFault) {
    func count(_ number: Int64) -> Int32 {
      number == .min ? -1 : Int32(truncatingIfNeeded: number)
    }
    let size = rowCount
    try CellDecoder.integers(value(.inputTokens), count: size) { rows[$0].inputTokens = count($1) }
    try CellDecoder.integers(value(.outputTokens), count: size) {
      rows[$0].outputTokens = count($1)
    }
    try CellDecoder.integers(value(.maxTokens), count: size) { rows[$0].maxTokens = count($1) }
    try CellDecoder.integers(value(.cachedTokens), count: size) {
      rows[$0].cachedTokens = count($1)
    }
    try CellDecoder.integers(value(.prefixMatchTokens), count: size) {
      rows[$0].prefixMatchTokens = count($1)
    }
    try CellDecoder.integers(value(.waiting), count: size) { rows[$0].waitingRequests = count($1) }
    try CellDecoder.integers(value(.running), count: size) { rows[$0].runningRequests = count($1) }
    try CellDecoder.integers(value(.status), count: size) {
      rows[$0].status = Int16(truncatingIfNeeded: $1)
    }
    try CellDecoder.integers(value(.priority), count: size) {
      rows[$0].priority = Int16(truncatingIfNeeded: $1)
    }
    try CellDecoder.integers(value(.stream), count: size) {
      rows[$0].stream = $1 == .min ? -1 : Int8(truncatingIfNeeded: $1)
    }
  }

  private func unpackFractions(_ rows: inout MutableSpan<LoggedRequest>) throws(ChunkFault) {
    let size = rowCount
    try CellDecoder.reals(value(.ttft), count: size) { rows[$0].ttftMilliseconds = $1 }
    try CellDecoder.reals(value(.e2e), count: size) { rows[$0].e2eMilliseconds = $1 }
    try CellDecoder.reals(value(.kvUsage), count: size) { rows[$0].kvCacheUsage = Float($1) }
    try CellDecoder.reals(value(.snapshotAge), count: size) {
      rows[$0].snapshotAgeMilliseconds = Float($1)
    }
    try CellDecoder.reals(value(.propensity), count: size) { rows[$0].propensity = Float($1) }
    try CellDecoder.reals(value(.targetTTFT), count: size) {
      rows[$0].targetTTFTMilliseconds = Float($1)
    }
    try CellDecoder.reals(value(.targetTPOT), count: size) {
      rows[$0].targetTPOTMilliseconds = Float($1)
    }
  }

  private func unpackRanges(_ rows: inout MutableSpan<LoggedRequest>) throws(ChunkFault) {
    let size = rowCount
    func count(_ number: Int64) -> Int32 { Int32(clamping: max(0, number)) }
    try CellDecoder.integers(value(.line), count: size) { rows[$0].lineNumber = max(0, $1) }
    try CellDecoder.integers(value(.prefixBlockTokens), count: size) {
      rows[$0].prefixBlockTokens = $1 == .min ? -1 : Int32(truncatingIfNeeded: $1)
    }
    try CellDecoder.integers(value(.prefixBlockCount), count: size) {
      rows[$0].prefixBlocks.count = count($1)
    }
    try CellDecoder.integers(value(.chunkOffsetCount), count: size) {
      rows[$0].chunkOffsets.count = count($1)
    }
    try CellDecoder.integers(value(.candidatesLength), count: size) {
      rows[$0].candidates.count = count($1)
    }
  }

  /// Appends blocks, chunk offsets and candidates; their places follow from the counts.
  private func unpackParts(_ batch: inout RequestBatch, _ first: Int) throws(ChunkFault) {
    var (blocks, offsets, texts) = (0, 0, 0)
    for index in first..<first + rowCount {
      let row = batch.rows[index]
      batch.rows[index].prefixBlocks.start = Int32(clamping: batch.blocks.count + blocks)
      batch.rows[index].chunkOffsets.start = Int32(clamping: batch.chunkOffsets.count + offsets)
      batch.rows[index].candidates.start = Int32(clamping: batch.text.count + texts)
      blocks += Int(row.prefixBlocks.count)
      offsets += Int(row.chunkOffsets.count)
      texts += Int(row.candidates.count)
    }
    if let bytes = try parts(.prefixBlocks, blocks) {
      let width = bytes.count / blocks
      guard width <= 8 else { throw ChunkFault("prefix blocks of \(width) bytes") }
      for index in 0..<blocks { batch.blocks.append(word(bytes, index * width, width)) }
    }
    if let bytes = try parts(.chunkOffsets, offsets) {
      guard bytes.count == 4 * offsets else { throw ChunkFault("chunk offsets do not fit") }
      for index in 0..<offsets {
        let bits = UInt32(truncatingIfNeeded: word(bytes, 4 * index, 4))
        batch.chunkOffsets.append(Float(bitPattern: bits))
      }
    }
    if let bytes = try parts(.candidates, texts) {
      guard bytes.count == texts else { throw ChunkFault("candidates do not fit") }
      batch.text.append(contentsOf: bytes)
    }
  }

  private func parts(_ column: ChunkColumn, _ count: Int) throws(ChunkFault) -> [UInt8]? {
    switch value(column) {
    case .null where count == 0: return nil
    case .bytes(let bytes) where count > 0 && bytes.count % count == 0: return bytes
    default: throw ChunkFault("\(column.rawValue) does not fit \(count) parts")
    }
  }

  @inline(__always)
  private func word(_ bytes: [UInt8], _ start: Int, _ width: Int) -> UInt64 {
    var word: UInt64 = 0
    for place in start..<start + width { word = word << 8 | UInt64(bytes[place]) }
    return word
  }
}

extension ChunkColumn {
  /// Its index in the table's order.
  var place: Int { Self.places[self] ?? 0 }

  private static let places = Dictionary(
    uniqueKeysWithValues: allCases.enumerated().map { ($1, $0) })
}
