import Foundation
import TestSupport
import Testing

@testable import RequestLog

/// Reads with everything allowed to be bad, so that a test sees what was quarantined.
func readAll(
  _ inputs: [String], mapping: FieldMapping? = nil, maximumBadShare: Double = 1,
  limits: RequestLimits = RequestLimits(),
  adjust: (inout LogReader.Configuration) -> Void = { _ in }
) throws -> RequestLogContents {
  var configuration = try LogReader.Configuration(
    threads: 2, mapping: mapping, maximumBadShare: maximumBadShare, limits: limits)
  adjust(&configuration)
  var reader = LogReader(configuration)
  return try reader.readAll(inputs)
}

/// The repository's folder of logs.
let datasets = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
  .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("datasets").path

@Suite struct ReadingTests {
  @Test func everyFieldOfALineIsRead() throws {
    let line = RequestLogFixtures.line(
      5,
      [
        "dispatched_unix_ns": "\(RequestLogFixtures.start + 5_001_000_000)",
        "prefill_endpoint": "\"p1\"", "gateway": "\"g1\"", "pool": "\"pool\"",
        "adapter": "\"lora\"", "accelerator": "\"h100\"", "role": "\"decode\"",
        "policy": "\"random\"", "propensity": "0.125", "priority": "-3", "stream": "false",
        "max_tokens": "64", "slo_ttft_ms": "200", "slo_tpot_ms": "20.5", "snapshot_age_ms": "12.5",
        "chunk_offsets_ms": "[10, 20.5]",
        "candidates": "[ {\"endpoint\": \"e1\", \"waiting\": 2} ]", "unknown": "{\"a\":[1]}",
      ])
    let log = try readAll([try RequestLogFixtures.file(lines: [line]).path])
    let row = try #require(log.batch.rows.first)
    #expect(log.batch.requestID(row) == "r5")
    #expect(row.receivedNanoseconds == RequestLogFixtures.start + 5_000_000_000)
    #expect(row.dispatchedNanoseconds == RequestLogFixtures.start + 5_001_000_000)
    let names = [
      row.endpoint, row.prefillEndpoint, row.gateway, row.pool, row.model, row.adapter,
      row.accelerator, row.role, row.policy,
    ].map { log.symbols.name($0) }
    #expect(names == ["e2", "p1", "g1", "pool", "m", "lora", "h100", "decode", "random"])
    #expect([row.inputTokens, row.outputTokens, row.maxTokens] == [105, 11, 64])
    #expect([row.cachedTokens, row.prefixMatchTokens, row.prefixBlockTokens] == [32, 32, 32])
    #expect([row.waitingRequests, row.runningRequests] == [1, 2])
    #expect(
      [row.kvCacheUsage, row.propensity, row.snapshotAgeMilliseconds] == [0.25, 0.125, 12.5])
    #expect([row.targetTTFTMilliseconds, row.targetTPOTMilliseconds] == [200, 20.5])
    #expect(row.status == 200 && row.priority == -3 && row.stream == 0)
    #expect(row.ttftMilliseconds == 50.5 && row.e2eMilliseconds == 150.5)
    #expect(row.tpotMilliseconds == 10)
    #expect(log.batch.blocks == [7, 8, 9] && row.prefixBlocks == TextRange(start: 0, count: 3))
    #expect(log.batch.chunkOffsets == [10, 20.5])
    let json = log.batch.text[Int(row.candidates.start)...].prefix(Int(row.candidates.count))
    #expect(String(decoding: json, as: UTF8.self) == "[{\"endpoint\":\"e1\",\"waiting\":2}]")
    #expect(row.fileIndex == 0 && row.lineNumber == 1)
  }

  @Test func missingOptionalFieldsSaySo() throws {
    let line = """
      {"request_id":"a","received_unix_ns":1790000000000000000,"endpoint":"e","input_tokens":5,\
      "status":499,"policy":null}
      """
    let log = try readAll([try RequestLogFixtures.file(lines: [line]).path])
    let row = try #require(log.batch.rows.first)
    #expect(row.ttftMilliseconds.isNaN && row.e2eMilliseconds.isNaN && row.propensity.isNaN)
    #expect(row.outputTokens == -1 && row.stream == -1 && row.policy == .none)
    #expect(row.dispatchedNanoseconds == row.receivedNanoseconds)
  }

  @Test func e2eFollowsFromTPOT() throws {
    let line = RequestLogFixtures.line(0, ["e2e_ms": "", "tpot_ms": "4"])
    let log = try readAll([try RequestLogFixtures.file(lines: [line]).path])
    #expect(log.batch.rows.first?.e2eMilliseconds == 90.5)
  }

  @Test func spacesEscapesAndBlankLinesAreRead() throws {
    let lines = [
      "{ \"request_id\": \"a b\", \"received_unix_ns\": 1790000000000000000, \"endpoint\": \"e\", "
        + "\"input_tokens\": 5.0, \"ttft_ms\": 1e1, \"e2e_ms\": 20 }\r", "", "   ",
      RequestLogFixtures.line(1, ["request_id": "\"q\\\"\\u00fc\\n\"", "model": "\"modèle\""]),
    ]
    let log = try readAll([try RequestLogFixtures.file(lines: lines).path])
    #expect(log.rejected.isEmpty)
    #expect(log.batch.rows.map { log.batch.requestID($0) } == ["a b", "q\"ü\n"])
    #expect(log.batch.rows.map(\.lineNumber) == [1, 4])
    #expect(log.symbols.names.contains("modèle"))
    #expect(log.summary.lines == 4)
  }

  @Test(arguments: [("vllm-agentic", 29_261), ("fleet-agentic", 17_632), ("fleet-mixed", 14_233)])
  func bundledLogIsReadWhole(name: String, count: Int) throws {
    let log = try readAll(["\(datasets)/\(name).jsonl.zst"], maximumBadShare: 0)
    #expect(log.batch.rows.count == count)
    #expect(log.batch.rows.allSatisfy { $0.ttftMilliseconds <= $0.e2eMilliseconds })
  }

  @Test func writtenRequestsReadBackTheSame() throws {
    let special = RequestLogFixtures.line(
      1,
      [
        "request_id": "\"tab\\tquote\\\"\\u0001é\"", "stream": "true", "priority": "-2",
        "candidates": "[{\"endpoint\":\"e1\"}]", "chunk_offsets_ms": "[1.5,2.25]",
        "propensity": "0.1", "ttft_ms": "0.1", "prefix_blocks": "[18446744073709551615]",
        "dispatched_unix_ns": "\(RequestLogFixtures.start + 1_000_050_000)", "gateway": "\"g\"",
      ])
    let lines = [special] + (2..<40).map { RequestLogFixtures.line($0) }
    let original = try readAll([try RequestLogFixtures.file(lines: lines).path])
    let copy = try RequestLogFixtures.file([], name: "copy.jsonl")
    let writer = try RequestLogWriter(path: copy.path, bufferSize: 100)
    for row in original.batch.rows {
      try writer.append(row, of: original.batch, symbols: original.symbols)
    }
    try writer.synchronize()
    let again = try readAll([copy.path])
    #expect(again.rejected.isEmpty)
    #expect(describe(again) == describe(original))
    #expect(describe(again).count == 39)
  }
}

