/// Writes requests as native JSON lines: what ``LogReader`` reads back is the same request.
///
/// Missing values are left out. The request is one JSON object on one line, ended by a newline.
public struct RequestLogEncoder: Sendable {
  /// An encoder.
  public init() {}

  /// Appends the line of `row`, whose text, blocks and offsets are `batch`'s, to `line`.
  ///
  /// - Complexity: O(line); a few small allocations.
  public func encode(
    _ row: LoggedRequest, of batch: RequestBatch, symbols: SymbolTable, to line: inout [UInt8]
  ) {
    var object = ObjectWriter(line: line)
    line = []
    object.text(.requestID, Self.slice(batch.text, row.requestID))
    object.time(.received, row.receivedNanoseconds)
    if row.dispatchedNanoseconds != row.receivedNanoseconds {
      object.time(.dispatched, row.dispatchedNanoseconds)
    }
    for (field, symbol) in [
      (RequestField.gateway, row.gateway), (.pool, row.pool), (.model, row.model),
      (.adapter, row.adapter), (.endpoint, row.endpoint),
      (.prefillEndpoint, row.prefillEndpoint), (.accelerator, row.accelerator),
      (.role, row.role), (.policy, row.policy),
    ] {
      if let name = symbols.name(symbol) { object.text(field, name.utf8) }
    }
    object.number(.propensity, Double(row.propensity), shown: row.propensity.description)
    if row.priority != 0 { object.raw(.priority, "\(row.priority)") }
    if row.stream >= 0 { object.raw(.stream, row.stream == 0 ? "false" : "true") }
    for (field, count) in [
      (RequestField.inputTokens, row.inputTokens), (.outputTokens, row.outputTokens),
      (.maxTokens, row.maxTokens), (.cachedTokens, row.cachedTokens),
      (.prefixMatchTokens, row.prefixMatchTokens), (.waiting, row.waitingRequests),
      (.running, row.runningRequests),
    ] where count >= 0 {
      object.raw(field, "\(count)")
    }
    for (field, value) in [
      (RequestField.kvUsage, row.kvCacheUsage), (.snapshotAge, row.snapshotAgeMilliseconds),
      (.targetTTFT, row.targetTTFTMilliseconds), (.targetTPOT, row.targetTPOTMilliseconds),
    ] {
      object.number(field, Double(value), shown: value.description)
    }
    object.raw(.status, "\(row.status)")
    encodeLists(row, of: batch, to: &object)
    object.number(.ttft, row.ttftMilliseconds, shown: row.ttftMilliseconds.description)
    object.number(.e2e, row.e2eMilliseconds, shown: row.e2eMilliseconds.description)
    line = object.finish()
  }

  private func encodeLists(
    _ row: LoggedRequest, of batch: RequestBatch, to object: inout ObjectWriter
  ) {
    if row.prefixBlockTokens >= 0 { object.raw(.prefixBlockTokens, "\(row.prefixBlockTokens)") }
    if row.prefixBlocks.count > 0 {
      let blocks = Self.slice(batch.blocks, row.prefixBlocks)
      object.raw(.prefixBlocks, "[\(blocks.map(\.description).joined(separator: ","))]")
    }
    if row.chunkOffsets.count > 0 {
      let offsets = Self.slice(batch.chunkOffsets, row.chunkOffsets)
      object.raw(.chunkOffsets, "[\(offsets.map(\.description).joined(separator: ","))]")
    }
    if row.candidates.count > 0 {
      let json = Self.slice(batch.text, row.candidates)
      object.raw(.candidates, String(decoding: json, as: UTF8.self))
    }
  }

  private static func slice<Element>(_ buffer: [Element], _ range: TextRange) -> ArraySlice<Element>
  {
    buffer[Int(range.start)..<Int(range.start) + Int(range.count)]
  }
}

/// Puts one JSON object together.
private struct ObjectWriter {
  private var line: [UInt8]
  private var isFirst = true

  init(line: [UInt8]) {
    self.line = line
    self.line.append(UInt8(ascii: "{"))
  }

  private mutating func key(_ field: RequestField) {
    if !isFirst { line.append(UInt8(ascii: ",")) }
    isFirst = false
    line.append(contentsOf: "\"\(field.name)\":".utf8)
  }

  mutating func raw(_ field: RequestField, _ json: String) {
    key(field)
    line.append(contentsOf: json.utf8)
  }

  mutating func time(_ field: RequestField, _ nanoseconds: Int64) {
    if nanoseconds != LoggedRequest.missingTime { raw(field, "\(nanoseconds)") }
  }

  mutating func number(_ field: RequestField, _ value: Double, shown: String) {
    if value.isFinite { raw(field, shown) }
  }

  /// A string, with quotes, backslashes and controls escaped (RFC 8259) and bad UTF-8 mended.
  mutating func text(_ field: RequestField, _ bytes: some Collection<UInt8>) {
    key(field)
    line.append(UInt8(ascii: "\""))
    for byte in String(decoding: bytes, as: UTF8.self).utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"):
        line.append(UInt8(ascii: "\\"))
        line.append(byte)
      case ..<0x20:
        let hex = String(byte, radix: 16)
        line.append(contentsOf: (byte < 16 ? "\\u000" : "\\u00").utf8)
        line.append(contentsOf: hex.utf8)
      default: line.append(byte)
      }
    }
    line.append(UInt8(ascii: "\""))
  }

  consuming func finish() -> [UInt8] {
    line.append(contentsOf: "}\n".utf8)
    return line
  }
}

/// Appends requests to a native log file.
///
/// Each ``flush()`` is one write of whole lines to a file opened for appending, so that several writers
/// and a reader at the end of the file see whole lines. Not for sharing between threads.
public final class RequestLogWriter {
  private let file: SystemFile
  private let encoder = RequestLogEncoder()
  private var pending: [UInt8] = []
  private let bufferSize: Int

  /// Opens the log at `path` for appending, made where it is not there.
  ///
  /// - Parameter bufferSize: Bytes after which lines are written by themselves; 0 writes each line.
  public init(path: String, bufferSize: Int = 1 << 16) throws(RequestLogError) {
    file = try SystemFile(appending: path)
    self.bufferSize = bufferSize
  }

  /// Adds a request.
  public func append(
    _ row: LoggedRequest, of batch: RequestBatch, symbols: SymbolTable
  ) throws(RequestLogError) {
    encoder.encode(row, of: batch, symbols: symbols, to: &pending)
    if pending.count >= bufferSize { try flush() }
  }

  /// Writes the lines that wait.
  ///
  /// Call it last: what waits at the end of the writer's life is lost.
  public func flush() throws(RequestLogError) {
    guard !pending.isEmpty else { return }
    try file.write(pending)
    pending.removeAll(keepingCapacity: true)
  }

  /// Writes the lines that wait and waits until the disk has them.
  public func synchronize() throws(RequestLogError) {
    try flush()
    try file.synchronize()
  }
}
