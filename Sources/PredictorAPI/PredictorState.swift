internal import CoefficientFile
internal import Logging
internal import PredictorEntries
internal import RoutingRuntime
internal import Synchronization

/// What both APIs share: the model in force, the posted entries, and what was counted.
final class PredictorState: Sendable {
  /// What was counted since the start.
  struct Counts: Sendable {
    var ttftEntries = 0
    var tpotEntries = 0
    var predictions = 0
    var refusedBodies = 0
    var newEntries = 0
    var fits = 0
    var promotions = 0
    /// When the model in force was loaded, ns since 1970.
    var lastModelLoad: Int64?
    /// When the last fit ended, ns since 1970.
    var lastFit: Int64?
    /// How the last fit ended, in words.
    var lastFitOutcome = "none yet"
  }

  let configuration: PredictorConfiguration
  let entries: EntryLog
  let model = PublishedModel()
  let counts = Mutex(Counts())
  let logger: Logger
  private let prior: Predictor?
  private let watcher = Mutex<ModelWatcher?>(nil)

  init(_ configuration: PredictorConfiguration, logger: Logger) throws(PredictorAPIError) {
    try configuration.validate()
    self.configuration = configuration
    self.logger = logger
    do throws(PredictorEntriesError) {
      _ = try EntryLog(folder: configuration.folder)
      entries = try EntryLog(
        folder: configuration.entriesFolder, configuration: configuration.entryLog)
    } catch { throw .entries(error) }
    prior = try? Predictor.compile(EntryPrior.model).get()
    watch()
  }

  /// The model that answers; the prior until there is a fitted one.
  var predictor: Predictor? { model.predictor ?? prior }

  /// Whether a fitted model is in force.
  var isFitted: Bool { model.version > 0 }

  /// Loads the model's file now.
  func reload() -> Result<UInt64, ReloadRefusal> {
    watcher.withLock { $0 }?.reload()
      ?? .failure(ReloadRefusal(.unreadable, "the server is stopping"))
  }

  /// Ends the watching of the file.
  func stop() {
    let last = watcher.withLock { watcher in
      defer { watcher = nil }
      return watcher
    }
    last?.stop()
    try? entries.synchronize()
  }

  private func watch() {
    let made = ModelWatcher(
      path: configuration.modelPath, publishingTo: model,
      observer: { [weak self] in self?.didTryToLoad($0) },
      load: { path in
        Predictor.load(path: path).flatMap { predictor in
          // A gateway's own model asks for an emulated engine, which an entry cannot tell of.
          predictor.isOfEntries
            ? .success(predictor)
            : .failure(
              ReloadRefusal(
                .schemaMismatch,
                "\(path): fitted on a gateway's log and not on posted entries; use fit-entries"))
        }
      })
    watcher.withLock { $0 = made }
    // The first load happened before the observer could reach this object.
    if isFitted { counts.withLock { $0.lastModelLoad = WireTime.now() } }
  }

  private func didTryToLoad(_ result: Result<UInt64, ReloadRefusal>) {
    switch result {
    case .success(let version):
      counts.withLock { $0.lastModelLoad = WireTime.now() }
      logger.info("model loaded", metadata: ["version": "\(version)"])
    case .failure(let refusal) where refusal.kind == .unreadable && !isFitted:
      logger.info("no model yet; the prior answers", metadata: ["path": "\(refusal.reason)"])
    case .failure(let refusal):
      logger.error("model refused", metadata: ["reason": "\(refusal.reason)"])
    }
  }
}

extension PredictorState {
  /// The kind of model, in the API's vocabulary: of its names, the one for linear models.
  static let modelType = "bayesian_ridge"

  /// `mean` or `quantile`.
  var objective: String {
    switch configuration.head {
    case .mean: "mean"
    case .quantile: "quantile"
    }
  }

  /// The level that is predicted; 0.5 stands in for the mean.
  var level: Double {
    switch configuration.head {
    case .mean: 0.5
    case .quantile(let level): level
    }
  }
}
