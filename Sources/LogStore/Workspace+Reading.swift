import Foundation
import GRDB
public import RequestLog

extension Workspace {
  /// Hands out the stored requests in order of arrival, then of identity, in batches.
  ///
  /// The order, the names' symbols (sorted by name) and the batches depend on what is stored, not
  /// on the order of the ingests; only ``LoggedRequest/fileIndex`` (the row in `files`) does. All
  /// batches show the store at one moment, whatever other processes write meanwhile.
  ///
  /// - Parameters:
  ///   - window: Arrivals, Unix nanoseconds, both ends included; `nil` for all.
  ///   - batchRows: The rows of every batch but the last, at least 1.
  /// - Throws: `stopped` with what `body` threw; `corrupt` for a chunk that cannot be read.
  /// - Complexity: O(rows); memory for a batch and the chunks that overlap in time.
  public func forEachBatch(
    window: ClosedRange<Int64>? = nil, batchRows: Int = 16384,
    _ body: (RequestBatch, SymbolTable) throws -> Void
  ) throws(LogStoreError) {
    let window = window ?? Int64.min...Int64.max
    try guarded {
      try pool.read { database in
        let names = try StoredNames(database)
        var merger = ChunkMerger(window: window)
        func deliver(_ count: Int) throws {
          do {
            try body(merger.take(count), names.table)
          } catch {
            throw LogStoreError.stopped(by: error)
          }
        }
        let batchRows = max(1, batchRows)
        try Self.forEachChunk(database, window) { chunk in
          merger.settle(before: chunk.receivedFrom)
          while merger.settled >= batchRows { try deliver(batchRows) }
          try merger.add(chunk, names.symbols)
        }
        merger.settle(before: nil)
        while merger.settled > 0 { try deliver(min(batchRows, merger.settled)) }
      }
    }
  }

  /// Hands out the chunks that touch `window`, by their first arrival.
  static func forEachChunk(
    _ database: Database, _ window: ClosedRange<Int64>, _ body: (StoredChunk) throws -> Void
  ) throws {
    let columns = ChunkColumn.allCases.map(\.rawValue).joined(separator: ", ")
    let statement = try database.cachedStatement(
      sql: """
        SELECT id, file_id, row_count, received_from, received_to, digest, \(columns)
        FROM request_chunks WHERE received_from <= ? AND received_to >= ?
        ORDER BY received_from, id
        """)
    let cursor = try Row.fetchCursor(
      statement, arguments: [window.upperBound, window.lowerBound])
    while let row = try cursor.next() { try body(StoredChunk(row)) }
  }

  /// The first and the last arrival, Unix nanoseconds; `nil` for an empty store.
  public func timeRange() throws(LogStoreError) -> ClosedRange<Int64>? {
    try guarded {
      try pool.read { database in
        let row = try Row.fetchOne(
          database, sql: "SELECT min(received_from), max(received_to) FROM request_chunks")
        guard let first: Int64 = row?[0], let last: Int64 = row?[1], first <= last else {
          return nil
        }
        return first...last
      }
    }
  }

  /// The shortest part of `window` that ends with it and surely holds its newest `count` requests; the
  /// whole of it when there are fewer.
  ///
  /// - Complexity: O(chunks); reads no request.
  public func window(
    ofNewest count: Int, in window: ClosedRange<Int64>? = nil
  ) throws(LogStoreError) -> ClosedRange<Int64> {
    let window = window ?? Int64.min...Int64.max
    return try guarded {
      try pool.read { database in
        var held: Int64 = 0
        let cursor = try Row.fetchCursor(
          database,
          sql: """
            SELECT received_from, row_count FROM request_chunks
            WHERE received_from >= ? AND received_to <= ? ORDER BY received_from DESC, id DESC
            """, arguments: [window.lowerBound, window.upperBound])
        while let row = try cursor.next() {
          held += row[1]
          if held >= Int64(count) { return (row[0] as Int64)...window.upperBound }
        }
        return window
      }
    }
  }

