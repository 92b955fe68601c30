extension Workspace {
  /// Runs `body` while no other process retrains in this workspace.
  ///
  /// Ingests, promotions and reading go on meanwhile. The lock is the system's on `retrain.lock` and
  /// ends with the process, whatever becomes of it. A file system without locks has none.
  ///
  /// - Throws: ``LogStoreError/retrainRunning(directory:)`` at once when another holds it, and what
  ///   `body` throws.
  public func withRetrainLock<Result>(_ body: () throws -> Result) throws -> Result {
    let lock = FileSystem.lock(directory + "/retrain.lock")
    defer { lock.release() }
    if lock.isElsewhere { throw LogStoreError.retrainRunning(directory: directory) }
    return try body()
  }
}
