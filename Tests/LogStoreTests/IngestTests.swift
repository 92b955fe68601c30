import Foundation
import GRDB
import RequestLog
import Testing

@testable import LogStore

@Suite struct IngestTests {
  let folder: TemporaryFolder
  let workspace: Workspace

  init() throws {
    folder = try TemporaryFolder()
    workspace = try makeWorkspace(folder)
  }

  @Test func everyValueComesBack() throws {
    let line =
      #"{"request_id":"ü-1","received_unix_ns":1763700000000000001,"#
      + #""dispatched_unix_ns":1763700000000000500,"gateway":"gw-0","pool":"p","model":"m","#
      + #""adapter":"lora","endpoint":"e0","prefill_endpoint":"e9","accelerator":"h100","#
      + #""role":"decode","policy":"random","propensity":0.25,"priority":-2,"stream":true,"#
      + #""input_tokens":5,"output_tokens":7,"max_tokens":9,"cached_tokens":1,"#
      + #""prefix_match_tokens":2,"waiting":3,"running":4,"kv_usage":0.0199,"#
      + #""snapshot_age_ms":46.51,"slo_ttft_ms":200,"slo_tpot_ms":30.5,"status":200,"#
      + #""ttft_ms":59.997,"e2e_ms":714.182000001,"prefix_block_tokens":32,"#
      + #""prefix_blocks":[1,18446744073709551615],"chunk_offsets_ms":[10.5,20.25],"#
      + #""candidates":[{"endpoint":"e0"}]}"# + "\n"
    let path = try folder.write(line + logLines(0..<3), to: "a.jsonl")
    try workspace.ingest(path)

    var reader = LogReader(try LogReader.Configuration(threads: 1))
    let contents = try reader.readAll([path])
    let expected = contents.batch.rows.inOrder().map { row in
      var line: [UInt8] = []
      RequestLogEncoder().encode(row, of: contents.batch, symbols: reader.symbols, to: &line)
      return String(decoding: line, as: UTF8.self)
    }
    #expect(try workspace.exported() == expected)
    #expect(try workspace.exported().contains { $0.contains("18446744073709551615") })
  }

  @Test func theSameFileTwiceAddsNothing() throws {
    let path = try folder.write(logLines(0..<1000), to: "a.jsonl")
    #expect(try workspace.ingest(path).added == 1000)
    let print = try workspace.datasetFingerprint()

    let again = try workspace.ingest(path, path)

    #expect(again.files.map(\.kind) == [.unchanged, .unchanged])
    #expect(again.added == 0)
    #expect(try workspace.rowCount() == 1000)
    #expect(try workspace.datasetFingerprint() == print)
  }

  @Test func aGrownFileAddsItsNewLines() throws {
    let path = try folder.write(logLines(0..<300), to: "a.jsonl")
    try workspace.ingest(path)
    try folder.append(logLines(300..<450), to: path)

    let grown = try workspace.ingest(path)

    #expect(grown.files[0].kind == .grown)
    #expect(grown.files[0].added == 150)
    #expect(grown.files[0].duplicates == 0)
    #expect(try workspace.exported().count == 450)
  }

  @Test func aLineThatIsStillBeingWrittenIsReadOnceItIsWhole() throws {
    let all = logLines(0..<20)
    let cut = all.index(all.endIndex, offsetBy: -40)
    let path = try folder.write(String(all[..<cut]), to: "a.jsonl")
    #expect(try workspace.ingest(path).added == 19)
    try folder.append(String(all[cut...]), to: path)

    let rest = try workspace.ingest(path)

    #expect(rest.added == 1)
    #expect(rest.quarantined == 0)
    #expect(try workspace.rowCount() == 20)
  }

  @Test func aRotatedFileIsFollowedAndItsSuccessorReadAnew() throws {
    let path = try folder.write(logLines(0..<300), to: "access.log")
    try workspace.ingest(path)
    try folder.append(logLines(300..<310), to: path)
    let rotated = folder.path + "/access.log.1"
    try FileManager.default.moveItem(atPath: path, toPath: rotated)
    _ = try folder.write(logLines(310..<350), to: "access.log")

    let summary = try workspace.ingest(rotated, path)

    #expect(summary.files.map(\.added) == [10, 40])
    #expect(summary.files.map(\.duplicates) == [0, 0])
    #expect(summary.files[0].kind == .grown)
    #expect(try workspace.rowCount() == 350)
  }

  @Test func aReplacedFileIsReadFromItsStart() throws {
    let path = try folder.write(logLines(0..<300), to: "a.jsonl")
    try workspace.ingest(path)
    _ = try folder.write(logLines(200..<500), to: "a.jsonl")

    let summary = try workspace.ingest(path)

    #expect(summary.files[0].kind == .replaced)
    #expect(summary.files[0].added == 200)
    #expect(summary.files[0].duplicates == 100)
    #expect(try workspace.rowCount() == 500)
  }

  @Test func theSameRequestsUnderAnotherNameAddNothing() throws {
    let path = try folder.write(logLines(0..<300), to: "a.jsonl")
    let other = try folder.write("\n" + logLines(0..<300), to: "b.jsonl")
    let copy = try folder.write(logLines(0..<300), to: "c.jsonl")
    try workspace.ingest(path)

    let summary = try workspace.ingest(other, copy)

    #expect(summary.added == 0)
    #expect(summary.files[0].duplicates == 300)
    #expect(summary.files[1].kind == .unchanged)
    #expect(try workspace.rowCount() == 300)
  }

