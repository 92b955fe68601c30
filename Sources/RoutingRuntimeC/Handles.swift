internal import CoefficientFile
internal import RoutingRuntime
internal import Synchronization

/// What a `glidepath_model` points to.
final class ModelHandle: Sendable {
  let published = PublishedModel()
  private let path: String
  private let watcher: ModelWatcher?
  /// Without a watcher, what it would count.
  private let counts = Mutex<(loaded: UInt64, refused: UInt64, refusal: ReloadRefusal?)>(
    (0, 0, nil))

  init(path: String, isWatched: Bool) {
    self.path = path
    watcher = isWatched ? ModelWatcher(path: path, publishingTo: published) : nil
    if !isWatched { _ = reload() }
  }

  func close() { watcher?.stop() }

  var refusal: ReloadRefusal? {
    watcher.map { $0.status.lastRefusal } ?? counts.withLock { $0.refusal }
  }

  var loadedAndRefused: (UInt64, UInt64) {
    if let status = watcher?.status { return (status.loadedCount, status.refusedCount) }
    return counts.withLock { ($0.loaded, $0.refused) }
  }

  func reload() -> Result<UInt64, ReloadRefusal> {
    if let watcher { return watcher.reload() }
    let loaded = Predictor.load(path: path)
    return counts.withLock { counts in
      switch loaded {
      case .success(let predictor):
        counts.loaded += 1
        counts.refusal = nil
        return .success(published.publish(predictor))
      case .failure(let refusal):
        counts.refused += 1
        counts.refusal = refusal
        return .failure(refusal)
      }
    }
  }
}

/// What a `glidepath_pool` points to; one thread uses it at a time.
final class PoolHandle {
  var reader: ModelReader
  var pool: EndpointPool

  init(_ published: PublishedModel) {
    reader = ModelReader(published)
    pool = EndpointPool(predictor: reader.predictor)
  }

  /// Takes up the newest model.
  func refresh() {
    if reader.refresh(), let predictor = reader.predictor { pool.install(predictor) }
  }

  func has(_ endpoint: Int32) -> Bool { endpoint >= 0 && Int(endpoint) < pool.endpoints.count }
}
