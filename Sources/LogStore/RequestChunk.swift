import RequestLog

/// Up to ``RequestChunk/capacity`` requests of one file, packed column by column.
struct RequestChunk: Sendable {
  /// Rows of a full chunk.
  ///
  /// Small enough that plain SQL finds one cell quickly, large enough that SQLite's cost for a row
  /// (some 10 µs with all columns) is spread over many requests.
  static let capacity = 256

  var rowCount: Int
  /// The earliest arrival, Unix nanoseconds.
  var receivedFrom: Int64
  /// The latest arrival, Unix nanoseconds.
  var receivedTo: Int64
  var digest: RowDigest
  /// One value for each ``ChunkColumn``.
  var values: [ChunkValue]
  var bytes: [UInt8]
}

/// What the numbers of a batch's symbols are in the store.
struct NameMap: Sendable {
  /// By symbol: the id in the table `names`.
  var ids: [Int64] = []
  /// By symbol: ``RowDigest/nameHash(_:)``.
  var hashes: [UInt64] = []
}

extension RequestChunk {
  /// Packs `rows`, which are in order, into chunks.
  static func pack(
    _ rows: [LoggedRequest], of batch: RequestBatch, names: NameMap
  ) -> [RequestChunk] {
    var chunks: [RequestChunk] = []
    chunks.reserveCapacity(rows.count / capacity + 1)
    var start = 0
    while start < rows.count {
      let end = min(start + capacity, rows.count)
      chunks.append(RequestChunk(rows, start..<end, batch, names))
      start = end
    }
    return chunks
  }

  private init(
    _ rows: [LoggedRequest], _ range: Range<Int>, _ batch: RequestBatch, _ names: NameMap
  ) {
    let first = range.lowerBound
    rowCount = range.count
    receivedFrom = rows[first].receivedNanoseconds
    receivedTo = rows[range.upperBound - 1].receivedNanoseconds
    digest = RowDigest()
    for index in range { digest.add(rows[index], batch, names: names.hashes) }
    var encoder = CellEncoder(count: range.count, byteEstimate: range.count * 256)
    let packed = rows.span.extracting(range)
    Self.addIdentity(packed, batch, &encoder)
    Self.addTimes(packed, receivedFrom, &encoder)
    Self.addNames(packed, names.ids, &encoder)
    Self.addCounts(packed, &encoder)
    Self.addFractions(packed, &encoder)
    Self.addRanges(packed, &encoder)
    Self.addParts(packed, batch, &encoder)
    values = encoder.values
    bytes = encoder.bytes
  }

  private static func addIdentity(
    _ rows: Span<LoggedRequest>, _ batch: RequestBatch, _ encoder: inout CellEncoder
  ) {
    encoder.addBytes { bytes in
      for index in rows.indices {
        append(rows[index].identityHigh, 8, to: &bytes)
        append(rows[index].identityLow, 8, to: &bytes)
      }
    }
    encoder.addTexts(batch.text) { rows[$0].requestID.indices }
  }

  private static func addTimes(
    _ rows: Span<LoggedRequest>, _ origin: Int64, _ encoder: inout CellEncoder
  ) {
    encoder.addIntegers { rows[$0].receivedNanoseconds &- origin }
    encoder.addIntegers {
      rows[$0].dispatchedNanoseconds == LoggedRequest.missingTime
        ? .min : rows[$0].dispatchedNanoseconds &- rows[$0].receivedNanoseconds
    }
  }

  private static func addNames(
    _ rows: Span<LoggedRequest>, _ ids: [Int64], _ encoder: inout CellEncoder
  ) {
    func id(_ symbol: Symbol) -> Int64 { symbol.index >= 0 ? ids[Int(symbol.index)] : .min }
    encoder.addIntegers { id(rows[$0].endpoint) }
    encoder.addIntegers { id(rows[$0].prefillEndpoint) }
    encoder.addIntegers { id(rows[$0].gateway) }
    encoder.addIntegers { id(rows[$0].pool) }
    encoder.addIntegers { id(rows[$0].model) }
    encoder.addIntegers { id(rows[$0].adapter) }
    encoder.addIntegers { id(rows[$0].accelerator) }
    encoder.addIntegers { id(rows[$0].role) }
    encoder.addIntegers { id(rows[$0].policy) }
  }

