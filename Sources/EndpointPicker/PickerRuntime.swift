internal import AsyncHTTPClient
internal import CoefficientFile
public import Logging
internal import NIOCore
internal import RoutingRuntime
internal import Synchronization

/// A whole picker: endpoints, scrapes, model, request log and admin port around a ``LivePicker``.
///
/// A front end serves ``picker`` on the data port and calls ``drain()`` when the process is asked to
/// end.
public final class PickerRuntime: Sendable {
  /// How a drain went.
  public struct DrainReport: Sendable, Hashable {
    /// Requests that were still in flight when the limit was reached.
    public var abandonedRequests: Int
    /// How long it took, ms.
    public var milliseconds: Double
  }

  /// What it was started with.
  public let configuration: PickerConfiguration
  /// What a front end talks to.
  public let picker: LivePicker
  /// Where the admin port listens.
  public var adminPort: Int { port.withLock { $0 } }

  private let clock: PickerClock
  private let logger: Logger
  private let startedUnixNanoseconds: Int64
  private let gateway: String
  private let models: PublishedModel
  private let history: ReloadHistory
  private let watcher: ModelWatcher?
  private let log: RequestLogQueue?
  private let client: HTTPClient
  private let scraper: MetricsScraper
  private let file: EndpointFileSource?
  private let cluster: KubernetesSource?
  private let progress: Mutex<DrainProgress>
  private let tasks = Mutex<[Task<Void, Never>]>([])
  private let draining = Mutex<Task<DrainReport, Never>?>(nil)
  private let hasStopped = Mutex(false)
  private let port = Mutex(0)
  private let admin = Mutex<AdminServer?>(nil)

  private static let upkeepMilliseconds = 100
  private static let drainPollMilliseconds = 20

  /// Starts a picker: reads the model and the endpoints, then scrapes, logs and listens.
  ///
  /// A missing or refused model file is no reason not to start: requests are then routed by load.
  ///
  /// - Throws: ``EndpointPickerError`` for a configuration, endpoint file or port that will not do.
  public static func start(
    _ configuration: PickerConfiguration, clock: PickerClock = .system,
    logger: Logger = Logger(label: "glidepath")
  ) async throws(EndpointPickerError) -> PickerRuntime {
    try configuration.validate()
    let runtime = try PickerRuntime(configuration, clock: clock, logger: logger)
    do throws(EndpointPickerError) {
      try await runtime.listen()
    } catch {
      await runtime.stop()
      throw error
    }
    runtime.follow()
    return runtime
  }

