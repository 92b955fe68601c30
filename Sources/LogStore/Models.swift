import GRDB

/// A stored model: one coefficient file and where it came from.
public struct ModelRecord: Sendable, Hashable {
  /// Its name: up to 100 letters, digits, dots, dashes, underscores.
  public var id: String
  /// When it was made, Unix seconds.
  public var createdUnixSeconds: Int64
  /// The digest of the requests it was fitted on.
  public var datasetFingerprint: String?
  /// The arrivals it was fitted on, Unix nanoseconds.
  public var window: ClosedRange<Int64>?
  /// Anything else, as a JSON object.
  public var detailsJSON: String

  /// A model's record.
  public init(
    id: String, createdUnixSeconds: Int64, datasetFingerprint: String? = nil,
    window: ClosedRange<Int64>? = nil, detailsJSON: String = "{}"
  ) {
    self.id = id
    self.createdUnixSeconds = createdUnixSeconds
    self.datasetFingerprint = datasetFingerprint
    self.window = window
    self.detailsJSON = detailsJSON
  }
}

/// One comparison of a model with the champion of its time.
public struct EvaluationRecord: Sendable, Hashable {
  /// The row's number, given by the store.
  public var id: Int64 = 0
  /// The model that was judged.
  public var modelID: String
  /// The champion it was compared with.
  public var championID: String?
  /// When, Unix seconds.
  public var createdUnixSeconds: Int64
  /// The digest of the requests it was judged on.
  public var datasetFingerprint: String?
  /// The arrivals it was judged on, Unix nanoseconds.
  public var window: ClosedRange<Int64>?
  /// The gate's word, such as "promoted" or "rejected".
  public var verdict: String
  /// Why, for a person.
  public var reason: String
  /// The metrics, as a JSON object.
  public var metricsJSON: String
  /// The report's path inside the workspace.
  public var report: String?

  /// An evaluation's record.
  public init(
    modelID: String, championID: String?, createdUnixSeconds: Int64,
    datasetFingerprint: String? = nil, window: ClosedRange<Int64>? = nil, verdict: String,
    reason: String, metricsJSON: String = "{}", report: String? = nil
  ) {
    self.modelID = modelID
    self.championID = championID
    self.createdUnixSeconds = createdUnixSeconds
    self.datasetFingerprint = datasetFingerprint
    self.window = window
    self.verdict = verdict
    self.reason = reason
    self.metricsJSON = metricsJSON
    self.report = report
  }
}

extension Workspace {
  /// Where a model's coefficient file is.
  public func modelPath(_ id: String) -> String { "\(modelsDirectory)/\(id).glide" }

  /// Stores a model: its file first, then its row, so that a row always has its file.
  ///
  /// Storing the same bytes again under the same id changes nothing.
  ///
  /// - Throws: `badModelID`; `modelExists` for other bytes under the same id; `diskFull`.
  public func record(model: ModelRecord, bytes: [UInt8]) throws(LogStoreError) {
    try Self.check(id: model.id)
    let hash = Self.contentHash(bytes)
    try guarded {
      try pool.write { database in
        let stored = try String.fetchOne(
          database, sql: "SELECT content_hash FROM models WHERE id = ?", arguments: [model.id])
        if let stored {
          if stored != hash { throw LogStoreError.modelExists(model.id) }
          return
        }
        try FileSystem.replace(modelsDirectory, "\(model.id).glide", with: bytes)
        try database.execute(
          sql: """
            INSERT INTO models(id, created_unix_s, file, byte_count, content_hash,
              dataset_fingerprint, received_from_unix_ns, received_to_unix_ns, details_json)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
          arguments: [
            model.id, model.createdUnixSeconds, "models/\(model.id).glide", bytes.count, hash,
            model.datasetFingerprint, model.window?.lowerBound, model.window?.upperBound,
            model.detailsJSON,
          ])
      }
    }
  }

  /// The bytes of a stored model.
  public func modelBytes(_ id: String) throws(LogStoreError) -> [UInt8] {
    try Self.check(id: id)
    guard let size = FileSystem.size(modelPath(id)) else { throw .noSuchModel(id) }
    return try FileSystem.read(modelPath(id), count: Int(size))
  }

  /// All models, the oldest first.
  public func models() throws(LogStoreError) -> [ModelRecord] {
    try guarded {
      try pool.read { database in
        try Row.fetchAll(database, sql: "SELECT * FROM models ORDER BY created_unix_s, id").map {
          ModelRecord(
            id: $0["id"], createdUnixSeconds: $0["created_unix_s"],
            datasetFingerprint: $0["dataset_fingerprint"], window: Self.window($0),
            detailsJSON: $0["details_json"])
        }
      }
    }
  }

  /// Stores an evaluation and gives its row's number.
  ///
  /// - Throws: `noSuchModel` when the model or the champion is not stored.
  @discardableResult
  public func record(evaluation: EvaluationRecord) throws(LogStoreError) -> Int64 {
    try guarded {
      try pool.write { database in
        for id in [evaluation.modelID, evaluation.championID].compactMap({ $0 }) {
          guard try Self.hasModel(id, database) else { throw LogStoreError.noSuchModel(id) }
        }
        try database.execute(
          sql: """
            INSERT INTO evaluations(model_id, champion_id, created_unix_s, dataset_fingerprint,
              received_from_unix_ns, received_to_unix_ns, verdict, reason, metrics_json, report)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
          arguments: [
            evaluation.modelID, evaluation.championID, evaluation.createdUnixSeconds,
            evaluation.datasetFingerprint, evaluation.window?.lowerBound,
            evaluation.window?.upperBound, evaluation.verdict, evaluation.reason,
            evaluation.metricsJSON, evaluation.report,
          ])
        return database.lastInsertedRowID
      }
    }
  }

  /// The evaluations of a model, `nil` for all, the oldest first.
  public func evaluations(of model: String? = nil) throws(LogStoreError) -> [EvaluationRecord] {
    try guarded {
      try pool.read { database in
        try Row.fetchAll(
          database, sql: "SELECT * FROM evaluations WHERE model_id = ?1 OR ?1 IS NULL ORDER BY id",
          arguments: [model]
        ).map { row in
          var record = EvaluationRecord(
            modelID: row["model_id"], championID: row["champion_id"],
            createdUnixSeconds: row["created_unix_s"],
            datasetFingerprint: row["dataset_fingerprint"], window: Self.window(row),
            verdict: row["verdict"], reason: row["reason"], metricsJSON: row["metrics_json"],
            report: row["report"])
          record.id = row["id"]
          return record
        }
      }
    }
  }

  static func hasModel(_ id: String, _ database: Database) throws -> Bool {
    try Bool.fetchOne(
      database, sql: "SELECT EXISTS (SELECT 1 FROM models WHERE id = ?)", arguments: [id]) ?? false
  }

  static func contentHash(_ bytes: [UInt8]) -> String { SourceProbe.hash(bytes) }

  private static func window(_ row: Row) -> ClosedRange<Int64>? {
    guard let from: Int64 = row["received_from_unix_ns"],
      let to: Int64 = row["received_to_unix_ns"], from <= to
    else { return nil }
    return from...to
  }

  static func check(id: String) throws(LogStoreError) {
    let isPlain = id.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"),
        UInt8(ascii: "_"):
        true
      default: false
      }
    }
    guard isPlain, (1...100).contains(id.utf8.count), !id.hasPrefix("."), id != "champion" else {
      throw .badModelID(id)
    }
  }
}
