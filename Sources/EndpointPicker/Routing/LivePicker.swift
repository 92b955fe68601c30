internal import CoefficientFile
public import Logging
public import RoutingRuntime
internal import Synchronization

/// What a ``LivePicker`` does by, besides its model.
public struct PickerSettings: Sendable, Hashable {
  /// This replica's name in logs.
  public var gateway = "gateway"
  /// When this process began, ns since 1970: makes request ids unique.
  public var startedUnixNanoseconds: Int64 = 0
  /// The policy whatever the model says; `nil` for the model's.
  public var policy: RoutingPolicy?
  /// Sizes and the seed of the router.
  public var router = Router.Configuration()
  /// Snapshots older than this are ignored, ms.
  public var staleMilliseconds = 2_000.0
  /// Failed scrapes in a row that make an endpoint unavailable; 0 for never.
  public var scrapeFailures = 5
  /// Failed requests in a row that eject an endpoint; 0 for never.
  public var outlierFailures = 5
  /// How long a first ejection lasts, ms.
  public var ejectionMilliseconds = 10_000.0
  /// Streams that stand still this long make their endpoint stalled, ms; 0 for never.
  public var stallMilliseconds = 2_000.0
  /// A request in flight longer than this is taken for ended, ms.
  public var lifetimeMilliseconds = 3_600_000.0
  /// Chunk arrivals noted per request; 0 for none.
  public var chunkOffsets = 512

  /// The defaults.
  public init() {}

  /// What a configuration says.
  ///
  /// - Throws: ``EndpointPickerError`` for a policy that does not exist.
  public init(
    _ configuration: PickerConfiguration, startedUnixNanoseconds: Int64
  ) throws(EndpointPickerError) {
    gateway = configuration.gateway.isEmpty ? SystemCall.hostName : configuration.gateway
    self.startedUnixNanoseconds = startedUnixNanoseconds
    policy = try configuration.policy.routingPolicy()
    let seed =
      configuration.policy.seed == 0
      ? UInt64(bitPattern: startedUnixNanoseconds) : UInt64(configuration.policy.seed)
    router = Router.Configuration(
      prefixCapacity: configuration.limits.prefixCapacity,
      requestCapacity: configuration.limits.requestCapacity, seed: seed)
    staleMilliseconds = Double(configuration.scrape.staleMilliseconds)
    scrapeFailures =
      configuration.scrape.isEnabled ? configuration.scrape.failuresUntilUnavailable : 0
    outlierFailures = configuration.outliers.consecutiveFailures
    ejectionMilliseconds = Double(configuration.outliers.ejectionMilliseconds)
    stallMilliseconds = Double(configuration.outliers.stallMilliseconds)
    lifetimeMilliseconds = Double(configuration.limits.requestLifetimeMilliseconds)
    chunkOffsets = configuration.requestLog.chunkOffsets
  }
}

/// The picker that serves: RoutingRuntime's router behind one short lock.
///
/// Thread-safe. New models are taken over between two picks; requests in flight stay where they are.
public final class LivePicker: PickerService {
  private let state: Mutex<PickerState>
  private let clock: PickerClock
  private let sink: (any RequestRecordSink)?
  private let logger: Logger

  /// A picker without endpoints.
  ///
  /// - Parameters:
  ///   - models: Where models are published, now and later.
  ///   - sink: Gets a record of every request that ended.
  ///   - logger: Told of every request at level debug, with its trace context.
  public init(
    settings: PickerSettings, models: PublishedModel, clock: PickerClock = .system,
    sink: (any RequestRecordSink)? = nil,
    logger: Logger = Logger(label: "glidepath") { _ in SwiftLogNoOpLogHandler() }
  ) {
    state = Mutex(PickerState(settings: settings, models: models))
    self.clock = clock
    self.sink = sink
    self.logger = logger
  }

  // MARK: - Requests

  /// Picks an endpoint and counts the request as in flight there.
  public func pick(
    _ request: InferenceRequest, subset: [String]?, receivedUnixNanoseconds: Int64
  ) -> PickOutcome {
    let unix = clock.unixNanoseconds()
    return state.withLock { state in
      // Read inside, so that the router never sees time run backwards.
      state.pick(
        request, subset: subset, receivedUnixNanoseconds: receivedUnixNanoseconds,
        unixNanoseconds: unix, at: clock.milliseconds())
    }
  }

  /// An endpoint for a request that generates nothing; it is not counted as in flight.
  public func anyEndpoint(subset: [String]?) -> String? {
    state.withLock { $0.anyEndpoint(subset: subset, at: clock.milliseconds()) }
  }

  /// The first token of the answer has just passed.
  public func firstToken(_ ticket: PickTicket) {
    state.withLock { $0.firstToken(ticket, at: clock.milliseconds()) }
  }

  /// More of a streamed answer has just passed.
  public func tokens(_ ticket: PickTicket, count: Int) {
    state.withLock { $0.tokens(ticket, count: count, at: clock.milliseconds()) }
  }

  /// The request is over; tickets that are not in flight are ignored and counted.
  public func finished(_ ticket: PickTicket, outcome: RequestOutcome) {
    let record = state.withLock {
      $0.finished(ticket, outcome: outcome, at: clock.milliseconds())
    }
    guard let record else { return }
    logger.debug(
      "request ended",
      metadata: [
        "request_id": "\(record.identifier)", "traceparent": "\(record.traceParent)",
        "endpoint": "\(record.endpoint)", "status": "\(record.status)",
        "ttft_ms": "\(record.ttftMilliseconds)", "e2e_ms": "\(record.e2eMilliseconds)",
      ])
    sink?.append(record)
  }

  /// Requests that were picked for and have not ended.
  public var requestsInFlight: Int { state.withLock { $0.flights.count } }

  // MARK: - Endpoints

  /// Replaces the list of endpoints; requests in flight on those that leave stay counted.
  public func setEndpoints(_ endpoints: [EndpointDescription]) {
    state.withLock { $0.setEndpoints(endpoints, at: clock.milliseconds()) }
  }

  /// The endpoints that sources list.
  public var endpointCount: Int { state.withLock { $0.indices.count } }

  /// An endpoint's metrics were read.
  ///
  /// - Returns: Whether it was unavailable until now.
  @discardableResult
  public func observe(_ metrics: EngineMetrics, address: String) -> Bool {
    state.withLock { $0.observe(metrics, address: address, at: clock.milliseconds()) }
  }

  /// An endpoint's metrics could not be read.
  ///
  /// - Returns: Whether it has become unavailable by that.
  @discardableResult
  public func scrapeFailed(address: String) -> Bool {
    state.withLock { $0.scrapeFailed(address: address, at: clock.milliseconds()) }
  }

  /// Does what time alone requires; to be called a few times a second.
  public func maintain() {
    let expired = state.withLock { $0.maintain(at: clock.milliseconds()) }
    for ticket in expired {
      state.withLock { $0.counters.expiredRequests += 1 }
      finished(ticket, outcome: RequestOutcome(status: 504, end: .drained))
    }
  }

  /// A copy of what reports need, taken under the lock.
  func report() -> PickerReport {
    state.withLock { PickerReport(&$0, at: clock.milliseconds()) }
  }
}