  @Test func tooManyBadLinesChangeNothing() throws {
    let first = try folder.write(logLines(0..<300), to: "a.jsonl")
    try workspace.ingest(first)
    try folder.append(logLines(300..<400), to: first)
    let second = try folder.write(logLines(400..<500), to: "b.jsonl")
    let bad = try folder.write(
      logLines(500..<590) + String(repeating: "{\"request_id\":\n", count: 10), to: "bad.jsonl")
    let before = try state()

    let error = #expect(throws: LogStoreError.self) {
      try workspace.ingest(first, second, bad)
    }

    guard case .log(.tooManyRejected(let summary, _, _)) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(summary.rejected == 10)
    #expect(try state() == before)
    #expect(try workspace.verify() == [])
    // What was taken back is taken in by the next ingest without the bad file.
    #expect(try workspace.ingest(first, second).files.map(\.added) == [100, 100])
  }

  private func state() throws -> [String] {
    try workspace.pool.read { database in
      try ["files", "quarantine", "ingests", "request_chunks"].flatMap { table in
        try Row.fetchAll(database, sql: "SELECT * FROM \(table)").map { "\($0)" }
      }
    }
  }

  @Test func aGrownFileIsJudgedAsAWhole() throws {
    let path = try folder.write(logLines(0..<300), to: "a.jsonl")
    try workspace.ingest(path)
    try folder.append("nonsense\n" + logLines(300..<302), to: path)
    #expect(try workspace.ingest(path).quarantined == 1)

    try folder.append(String(repeating: "nonsense\n", count: 40), to: path)
    #expect(throws: LogStoreError.self) { try workspace.ingest(path) }
    #expect(try workspace.rowCount() == 302)
  }

  @Test func badLinesAreQuarantinedWithTheirPlaceAndReason() throws {
    let lines = logLines(0..<50) + "{\"request_id\":\"x\"}\n" + logLines(50..<100)
    let path = try folder.write(lines, to: "a.jsonl")

    #expect(try workspace.ingest(path).quarantined == 1)

    let line = try #require(try workspace.quarantine().first)
    #expect(line.line == 51)
    #expect(line.reason == "missing")
    #expect(line.path == path)
    #expect(!line.remedy.isEmpty)
    #expect(try workspace.quarantineReasons() == ["missing": 1])
  }

  @Test func patternsNameAllTheirFiles() throws {
    _ = try folder.write(logLines(0..<10), to: "a-1.jsonl")
    _ = try folder.write(logLines(10..<30), to: "a-2.jsonl")
    #expect(try workspace.ingest(folder.path + "/a-*.jsonl").files.map(\.added) == [10, 20])
  }

  @Test func anInputThatIsNotThereIsAnError() throws {
    #expect(throws: LogStoreError.self) { try workspace.ingest(folder.path + "/none.jsonl") }
  }

  @Test func anotherProcessIngestingTheSameDoublesNothing() throws {
    let paths = try (0..<4).map { index in
      try folder.write(
        logLines(index * 100..<index * 100 + 200), to: "a\(index).jsonl")
    }
    let other = try makeWorkspace(folder)
    // Between our files the other one stores them all.
    var calls = 0
    _ = try workspace.ingest(
      paths, configuration: LogReader.Configuration(threads: 1)
    ) { done, total in
      calls += 1
      let isBetween = (try? other.rowCount()) == 200
      if isBetween, done > 0 { _ = try? other.ingest(paths[3], paths[2], paths[1]) }
    }
    #expect(calls > 0)
    #expect(try workspace.rowCount() == 500)
    #expect(try workspace.verify() == [])
  }

  @Test func progressEndsAtTheSizeOfTheInputs() throws {
    let path = try folder.write(logLines(0..<300), to: "a.jsonl")
    var last: (Int64, Int64?) = (0, nil)
    _ = try workspace.ingest([path], configuration: LogReader.Configuration()) { last = ($0, $1) }
    let size = try #require(FileSystem.size(path))
    #expect(last.0 == size)
    #expect(last.1 == size)
  }

  /// Days that were forgotten are loaded again, with what is still being packed.
  @Test(arguments: [0, 250, 1_000_000])
  func requestsOfForgottenDaysAreStillKnown(limit: Int) throws {
    let day: Int64 = 86_400_000_000_000
    let lines = (0..<3).map {
      logLines($0 * 100..<$0 * 100 + 100, start: day * (20_000 + Int64($0)))
    }
    let order = [lines[0], lines[1], lines[2], lines[0], lines[1], lines[0], lines[2]]
    var ledger = IdentityLedger()
    let counts = try workspace.pool.write { database -> [Int64] in
      try database.execute(
        sql: """
          INSERT INTO ingests VALUES (1, 0);
          INSERT INTO files VALUES (1, 'a', '', '', 0, 0, 0, 0, 0, 0, 0, 1, 1)
          """)
      var writer = try ChunkWriter(database, ingestID: 1, fileID: 1)
      writer.identityLimit = limit
      for text in order {
        var reader = LogReader(try LogReader.Configuration(threads: 1))
        let contents = try reader.readAll([try folder.write(text, to: "part.jsonl")])
        try writer.add(contents.batch, reader.symbols, &ledger)
      }
      try writer.finish()
      return [writer.added, writer.duplicates]
    }
    #expect(counts == [300, 400])
    #expect(try workspace.verify() == [])
  }
}
