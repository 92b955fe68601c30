import Foundation
import GRDB

/// A folder with everything learned from a gateway's logs: requests, models and their history.
///
/// `glidepath.sqlite` has the tables, `models/` the coefficient files with the link `champion`, and
/// `reports/` the accuracy reports. Several processes may use it at once; one writes at a time.
/// What a call has stored when it returns survives a crash of the machine, and nothing is ever half
/// stored.
public final class Workspace: Sendable {
  /// The folder.
  public let directory: String
  /// How long a call waits for another process's write, in seconds.
  public let lockWaitSeconds: Double
  let pool: DatabasePool

  /// Where the tables are.
  public var databasePath: String { directory + "/glidepath.sqlite" }
  /// Where the models are.
  public var modelsDirectory: String { directory + "/models" }
  /// Where the reports are.
  public var reportsDirectory: String { directory + "/reports" }

  /// Opens the workspace in `directory`, or makes one there.
  ///
  /// - Parameters:
  ///   - create: Whether a folder without a workspace gets one.
  ///   - lockWaitSeconds: How long a call waits for another process's write, at least 0.
  /// - Throws: `notAWorkspace`, `newerSchema`, `locked`, `corrupt`, `readOnly`, `inputOutput`.
  public init(
    directory: String, create: Bool, lockWaitSeconds: Double = 20
  ) throws(LogStoreError) {
    let path = directory + "/glidepath.sqlite"
    let size = FileSystem.size(path)
    if !create, (size ?? 0) == 0 {
      throw .notAWorkspace(path: directory, detail: "glidepath.sqlite is not there")
    }
    if create {
      try FileSystem.makeFolder(directory + "/models")
      try FileSystem.makeFolder(directory + "/reports")
    }
    self.directory = directory
    self.lockWaitSeconds = lockWaitSeconds
    pool = try LogStoreError.mapping(path, waited: lockWaitSeconds) {
      try DatabasePool(path: path, configuration: Self.configuration(lockWaitSeconds))
    }
    try guarded {
      // GRDB has set NORMAL by now. There is one commit for each file, so its fsync costs nothing,
      // and a promotion that was reported as done must outlive a power cut.
      try pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = FULL") }
      if try !Self.isCurrent(pool, path) { try Schema.migrator.migrate(pool) }
    }
    try reconcileChampion()
    try removeTemporaryFiles()
  }

  /// Runs `body` and turns what it throws into this module's error.
  func guarded<Result>(_ body: () throws -> Result) throws(LogStoreError) -> Result {
    try LogStoreError.mapping(databasePath, waited: lockWaitSeconds, body)
  }

  /// Removes what a crash has left in `models/`; under the write lock nobody is using it.
  private func removeTemporaryFiles() throws(LogStoreError) {
    func isTemporary(_ name: String) -> Bool { name.hasPrefix(".") && name.hasSuffix(".tmp") }
    guard FileSystem.names(in: modelsDirectory).contains(where: isTemporary) else { return }
    try guarded {
      try pool.write { _ in
        for name in FileSystem.names(in: modelsDirectory) where isTemporary(name) {
          FileSystem.remove("\(modelsDirectory)/\(name)")
        }
      }
    }
  }

  private static func configuration(_ lockWaitSeconds: Double) -> Configuration {
    var configuration = Configuration()
    configuration.busyMode = .timeout(lockWaitSeconds)
    configuration.label = "glidepath"
    configuration.prepareDatabase { database in
      try database.execute(sql: "PRAGMA cache_size = -32768")
      if database.configuration.readonly { return }
      try database.execute(sql: "PRAGMA journal_size_limit = 67108864")
      guard try Int.fetchOne(database, sql: "PRAGMA schema_version") == 0 else { return }
      // These are laid down with the file. 32 KiB was the fastest of 16, 32 and 64: a chunk
      // is some 45 KiB.
      try database.execute(sql: "PRAGMA page_size = 32768")
      try database.execute(sql: "PRAGMA auto_vacuum = INCREMENTAL")
    }
    return configuration
  }

  /// Whether the schema is complete; refuses databases of other programs and of later versions.
  private static func isCurrent(_ pool: DatabasePool, _ path: String) throws -> Bool {
    try pool.read { database in
      let application = try Int.fetchOne(database, sql: "PRAGMA application_id") ?? 0
      // GRDB's own tables stand there before ours do.
      let tables = try Int.fetchOne(
        database, sql: "SELECT count(*) FROM sqlite_master WHERE tbl_name NOT LIKE 'grdb%'")
      if tables != 0, application != Schema.applicationID {
        throw LogStoreError.notAWorkspace(
          path: path, detail: "the database belongs to another program")
      }
      if try Schema.migrator.hasBeenSuperseded(database) {
        throw LogStoreError.newerSchema(path: path)
      }
      return try Schema.migrator.hasCompletedMigrations(database)
    }
  }

  /// Closes the database; calls after this fail.
  public func close() throws(LogStoreError) {
    try guarded { try pool.close() }
  }

  /// The wall clock, in whole seconds since 1970.
  static func now() -> Int64 { Int64(Date().timeIntervalSince1970) }
}
