import GRDB

/// The tables of the workspace; `Schema.md` explains them.
enum Schema {
  /// "GLDP": tells the file from other SQLite databases.
  static let applicationID = 0x474C_4450

  static var migrator: DatabaseMigrator {
    var migrator = DatabaseMigrator()
    migrator.registerMigration("1 requests") { database in
      try database.execute(sql: "PRAGMA application_id = \(applicationID)")
      try database.execute(sql: logTables)
      try database.execute(sql: requestTables)
      try fillPositions(database)
      try database.execute(sql: requestView)
    }
    migrator.registerMigration("2 models") { database in
      try database.execute(sql: modelTables)
    }
    return migrator
  }

  private static func fillPositions(_ database: Database) throws {
    let insert = try database.makeStatement(sql: "INSERT INTO positions(i) VALUES (?)")
    for position in 0..<RequestChunk.capacity { try insert.execute(arguments: [position]) }
  }

  private static let logTables = """
    CREATE TABLE ingests (
      id INTEGER PRIMARY KEY,
      started_unix_s INTEGER NOT NULL
    );
    CREATE TABLE files (
      id INTEGER PRIMARY KEY,
      path TEXT NOT NULL,
      head_hash TEXT NOT NULL,
      tail_hash TEXT NOT NULL,
      stored_bytes INTEGER NOT NULL,
      resume_offset INTEGER NOT NULL,
      resume_line INTEGER NOT NULL,
      added INTEGER NOT NULL,
      duplicates INTEGER NOT NULL,
      quarantined INTEGER NOT NULL,
      skipped INTEGER NOT NULL,
      first_ingest_id INTEGER NOT NULL REFERENCES ingests(id),
      last_ingest_id INTEGER NOT NULL REFERENCES ingests(id)
    );
    CREATE INDEX files_by_path ON files(path, id);
    CREATE INDEX files_by_head ON files(head_hash, id);
    CREATE TABLE quarantine (
      id INTEGER PRIMARY KEY,
      ingest_id INTEGER NOT NULL REFERENCES ingests(id),
      file_id INTEGER NOT NULL REFERENCES files(id),
      path TEXT NOT NULL,
      line INTEGER NOT NULL,
      field TEXT,
      reason TEXT NOT NULL,
      sentence TEXT NOT NULL,
      remedy TEXT NOT NULL,
      excerpt TEXT NOT NULL
    );
    CREATE INDEX quarantine_by_ingest ON quarantine(ingest_id);
    CREATE TABLE names (
      id INTEGER PRIMARY KEY,
      name TEXT NOT NULL UNIQUE
    );
    """

  private static var requestTables: String {
    let columns = ChunkColumn.allCases.map { "  \($0.rawValue)" }.joined(separator: ",\n")
    return """
      CREATE TABLE positions (i INTEGER PRIMARY KEY);
      CREATE TABLE request_chunks (
        id INTEGER PRIMARY KEY,
        ingest_id INTEGER NOT NULL REFERENCES ingests(id),
        file_id INTEGER NOT NULL REFERENCES files(id),
        row_count INTEGER NOT NULL,
        received_from INTEGER NOT NULL,
        received_to INTEGER NOT NULL,
        digest BLOB NOT NULL,
      \(columns)
      );
      CREATE INDEX request_chunks_by_arrival
        ON request_chunks(received_from, received_to, row_count, digest);
      CREATE INDEX request_chunks_by_ingest ON request_chunks(ingest_id);
      """
  }

  /// One row for each request, decoded by SQL alone.
  static var requestView: String {
    func number(_ column: ChunkColumn) -> String { column.expression }
    func name(_ column: ChunkColumn) -> String {
      "(SELECT name FROM names WHERE id = \(column.expression))"
    }
    func plain(_ column: ChunkColumn) -> String { "\(column.expression) AS \(column.rawValue)" }
    func named(_ column: ChunkColumn) -> String { "\(name(column)) AS \(column.rawValue)" }
    let received = "c.received_from + \(number(.receivedOffset))"
    let blockWidth =
      "(length(c.prefix_blocks) / (SELECT max(1, total) FROM (SELECT"
      + " \(last(.prefixBlockStart)) + \(last(.prefixBlockCount)) AS total)))"
    let fields =
      [
        plain(.requestID), "\(received) AS received_unix_ns",
        "\(received) + \(number(.dispatchDelay)) AS dispatched_unix_ns",
      ]
      + [
        .endpoint, .prefillEndpoint, .gateway, .pool, .model, .adapter, .accelerator, .role,
        .policy,
      ].map(named)
      + [
        .inputTokens, .outputTokens, .maxTokens, .cachedTokens, .prefixMatchTokens, .waiting,
        .running, .status, .priority, .stream, .ttft, .e2e, .kvUsage, .snapshotAge, .propensity,
        .targetTTFT, .targetTPOT, .prefixBlockTokens, .prefixBlockCount,
      ].map(plain)
      + [
        "hex(substr(c.prefix_blocks, 1 + (\(number(.prefixBlockStart))) * \(blockWidth),"
          + " (\(number(.prefixBlockCount))) * \(blockWidth))) AS prefix_blocks",
        plain(.chunkOffsetCount),
        "CAST(substr(c.candidates, 1 + \(number(.candidatesStart)),"
          + " \(number(.candidatesLength))) AS TEXT) AS candidates",
        "c.file_id AS file_id", plain(.line),
        "hex(substr(c.identity, 1 + p.i * 16, 16)) AS identity",
      ]
    return """
      CREATE VIEW requests AS
      SELECT
        \(fields.joined(separator: ",\n  "))
      FROM request_chunks AS c JOIN positions AS p ON p.i < c.row_count
      """
  }

  /// The value of a chunk's last row.
  private static func last(_ column: ChunkColumn) -> String {
    "(\(column.expression.replacing("p.i", with: "(c.row_count - 1)")))"
  }

  private static let modelTables = """
    CREATE TABLE models (
      id TEXT PRIMARY KEY,
      created_unix_s INTEGER NOT NULL,
      file TEXT NOT NULL,
      byte_count INTEGER NOT NULL,
      content_hash TEXT NOT NULL,
      dataset_fingerprint TEXT,
      received_from_unix_ns INTEGER,
      received_to_unix_ns INTEGER,
      details_json TEXT NOT NULL
    );
    CREATE TABLE evaluations (
      id INTEGER PRIMARY KEY,
      model_id TEXT NOT NULL REFERENCES models(id),
      champion_id TEXT REFERENCES models(id),
      created_unix_s INTEGER NOT NULL,
      dataset_fingerprint TEXT,
      received_from_unix_ns INTEGER,
      received_to_unix_ns INTEGER,
      verdict TEXT NOT NULL,
      reason TEXT NOT NULL,
      metrics_json TEXT NOT NULL,
      report TEXT
    );
    CREATE INDEX evaluations_by_model ON evaluations(model_id);
    CREATE TABLE promotions (
      id INTEGER PRIMARY KEY,
      model_id TEXT NOT NULL,
      previous_id TEXT,
      kind TEXT NOT NULL CHECK (kind IN ('promote', 'rollback', 'external')),
      state TEXT NOT NULL CHECK (state IN ('pending', 'done', 'abandoned')),
      at_unix_s INTEGER NOT NULL,
      reason TEXT NOT NULL,
      evaluation_id INTEGER REFERENCES evaluations(id),
      dataset_fingerprint TEXT
    );
    """
}
