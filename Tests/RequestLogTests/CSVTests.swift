import TestSupport
import Testing

@testable import RequestLog

@Suite struct CSVTests {
  private static let header =
    "request_id,received_unix_ns,endpoint,input_tokens,output_tokens,ttft_ms,e2e_ms,prefix_blocks,stream"

  private func row(_ index: Int, id: String? = nil, ttft: String = "12.5") -> String {
    let received = RequestLogFixtures.start + Int64(index) * 1_000_000_000
    return "\(id ?? "r\(index)"),\(received),e1,100,,\(ttft),99,1;2;3,true"
  }

  @Test func rowsAreReadByTheirHeader() throws {
    let lines = [Self.header, row(0), row(1, id: "\"a,\"\"b\"\"\nc\""), row(2)]
    let file = try RequestLogFixtures.file(lines: lines, name: "log.csv")
    let log = try readAll([file.path], maximumBadShare: 0)
    #expect(log.batch.rows.map { log.batch.requestID($0) } == ["r0", "a,\"b\"\nc", "r2"])
    #expect(log.batch.rows.map(\.lineNumber) == [2, 3, 5])
    #expect(log.batch.rows.allSatisfy { $0.outputTokens == -1 && $0.stream == 1 })
    #expect(log.batch.blocks == [1, 2, 3, 1, 2, 3, 1, 2, 3])
    #expect(log.summary.lines == 5)
  }

  @Test func faultyRowsAreNamed() throws {
    let lines = [
      Self.header, row(0), row(1, ttft: "nan"), row(2, ttft: "fast"), row(3, id: "a\"b"), "r4,17",
      row(5) + ",extra", row(6, ttft: ""), row(7),
    ]
    let file = try RequestLogFixtures.file(lines: lines, name: "log.CSV")
    let log = try readAll([file.path])
    #expect(log.batch.rows.count == 2)
    #expect(
      log.rejected.map(\.reason.code) == [
        "not-finite", "wrong-type", "malformed", "truncated", "malformed", "missing",
      ])
    #expect(log.rejected.map(\.lineNumber) == [3, 4, 5, 6, 7, 8])
  }

  @Test func aStrayQuoteCostsOneLine() throws {
    let lines = [Self.header] + (0..<60).map { row($0, id: $0 == 20 ? "\"open" : nil) }
    let file = try RequestLogFixtures.file(lines: lines, name: "log.csv")
    for blockSize in [300, 1 << 20] {
      let log = try readAll([file.path]) { $0.blockSize = blockSize }
      #expect(log.batch.rows.count == 59)
      #expect(log.rejected.map(\.lineNumber) == [22])
    }
  }

  @Test func mappedColumnsAreConverted() throws {
    let yaml = """
      format: csv
      fields:
        request_id: {generate: content}
        received_unix_ns: when
        endpoint: host
        input_tokens: prompt
        ttft_ms: {path: first_s, factor: 1000}
        e2e_ms: {path: total_s, factor: 1000}
      """
    let lines = [
      "when,host,prompt,first_s,total_s", "2026-08-21T10:00:00Z,h,7,0.5,1",
      "2026-08-21T10:00:01Z,h,8,0.25,2",
    ]
    let file = try RequestLogFixtures.file(lines: lines, name: "log.txt")
    let log = try readAll([file.path], mapping: try FieldMapping(yaml: yaml, name: "own"))
    #expect(log.rejected.isEmpty)
    #expect(log.batch.rows.map(\.ttftMilliseconds) == [500, 250])
    #expect(Set(log.batch.rows.map { log.batch.requestID($0) }).count == 2)
  }

  @Test func headerWithoutANeededColumnIsRefused() throws {
    let file = try RequestLogFixtures.file(lines: ["request_id,endpoint"], name: "log.csv")
    let error = try #require(throws: RequestLogError.self) { try readAll([file.path]) }
    guard case .badHeader = error else {
      Issue.record("\(error)")
      return
    }
    #expect(error.description.contains("`received_unix_ns`"))
  }

  @Test func grownTableGivesOnlyWholeNewRows() throws {
    let file = try RequestLogFixtures.file(lines: [Self.header, row(0)], name: "log.csv")
    var reader = LogReader(try LogReader.Configuration(threads: 1))
    let first = try reader.read([file.path], onBatch: { _, _ in })
    try file.append(row(1) + "\n" + row(2))
    var ids: [String] = []
    let second = try reader.read(
      file: file.path, from: first.resumeOffset, line: first.resumeLine,
      onBatch: { batch, _ in ids += batch.rows.map { batch.requestID($0) } })
    #expect(ids == ["r1"])
    try file.append("\n")
    _ = try reader.read(
      file: file.path, from: second.resumeOffset, line: second.resumeLine,
      onBatch: { batch, _ in
        ids += batch.rows.map { "\(batch.requestID($0)) at \($0.lineNumber)" }
      })
    #expect(ids == ["r1", "r2 at 4"])
  }
}
