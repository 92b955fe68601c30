import Foundation
import GRDB
import RequestLog

/// What the workspace holds and how it is doing.
public struct StorageStatistics: Sendable, Hashable {
  /// Requests.
  public var requests: Int64
  /// Chunks that they are packed in.
  public var chunks: Int64
  /// Files that were ingested.
  public var files: Int64
  /// Quarantined lines.
  public var quarantined: Int64
  /// Models.
  public var models: Int64
  /// Evaluations.
  public var evaluations: Int64
  /// Changes of the champion.
  public var promotions: Int64
  /// Bytes of the database file.
  public var databaseBytes: Int64
  /// Bytes of the write-ahead log beside it.
  public var walBytes: Int64
  /// Bytes of the database file that are free.
  public var freeBytes: Int64
  /// The first and the last arrival, Unix nanoseconds.
  public var timeRange: ClosedRange<Int64>?
  /// The version of SQLite.
  public var sqliteVersion: String
}

extension Workspace {
  /// What the workspace holds.
  public func statistics() throws(LogStoreError) -> StorageStatistics {
    let range = try timeRange()
    return try guarded {
      try pool.read { database in
        func number(_ sql: String) throws -> Int64 {
          try Int64.fetchOne(database, sql: "SELECT " + sql) ?? 0
        }
        let page = try Int64.fetchOne(database, sql: "PRAGMA page_size") ?? 0
        let free = try Int64.fetchOne(database, sql: "PRAGMA freelist_count") ?? 0
        return StorageStatistics(
          requests: try number("sum(row_count) FROM request_chunks"),
          chunks: try number("count(*) FROM request_chunks"),
          files: try number("count(*) FROM files"),
          quarantined: try number("count(*) FROM quarantine"),
          models: try number("count(*) FROM models"),
          evaluations: try number("count(*) FROM evaluations"),
          promotions: try number("count(*) FROM promotions WHERE state = 'done'"),
          databaseBytes: FileSystem.size(databasePath) ?? 0,
          walBytes: FileSystem.size(databasePath + "-wal") ?? 0, freeBytes: page * free,
          timeRange: range,
          sqliteVersion: try String.fetchOne(database, sql: "SELECT sqlite_version()") ?? "")
      }
    }
  }

  /// Reads everything and says what is wrong; empty when all is well.
  ///
  /// It finds damaged pages and chunks, requests stored twice, models without their file, and a
  /// champion that is no model.
  public func verify() throws(LogStoreError) -> [String] {
    try guarded {
      try pool.read { database in
        var faults = try String.fetchAll(database, sql: "PRAGMA quick_check").filter { $0 != "ok" }
        faults += try Row.fetchAll(database, sql: "PRAGMA foreign_key_check").map {
          "table \($0[0] as String) refers to a missing row of \($0[2] as String)"
        }
        faults += try Self.chunkFaults(database)
        for row in try Row.fetchAll(database, sql: "SELECT id, content_hash FROM models") {
          let id: String = row[0]
          guard let bytes = try? modelBytes(id) else {
            faults.append("the file of model \(id) is missing")
            continue
          }
          if Self.contentHash(bytes) != row[1] { faults.append("the file of model \(id) changed") }
        }
        if let champion = champion(), FileSystem.size(modelPath(champion)) == nil {
          faults.append("the champion \(champion) has no file")
        }
        return faults
      }
    }
  }

  private static func chunkFaults(_ database: Database) throws -> [String] {
    var faults: [String] = []
    let names = try StoredNames(database)
    var ledger = IdentityLedger()
    var doubled: Int64 = 0
    try forEachChunk(database, Int64.min...Int64.max) { chunk in
      var batch = RequestBatch()
      var digest = RowDigest()
      do {
        try chunk.unpack(into: &batch, symbols: names.symbols)
      } catch let fault as ChunkFault {
        faults.append("chunk \(chunk.id): \(fault.detail)")
        return
      }
      for row in batch.rows {
        digest.add(row, batch, names: names.hashes)
        let isNew = ledger.insert(row.identityHigh, received: row.receivedNanoseconds) { _ in
          IdentityTable()
        }
        if !isNew { doubled += 1 }
      }
      if digest != chunk.digest { faults.append("chunk \(chunk.id) has changed values") }
    }
    if doubled > 0 { faults.append("\(doubled) requests are stored twice") }
    return faults
  }

