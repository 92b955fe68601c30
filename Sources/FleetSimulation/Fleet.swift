public import RoutingRuntime

/// Endpoints and the gateway before them, in virtual time: a discrete-event simulation.
///
/// The gateway is the real ``Router``: it picks, is told of first tokens and ends when they come
/// back, and sees metrics as old as scraping makes them. Runs are a function of the configuration,
/// the workload and the seeds.
public struct Fleet: Sendable {
  /// How endpoints are chosen.
  public enum Routing: Sendable {
    /// By the router.
    case router
    /// As given, for each request of the workload; -1 refuses it. The router is not driven.
    ///
    /// `prefill` says where prompts are computed, when elsewhere; -1 and missing ones for there.
    case forced([Int], prefill: [Int] = [])
  }

  /// What happened.
  public struct Result: Sendable {
    /// Per request of the workload, in its order.
    public var outcomes: [RequestOutcome]
    /// Per endpoint, at the end.
    public var metrics: [EngineMetrics]
    /// When the last event happened, ms.
    public var endMilliseconds: Double
    /// Per endpoint, what its steps computed, in order; empty unless asked for.
    public var runs: [[EngineRun]] = []
  }

  /// What the gateway and the world know of an endpoint.
  struct EndpointState {
    var isDead = false
    var isHung = false
    var isLying = false
    var isAvailable = true
    var lastScrape = 0.0
    /// What the gateway knows of it; `nil` before the first scrape.
    var snapshot: EngineGauges?

    /// The metrics as the gateway knows them at `time`, for a log of the run.
    @inline(always)
    func seen(at time: Double) -> SeenSnapshot? {
      guard let snapshot else { return nil }
      return SeenSnapshot(snapshot, age: time - lastScrape)
    }

    mutating func scraped(_ gauges: EngineGauges, at time: Double) {
      lastScrape = time
      snapshot = gauges
    }
  }

  let configuration: FleetConfiguration
  var router: Router
  var engines: [SimulatedEngine] = []
  var nextTimes: [Double] = []
  var states: [EndpointState] = []
  var isCoupled = false
  var totalDecoding = 0.0
  var handles: [EndpointPool.Handle?] = []
  var outcomes: [RequestOutcome] = []
  var isRouted = true
  /// Whether prompts may be computed elsewhere than they are decoded.
  var hasPairs = false
  /// Memory that engines change theirs for when something happened.
  private var spareEvents: [EngineEvent] = []
  /// Whether scraped metrics matter to any pick.
  var readsMetrics = true
  /// Requests that were sent and have not ended.
  var openRequests = 0
  /// The oldest request that may still wait for its first token.
  var oldestWaiting = 0
  var faultEvents: [FaultEvent] = []

  struct FaultEvent {
    var time: Double
    var fault: Int
    var begins: Bool
  }

  /// An idle fleet.
  ///
  /// - Parameter predictor: What the gateway predicts with.
  public init(
    _ configuration: FleetConfiguration, predictor: Predictor? = nil, policy: RoutingPolicy
  ) {
    self.configuration = configuration
    var options = configuration.router
    // Pairs of endpoints are chosen by forecasts, whatever the policy.
    if configuration.endpoints.allSatisfy({ $0.role == .both }) { options.followsEngines = false }
    // Nothing but means is asked for, and neither model nor policy change.
    options.keepsUnread = false
    router = Router(predictor: predictor, policy: policy, configuration: options)
    readsMetrics = router.readsMetrics
    var seeds = NoiseSource(seed: configuration.seed)
    for endpoint in configuration.endpoints {
      _ = router.addEndpoint(
        named: endpoint.name, accelerator: endpoint.accelerator, role: endpoint.role,
        engine: endpoint.engine.engine)
      var engine = endpoint.engine
      engine.emitsEveryToken = false
      engines.append(SimulatedEngine(engine, seed: seeds.next()))
      nextTimes.append(.infinity)
      states.append(EndpointState())
    }
    hasPairs = configuration.endpoints.contains { $0.role != .both }
    isCoupled = engines.contains(where: \.isCoupled)
    for (index, fault) in configuration.faults.enumerated()
    where engines.indices.contains(fault.endpoint) && fault.start < fault.end {
      faultEvents.append(FaultEvent(time: fault.start, fault: index, begins: true))
      guard fault.end < .infinity else { continue }
      faultEvents.append(FaultEvent(time: fault.end, fault: index, begins: false))
    }
    faultEvents.sort { $0.time < $1.time }
  }

