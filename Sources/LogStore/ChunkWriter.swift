import Dispatch
import Foundation
import GRDB
import RequestLog
import Synchronization

/// Takes the requests of one file: leaves out what is stored, packs the rest on other threads and
/// inserts the chunks in order on the calling one.
struct ChunkWriter {
  /// Batches that are packed at the same time; bounds the memory.
  static let depth = 4
  /// Identities that are kept in memory; a log is roughly in order of time, so days that were
  /// forgotten are hardly met again.
  var identityLimit = 4_000_000

  private let database: Database
  private let insert: Statement
  private let nameInsert: Statement
  private let ingestID: Int64
  private let fileID: Int64
  private var names = NameMap()
  private var pending: [PendingChunks] = []
  private(set) var added: Int64 = 0
  private(set) var duplicates: Int64 = 0

  init(_ database: Database, ingestID: Int64, fileID: Int64) throws {
    self.database = database
    self.ingestID = ingestID
    self.fileID = fileID
    let columns = ChunkColumn.allCases.map(\.rawValue)
    let marks = Array(repeating: "?", count: columns.count + 6).joined(separator: ", ")
    insert = try database.cachedStatement(
      sql: """
        INSERT INTO request_chunks(ingest_id, file_id, row_count, received_from, received_to,
          digest, \(columns.joined(separator: ", "))) VALUES (\(marks))
        """)
    nameInsert = try database.cachedStatement(
      sql: "INSERT INTO names(name) VALUES (?) ON CONFLICT(name) DO NOTHING")
  }

  /// Takes a batch; `ledger` knows what is stored.
  mutating func add(
    _ batch: RequestBatch, _ symbols: SymbolTable, _ ledger: inout IdentityLedger
  ) throws {
    try extendNames(symbols)
    // Only here: what this batch has added to a day is not in the store yet.
    ledger.trim(above: identityLimit)
    var rows: [LoggedRequest] = []
    rows.reserveCapacity(batch.rows.count)
    var isSorted = true
    for index in batch.rows.indices {
      let identity = batch.rows[index].identityHigh
      let received = batch.rows[index].receivedNanoseconds
      let isNew = try ledger.insert(identity, received: received) { day in
        try finish()
        return try loadIdentities(day)
      }
      guard isNew else { continue }
      if let last = rows.last { isSorted = isSorted && last.isBefore(batch.rows[index]) }
      rows.append(batch.rows[index])
    }
    added += Int64(rows.count)
    duplicates += Int64(batch.rows.count - rows.count)
    if rows.isEmpty { return }
    pending.append(PendingChunks(rows, isSorted: isSorted, batch, names))
    if pending.count > Self.depth { try write(pending.removeFirst().wait()) }
  }

  /// Inserts what is still being packed.
  mutating func finish() throws {
    for chunks in pending { try write(chunks.wait()) }
    pending.removeAll()
  }

  /// Inserts chunks as they are.
  func write(_ chunks: [RequestChunk]) throws {
    for chunk in chunks {
      var arguments: [(any DatabaseValueConvertible)?] = [
        ingestID, fileID, chunk.rowCount, chunk.receivedFrom, chunk.receivedTo,
        Data(chunk.digest.bytes),
      ]
      for value in chunk.values {
        switch value {
        case .null: arguments.append(nil)
        case .integer(let number): arguments.append(number)
        case .real(let number): arguments.append(number)
        case .bytes(let range): arguments.append(Data(chunk.bytes[range]))
        }
      }
      try insert.execute(arguments: StatementArguments(arguments))
    }
  }

  /// Gives names of the batch that were not seen before their place in the store.
  private mutating func extendNames(_ symbols: SymbolTable) throws {
    for index in names.ids.count..<max(names.ids.count, symbols.names.count) {
      let name = symbols.names[index]
      try nameInsert.execute(arguments: [name])
      let id = try Int64.fetchOne(
        database, sql: "SELECT id FROM names WHERE name = ?", arguments: [name])
      names.ids.append(id ?? 0)
      names.hashes.append(RowDigest.nameHash(name))
    }
  }

  /// The identities of the requests that arrived on a day, from the store.
  private func loadIdentities(_ day: Int64) throws -> IdentityTable {
    var table = IdentityTable()
    let start = day * IdentityLedger.dayNanoseconds
    let end = start + IdentityLedger.dayNanoseconds
    let cursor = try Row.fetchCursor(
      database,
      sql: """
        SELECT received_from, row_count, identity, received_offset_ns FROM request_chunks
        WHERE received_from < ? AND received_to >= ?
        """, arguments: [end, start])
    while let row = try cursor.next() {
      let from: Int64 = row[0]
      let count: Int = row[1]
      let identities = [UInt8](row[2] as Data)
      guard identities.count == 16 * count else {
        throw ChunkFault("identities do not fit \(count) rows")
      }
      try CellDecoder.integers(StoredValue(row[3]), count: count) { index, offset in
        guard from &+ offset >= start, from &+ offset < end else { return }
        var identity: UInt64 = 0
        for place in 16 * index..<16 * index + 8 {
          identity = identity << 8 | UInt64(identities[place])
        }
        _ = table.insert(identity)
      }
    }
    return table
  }
}

/// Chunks that another thread is packing.
final class PendingChunks: Sendable {
  private let done = DispatchSemaphore(value: 0)
  private let chunks = Mutex<[RequestChunk]>([])

  init(
    _ rows: [LoggedRequest], isSorted: Bool, _ batch: RequestBatch, _ names: NameMap
  ) {
    DispatchQueue.global(qos: .userInitiated).async { [self] in
      let ordered = isSorted ? rows : rows.inOrder()
      let packed = RequestChunk.pack(ordered, of: batch, names: names)
      chunks.withLock { $0 = packed }
      done.signal()
    }
  }

  /// The chunks, once they are packed; call it once.
  func wait() -> [RequestChunk] {
    done.wait()
    return chunks.withLock { chunks in
      defer { chunks = [] }
      return chunks
    }
  }
}

extension LoggedRequest {
  /// The order of the store: by arrival, then by identity.
  @inline(__always)
  func isBefore(_ other: LoggedRequest) -> Bool {
    if receivedNanoseconds != other.receivedNanoseconds {
      return receivedNanoseconds < other.receivedNanoseconds
    }
    return identityHigh != other.identityHigh
      ? identityHigh < other.identityHigh : identityLow < other.identityLow
  }
}

extension [LoggedRequest] {
  /// Sorted by ``LoggedRequest/isBefore(_:)``, moving indices rather than the large rows.
  func inOrder() -> [LoggedRequest] {
    let keys = indices.map { (self[$0].receivedNanoseconds, self[$0].identityHigh, $0) }
    return keys.sorted { left, right in
      left.0 != right.0
        ? left.0 < right.0
        : left.1 != right.1 ? left.1 < right.1 : self[left.2].isBefore(self[right.2])
    }.map { self[$0.2] }
  }
}

extension StoredValue {
  init(_ value: DatabaseValue) {
    switch value.storage {
    case .null: self = .null
    case .int64(let number): self = .integer(number)
    case .double(let number): self = .real(number)
    case .string(let text): self = .bytes(Array(text.utf8))
    case .blob(let data): self = .bytes([UInt8](data))
    }
  }
}