  /// How many requests arrived in `window`; `nil` for all.
  public func rowCount(window: ClosedRange<Int64>? = nil) throws(LogStoreError) -> Int64 {
    try content(of: window).count
  }

  /// A digest of the requests that arrived in `window`, `nil` for all: 32 hexadecimal digits.
  ///
  /// It depends on every value of every request and on nothing else: not on the order of ingests,
  /// on files, or on how the requests are packed.
  public func datasetFingerprint(
    window: ClosedRange<Int64>? = nil
  ) throws(LogStoreError) -> String {
    try content(of: window).digest.hexadecimal
  }

  /// Chunks inside the window are summed from the index; those on its edges are read.
  private func content(
    of window: ClosedRange<Int64>?
  ) throws(LogStoreError) -> (count: Int64, digest: RowDigest) {
    let window = window ?? Int64.min...Int64.max
    return try guarded {
      try pool.read { database in
        var count: Int64 = 0
        var digest = RowDigest()
        let cursor = try Row.fetchCursor(
          database,
          sql: """
            SELECT row_count, digest FROM request_chunks
            WHERE received_from >= ? AND received_from <= ? AND received_to <= ?
            """, arguments: [window.lowerBound, window.upperBound, window.upperBound])
        while let row = try cursor.next() {
          count += row[0]
          let bytes: [UInt8] = [UInt8](row[1] as Data)
          guard let part = RowDigest(bytes) else { throw ChunkFault("a digest is not 16 bytes") }
          digest += part
        }
        let names = try StoredNames(database)
        try Self.forEachEdge(database, window) { chunk in
          var batch = RequestBatch()
          try chunk.unpack(into: &batch, symbols: names.symbols)
          for row in batch.rows where window.contains(row.receivedNanoseconds) {
            count += 1
            digest.add(row, batch, names: names.hashes)
          }
        }
        return (count, digest)
      }
    }
  }

  /// Hands out the chunks that are partly in `window`.
  static func forEachEdge(
    _ database: Database, _ window: ClosedRange<Int64>, _ body: (StoredChunk) throws -> Void
  ) throws {
    let columns = ChunkColumn.allCases.map(\.rawValue).joined(separator: ", ")
    let cursor = try Row.fetchCursor(
      database,
      sql: """
        SELECT id, file_id, row_count, received_from, received_to, digest, \(columns)
        FROM request_chunks
        WHERE received_from <= :upper AND received_to >= :lower
          AND (received_from < :lower OR received_to > :upper)
        ORDER BY received_from, id
        """, arguments: ["lower": window.lowerBound, "upper": window.upperBound])
    while let row = try cursor.next() { try body(StoredChunk(row)) }
  }
}

/// The names of the store as a symbol table, sorted, so that symbols do not tell of the ingests'
/// order.
struct StoredNames {
  var table = SymbolTable()
  /// The symbol by name id.
  var symbols: [Symbol] = []
  /// ``RowDigest/nameHash(_:)`` by symbol.
  var hashes: [UInt64] = []

  init(_ database: Database) throws {
    let rows = try Row.fetchAll(database, sql: "SELECT id, name FROM names ORDER BY name")
    let last = try Int.fetchOne(database, sql: "SELECT max(id) FROM names") ?? 0
    symbols = Array(repeating: .none, count: last + 1)
    for row in rows {
      let name: String = row[1]
      symbols[row[0] as Int] = table.intern(name)
      hashes.append(RowDigest.nameHash(name))
    }
  }
}

extension StoredChunk {
  init(_ row: Row) throws {
    id = row[0]
    fileID = row[1]
    rowCount = row[2]
    receivedFrom = row[3]
    receivedTo = row[4]
    guard let digest = RowDigest([UInt8](row[5] as Data)), rowCount > 0, rowCount <= 1 << 20
    else { throw ChunkFault("chunk \(id) has an impossible head") }
    self.digest = digest
    values = (6..<6 + ChunkColumn.allCases.count).map { StoredValue(row[$0]) }
  }
}
