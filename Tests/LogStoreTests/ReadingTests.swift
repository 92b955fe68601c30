import Foundation
import GRDB
import RequestLog
import Testing

@testable import LogStore

@Suite struct ReadingTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test(arguments: UInt64(0)..<6)
  func theOrderOfIngestsDoesNotShow(seed: UInt64) throws {
    var random = SplitMix64(state: seed)
    var parts = (0..<5).map { _ in "" }
    for line in logLines(0..<1500).split(separator: "\n") {
      parts[Int.random(in: 0..<5, using: &random)] += line + "\n"
    }
    var paths = try parts.enumerated().map { try folder.write($1, to: "p\($0).jsonl") }
    let first = try makeWorkspace(folder, "first")
    for path in paths { try first.ingest(path) }
    let second = try makeWorkspace(folder, "second")
    paths.shuffle(using: &random)
    for path in paths { try second.ingest(path) }

    let whole = try first.exported(batchRows: 300)
    #expect(try second.exported(batchRows: 300) == whole)
    #expect(try second.exported(batchRows: 7) == whole)
    #expect(try second.datasetFingerprint() == first.datasetFingerprint())
    let together = try makeWorkspace(folder, "together")
    try together.ingest(folder.write(logLines(0..<1500), to: "all.jsonl"))
    #expect(try together.exported() == whole)
    #expect(try together.datasetFingerprint() == first.datasetFingerprint())
  }

  @Test func batchesHaveTheRowsAskedForAndAreInOrder() throws {
    let workspace = try makeWorkspace(folder)
    try workspace.ingest(folder.write(logLines(0..<1001), to: "a.jsonl"))
    var sizes: [Int] = []
    var arrivals: [Int64] = []
    try workspace.forEachBatch(batchRows: 400) { batch, _ in
      sizes.append(batch.rows.count)
      arrivals += batch.rows.map(\.receivedNanoseconds)
    }
    #expect(sizes == [400, 400, 201])
    #expect(arrivals == arrivals.sorted())
  }

  @Test(arguments: UInt64(0)..<8)
  func aWindowHoldsWhatArrivedInIt(seed: UInt64) throws {
    let workspace = try makeWorkspace(folder)
    try workspace.ingest(folder.write(logLines(0..<900), to: "a.jsonl"))
    var arrivals: [Int64] = []
    try workspace.forEachBatch { batch, _ in
      arrivals += batch.rows.map(\.receivedNanoseconds)
    }
    var random = SplitMix64(state: seed)
    let ends = [arrivals.randomElement(using: &random), arrivals.randomElement(using: &random)]
      .compactMap { $0 }.sorted()
    let window = ends[0]...ends[1]
    let expected = arrivals.count { window.contains($0) }

    #expect(try workspace.exported(window: window).count == expected)
    #expect(try workspace.rowCount(window: window) == Int64(expected))
    #expect(try workspace.timeRange() == arrivals[0]...arrivals[arrivals.count - 1])
  }

  @Test(arguments: [1, 250, 899, 5_000])
  func theWindowOfTheNewestHoldsThem(count: Int) throws {
    let workspace = try makeWorkspace(folder)
    for part in 0..<9 {
      try workspace.ingest(
        folder.write(logLines((100 * part)..<(100 * part + 100)), to: "\(part).jsonl"))
    }
    let whole = try #require(try workspace.timeRange())
    let newest = try workspace.window(ofNewest: count, in: whole)
    #expect(newest.upperBound == whole.upperBound)
    let held = try workspace.rowCount(window: newest)
    #expect(held >= min(count, 900))
    #expect(held < count + 200 || count > 900, "not the whole store for a few")
    #expect(try workspace.window(ofNewest: count).upperBound == Int64.max)
  }

  @Test func windowsAddUpToTheWholeFingerprint() throws {
    let workspace = try makeWorkspace(folder)
    try workspace.ingest(folder.write(logLines(0..<900), to: "a.jsonl"))
    let range = try #require(try workspace.timeRange())
    let middle = range.lowerBound + (range.upperBound - range.lowerBound) / 3
    let half = try makeWorkspace(folder, "half")
    let kept = try workspace.exported(window: middle...range.upperBound).joined()
    try half.ingest(folder.write(kept, to: "half.jsonl"))

    let print = try workspace.datasetFingerprint(window: middle...range.upperBound)
    #expect(try half.datasetFingerprint() == print)
    #expect(try workspace.datasetFingerprint() != print)
  }

  @Test func oneChangedValueChangesTheFingerprint() throws {
    let line = logLines(7..<8)
    var prints: Set<String> = []
    let changes = [
      ("r7", "r8"), ("\"e1\"", "\"e2\""), ("\"waiting\":3", "\"waiting\":4"),
      ("\"stream\":false", "\"stream\":true"), ("7000", "7001"), ("\"llama\"", "\"lama\""),
      ("\"status\":200", "\"status\":499"), ("x", "x"),
    ]
    for (index, change) in changes.enumerated() {
      let workspace = try makeWorkspace(folder, "w\(index)")
      let changed = line.replacing(change.0, with: change.1)
      try workspace.ingest(folder.write(changed, to: "\(index).jsonl"))
      prints.insert(try workspace.datasetFingerprint())
    }
    #expect(prints.count == changes.count)
  }

  @Test func whatTheBodyThrowsComesOut() throws {
    let workspace = try makeWorkspace(folder)
    try workspace.ingest(folder.write(logLines(0..<9), to: "a.jsonl"))
    let error = #expect(throws: LogStoreError.self) {
      try workspace.forEachBatch { _, _ in throw CancellationError() }
    }
    guard case .stopped(let inner) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(inner is CancellationError)
  }

  @Test func plainSQLReadsEveryValue() throws {
    let workspace = try makeWorkspace(folder)
    try workspace.ingest(folder.write(logLines(0..<700), to: "a.jsonl"))
    var expected: [String] = []
    try workspace.forEachBatch { batch, symbols in
      expected += batch.rows.map { row in
        let blocks = row.prefixBlocks.indices.map { batch.blocks[$0] }
        return "\(batch.requestID(row)) \(row.receivedNanoseconds) \(row.dispatchedNanoseconds) "
          + "\(symbols.name(row.endpoint) ?? "") \(symbols.name(row.model) ?? "") "
          + "\(row.inputTokens) \(row.waitingRequests) \(row.stream) \(row.ttftMilliseconds) "
          + "\(row.e2eMilliseconds) \(row.kvCacheUsage) \(blocks)"
      }
    }

    let found = try workspace.pool.read { database in
      try Row.fetchAll(database, sql: "SELECT * FROM requests ORDER BY received_unix_ns, identity")
        .map { row in
          let count: Int = row["prefix_block_count"]
          let hex: String = row["prefix_blocks"]
          let width = count == 0 ? 0 : hex.count / count
          let blocks = (0..<count).map { index in
            UInt64(hex.dropFirst(index * width).prefix(width), radix: 16) ?? 0
          }
          let usage: Double = row["kv_usage"]
          return "\(row["request_id"] as String) \(row["received_unix_ns"] as Int64) "
            + "\(row["dispatched_unix_ns"] as Int64) \(row["endpoint"] as String) "
            + "\(row["model"] as String) \(row["input_tokens"] as Int) \(row["waiting"] as Int) "
            + "\(row["stream"] as Int) \(row["ttft_ms"] as Double) \(row["e2e_ms"] as Double) "
            + "\(Float(usage)) \(blocks)"
        }
    }
    #expect(found == expected)
    #expect(found.count == 700)
  }

  @Test func missingValuesAreNullInSQL() throws {
    let workspace = try makeWorkspace(folder)
    let bare = (0..<4).map { index in
      #"{"request_id":"n\#(index)","received_unix_ns":17637000000000000\#(10 + index),"#
        + #""endpoint":"e0","input_tokens":5,"status":499"#
        + (index == 2 ? #","cached_tokens":3,"kv_usage":0.5"# : "") + "}\n"
    }.joined()
    try workspace.ingest(folder.write(bare, to: "a.jsonl"))
    let row = try workspace.pool.read { database in
      try Row.fetchOne(
        database,
        sql: """
          SELECT count(*) AS n, count(cached_tokens) AS cached, sum(cached_tokens) AS sum,
            count(kv_usage) AS usage, count(ttft_ms) AS ttft, count(pool) AS pool FROM requests
          """)
    }
    #expect(row?["n"] == 4)
    #expect(row?["cached"] == 1)
    #expect(row?["sum"] == 3)
    #expect(row?["usage"] == 1)
    #expect(row?["ttft"] == 0)
    #expect(row?["pool"] == 0)
  }
}
