import TestSupport
import Testing

@testable import RequestLog

@Suite struct BadShareTests {
  private func file(good: Int, bad: Int) throws -> TemporaryFile {
    let lines = (0..<good).map { RequestLogFixtures.line($0) }
    let faulty = (0..<bad).map { RequestLogFixtures.line($0, ["ttft_ms": $0 % 3 == 0 ? "" : "-1"]) }
    return try RequestLogFixtures.file(lines: faulty + lines)
  }

  @Test func aShareAtTheLimitPasses() throws {
    let log = try readAll([try file(good: 95, bad: 5).path], maximumBadShare: 0.05)
    #expect(log.summary.badShare == 0.05)
    #expect(log.summary.rows == 95 && log.summary.rejected == 5)
  }

  @Test func aShareAboveTheLimitThrowsItsReasons() throws {
    let path = try file(good: 90, bad: 10)
    let error = try #require(throws: RequestLogError.self) {
      try readAll([path.path], maximumBadShare: 0.05)
    }
    guard case .tooManyRejected(let summary, _, let reasons) = error else {
      Issue.record("\(error)")
      return
    }
    #expect(summary.rejected == 10)
    #expect(reasons.map(\.count) == [6, 4])
    #expect(reasons.map(\.example.reason) == [.negative, .missing])
    #expect(reasons.map(\.example.lineNumber) == [2, 1])
    #expect(error.description.contains("10 of 100 lines are bad (10.0 %, allowed 5.0 %)"))
    #expect(error.description.contains("`ttft_ms` is negative"))
  }

  @Test func aHopelessLogIsGivenUpEarly() throws {
    let line = RequestLogFixtures.line(0, ["ttft_ms": ""])
    let file = try RequestLogFixtures.file(lines: Array(repeating: line, count: 30_000))
    var configuration = try LogReader.Configuration(threads: 1)
    configuration.blockSize = 1 << 18
    var reader = LogReader(configuration)
    var seen = 0
    let error = try #require(throws: RequestLogError.self) {
      try reader.read([file.path], onBatch: { _, _ in }, onRejected: { _ in seen += 1 })
    }
    guard case .tooManyRejected = error else {
      Issue.record("\(error)")
      return
    }
    #expect(seen > 5_000 && seen < 20_000)
  }

  @Test func anEmptyLogIsNoFault() throws {
    let log = try readAll([try RequestLogFixtures.file([]).path], maximumBadShare: 0)
    #expect(log.summary.rows == 0 && log.summary.badShare == 0)
  }

  @Test func aHandlersErrorStopsTheRead() throws {
    struct Full: Error {}
    let file = try file(good: 500, bad: 0)
    var configuration = try LogReader.Configuration(threads: 3, batchRows: 1)
    configuration.blockSize = 1 << 10
    var reader = LogReader(configuration)
    let error = try #require(throws: RequestLogError.self) {
      try reader.read([file.path], onBatch: { _, _ in throw Full() })
    }
    guard case .stopped(let cause) = error else {
      Issue.record("\(error)")
      return
    }
    #expect(cause is Full)
  }

  @Test(arguments: [-0.1, 1.1, .nan])
  func impossibleConfigurationIsRefused(share: Double) {
    #expect(throws: RequestLogError.self) { try LogReader.Configuration(maximumBadShare: share) }
  }
}
