import GRDB
public import RequestLog

extension Workspace {
  /// Takes the requests of `inputs` (paths, patterns, "-") that are not stored yet.
  ///
  /// Each file is one transaction. A file that was ingested before is not read again, or only from
  /// where it has grown; a request that is stored already, from whatever file, is counted as a
  /// duplicate. An ingest that throws changes nothing: files that it had committed before are taken
  /// back.
  ///
  /// - Throws: `log` for an input that cannot be read or has too many bad lines; `locked`,
  ///   `diskFull`.
  public func ingest(
    _ inputs: [String], configuration: LogReader.Configuration,
    progress: LogReader.ProgressHandler? = nil
  ) throws(LogStoreError) -> IngestSummary {
    var run = IngestRun(configuration: configuration)
    let paths = inputs.flatMap(FileSystem.expand)
    let sizes = paths.map { FileSystem.isPlainFile($0) ? FileSystem.size($0) : nil }
    let total = sizes.contains(nil) ? nil : sizes.reduce(0) { $0 + ($1 ?? 0) }
    var done: Int64 = 0
    do {
      for (path, size) in zip(paths, sizes) {
        try guarded {
          let before = done
          try ingest(path, &run) { progress?(before + $0, total) }
        }
        done += size ?? 0
        progress?(done, total)
      }
    } catch {
      try takeBack(run.undo)
      throw error
    }
    try shrinkWAL()
    let summary = run.summary
    // The ledger and the parsers' blocks are gone; a fit in this process should not come on top.
    run = IngestRun(configuration: configuration)
    FileSystem.returnFreedMemory()
    return summary
  }

  private func ingest(
    _ path: String, _ run: inout IngestRun, _ progress: @escaping (Int64) -> Void
  ) throws {
    // Pipes cannot be probed: they are read, and their requests told apart by id alone.
    let probe = FileSystem.isPlainFile(path) ? try SourceProbe(path: path) : nil
    let committed = run.undo
    do {
      try pool.writeWithoutTransaction { database in
        try database.inTransaction(.immediate) {
          try run.forgetIfOthersWrote(database)
          let (known, kind) = try Self.find(probe, path, database)
          if let known, kind == .unchanged {
            run.summary.files.append(.init(path: path, kind: .unchanged))
            if known.path != FileSystem.resolved(path) { try run.rename(known, path, database) }
          } else {
            try Self.read(path, probe, known, kind, &run, database, progress)
          }
          return .commit
        }
      }
    } catch {
      run.undo = committed
      throw error
    }
  }

  /// What is stored of the file, under this name or another.
  private static func find(
    _ probe: SourceProbe?, _ path: String, _ database: Database
  ) throws -> (SourceFile?, IngestSummary.Kind) {
    guard let probe else { return (nil, .new) }
    let sameName = try SourceFile.fetch(
      database, "path = ? ORDER BY id DESC LIMIT 8", FileSystem.resolved(path))
    let sameHead = try SourceFile.fetch(
      database, "head_hash = ? ORDER BY id DESC LIMIT 64", probe.headHash)
    for known in sameName + sameHead where try probe.continues(known) {
      let isWhole = probe.size == known.storedBytes
      return (known, isWhole ? .unchanged : .grown)
    }
    return (nil, sameName.isEmpty ? .new : .replaced)
  }

  private static func read(
    _ path: String, _ probe: SourceProbe?, _ known: SourceFile?, _ kind: IngestSummary.Kind,
    _ run: inout IngestRun, _ database: Database, _ progress: @escaping (Int64) -> Void
  ) throws {
    try run.begin(database)
    var file = known ?? SourceFile(path: FileSystem.resolved(path))
    if let known { run.undo.changed.append(known) }
    if known == nil {
      file.id = 1 + (try Int64.fetchOne(database, sql: "SELECT max(id) FROM files") ?? 0)
      file.firstIngest = run.undo.ingest
      run.undo.created.append(file.id)
      // The row must stand before others refer to it.
      file.lastIngest = run.undo.ingest
      try file.save(database)
    }
    file.lastIngest = run.undo.ingest
    file.path = FileSystem.resolved(path)
    var writer = try ChunkWriter(database, ingestID: run.undo.ingest, fileID: file.id)
    let quarantine = try QuarantineWriter(database, ingestID: run.undo.ingest, fileID: file.id)
    var reader = LogReader(try run.readerConfiguration(for: file))
    let read = try reader.read(
      file: path, from: file.resumeOffset, line: file.resumeLine,
      onBatch: { batch, symbols in try writer.add(batch, symbols, &run.ledger) },
      onRejected: { try quarantine.add($0) },
      progress: { done, _ in progress(done) })
    try writer.finish()
    try run.judge(file, read)
    var outcome = IngestSummary.File(path: path, kind: kind)
    outcome.added = writer.added
    outcome.duplicates = writer.duplicates
    outcome.quarantined = read.rejected
    outcome.skipped = read.skipped
    try Self.finish(&file, read, outcome, probe, database)
    run.summary.files.append(outcome)
  }

