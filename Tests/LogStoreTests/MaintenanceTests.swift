import Foundation
import GRDB
import RequestLog
import Testing

@testable import LogStore

@Suite struct MaintenanceTests {
  let folder: TemporaryFolder
  static let start: Int64 = 1_763_700_000_000_000_000

  init() throws { folder = try TemporaryFolder() }

  @Test(arguments: [-1, 0, 100, 450, 899, 5000])
  func pruningKeepsExactlyTheYoungRequests(second: Int64) throws {
    let workspace = try makeWorkspace(folder)
    try workspace.ingest(folder.write(logLines(0..<900), to: "a.jsonl"))
    let cutoff = Self.start + second * 40_000_000
    let young = try workspace.exported(window: cutoff...Int64.max)
    let print = try workspace.datasetFingerprint(window: cutoff...Int64.max)
    let day: Int64 = 86_400_000_000_000

    let removed = try workspace.prune(olderThanDays: 1, nowUnixNanoseconds: cutoff + day)

    #expect(removed == 900 - Int64(young.count))
    #expect(try workspace.exported() == young)
    #expect(try workspace.datasetFingerprint() == print)
    #expect(try workspace.verify() == [])
    // The file is known: its old requests do not come back.
    #expect(try workspace.ingest(folder.path + "/a.jsonl").files[0].kind == .unchanged)
  }

  @Test func statisticsCountWhatIsThere() throws {
    let workspace = try makeWorkspace(folder)
    try workspace.ingest(folder.write(logLines(0..<300) + "bad\n", to: "a.jsonl"))
    try workspace.record(model: ModelRecord(id: "a", createdUnixSeconds: 1), bytes: [1])
    try workspace.promote("a", reason: "first")
    let statistics = try workspace.statistics()
    #expect(statistics.requests == 300)
    #expect(statistics.chunks == 2)
    #expect(statistics.files == 1)
    #expect(statistics.quarantined == 1)
    #expect(statistics.models == 1)
    #expect(statistics.promotions == 1)
    #expect(statistics.databaseBytes > 0)
  }

  @Test func aChangedValueIsFound() throws {
    let workspace = try makeWorkspace(folder)
    try workspace.ingest(folder.write(logLines(0..<300), to: "a.jsonl"))
    #expect(try workspace.verify() == [])
    try workspace.pool.write { database in
      try database.execute(sql: "UPDATE request_chunks SET running = 4 WHERE id = 1")
    }
    #expect(try workspace.verify() == ["chunk 1 has changed values"])
  }

  @Test func aChunkThatCannotBeReadIsCorruption() throws {
    let workspace = try makeWorkspace(folder)
    try workspace.ingest(folder.write(logLines(0..<300), to: "a.jsonl"))
    try workspace.pool.write { database in
      try database.execute(
        sql: "UPDATE request_chunks SET prefix_blocks = x'010203' WHERE id = 1")
    }
    let error = #expect(throws: LogStoreError.self) { try workspace.exported() }
    guard case .corrupt = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(try workspace.verify().count == 1)
  }

  @Test(arguments: UInt64(0)..<40)
  func damagedChunksNeverTrap(seed: UInt64) throws {
    let workspace = try makeWorkspace(folder)
    try workspace.ingest(folder.write(logLines(0..<60), to: "a.jsonl"))
    var random = SplitMix64(state: seed)
    for column in ChunkColumn.allCases.shuffled(using: &random).prefix(3) {
      let junk = (0..<Int.random(in: 0..<400, using: &random)).map { _ in
        seed % 2 == 0
          ? UInt8.random(in: 0x20...0x3F, using: &random)
          : UInt8.random(in: 0...255, using: &random)
      }
      let number = Int64(bitPattern: random.next())
      try workspace.pool.write { database in
        try database.execute(
          sql: "UPDATE request_chunks SET \(column.rawValue) = ?",
          arguments: [seed % 5 == 0 ? number.databaseValue : Data(junk).databaseValue])
      }
    }
    #expect(try !workspace.verify().isEmpty)
    _ = try? workspace.exported()
  }

  @Test func aFolderWithoutWorkspaceIsRefused() throws {
    let path = folder.path
    try expect(.notAWorkspace) { _ = try Workspace(directory: path, create: false) }
    try expect(.notAWorkspace) { _ = try Workspace(directory: path + "/none", create: false) }
  }

  @Test func otherDatabasesAndFilesAreRefused() throws {
    let path = folder.path
    _ = try folder.write(String(repeating: "not a database ", count: 100), to: "glidepath.sqlite")
    try expect(.notAWorkspace) { _ = try Workspace(directory: path, create: false) }
    try FileManager.default.removeItem(atPath: path + "/glidepath.sqlite")
    let other = try DatabaseQueue(path: path + "/glidepath.sqlite")
    try other.write { try $0.execute(sql: "CREATE TABLE t(a)") }
    try other.close()
    try expect(.notAWorkspace) { _ = try Workspace(directory: path, create: true) }
  }

  @Test func commitsReachTheDisk() throws {
    let workspace = try makeWorkspace(folder)
    let modes = try workspace.pool.writeWithoutTransaction { database in
      [
        try String.fetchOne(database, sql: "PRAGMA journal_mode"),
        try String.fetchOne(database, sql: "PRAGMA synchronous"),
      ]
    }
    #expect(modes == ["wal", "2"])
  }

  @Test func aNewerSchemaIsRefused() throws {
    let workspace = try makeWorkspace(folder)
    try workspace.pool.write { database in
      try database.execute(sql: "INSERT INTO grdb_migrations VALUES ('9 later')")
    }
    let path = workspace.directory
    try expect(.newerSchema) { _ = try Workspace(directory: path, create: false) }
  }

  @Test func aLockedDatabaseIsReportedWithTheWaitAndCanStillBeRead() throws {
    let workspace = try makeWorkspace(folder)
    let path = try folder.write(logLines(0..<10), to: "a.jsonl")
    try workspace.pool.writeWithoutTransaction { database in
      try database.inTransaction(.immediate) {
        let other = try Workspace(
          directory: workspace.directory, create: false, lockWaitSeconds: 0.05)
        #expect(try other.rowCount() == 0)
        try expect(.locked) { try other.ingest(path) }
        return .rollback
      }
    }
  }

  @Test func aFullDiskChangesNothing() throws {
    let workspace = try makeWorkspace(folder)
    try workspace.ingest(folder.write(logLines(0..<300), to: "a.jsonl"))
    try workspace.pool.writeWithoutTransaction { database in
      _ = try Row.fetchAll(
        database,
        sql: "PRAGMA max_page_count = \(Int.fetchOne(database, sql: "PRAGMA page_count") ?? 0)")
    }
    let path = try folder.write(logLines(300..<9000), to: "b.jsonl")
    try expect(.diskFull) { try workspace.ingest(path) }
    #expect(try workspace.rowCount() == 300)
    #expect(try workspace.verify() == [])
  }

  private enum Kind { case notAWorkspace, newerSchema, locked, diskFull, other }

  private func expect(_ kind: Kind, _ body: () throws -> Void) throws {
    let error = #expect(throws: LogStoreError.self) { try body() }
    let found: Kind =
      switch error {
      case .notAWorkspace: .notAWorkspace
      case .newerSchema: .newerSchema
      case .locked: .locked
      case .diskFull: .diskFull
      default: .other
      }
    #expect(found == kind, "\(String(describing: error))")
    #expect(error?.description.contains(";") == true)
  }
}
