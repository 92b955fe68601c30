import GRDB

/// What is known of an ingested file: enough to tell whether it has grown, moved or been replaced.
struct SourceFile: Sendable {
  /// Bytes at the start that are hashed.
  static let headLength = 4096
  /// Bytes before the end of what was read that are hashed.
  static let tailLength: Int64 = 65536

  var id: Int64 = 0
  var path: String
  var headHash = ""
  var tailHash = ""
  /// Bytes of the file, packed as it is, that were taken in.
  var storedBytes: Int64 = 0
  /// Where to read on, uncompressed.
  var resumeOffset: Int64 = 0
  var resumeLine: Int64 = 0
  var added: Int64 = 0
  var duplicates: Int64 = 0
  var quarantined: Int64 = 0
  var skipped: Int64 = 0
  var firstIngest: Int64 = 0
  var lastIngest: Int64 = 0

  init(path: String) { self.path = path }

  init(row: Row) {
    id = row["id"]
    path = row["path"]
    headHash = row["head_hash"]
    tailHash = row["tail_hash"]
    storedBytes = row["stored_bytes"]
    resumeOffset = row["resume_offset"]
    resumeLine = row["resume_line"]
    added = row["added"]
    duplicates = row["duplicates"]
    quarantined = row["quarantined"]
    skipped = row["skipped"]
    firstIngest = row["first_ingest_id"]
    lastIngest = row["last_ingest_id"]
  }

  /// Writes it, with its id when it has one.
  func save(_ database: Database) throws {
    try database.execute(
      sql: """
        INSERT OR REPLACE INTO files(id, path, head_hash, tail_hash, stored_bytes, resume_offset,
          resume_line, added, duplicates, quarantined, skipped, first_ingest_id, last_ingest_id)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
      arguments: [
        id, path, headHash, tailHash, storedBytes, resumeOffset, resumeLine, added, duplicates,
        quarantined, skipped, firstIngest, lastIngest,
      ])
  }
}

/// What a file's bytes say before it is read.
struct SourceProbe {
  let path: String
  let size: Int64
  let head: [UInt8]

  init(path: String) throws(LogStoreError) {
    self.path = path
    size = FileSystem.size(path) ?? 0
    head = try FileSystem.read(path, count: SourceFile.headLength)
  }

  var headHash: String { Self.hash(head) }

  /// Whether the bytes are the log itself: then what was read ends at the resume offset.
  var isPlain: Bool {
    !head.starts(with: [0x1F, 0x8B]) && !head.starts(with: [0x28, 0xB5, 0x2F, 0xFD])
  }

  /// The hash of the bytes before `end`.
  func tailHash(end: Int64) throws(LogStoreError) -> String {
    let start = max(0, end - SourceFile.tailLength)
    return Self.hash(try FileSystem.read(path, offset: start, count: Int(end - start)))
  }

  /// Whether the file still begins with everything that was read of `known`.
  func continues(_ known: SourceFile) throws(LogStoreError) -> Bool {
    guard size >= known.storedBytes else { return false }
    let common = head.prefix(Int(min(Int64(SourceFile.headLength), known.storedBytes)))
    guard Self.hash(common) == known.headHash else { return false }
    return try tailHash(end: known.storedBytes) == known.tailHash
  }

  static func hash(_ bytes: some Collection<UInt8>) -> String {
    var first: UInt64 = 0xCBF2_9CE4_8422_2325
    var second: UInt64 = 0x8422_2325_CBF2_9CE4 ^ UInt64(bytes.count)
    for byte in bytes {
      first = (first ^ UInt64(byte)) &* 0x100_0000_01B3
      second = (second &+ UInt64(byte)) &* 0x9E37_79B9_7F4A_7C15
      second ^= second >> 29
    }
    return String(first, radix: 16) + "-" + String(second, radix: 16)
  }

  /// The hash of what has been read up to `end`, for the start of the file.
  func headHash(end: Int64) -> String {
    Self.hash(head.prefix(Int(min(Int64(SourceFile.headLength), max(0, end)))))
  }
}
