internal import FleetSimulation
internal import LogReplay
internal import RequestLog
public import RoutingRuntime

/// What policies would have done at each logged decision that was random, in the state that the
/// gateway was in.
///
/// The log is replayed through one router: events are the logged ones, whatever a policy would have
/// chosen, so each answer is about one request alone.
public struct LoggedDecisions: Sendable {
  /// One logged decision with support.
  struct Row: Sendable {
    /// When, ms.
    var time: Double
    /// What happened: TTFT from dispatch, ms.
    var outcome: Double
    /// The chance with which it was made, 0…1.
    var propensity: Double
    /// What was predicted for the logged endpoint, ms; `nan` without a model.
    var predicted: Double
    /// Per policy: whether it makes the logged decision.
    var agrees: [Bool]
    /// Per policy: what is predicted for its own choice, ms.
    var predictedThere: [Double]
  }

  /// The decisions, by time.
  var rows: [Row] = []
  /// The policies that were asked.
  public let policies: [NamedPolicy]
  /// Logged requests that were judged.
  public private(set) var requestCount = 0

  /// Asks `policies` at rows `rows` of `log`; earlier ones only bring the router into its state.
  ///
  /// - Parameter configuration: The router's.
  public init(
    _ log: TuningLog, rows judged: Range<Int>, predictor: Predictor, policies: [NamedPolicy],
    calibration: FleetCalibration, router configuration: Router.Configuration
  ) {
    self.policies = policies
    var router = Router(
      predictor: predictor, policy: .roundRobin, configuration: configuration)
    for endpoint in calibration.endpoints {
      let accelerator = calibration.classes[endpoint.accelerator]
      _ = router.addEndpoint(
        named: endpoint.name, accelerator: accelerator.name, engine: accelerator.engine.engine)
    }
    var events = PendingEvents()
    for row in 0..<judged.upperBound {
      let endpoint = log.endpoint(ofRow: row)
      guard endpoint >= 0, endpoint < router.endpointCount else { continue }
      let time = log.replay.dispatchTime(row)
      events.deliver(until: time, to: &router, log)
      let request = Self.routingRequest(log, row)
      if judged.contains(row) {
        requestCount += 1
        ask(&router, request, log, row: row, endpoint: endpoint, at: time)
      }
      let handle = router.dispatched(request, to: endpoint, at: time)
      events.add(handle, row: row, log)
      Self.observe(log, row: row, endpoint: endpoint, &router, at: time)
    }
  }

  private mutating func ask(
    _ router: inout Router, _ request: RoutingRequest, _ log: TuningLog, row: Int, endpoint: Int,
    at time: Double
  ) {
    let logged = log.replay.rows[row]
    guard log.replay.isComplete(row), logged.propensity > 0, logged.propensity < 1 else { return }
    var decision = Row(
      time: time, outcome: logged.ttftMilliseconds - log.replay.dispatchDelay(row),
      propensity: Double(logged.propensity),
      predicted: router.predict(request, on: endpoint, at: time)?.ttft.mean ?? .nan, agrees: [],
      predictedThere: [])
    for named in policies {
      router.policy = named.policy
      let pick = router.pick(request, at: time)
      decision.agrees.append(pick.endpoint == endpoint)
      decision.predictedThere.append(
        pick.endpoint >= 0
          ? router.predict(request, on: pick.endpoint, at: time)?.ttft.mean ?? .nan : .nan)
    }
    rows.append(decision)
  }

  private static func routingRequest(_ log: TuningLog, _ row: Int) -> RoutingRequest {
    let request = log.request(row)
    return RoutingRequest(
      promptTokens: Double(request.promptTokens), maximumTokens: Double(request.maximumTokens),
      prefixBlocks: request.prefixBlocks, blockTokens: Double(log.blockTokens),
      ttftObjectiveMilliseconds: request.ttftObjectiveMilliseconds,
      tpotObjectiveMilliseconds: request.tpotObjectiveMilliseconds,
      isSheddable: request.isSheddable)
  }

  /// After the decision, so that no endpoint is better known than the others at its own.
  private static func observe(
    _ log: TuningLog, row: Int, endpoint: Int, _ router: inout Router, at time: Double
  ) {
    let logged = log.replay.rows[row]
    guard logged.waitingRequests >= 0, logged.runningRequests >= 0 else { return }
    let age = Double(logged.snapshotAgeMilliseconds)
    router.observe(
      EngineSnapshot(
        waitingRequests: Double(logged.waitingRequests),
        runningRequests: Double(logged.runningRequests),
        kvCacheUsage: logged.kvCacheUsage.isFinite ? Double(logged.kvCacheUsage) : 0,
        time: time - (age.isFinite ? max(age, 0) : 0)), on: endpoint)
  }

  /// First tokens and ends that are still to come, by time.
  private struct PendingEvents {
    private struct Event {
      var time: Double
      var handle: EndpointPool.Handle
      /// -1 for a first token.
      var outputTokens: Double
    }
    /// By falling time, so that the next is last.
    private var events: [Event] = []

    mutating func add(_ handle: EndpointPool.Handle, row: Int, _ log: TuningLog) {
      if let first = log.replay.firstTokenTime(row) {
        insert(Event(time: first, handle: handle, outputTokens: -1))
      }
      let tokens = max(Double(log.replay.rows[row].outputTokens), 0)
      insert(Event(time: log.replay.endTime(row), handle: handle, outputTokens: tokens))
    }

    private mutating func insert(_ event: Event) {
      var (low, high) = (0, events.count)
      while low < high {
        let middle = (low + high) / 2
        if events[middle].time > event.time { low = middle + 1 } else { high = middle }
      }
      events.insert(event, at: low)
    }

    mutating func deliver(until time: Double, to router: inout Router, _ log: TuningLog) {
      while let next = events.last, next.time <= time {
        events.removeLast()
        if next.outputTokens < 0 {
          router.firstToken(next.handle, at: next.time)
        } else {
          router.finished(next.handle, outputTokens: next.outputTokens, at: next.time)
        }
      }
    }
  }
}

extension LoggedDecisions {
  /// Decisions made elsewhere, by time.
  init(rows: [Row], policies: [NamedPolicy], requestCount: Int) {
    self.rows = rows
    self.policies = policies
    self.requestCount = requestCount
  }
}
