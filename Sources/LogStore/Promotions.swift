import GRDB

/// One change of the champion.
public struct Promotion: Sendable, Hashable {
  /// What made the change.
  public enum Kind: String, Sendable, Hashable {
    /// A model was promoted.
    case promote
    /// The champion before was taken back.
    case rollback
    /// Somebody moved the link by hand; found at the next opening.
    case external
  }

  /// The row's number.
  public var id: Int64
  /// The champion since then.
  public var modelID: String
  /// The champion before.
  public var previousID: String?
  /// What made the change.
  public var kind: Kind
  /// When, Unix seconds.
  public var atUnixSeconds: Int64
  /// Why, for a person.
  public var reason: String
  /// The evaluation that it rests on.
  public var evaluationID: Int64?
  /// The digest of the requests that the model was fitted on.
  public var datasetFingerprint: String?
}

// The link `models/champion` is the truth, since it is what gateways read; the table is its
// history. A change is written down as pending, then made by one rename, then marked done. Whoever
// finds a pending row looks at the link: it shows whether the change was made. All of this happens
// under SQLite's write lock, so a row is settled once.
extension Workspace {
  /// The link that gateways read.
  public var championPath: String { modelsDirectory + "/champion" }

  /// The model that the link names; `nil` without a champion.
  public func champion() -> String? {
    guard let target = FileSystem.linkTarget(championPath), target.hasSuffix(".glide") else {
      return nil
    }
    return String(target.dropLast(6))
  }

  /// Makes a stored model the champion, in one step for every reader of the link.
  ///
  /// When it returns, link and history outlive a crash; a crash meanwhile leaves the old champion
  /// or the new one, and the history is set right at the next opening. Promoting the champion again
  /// changes nothing.
  ///
  /// - Parameters:
  ///   - reason: Why, for a person.
  ///   - evaluation: The evaluation that it rests on.
  /// - Throws: `noSuchModel`, `locked`, `diskFull`, `promotionOvertaken`.
  public func promote(
    _ id: String, reason: String, evaluation: Int64? = nil
  ) throws(LogStoreError) {
    try change(.promote) { _, _ in (id, reason, evaluation) }
  }

  /// Takes back the champion before the present one: the one that it had replaced when it was
  /// promoted.
  ///
  /// - Returns: The new champion.
  /// - Throws: `nothingToRollBackTo`, and all that ``promote(_:reason:evaluation:)`` throws.
  @discardableResult
  public func rollback(reason: String) throws(LogStoreError) -> String {
    try change(.rollback) { current, database in
      let previous = try String.fetchOne(
        database,
        sql: """
          SELECT previous_id FROM promotions
          WHERE state = 'done' AND kind <> 'rollback' AND model_id = ? ORDER BY id DESC LIMIT 1
          """, arguments: [current])
      guard let previous else { throw LogStoreError.nothingToRollBackTo }
      return (previous, reason, nil)
    }
  }

  /// All changes of the champion, the oldest first.
  public func history() throws(LogStoreError) -> [Promotion] {
    try guarded {
      try pool.read { database in
        try Row.fetchAll(
          database, sql: "SELECT * FROM promotions WHERE state = 'done' ORDER BY id"
        ).map { row in
          Promotion(
            id: row["id"], modelID: row["model_id"], previousID: row["previous_id"],
            kind: Promotion.Kind(rawValue: row["kind"]) ?? .external,
            atUnixSeconds: row["at_unix_s"], reason: row["reason"],
            evaluationID: row["evaluation_id"], datasetFingerprint: row["dataset_fingerprint"])
        }
      }
    }
  }

  @discardableResult
  private func change(
    _ kind: Promotion.Kind,
    _ choose: (String?, Database) throws -> (model: String, reason: String, evaluation: Int64?)
  ) throws(LogStoreError) -> String {
    try guarded {
      let intent = try pool.write { database -> (id: Int64, model: String)? in
        try settlePending(database)
        let choice = try choose(champion(), database)
        guard try Self.hasModel(choice.model, database),
          FileSystem.size(modelPath(choice.model)) != nil
        else { throw LogStoreError.noSuchModel(choice.model) }
        if champion() == choice.model { return nil }
        try database.execute(
          sql: """
            INSERT INTO promotions(model_id, previous_id, kind, state, at_unix_s, reason,
              evaluation_id, dataset_fingerprint)
            SELECT id, ?, ?, 'pending', ?, ?, ?, dataset_fingerprint FROM models WHERE id = ?
            """,
          arguments: [
            champion(), kind.rawValue, Self.now(), choice.reason, choice.evaluation, choice.model,
          ])
        return (database.lastInsertedRowID, choice.model)
      }
      guard let intent else { return champion() ?? "" }
      try pool.write { database in
        // Another process may have found the row and given it up.
        let state = try String.fetchOne(
          database, sql: "SELECT state FROM promotions WHERE id = ?", arguments: [intent.id])
        guard state == "pending" else {
          throw LogStoreError.promotionOvertaken(model: intent.model)
        }
        try FileSystem.relink(modelsDirectory, "champion", to: "\(intent.model).glide")
        try Self.mark(intent.id, "done", database)
      }
      return intent.model
    }
  }

  /// Sets the history right after a crash, and writes down a link that was moved by hand.
  func reconcileChampion() throws(LogStoreError) {
    try guarded {
      let isRight = try pool.read { database in
        let last = try Row.fetchOne(
          database,
          sql: "SELECT model_id, state FROM promotions WHERE state <> 'abandoned'"
            + " ORDER BY id DESC LIMIT 1")
        return last.map { $0["state"] == "done" && $0["model_id"] == champion() }
          ?? (champion() == nil)
      }
      if !isRight { try pool.write { database in try settlePending(database) } }
    }
  }

  private func settlePending(_ database: Database) throws {
    let current = champion()
    let pending = try Row.fetchAll(
      database, sql: "SELECT id, model_id FROM promotions WHERE state = 'pending' ORDER BY id")
    for row in pending {
      let model: String = row["model_id"]
      try Self.mark(row["id"], model == current ? "done" : "abandoned", database)
    }
    let last = try String.fetchOne(
      database,
      sql: "SELECT model_id FROM promotions WHERE state = 'done' ORDER BY id DESC LIMIT 1")
    guard let current, current != last else { return }
    try database.execute(
      sql: """
        INSERT INTO promotions(model_id, previous_id, kind, state, at_unix_s, reason)
        VALUES (?, ?, 'external', 'done', ?, 'the link was moved by hand')
        """, arguments: [current, last, Self.now()])
  }

  private static func mark(_ id: Int64, _ state: String, _ database: Database) throws {
    try database.execute(
      sql: "UPDATE promotions SET state = ? WHERE id = ?", arguments: [state, id])
  }
}