  private init(
    _ configuration: PickerConfiguration, clock: PickerClock, logger: Logger
  ) throws(EndpointPickerError) {
    var logger = logger
    if let level = Logger.Level(rawValue: configuration.logLevel) { logger.logLevel = level }
    self.configuration = configuration
    self.clock = clock
    let started = clock.unixNanoseconds()
    startedUnixNanoseconds = started
    let settings = try PickerSettings(configuration, startedUnixNanoseconds: started)
    gateway = settings.gateway
    logger[metadataKey: "gateway"] = "\(settings.gateway)"
    self.logger = logger
    // What can fail comes first, so that nothing is left running.
    let verify =
      configuration.model.publicKeyFile.isEmpty
      ? nil : try SigningKey.verifier(path: configuration.model.publicKeyFile)
    try Self.checkEndpointFile(configuration.endpoints.file)
    let source = configuration.endpoints.kubernetes
    let connection = source.isEnabled ? try KubernetesSource.connection(source) : nil
    models = PublishedModel()
    history = ReloadHistory()
    log =
      configuration.requestLog.folder.isEmpty
      ? nil
      : try RequestLogQueue(
        configuration.requestLog, gateway: gateway, pool: configuration.pool, clock: clock,
        logger: logger)
    picker = LivePicker(
      settings: settings, models: models, clock: clock, sink: log, logger: logger)
    client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: Self.scrapeSettings)
    scraper = MetricsScraper(
      configuration.scrape, picker: picker, client: client, logger: logger)
    let fleet = EndpointFleet(picker: picker, scraper: scraper, logger: logger)
    file =
      configuration.endpoints.file.isEmpty
      ? nil
      : EndpointFileSource(path: configuration.endpoints.file, fleet: fleet, logger: logger)
    cluster = connection.map { connection in
      KubernetesSource(source, connection: connection, fleet: fleet, logger: logger)
    }
    watcher =
      configuration.model.path.isEmpty
      ? nil
      : Self.watch(configuration.model, models, history, verify, clock: clock, logger: logger)
    progress = Mutex(DrainProgress(configuration.drain))
    file?.refresh()
  }

  private static var scrapeSettings: HTTPClient.Configuration {
    var settings = HTTPClient.Configuration()
    settings.redirectConfiguration = .disallow
    settings.connectionPool.idleTimeout = .seconds(30)
    // A refused connection is an answer: the next scrape tries again soon enough.
    settings.connectionPool.retryConnectionEstablishment = false
    return settings
  }

  /// A file that is there at the start must be good; one that is not may still come.
  private static func checkEndpointFile(_ path: String) throws(EndpointPickerError) {
    guard !path.isEmpty, SystemCall.identity(path) != nil else { return }
    _ = try EndpointFile.parse(
      try SystemCall.read(path, limit: EndpointFile.maximumBytes), name: path)
  }

  private static func watch(
    _ configuration: PickerConfiguration.Model, _ models: PublishedModel,
    _ history: ReloadHistory,
    _ verify: (@Sendable ([UInt8], [UInt8]) -> Bool)?, clock: PickerClock, logger: Logger
  ) -> ModelWatcher {
    ModelWatcher(
      path: configuration.path, publishingTo: models,
      configuration: ModelWatcher.Configuration(
        rescanMilliseconds: configuration.rescanMilliseconds), verify: verify
    ) { outcome in
      history.note(outcome, unixNanoseconds: clock.unixNanoseconds())
      switch outcome {
      case .success(let version):
        logger.notice("a model is in force", metadata: ["version": "\(version)"])
      case .failure(let refusal):
        logger.error(
          "a model was refused",
          metadata: ["kind": "\(refusal.kind)", "reason": "\(refusal.reason)"])
      }
    }
  }

  private func listen() async throws(EndpointPickerError) {
    let server = AdminServer(
      actions: AdminServer.Actions(
        snapshot: { [self] in snapshot() }, readiness: { [self] in readiness },
        reload: { [self] in reload() }, drain: { [self] in _ = startDraining() }), logger: logger)
    let bound = try await server.start(configuration.admin)
    port.withLock { $0 = bound }
    admin.withLock { $0 = server }
    logger.notice(
      "the admin port listens",
      metadata: ["address": "\(configuration.admin.address)", "port": "\(bound)"])
  }

  /// Starts what goes on in the background.
  private func follow() {
    tasks.withLock { tasks in
      tasks.append(
        Task { [picker] in
          while !Task.isCancelled {
            picker.maintain()
            try? await Task.sleep(for: .milliseconds(Self.upkeepMilliseconds))
          }
        })
      if let file {
        let interval = configuration.endpoints.fileIntervalMilliseconds
        tasks.append(Task { await file.follow(everyMilliseconds: interval) })
      }
      if let cluster { tasks.append(Task { await cluster.follow() }) }
    }
  }

  // MARK: - State

  /// Whether requests should come here, and why not.
  public var readiness: Readiness {
    var readiness = Readiness()
    if !progress.withLock({ $0.isServing }) { readiness.reasons.append("draining") }
    if picker.endpointCount == 0 { readiness.reasons.append("no endpoints are known") }
    return readiness
  }

  /// Reads the model file now, on the calling thread.
  func reload() -> Result<UInt64, AdminServer.ReloadRefused> {
    guard let watcher else {
      return .failure(AdminServer.ReloadRefused(reason: "model.path is not set"))
    }
    return watcher.reload().mapError { AdminServer.ReloadRefused(reason: $0.reason) }
  }

  func snapshot() -> AdminSnapshot {
    var sources: [String: SourceStatus] = [:]
    if let file { sources["file"] = file.status }
    if let cluster { sources["kubernetes"] = cluster.status }
    return AdminSnapshot(
      gateway: gateway, pool: configuration.pool, unixNanoseconds: clock.unixNanoseconds(),
      startedUnixNanoseconds: startedUnixNanoseconds, report: picker.report(),
      reloads: history.totals, log: log?.status, sources: sources, readiness: readiness)
  }

  // MARK: - The end

  /// Withdraws readiness, waits for the requests in flight up to the limit, lets the front end close,
  /// writes out the log and stops.
  ///
  /// New requests are picked for until the front end has closed: what sends them needs time to
  /// notice. They are logged like any other.
  ///
  /// - Parameter closeFrontEnd: Ends the calls that are left, and takes no more.
  @discardableResult
  public func drain(closeFrontEnd: () async -> Void = {}) async -> DrainReport {
    let report = await startDraining().value
    await closeFrontEnd()
    await stop()
    logger.notice(
      "drained",
      metadata: [
        "abandoned": "\(report.abandonedRequests)", "ms": "\(Int(report.milliseconds))",
      ])
    return report
  }

  /// Returns once a drain has been asked for, by ``drain()`` or on the admin port.
  ///
  /// A front end waits for it to learn that the process is to end; cancelling ends the wait.
  public func waitForDrainRequest() async {
    while progress.withLock({ $0.isServing }), !hasStopped.withLock({ $0 }), !Task.isCancelled {
      try? await Task.sleep(for: .milliseconds(Self.drainPollMilliseconds))
    }
  }

  private func startDraining() -> Task<DrainReport, Never> {
    draining.withLock { draining in
      if let draining { return draining }
      let start = clock.milliseconds()
      _ = progress.withLock { $0.begin(at: start) }
      logger.notice("draining", metadata: ["in_flight": "\(picker.requestsInFlight)"])
      let task = Task { await self.finishDraining(since: start) }
      draining = task
      return task
    }
  }

  private func finishDraining(since start: Double) async -> DrainReport {
    while !progress.withLock({ progress in
      progress.isOver(requestsInFlight: picker.requestsInFlight, at: clock.milliseconds())
    }) {
      try? await Task.sleep(for: .milliseconds(Self.drainPollMilliseconds))
    }
    return DrainReport(
      abandonedRequests: picker.requestsInFlight, milliseconds: clock.milliseconds() - start)
  }

  /// Ends everything at once, but writes the log's lines; later calls do nothing.
  public func stop() async {
    let isFirst = hasStopped.withLock { hasStopped in
      defer { hasStopped = true }
      return !hasStopped
    }
    guard isFirst else { return }
    let running = tasks.withLock { $0 }
    for task in running { task.cancel() }
    for task in running { await task.value }
    await scraper.stop()
    await cluster?.shutdown()
    watcher?.stop()
    let server = admin.withLock { admin in
      defer { admin = nil }
      return admin
    }
    await server?.stop()
    log?.stop()
    try? await client.shutdown()
  }
}
