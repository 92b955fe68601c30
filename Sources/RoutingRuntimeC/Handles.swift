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

  /// Tells whether a signature is right; `nil` accepts files without one.
  private let verify: Verification?

  typealias Verification = @Sendable (_ message: [UInt8], _ signature: [UInt8]) -> Bool

  init(path: String, isWatched: Bool, verify: Verification? = nil) {
    self.path = path
    self.verify = verify
    watcher =
      isWatched ? ModelWatcher(path: path, publishingTo: published, verify: verify) : nil
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
    let loaded = Predictor.load(path: path, verify: verify)
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
  var router: Router
  /// Whether the host chose the policy; else a model's own policy is taken up with it.
  var hasChosenPolicy = false
  /// Kept for its memory.
  var request = RoutingRequest(promptTokens: 0)
  var subset: [Int] = []
  var matched: [Double] = []
  var predictions: [Prediction] = []

  init(_ published: PublishedModel, configuration: Router.Configuration) {
    reader = ModelReader(published)
    var policy = RoutingPolicy.predictedCost(PredictedCostParameters())
    if let section = reader.predictor?.model.policy, !section.isEmpty {
      policy = .predictedCost(PredictedCostParameters(section))
    }
    router = Router(predictor: reader.predictor, policy: policy, configuration: configuration)
  }

  /// Takes up the newest model.
  func refresh() {
    guard reader.refresh(), let predictor = reader.predictor else { return }
    let chosen = router.policy
    router.install(predictor)
    if hasChosenPolicy { router.policy = chosen }
  }

  func has(_ endpoint: Int32) -> Bool { endpoint >= 0 && Int(endpoint) < router.endpointCount }
}
