import TestSupport
import Testing

@testable import RequestLog

/// A faulty line and what the reader must say about it.
struct Fault: Sendable, CustomTestStringConvertible {
  var line: String
  var code: String
  var field: String?

  var testDescription: String { "\(code) \(field ?? "")" }
}

@Suite struct QuarantineTests {
  private static func changed(_ name: String, _ value: String, _ code: String) -> Fault {
    Fault(line: RequestLogFixtures.line(3, [name: value]), code: code, field: name)
  }

  static let faults: [Fault] = [
    Fault(line: "{\"request_id\":\"x\",\"received", code: "truncated"),
    Fault(line: String(RequestLogFixtures.line(3).dropLast(5)), code: "truncated"),
    Fault(line: "hello", code: "malformed"), Fault(line: "[1,2]", code: "malformed"),
    Fault(line: "{\"request_id\":}", code: "malformed"),
    Fault(
      line: RequestLogFixtures.line(3, ["received_unix_ns": "99999999999999999999"]),
      code: "malformed"),
    Fault(line: RequestLogFixtures.line(3) + "x}", code: "malformed"),
    Fault(line: String(repeating: "[", count: 100), code: "malformed"),
    changed("ttft_ms", "NaN", "not-finite"), changed("e2e_ms", "Infinity", "not-finite"),
    changed("kv_usage", "-inf", "not-finite"), changed("ttft_ms", "\"NaN\"", "not-finite"),
    changed("input_tokens", "-1", "negative"), changed("ttft_ms", "-0.5", "negative"),
    changed("received_unix_ns", "-5", "negative"),
    changed("input_tokens", "10000001", "absurd"),
    changed("output_tokens", "99999999999", "absurd"),
    changed("e2e_ms", "86400001", "absurd"), changed("received_unix_ns", "1790000000", "absurd"),
    changed("received_unix_ns", "9999999999999999999", "absurd"),
    changed("kv_usage", "37.5", "absurd"), changed("status", "700", "absurd"),
    changed("propensity", "1.5", "absurd"),
    changed("request_id", "", "missing"), changed("request_id", "\"\"", "missing"),
    changed("received_unix_ns", "", "missing"), changed("endpoint", "null", "missing"),
    changed("input_tokens", "", "missing"), changed("ttft_ms", "", "missing"),
    changed("e2e_ms", "", "missing"),
    changed("input_tokens", "\"12\"", "wrong-type"), changed("input_tokens", "1.5", "wrong-type"),
    changed("endpoint", "7", "wrong-type"), changed("stream", "1", "wrong-type"),
    changed("prefix_blocks", "{}", "wrong-type"), changed("prefix_blocks", "[1.5]", "wrong-type"),
    changed("e2e_ms", "50.4", "inconsistent"), changed("cached_tokens", "104", "inconsistent"),
    changed("prefix_match_tokens", "104", "inconsistent"),
    changed("dispatched_unix_ns", "1790000002990000000", "inconsistent"),
    changed("dispatched_unix_ns", "1790000004000000000", "inconsistent"),
    changed("dispatched_unix_ns", "1790100004000000000", "absurd"),
  ]

  @Test(arguments: faults)
  func faultyLineIsNamedAndTheRestKept(fault: Fault) throws {
    var lines = (0..<6).map { RequestLogFixtures.line($0) }
    lines[3] = fault.line
    let file = try RequestLogFixtures.file(lines: lines)
    let log = try readAll([file.path])
    #expect(log.batch.rows.map(\.lineNumber) == [1, 2, 3, 5, 6])
    let line = try #require(log.rejected.first)
    #expect(log.rejected.count == 1)
    #expect(line.file == file.path && line.lineNumber == 4)
    #expect(line.reason.code == fault.code, "\(line.sentence)")
    #expect(line.field == fault.field, "\(line.sentence)")
    #expect(!line.excerpt.isEmpty && line.excerpt.count <= 160)
    #expect(!line.sentence.isEmpty && !line.remedy.isEmpty)
  }

