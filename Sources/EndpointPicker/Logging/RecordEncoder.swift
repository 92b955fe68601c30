internal import RequestLog

/// Turns records into native log lines.
struct RecordEncoder {
  private let encoder = RequestLogEncoder()
  private var symbols = SymbolTable()
  private var batch = RequestBatch()
  private let gateway: String
  private let pool: String

  /// Names are kept between records; past this many the table begins anew.
  private static let maximumNames = 4_096

  init(gateway: String, pool: String) {
    self.gateway = gateway
    self.pool = pool
  }

  /// Appends the line of `record` to `lines`.
  mutating func encode(_ record: RequestRecord, to lines: inout [UInt8]) {
    if symbols.names.count > Self.maximumNames { symbols = SymbolTable() }
    batch.text.removeAll(keepingCapacity: true)
    batch.blocks.removeAll(keepingCapacity: true)
    batch.chunkOffsets.removeAll(keepingCapacity: true)
    var row = LoggedRequest()
    name(&row, record)
    batch.text.append(contentsOf: record.identifier.utf8.prefix(512))
    row.requestID = TextRange(start: 0, count: Int32(batch.text.count))
    row.receivedNanoseconds = record.receivedUnixNanoseconds
    row.dispatchedNanoseconds = record.dispatchedUnixNanoseconds
    row.inputTokens = Int32(clamping: record.inputTokens)
    row.outputTokens = Int32(clamping: record.outputTokens)
    row.maxTokens = record.maximumTokens > 0 ? Int32(clamping: record.maximumTokens) : -1
    row.cachedTokens = Int32(clamping: record.cachedTokens)
    row.prefixMatchTokens = Int32(clamping: record.prefixMatchTokens)
    row.waitingRequests = Int32(clamping: record.waitingRequests)
    row.runningRequests = Int32(clamping: record.runningRequests)
    row.kvCacheUsage = Float(record.kvCacheUsage)
    row.snapshotAgeMilliseconds = Float(record.snapshotAgeMilliseconds)
    row.propensity = Float(record.propensity)
    if record.ttftObjectiveMilliseconds > 0 {
      row.targetTTFTMilliseconds = Float(record.ttftObjectiveMilliseconds)
    }
    if record.tpotObjectiveMilliseconds > 0 {
      row.targetTPOTMilliseconds = Float(record.tpotObjectiveMilliseconds)
    }
    row.priority = Int16(clamping: record.priority)
    row.stream = record.isStreaming ? 1 : 0
    row.status = Int16(clamping: record.status)
    row.ttftMilliseconds = Self.toMicroseconds(record.ttftMilliseconds)
    row.e2eMilliseconds = Self.toMicroseconds(record.e2eMilliseconds)
    addLists(&row, record)
    encoder.encode(row, of: batch, symbols: symbols, to: &lines)
  }

  private mutating func name(_ row: inout LoggedRequest, _ record: RequestRecord) {
    row.gateway = symbol(gateway)
    row.pool = symbol(pool)
    row.model = symbol(record.model)
    row.adapter = symbol(record.adapter)
    row.endpoint = symbol(record.endpoint)
    row.prefillEndpoint = symbol(record.prefillEndpoint)
    row.accelerator = symbol(record.accelerator)
    row.role = symbol(record.role)
    row.policy = symbol(record.policy)
  }

  private mutating func symbol(_ name: String) -> Symbol {
    name.isEmpty ? .none : symbols.intern(name.utf8.count <= 256 ? name : String(name.prefix(64)))
  }

  private mutating func addLists(_ row: inout LoggedRequest, _ record: RequestRecord) {
    batch.blocks.append(contentsOf: record.prefixBlocks)
    row.prefixBlocks = TextRange(start: 0, count: Int32(batch.blocks.count))
    if !record.prefixBlocks.isEmpty {
      row.prefixBlockTokens = Int32(InferenceRequest.blockTokens)
    }
    batch.chunkOffsets.append(contentsOf: record.chunkOffsets)
    row.chunkOffsets = TextRange(start: 0, count: Int32(batch.chunkOffsets.count))
  }

  /// Digits below a microsecond are noise, and bytes.
  private static func toMicroseconds(_ milliseconds: Double) -> Double {
    (milliseconds * 1e3).rounded() / 1e3
  }
}
