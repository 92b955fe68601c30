internal import Glibc
internal import Synchronization

/// Follows a coefficient file and puts each new version in force.
///
/// Seen are: a rename into place, a switched symbolic link, Kubernetes' `..data` switch, a copy in
/// place, and, within a few rescans, anything that the kernel does not report (network file systems,
/// links further up the path). Files are read, checked and compiled on the watcher's own thread; a
/// file that fails a check is refused and counted, and the old model keeps serving.
///
/// Thread-safe. The watcher stops when ``stop()`` is called or it is released.
public final class ModelWatcher: Sendable {
  /// How a file is watched.
  public struct Configuration: Sendable {
    /// The time between rescans, which see what the kernel did not report; ms, at least 10.
    public var rescanMilliseconds: Int

    /// A configuration; 500 ms between rescans unless told otherwise.
    public init(rescanMilliseconds: Int = 500) {
      self.rescanMilliseconds = max(rescanMilliseconds, 10)
    }
  }

  /// Reads, checks and compiles the file at a path.
  public typealias Loader = @Sendable (_ path: String) -> Result<Predictor, ReloadRefusal>
  /// Is told of each attempt, on the thread that made it: the new version, or why there is none.
  public typealias Observer = @Sendable (Result<UInt64, ReloadRefusal>) -> Void

  private let worker: WatchWorker
  private let thread: WatcherThread

  /// Loads the file at `path` at once, then keeps watching it.
  ///
  /// - Parameters:
  ///   - path: The file; it may be missing at first.
  ///   - model: Where new models are published.
  ///   - observer: Is told of each attempt, the first included.
  ///   - load: Reads, checks and compiles the file.
  public init(
    path: String, publishingTo model: PublishedModel, configuration: Configuration = .init(),
    observer: @escaping Observer = { _ in }, load: @escaping Loader
  ) {
    let worker = WatchWorker(
      path: path, model: model, configuration: configuration, observer: observer, load: load)
    worker.reload(isForced: true)
    self.worker = worker
    thread = WatcherThread { worker.run() }
  }

  deinit { stop() }

  /// What was loaded and refused so far.
  public var status: ReloadStatus { worker.status }

  /// Loads the file now, on the calling thread, even if it looks unchanged.
  ///
  /// - Returns: The version in force, or why the file was refused.
  @discardableResult
  public func reload() -> Result<UInt64, ReloadRefusal> { worker.reload(isForced: true) }

  /// Ends the watcher's thread and waits for it.
  ///
  /// The model in force stays; later calls do nothing.
  public func stop() {
    worker.requestStop()
    thread.join()
  }
}

/// What runs on the watcher's thread.
final class WatchWorker: Sendable {
  private struct Progress {
    var status = ReloadStatus()
    /// The file that was loaded or refused last.
    var attempted: FileIdentity?
  }

  private let path: String
  private let model: PublishedModel
  private let configuration: ModelWatcher.Configuration
  private let observer: ModelWatcher.Observer
  private let load: ModelWatcher.Loader
  private let isStopping = Atomic<Bool>(false)
  private let wakeup: WakeupPipe
  /// Held while a file is loaded, so that two loads never publish in the wrong order.
  private let progress = Mutex(Progress())
  private let published = Mutex(ReloadStatus())

  init(
    path: String, model: PublishedModel, configuration: ModelWatcher.Configuration,
    observer: @escaping ModelWatcher.Observer, load: @escaping ModelWatcher.Loader
  ) {
    self.path = path
    self.model = model
    self.configuration = configuration
    self.observer = observer
    self.load = load
    wakeup = WakeupPipe()
  }

  var status: ReloadStatus { published.withLock { $0 } }

  func requestStop() {
    isStopping.store(true, ordering: .releasing)
    wakeup.signal()
  }

  // MARK: - Loading

