import GRDB
import RequestLog

/// A line that an ingest set aside, as stored.
public struct QuarantinedLine: Sendable, Hashable {
  /// The row's number; later lines have greater ones.
  public var id: Int64
  /// The file, without links.
  public var path: String
  /// The line's number, from 1.
  public var line: Int64
  /// The native name of the offending field; `nil` when the line as a whole is at fault.
  public var field: String?
  /// A stable short name of the fault.
  public var reason: String
  /// What was wrong, for a person.
  public var sentence: String
  /// What to do about it.
  public var remedy: String
  /// The part of the line that shows it.
  public var excerpt: String
}

extension Workspace {
  /// Quarantined lines, the latest first.
  ///
  /// - Parameter limit: The most lines.
  public func quarantine(limit: Int = 100) throws(LogStoreError) -> [QuarantinedLine] {
    try guarded {
      try pool.read { database in
        try Row.fetchAll(
          database, sql: "SELECT * FROM quarantine ORDER BY id DESC LIMIT ?", arguments: [limit]
        ).map { row in
          QuarantinedLine(
            id: row["id"], path: row["path"], line: row["line"], field: row["field"],
            reason: row["reason"], sentence: row["sentence"], remedy: row["remedy"],
            excerpt: row["excerpt"])
        }
      }
    }
  }

  /// How many lines were quarantined for each reason.
  public func quarantineReasons() throws(LogStoreError) -> [String: Int64] {
    try guarded {
      try pool.read { database in
        let rows = try Row.fetchAll(
          database, sql: "SELECT reason, count(*) FROM quarantine GROUP BY reason")
        return Dictionary(uniqueKeysWithValues: rows.map { ($0[0], $0[1]) })
      }
    }
  }
}

/// Stores the lines that a file's reading sets aside.
struct QuarantineWriter {
  private let insert: Statement
  private let ingestID: Int64
  private let fileID: Int64

  init(_ database: Database, ingestID: Int64, fileID: Int64) throws {
    self.ingestID = ingestID
    self.fileID = fileID
    insert = try database.cachedStatement(
      sql: """
        INSERT INTO quarantine(ingest_id, file_id, path, line, field, reason, sentence, remedy,
          excerpt) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
        """)
  }

  func add(_ line: RejectedLine) throws {
    try insert.execute(arguments: [
      ingestID, fileID, line.file, line.lineNumber, line.field, line.reason.code, line.sentence,
      line.remedy, line.excerpt,
    ])
  }
}