  /// Runs a workload on the idle fleet to its end.
  ///
  /// - Parameters:
  ///   - deadline: When to stop, ms, though requests are in flight.
  ///   - isTraced: Whether to keep what steps computed.
  ///   - keepsSnapshots: Whether outcomes bring the metrics that the gateway knew, for a log; else
  ///     they are scraped only where somebody reads them.
  ///   - progress: Called now and then with the share of arrivals done, 0…1.
  /// - Complexity: O(events × endpoints); a few µs per request.
  public func run(
    _ workload: Workload, routing: Routing = .router, deadline: Double = .infinity,
    isTraced: Bool = false, keepsSnapshots: Bool = true, progress: ((Double) -> Void)? = nil
  ) -> Result {
    var fleet = self
    fleet.prepare(workload)
    for index in fleet.engines.indices { fleet.engines[index].isTraced = isTraced }
    let requests = workload.requests.span
    var forced: [Int]?
    var forcedPrefill: [Int] = []
    if case .forced(let endpoints, let prefill) = routing {
      forced = endpoints
      forcedPrefill = prefill
      fleet.hasPairs = !prefill.isEmpty
      fleet.isRouted = false
    }
    var (arrival, fault) = (0, 0)
    var now = workload.requests.first?.arrivalMilliseconds ?? 0
    // A scrape also finds out who is dead and what has waited for too long.
    let isScraped =
      keepsSnapshots || fleet.isRouted && readsMetrics || !faultEvents.isEmpty
      || configuration.timeoutMilliseconds < .infinity
    var nextScrape = isScraped ? now : .infinity
    while true {
      let arrivalTime =
        arrival < requests.count ? requests[arrival].arrivalMilliseconds : .infinity
      let faultTime =
        fault < fleet.faultEvents.count ? fleet.faultEvents[fault].time : Double.infinity
      let outside = min(arrivalTime, min(faultTime, nextScrape))
      now = max(now, fleet.runEngines(until: min(outside, deadline), workload))
      guard outside <= deadline, outside < .infinity else { break }
      now = max(now, outside)
      if outside == faultTime {
        fleet.apply(fleet.faultEvents[fault])
        fault += 1
      } else if outside == nextScrape {
        fleet.scrape(at: nextScrape, workload)
        let isOver = arrival == requests.count && fault == fleet.faultEvents.count
        let isWatched = fleet.openRequests > 0 && configuration.timeoutMilliseconds < .infinity
        nextScrape =
          isOver && !isWatched
          ? .infinity : nextScrape + max(configuration.scrapeIntervalMilliseconds, 0.1)
      } else {
        if let forced {
          fleet.arrive(
            arrival, workload, to: arrival < forced.count ? forced[arrival] : -1,
            prefill: arrival < forcedPrefill.count ? forcedPrefill[arrival] : -1)
        } else {
          fleet.arrive(arrival, workload)
        }
        arrival += 1
        if arrival & 0x3fff == 0 { progress?(Double(arrival) / Double(requests.count)) }
      }
    }
    progress?(1)
    return Result(
      outcomes: fleet.outcomes, metrics: fleet.engines.map(\.metrics), endMilliseconds: now,
      runs: isTraced ? fleet.engines.map(\.runs) : [])
  }

  private mutating func prepare(_ workload: Workload) {
    handles = [EndpointPool.Handle?](repeating: nil, count: workload.requests.count)
    outcomes = [RequestOutcome](repeating: RequestOutcome(), count: workload.requests.count)
  }

  // MARK: - Engines

  /// Runs all engines until `limit`, event by event in order of time.
  ///
  /// - Returns: The time of the last event.
  private mutating func runEngines(until limit: Double, _ workload: Workload) -> Double {
    var last = -Double.infinity
    while true {
      let (first, time) = firstEngine(before: limit)
      guard first >= 0 else { return last }
      last = time
      step(first, to: time, workload)
    }
  }

  /// The engine whose event comes first, and its time; -1 for none before `limit`.
  private func firstEngine(before limit: Double) -> (engine: Int, time: Double) {
    let times = nextTimes.span
    var (first, time) = (-1, limit)
    for index in times.indices {
      // Without a branch, for none could be foreseen.
      let isEarlier = times[index] < time
      first = isEarlier ? index : first
      time = isEarlier ? times[index] : time
    }
    return (first, time)
  }

  /// Runs one engine until `time` and tells the gateway what came back.
  mutating func step(_ index: Int, to time: Double, _ workload: Workload) {
    // Moved out and back, so that the array is neither copied nor checked for each event.
    var happened: [EngineEvent] = []
    swap(&happened, &spareEvents)
    if isCoupled {
      let own = Double(engines[index].decoding.count)
      engines[index].otherDecodingRequests = totalDecoding - own
      nextTimes[index] = engines[index].advance(to: time, taking: &happened)
      totalDecoding += Double(engines[index].decoding.count) - own
    } else {
      nextTimes[index] = engines[index].advance(to: time, taking: &happened)
    }
    if !happened.isEmpty {
      for event in happened { receive(event, from: index, workload) }
      happened.dropAll()
    }
    swap(&happened, &spareEvents)
  }
}