  /// Loads the file if it is another than at the last attempt, or if `isForced`.
  @discardableResult
  func reload(isForced: Bool) -> Result<UInt64, ReloadRefusal> {
    let outcome = progress.withLock { progress -> Result<UInt64, ReloadRefusal>? in
      let identity = FileIdentity(path: path)
      guard isForced || (identity != nil && identity != progress.attempted) else { return nil }
      let start = Self.now()
      let (seen, result) = loadWhole(identity)
      progress.attempted = seen
      switch result {
      case .success(let predictor):
        let version = model.publish(predictor)
        progress.status.loadedCount += 1
        progress.status.lastRefusal = nil
        progress.status.lastLoadMilliseconds = Self.now() - start
        published.withLock { $0 = progress.status }
        return .success(version)
      case .failure(let refusal):
        progress.status.note(refusal)
        published.withLock { $0 = progress.status }
        return .failure(refusal)
      }
    }
    guard let outcome else { return .success(model.version) }
    observer(outcome)
    return outcome
  }

  /// Reads the file again if it changed while it was read: half of two files is neither's fault.
  private func loadWhole(
    _ first: FileIdentity?
  ) -> (FileIdentity?, Result<Predictor, ReloadRefusal>) {
    var identity = first
    for _ in 0..<Self.rereads {
      guard let before = identity, before.isRegular else {
        let reason = identity == nil ? "no such file: \(path)" : "not a regular file: \(path)"
        return (identity, .failure(ReloadRefusal(.unreadable, reason)))
      }
      let result = load(path)
      identity = FileIdentity(path: path)
      if identity == before { return (identity, result) }
    }
    return (
      nil, .failure(ReloadRefusal(.unreadable, "the file keeps changing while read: \(path)"))
    )
  }

  private static let rereads = 8

  private static func now() -> Double {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) * 1e3 + Double(time.tv_nsec) * 1e-6
  }

  // MARK: - Watching

  func run() {
    guard var events = FolderEvents(wakeup: wakeup.readEnd) else { return rescanOnly() }
    var isBeingWritten = false
    var suspect: FileIdentity?
    while !isStopping.load(ordering: .acquiring) {
      let resolved = WatchedPath.resolved(path)
      let names = [WatchedPath.name(of: path), resolved.map(WatchedPath.name(of:))]
      let isNewlyWatched = events.watch(
        [WatchedPath.folder(of: path)] + (resolved.map { [WatchedPath.folder(of: $0)] } ?? []))
      // The file may have changed before its folder was watched.
      if isNewlyWatched && !isBeingWritten { reload(isForced: false) }
      let changes = events.wait(milliseconds: Int32(clamping: configuration.rescanMilliseconds))
      if isStopping.load(ordering: .acquiring) { return }
      if changes.isEmpty {
        rescan(&suspect)
        isBeingWritten = false
        continue
      }
      var mayHaveChanged = false
      for change in changes {
        let isOurs = names.contains(change.name)
        if isOurs && change.isBeingWritten { isBeingWritten = true }
        if isOurs && change.isComplete { isBeingWritten = false }
        mayHaveChanged =
          mayHaveChanged || change.isComplete || change.isUncertain
          || (change.isNew && isLink(change.name))
      }
      if mayHaveChanged && !isBeingWritten { reload(isForced: false) }
    }
  }

  private func isLink(_ name: String) -> Bool {
    WatchedPath.isLink(WatchedPath.folder(of: path) + "/" + name)
  }

  private func rescanOnly() {
    var suspect: FileIdentity?
    while !isStopping.load(ordering: .acquiring) {
      var descriptor = pollfd(fd: wakeup.readEnd, events: Int16(POLLIN), revents: 0)
      unsafe poll(&descriptor, 1, Int32(clamping: configuration.rescanMilliseconds))
      if isStopping.load(ordering: .acquiring) { return }
      rescan(&suspect)
    }
  }

  /// Loads a changed file once it has stayed the same between two rescans.
  private func rescan(_ suspect: inout FileIdentity?) {
    let identity = FileIdentity(path: path)
    defer { suspect = identity }
    if let identity, identity == suspect { reload(isForced: false) }
  }
}