  private static func addCounts(_ rows: Span<LoggedRequest>, _ encoder: inout CellEncoder) {
    encoder.addIntegers(missing: -1) { Int64(rows[$0].inputTokens) }
    encoder.addIntegers(missing: -1) { Int64(rows[$0].outputTokens) }
    encoder.addIntegers(missing: -1) { Int64(rows[$0].maxTokens) }
    encoder.addIntegers(missing: -1) { Int64(rows[$0].cachedTokens) }
    encoder.addIntegers(missing: -1) { Int64(rows[$0].prefixMatchTokens) }
    encoder.addIntegers(missing: -1) { Int64(rows[$0].waitingRequests) }
    encoder.addIntegers(missing: -1) { Int64(rows[$0].runningRequests) }
    encoder.addIntegers { Int64(rows[$0].status) }
    encoder.addIntegers { Int64(rows[$0].priority) }
    encoder.addIntegers(missing: -1) { Int64(rows[$0].stream) }
  }

  private static func addFractions(_ rows: Span<LoggedRequest>, _ encoder: inout CellEncoder) {
    encoder.addReals(isSingle: false) { rows[$0].ttftMilliseconds }
    encoder.addReals(isSingle: false) { rows[$0].e2eMilliseconds }
    encoder.addReals(isSingle: true) { Double(rows[$0].kvCacheUsage) }
    encoder.addReals(isSingle: true) { Double(rows[$0].snapshotAgeMilliseconds) }
    encoder.addReals(isSingle: true) { Double(rows[$0].propensity) }
    encoder.addReals(isSingle: true) { Double(rows[$0].targetTTFTMilliseconds) }
    encoder.addReals(isSingle: true) { Double(rows[$0].targetTPOTMilliseconds) }
  }

  private static func addRanges(_ rows: Span<LoggedRequest>, _ encoder: inout CellEncoder) {
    encoder.addIntegers { rows[$0].lineNumber }
    encoder.addIntegers(missing: -1) { Int64(rows[$0].prefixBlockTokens) }
    var start: Int64 = 0
    func place(_ count: Int32) -> Int64 {
      defer { start += Int64(count) }
      return start
    }
    encoder.addIntegers { place(rows[$0].prefixBlocks.count) }
    encoder.addIntegers { Int64(rows[$0].prefixBlocks.count) }
    start = 0
    encoder.addIntegers { place(rows[$0].chunkOffsets.count) }
    encoder.addIntegers { Int64(rows[$0].chunkOffsets.count) }
    start = 0
    encoder.addIntegers { place(rows[$0].candidates.count) }
    encoder.addIntegers { Int64(rows[$0].candidates.count) }
  }

  private static func addParts(
    _ rows: Span<LoggedRequest>, _ batch: RequestBatch, _ encoder: inout CellEncoder
  ) {
    var all: UInt64 = 0
    for index in rows.indices {
      for place in rows[index].prefixBlocks.indices { all |= batch.blocks[place] }
    }
    let width = max(1, (64 - all.leadingZeroBitCount + 7) / 8)
    encoder.addBytes { bytes in
      for index in rows.indices {
        for place in rows[index].prefixBlocks.indices {
          append(batch.blocks[place], width, to: &bytes)
        }
      }
    }
    encoder.addBytes { bytes in
      for index in rows.indices {
        for place in rows[index].chunkOffsets.indices {
          append(UInt64(batch.chunkOffsets[place].bitPattern), 4, to: &bytes)
        }
      }
    }
    encoder.addBytes { bytes in
      for index in rows.indices {
        bytes.append(contentsOf: batch.text[rows[index].candidates.indices])
      }
    }
  }

  /// Appends the low `width` bytes of `word`, the highest first.
  @inline(__always)
  private static func append(_ word: UInt64, _ width: Int, to bytes: inout [UInt8]) {
    var shift = UInt64(8 * width)
    while shift > 0 {
      shift -= 8
      bytes.append(UInt8(truncatingIfNeeded: word >> shift))
    }
  }
}
