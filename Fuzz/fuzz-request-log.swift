// Feeds bytes to the reader of native logs: the fast path and simdjson must agree, and nothing may
// crash. `make fuzz` builds it with libFuzzer and the address sanitizer.

@testable import RequestLog

/// What one way of reading makes of `bytes`, with names spelled out.
private func outcome(_ bytes: [UInt8], usesFastPath: Bool) -> [String] {
  let block = ByteBlock(capacity: bytes.count)
  block.append(bytes)
  var parser = BlockParser(
    worker: 0, format: .native, limits: RequestLimits(), usesFastPath: usesFastPath)
  var parsed = ParsedBlock()
  parser.parse(block, into: &parsed)
  var lines = parsed.rejections.map { "\($0.line) \($0.rejection)" }
  for var row in parsed.batch.rows {
    let name = row.endpoint.index >= 0 ? parsed.newNames[Int(row.endpoint.index)] : ""
    let model = row.model.index >= 0 ? parsed.newNames[Int(row.model.index)] : ""
    // Each way numbers the names of rejected lines as it likes.
    row.endpoint = .none
    row.prefillEndpoint = .none
    row.gateway = .none
    row.pool = .none
    row.model = .none
    row.adapter = .none
    row.accelerator = .none
    row.role = .none
    row.policy = .none
    lines.append("\(name) \(model) \(row)")
  }
  lines.append("\(parsed.batch.text) \(parsed.batch.blocks) \(parsed.batch.chunkOffsets)")
  return lines
}

/// libFuzzer's entry.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzRequestLog(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
  let fast = outcome(bytes, usesFastPath: true)
  let slow = outcome(bytes, usesFastPath: false)
  precondition(fast == slow, "the fast path and simdjson disagree")
  return 0
}