  private static func finish(
    _ file: inout SourceFile, _ read: ReadSummary, _ outcome: IngestSummary.File,
    _ probe: SourceProbe?, _ database: Database
  ) throws {
    file.added += outcome.added
    file.duplicates += outcome.duplicates
    file.quarantined += outcome.quarantined
    file.skipped += outcome.skipped
    file.resumeOffset = read.resumeOffset
    file.resumeLine = read.resumeLine
    if let probe {
      file.storedBytes = probe.isPlain ? read.resumeOffset : probe.size
      // Of a file that grew while it was read the probe's head may be short: probe again.
      let after = try SourceProbe(path: probe.path)
      file.headHash = after.headHash(end: file.storedBytes)
      file.tailHash = try after.tailHash(end: file.storedBytes)
    }
    try file.save(database)
  }

  /// Undoes the files that a failed ingest had committed.
  private func takeBack(_ undo: IngestUndo) throws(LogStoreError) {
    if undo.created.isEmpty, undo.changed.isEmpty { return }
    try guarded {
      try pool.write { database in
        for table in ["request_chunks", "quarantine"] {
          try database.execute(
            sql: "DELETE FROM \(table) WHERE ingest_id = ?", arguments: [undo.ingest])
        }
        for id in undo.created {
          try database.execute(sql: "DELETE FROM files WHERE id = ?", arguments: [id])
        }
        // The first copy of a file that was read twice is the one from before.
        for file in undo.changed.reversed() where !undo.created.contains(file.id) {
          try file.save(database)
        }
        try database.execute(sql: "DELETE FROM ingests WHERE id = ?", arguments: [undo.ingest])
      }
    }
  }
}

/// What one ingest has committed so far.
struct IngestUndo {
  /// The ingest's row; 0 while it has none.
  var ingest: Int64 = 0
  /// Known files as they were before.
  var changed: [SourceFile] = []
  /// The ids of files that were not known.
  var created: [Int64] = []
}

/// What one ingest carries from file to file.
struct IngestRun {
  let configuration: LogReader.Configuration
  var ledger = IdentityLedger()
  var summary = IngestSummary()
  var undo = IngestUndo()
  private var dataVersion: Int64?

  init(configuration: LogReader.Configuration) { self.configuration = configuration }

  /// What we remember of the store is void when another process has written since.
  mutating func forgetIfOthersWrote(_ database: Database) throws {
    let version = try Int64.fetchOne(database, sql: "PRAGMA data_version")
    if version != dataVersion { ledger = IdentityLedger() }
    dataVersion = version
  }

  /// Gives the ingest its row.
  mutating func begin(_ database: Database) throws {
    if undo.ingest != 0 { return }
    try database.execute(
      sql: "INSERT INTO ingests(started_unix_s) VALUES (?)", arguments: [Workspace.now()])
    undo.ingest = database.lastInsertedRowID
  }

  mutating func rename(_ file: SourceFile, _ path: String, _ database: Database) throws {
    undo.changed.append(file)
    var moved = file
    moved.path = FileSystem.resolved(path)
    try moved.save(database)
  }

  /// A file that has grown is judged as a whole, after reading: a few new lines say little.
  func readerConfiguration(for file: SourceFile) throws -> LogReader.Configuration {
    guard file.resumeOffset > 0 else { return configuration }
    return try LogReader.Configuration(
      threads: configuration.threads, mapping: configuration.mapping, maximumBadShare: 1,
      batchRows: configuration.batchRows, limits: configuration.limits)
  }

  /// Throws when a grown file has too many bad lines now.
  func judge(_ file: SourceFile, _ read: ReadSummary) throws {
    var whole = read
    whole.rows += file.added + file.duplicates
    whole.rejected += file.quarantined
    guard whole.badShare > configuration.maximumBadShare, read.rejected > 0 else { return }
    throw RequestLogError.tooManyRejected(
      summary: whole, maximumShare: configuration.maximumBadShare, reasons: [])
  }
}

extension SourceFile {
  fileprivate static func fetch(
    _ database: Database, _ condition: String, _ argument: String
  ) throws -> [SourceFile] {
    try Row.fetchAll(
      database, sql: "SELECT * FROM files WHERE \(condition)", arguments: [argument]
    ).map(SourceFile.init(row:))
  }
}
