import Foundation
import TestSupport
import Testing

@testable import RequestLog

@Suite struct InputTests {
  /// Two gzip members: `line(0)` and `line(1)`, each with its newline.
  static let gzip = """
    H4sIAAAAAAACA12MwQrCQAxE735GzkvZFUqxP5ODO0LQzdY2K4L03832pjnNG+blQyueDZuxZJppjRS8uUJe\
    yNxU3qwbzWm6xL8LBM1LFTXX0LVSMx4OxbPo0oyt3nHofV6b/XQpkNnNuDiMcRj94RkHpY776QsA68fCmwAA\
    AB+LCAAAAAAAAgNVjEEKg0AMRfc9RtaDTAoi9TJZdCKEdjJWM0UQ724c6KJ/lffgZYeFP5VXI0kwwoIQ3DxZ\
    vpyoqmykK4w4PGIbxt8CsKa5iJpnfGW5JH47ZL9F52pk5cUtjxigVPtzrswmo+zQx673h3duhBcetxNvRaIy\
    mwAAAA==
    """
  /// Two zstd frames of the same.
  static let zstd = """
    KLUv/QRoXQMAEkcWF4CrDhTbSmjgOjg/JxlY+t/BfmcOapYewKMCpNKFW1WA1PLy2Bq71rQz/ojLdibQWf28\
    jLzFZzW6lxe6mDR4KyKGtLxA1jg4WTvjXlxajaSXm2O7fCqXdgIFAGMK7OaN1AAQwlXUAT0wNTJNKLUv/QRo\
    dQMAcgcXF5A7B1tpFNzGYQN+8lVVEz0QEZExlmlAQKSCpPTCnSpIarlJ2Bq7Tt0InZp+wGUbleecTryMvMHE\
    ab2X9zmotHdn0kQMutw89rgXWbvjXpxxWhkvN8e2eVzOGAoFAGMK7OYMBHwLoKYL6AH/bCjj
    """

  private func ids(_ log: RequestLogContents) -> [String] {
    log.batch.rows.map { log.batch.requestID($0) }
  }

  @Test(arguments: [gzip, zstd])
  func packedLogIsToldByItsFirstBytes(packed: String) throws {
    let bytes = try #require(Data(base64Encoded: packed))
    let file = try RequestLogFixtures.file(Array(bytes), name: "log.jsonl")
    let log = try readAll([file.path], maximumBadShare: 0)
    #expect(ids(log) == ["r0", "r1"])
    #expect(log.batch.rows.map(\.lineNumber) == [1, 2])
  }

  @Test(arguments: [gzip, zstd], [4, 40])
  func cutPackedLogIsAnError(packed: String, cut: Int) throws {
    let bytes = try #require(Data(base64Encoded: packed))
    let file = try RequestLogFixtures.file(Array(bytes.dropLast(cut)), name: "log.jsonl.gz")
    let error = try #require(throws: RequestLogError.self) { try readAll([file.path]) }
    guard case .damagedCompression(let path, _, _) = error else {
      Issue.record("\(error)")
      return
    }
    #expect(path == file.path)
  }

  @Test func patternsNameFilesInOrder() throws {
    let file = try RequestLogFixtures.file(lines: [RequestLogFixtures.line(0)], name: "b-1.jsonl")
    for (index, name) in ["b-3.jsonl", "b-2.jsonl", "c.jsonl"].enumerated() {
      try file.write(Array(RequestLogFixtures.line(index + 1).utf8), name: name)
    }
    let log = try readAll([file.folder + "/b-*.jsonl"])
    #expect(ids(log) == ["r0", "r2", "r1"])
    #expect(log.batch.rows.map(\.fileIndex) == [0, 1, 2])
    #expect(log.summary.files == 3)
    let error = try #require(throws: RequestLogError.self) { try readAll([file.folder + "/d*"]) }
    guard case .noSuchInput = error else {
      Issue.record("\(error)")
      return
    }
  }

