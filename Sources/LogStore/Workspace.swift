import Foundation
import GRDB

/// A folder with everything learned from a gateway's logs: requests, models and their history.
///
/// `glidepath.sqlite` has the tables, `models/` the coefficient files with the link `champion`, and
/// `reports/` the accuracy reports. Several processes may use it at once; one writes at a time. What a
/// call has stored when it returns survives a crash of the machine, and nothing is ever half stored.
public final class Workspace: Sendable {
  /// How long a call waits for another process's write, in seconds.
  public static let lockWaitSeconds = 20.0

  /// The folder.
  public let directory: String
  let pool: DatabasePool

  /// Where the tables are.
  public var databasePath: String { directory + "/glidepath.sqlite" }
  /// Where the models are.
  public var modelsDirectory: String { directory + "/models" }
  /// Where the reports are.
  public var reportsDirectory: String { directory + "/reports" }

  /// Opens the workspace in `directory`, or makes one there.
  ///
  /// - Parameter create: Whether a folder without a workspace gets one.
  /// - Throws: `notAWorkspace`, `newerSchema`, `locked`, `corrupt`, `readOnly`, `inputOutput`.
  public init(directory: String, create: Bool) throws(LogStoreError) {
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
    pool = try LogStoreError.mapping(path) {
      try DatabasePool(path: path, configuration: Self.configuration)
    }
    try LogStoreError.mapping(path) { [pool] in
      try Self.check(pool, path)
      try Schema.migrator.migrate(pool)
    }
    try reconcileChampion()
  }

  private static var configuration: Configuration {
    var configuration = Configuration()
    configuration.busyMode = .timeout(lockWaitSeconds)
    configuration.label = "glidepath"
    configuration.prepareDatabase { database in
      try database.execute(sql: "PRAGMA cache_size = -32768")
      if database.configuration.readonly { return }
      // Both take effect only while the file is made.
      try database.execute(sql: "PRAGMA page_size = 16384")
      try database.execute(sql: "PRAGMA auto_vacuum = INCREMENTAL")
      // One commit for each file: the second fsync costs nothing, and a promotion that was reported
      // as done must outlive a power cut.
      try database.execute(sql: "PRAGMA synchronous = FULL")
      try database.execute(sql: "PRAGMA journal_size_limit = 67108864")
    }
    return configuration
  }

  /// Refuses databases of other programs and of later versions.
  private static func check(_ pool: DatabasePool, _ path: String) throws {
    try pool.read { database in
      let application = try Int.fetchOne(database, sql: "PRAGMA application_id") ?? 0
      let tables = try Int.fetchOne(database, sql: "SELECT count(*) FROM sqlite_master") ?? 0
      if tables > 0, application != Schema.applicationID {
        throw LogStoreError.notAWorkspace(
          path: path, detail: "the database belongs to another program")
      }
      if try Schema.migrator.hasBeenSuperseded(database) {
        throw LogStoreError.newerSchema(path: path)
      }
    }
  }

  /// Closes the database; calls after this fail.
  public func close() throws(LogStoreError) {
    try LogStoreError.mapping(databasePath) { try pool.close() }
  }

  /// The wall clock, in whole seconds since 1970.
  static func now() -> Int64 { Int64(Date().timeIntervalSince1970) }
}