  /// Removes requests that arrived more than `days` before `nowUnixNanoseconds`, and the
  /// quarantined lines of ingests that are as old; gives the space back to the file system.
  ///
  /// Files stay known, so that their old requests do not come back with the next ingest.
  ///
  /// - Parameters:
  ///   - days: Days to keep, at least 0.
  ///   - nowUnixNanoseconds: The present; `nil` asks the clock.
  /// - Returns: How many requests were removed.
  @discardableResult
  public func prune(
    olderThanDays days: Double, nowUnixNanoseconds: Int64? = nil
  ) throws(LogStoreError) -> Int64 {
    let now = nowUnixNanoseconds ?? Self.now() * 1_000_000_000
    let age = Int64(exactly: (max(0, days) * 86_400e9).rounded()) ?? .max
    let cutoff = max(0, now) - min(age, max(0, now))
    return try guarded {
      let removed = try pool.write { database in
        let old = try Int64.fetchOne(
          database, sql: "SELECT sum(row_count) FROM request_chunks WHERE received_to < ?",
          arguments: [cutoff])
        try database.execute(
          sql: "DELETE FROM request_chunks WHERE received_to < ?", arguments: [cutoff])
        let trimmed = try Self.trimChunks(before: cutoff, database)
        try database.execute(
          sql: """
            DELETE FROM quarantine WHERE ingest_id IN
              (SELECT id FROM ingests WHERE started_unix_s < ?)
            """, arguments: [cutoff / 1_000_000_000])
        return (old ?? 0) + trimmed
      }
      try pool.writeWithoutTransaction { database in
        _ = try Row.fetchAll(database, sql: "PRAGMA incremental_vacuum")
      }
      try shrinkWAL()
      return removed
    }
  }

  /// Empties a long write-ahead log, whose content SQLite has moved to the database at the commit,
  /// unless another process is reading it.
  func shrinkWAL() throws(LogStoreError) {
    guard (FileSystem.size(databasePath + "-wal") ?? 0) > Self.longWAL else { return }
    try guarded {
      try pool.writeWithoutTransaction { database in
        try database.execute(sql: "PRAGMA busy_timeout = 0")
        // It answers that somebody is reading by a row, or by an error.
        _ = try? Row.fetchAll(database, sql: "PRAGMA wal_checkpoint(TRUNCATE)")
        try database.execute(sql: "PRAGMA busy_timeout = \(Int(lockWaitSeconds * 1000))")
      }
    }
  }

  /// Bytes of the write-ahead log that are kept.
  private static let longWAL: Int64 = 1 << 24

  /// Packs the chunks that lie on both sides of `cutoff` anew, without what is before it.
  private static func trimChunks(before cutoff: Int64, _ database: Database) throws -> Int64 {
    guard cutoff > Int64.min else { return 0 }
    let names = try StoredNames(database)
    var ids = Array(repeating: Int64(0), count: names.table.names.count)
    for (id, symbol) in names.symbols.enumerated() where symbol.index >= 0 {
      ids[Int(symbol.index)] = Int64(id)
    }
    let map = NameMap(ids: ids, hashes: names.hashes)
    var edges: [StoredChunk] = []
    try forEachEdge(database, cutoff...Int64.max) { edges.append($0) }
    var removed: Int64 = 0
    for chunk in edges {
      var batch = RequestBatch()
      try chunk.unpack(into: &batch, symbols: names.symbols)
      let kept = batch.rows.filter { $0.receivedNanoseconds >= cutoff }
      removed += Int64(batch.rows.count - kept.count)
      let ingest = try Int64.fetchOne(
        database, sql: "DELETE FROM request_chunks WHERE id = ? RETURNING ingest_id",
        arguments: [chunk.id])
      let writer = try ChunkWriter(database, ingestID: ingest ?? 0, fileID: chunk.fileID)
      try writer.write(RequestChunk.pack(kept, of: batch, names: map))
    }
    return removed
  }
}