/// Everything that a read gave, one text a request, names and parts spelled out.
func describe(_ log: RequestLogContents) -> [String] {
  log.batch.rows.map { row in
    var copy = row
    let id = log.batch.requestID(row)
    let names = [
      row.endpoint, row.prefillEndpoint, row.gateway, row.pool, row.model, row.adapter,
      row.accelerator, row.role, row.policy,
    ].map { log.symbols.name($0) ?? "-" }
    func part<Element>(_ buffer: [Element], _ range: TextRange) -> [Element] {
      Array(buffer[Int(range.start)..<Int(range.start + range.count)])
    }
    let parts =
      "\(part(log.batch.blocks, row.prefixBlocks)) \(part(log.batch.chunkOffsets, row.chunkOffsets))"
      + " \(part(log.batch.text, row.candidates))"
    copy.endpoint = .none
    copy.prefillEndpoint = .none
    copy.gateway = .none
    copy.pool = .none
    copy.model = .none
    copy.adapter = .none
    copy.accelerator = .none
    copy.role = .none
    copy.policy = .none
    copy.requestID = TextRange()
    copy.candidates = TextRange()
    copy.prefixBlocks = TextRange()
    copy.chunkOffsets = TextRange()
    return "\(id) \(names) \(parts) \(copy)"
  }
}