  @Test func standardInputIsRead() throws {
    let file = try RequestLogFixtures.file(lines: (0..<9).map { RequestLogFixtures.line($0) })
    let kept = dup(0)
    let descriptor = open(file.path, O_RDONLY)
    dup2(descriptor, 0)
    defer {
      dup2(kept, 0)
      close(kept)
      close(descriptor)
    }
    let log = try readAll(["-"])
    #expect(ids(log) == (0..<9).map { "r\($0)" })
  }

  @Test(arguments: [
    ("PAR1\u{15}\u{4}", "a Parquet file", "COPY (SELECT * FROM '"),
    ("ARROW1\0\0", "an Arrow file", "write_ndjson"), ("SQLite format 3\0", "SQLite", "JSON lines"),
    ("BZh91AY", "bzip2", "bzip2 -dc '"), ("PK\u{3}\u{4}..", "zip archive", "unzip -p '"),
  ])
  func aFormatThatIsNotReadIsNamedWithItsRemedy(
    content: String, name: String, remedy: String
  ) throws {
    let file = try RequestLogFixtures.file(Array(content.utf8), name: "log.jsonl")
    let error = try #require(throws: RequestLogError.self) { try readAll([file.path]) }
    #expect(error.description.contains(name) && error.description.contains(remedy), "\(error)")
    #expect(error.description.contains(file.path))
  }

  @Test func aFolderIsNoLog() throws {
    let file = try RequestLogFixtures.file([])
    #expect(throws: RequestLogError.self) { try readAll([file.folder]) }
  }

  @Test func grownFileGivesOnlyItsNewLines() throws {
    let file = try RequestLogFixtures.file(lines: [RequestLogFixtures.line(0)])
    var reader = LogReader(try LogReader.Configuration(threads: 2))
    let first = try reader.read([file.path], onBatch: { _, _ in })
    let whole = RequestLogFixtures.line(2)
    try file.append(RequestLogFixtures.line(1) + "\n" + whole.prefix(40))
    var rows: [LoggedRequest] = []
    var rejected: [RejectedLine] = []
    func resume(_ summary: ReadSummary) throws -> ReadSummary {
      try reader.read(
        file: file.path, from: summary.resumeOffset, line: summary.resumeLine,
        onBatch: { batch, _ in rows += batch.rows }, onRejected: { rejected.append($0) })
    }
    let second = try resume(first)
    #expect(rows.map(\.lineNumber) == [2] && rejected.isEmpty)
    try file.append(whole.dropFirst(40) + "")
    let third = try resume(second)
    #expect(rows.map(\.lineNumber) == [2, 3] && rejected.isEmpty)
    try file.append("\n" + RequestLogFixtures.line(3) + "\n")
    let fourth = try resume(third)
    #expect(rows.map(\.inputTokens) == [101, 102, 103] && rejected.isEmpty)
    #expect(try resume(fourth).rows == 0)
  }

  @Test func progressEndsAtTheSizeOfAllInputs() throws {
    let file = try RequestLogFixtures.file(lines: (0..<200).map { RequestLogFixtures.line($0) })
    let other = try file.write(Array(RequestLogFixtures.line(300).utf8), name: "y.jsonl")
    var configuration = try LogReader.Configuration(threads: 2)
    configuration.blockSize = 1 << 12
    var reader = LogReader(configuration)
    var seen: [Int64] = []
    var totals: Set<Int64?> = []
    let summary = try reader.read(
      [file.path, other], onBatch: { _, _ in },
      progress: {
        seen.append($0)
        totals.insert($1)
      })
    #expect(seen == seen.sorted() && seen.last == summary.bytes)
    #expect(totals == [summary.bytes])
  }

  @Test func aLineBeyondAnyLimitIsRefused() throws {
    let file = try RequestLogFixtures.file(Array(repeating: 0x61, count: (1 << 26) + 10))
    let error = try #require(throws: RequestLogError.self) { try readAll([file.path]) }
    guard case .lineTooLong = error else {
      Issue.record("\(error)")
      return
    }
  }
}