  @Test func invalidUTF8IsNamed() throws {
    var bytes = Array((RequestLogFixtures.line(0) + "\n").utf8)
    bytes += Array(RequestLogFixtures.line(1, ["model": "\"m@\""]).utf8)
      .map { $0 == UInt8(ascii: "@") ? 0xC3 : $0 }
    let log = try readAll([try RequestLogFixtures.file(bytes).path])
    #expect(log.rejected.map(\.reason) == [.notUTF8])
    #expect(log.rejected.first?.lineNumber == 2)
  }

  @Test func secondLineOfAnIDIsRejectedAcrossFiles() throws {
    let file = try RequestLogFixtures.file(
      lines: [RequestLogFixtures.line(0), RequestLogFixtures.line(1), RequestLogFixtures.line(0)])
    let other = try file.write(Array(RequestLogFixtures.line(1).utf8), name: "z.jsonl")
    let log = try readAll([file.path, other])
    #expect(log.batch.rows.count == 2)
    #expect(log.rejected.map(\.reason) == [.duplicateID, .duplicateID])
    #expect(log.rejected.map(\.lineNumber) == [3, 1])
    #expect(log.rejected.map(\.file) == [file.path, other])
    #expect(log.rejected.first?.excerpt.contains("r0") == true)
  }

  private func clockLines(_ seconds: [Int64]) -> [String] {
    seconds.enumerated().map { index, second in
      RequestLogFixtures.line(
        index, ["received_unix_ns": "\(RequestLogFixtures.start + second * 1_000_000_000)"])
    }
  }

  @Test func arrivalFarBehindTheLatestIsRejected() throws {
    let lines = clockLines([0, 10, 5, 7200, 3601, 3599, 7201])
    let log = try readAll([try RequestLogFixtures.file(lines: lines).path])
    #expect(log.rejected.map(\.lineNumber) == [6])
    #expect(log.rejected.first?.reason == .clockBackwards(milliseconds: 3_601_000))
    #expect(log.rejected.first?.field == "received_unix_ns")
  }

  @Test(arguments: [256, 1 << 22])
  func oneArrivalFarAheadIsRejectedAndAPauseIsNot(blockSize: Int) throws {
    let day: Int64 = 86_400
    let lines = clockLines([0, 1, 30 * day, 2, 3, 4 * day, 4 * day + 1, 4 * day + 2])
    let log = try readAll([try RequestLogFixtures.file(lines: lines).path]) {
      $0.blockSize = blockSize
    }
    #expect(log.rejected.map(\.lineNumber) == [3])
    #expect(log.rejected.first?.reason.code == "clock-ahead")
  }

  @Test func firstArrivalFarAheadIsRejectedAlone() throws {
    let lines = clockLines([90 * 86_400, 1, 2, 3, 4])
    let log = try readAll([try RequestLogFixtures.file(lines: lines).path])
    #expect(log.rejected.map(\.lineNumber) == [1])
    #expect(log.batch.rows.count == 4)
  }

  @Test func callersClockBoundsArrivals() throws {
    var limits = RequestLimits()
    limits.nowNanoseconds = RequestLogFixtures.start + 2_000_000_000 - 86_400_000_000_000
    let lines = (0..<4).map { RequestLogFixtures.line($0) }
    let log = try readAll([try RequestLogFixtures.file(lines: lines).path], limits: limits)
    #expect(log.batch.rows.map(\.lineNumber) == [1, 2])
    #expect(log.rejected.allSatisfy { $0.reason.code == "absurd" })
  }

  @Test func rejectedLineLeavesNoNamesBehind() throws {
    let lines = [
      RequestLogFixtures.line(0, ["endpoint": "\"bad\"", "ttft_ms": "-1"]),
      RequestLogFixtures.line(1),
    ]
    let log = try readAll([try RequestLogFixtures.file(lines: lines).path])
    #expect(log.symbols.names == ["e1", "m"])
    #expect(log.batch.text == Array("r1".utf8))
  }
}
