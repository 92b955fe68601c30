public import CoefficientFile

/// Routes requests: the pool's state machine, what endpoints have cached, and a policy.
///
/// It reads no clock and draws no randomness of its own: every call brings the time, ms on any one
/// clock, and the host gives the seed. The same code runs in a gateway and in simulated time.
public struct Router: Sendable {
  /// What a router needs to know besides its model and policy.
  public struct Configuration: Sendable, Hashable {
    /// Cached blocks remembered per endpoint.
    public var prefixCapacity: Int
    /// Requests in flight before anything is allocated.
    public var requestCapacity: Int
    /// Seeds exploration and ties.
    public var seed: UInt64
    /// Whether engines are followed though the policy that the router begins with needs no
    /// predictions.
    ///
    /// A simulation that nobody asks for them is faster without. Picks are the same.
    public var followsEngines: Bool
    /// Whether all is kept that another model or policy could read: every fading sum, and quantiles
    /// that do not decide.
    ///
    /// A simulation that changes neither is faster without. Picks are the same, and so are predicted
    /// means but for rounding; a prediction's quantiles are no numbers then, unless the policy decides
    /// by one of them.
    public var keepsUnread: Bool

    /// The defaults.
    public init(
      prefixCapacity: Int = 31_250, requestCapacity: Int = 4096, seed: UInt64 = 1,
      followsEngines: Bool = true, keepsUnread: Bool = true
    ) {
      self.prefixCapacity = prefixCapacity
      self.requestCapacity = requestCapacity
      self.seed = seed
      self.followsEngines = followsEngines
      self.keepsUnread = keepsUnread
    }
  }

  /// What the router itself remembers of an endpoint.
  struct EndpointState: Sendable {
    var role = EndpointRole.both
    var isAvailable = true
    /// Its metrics, where the pool is not driven.
    var snapshot: EngineSnapshot?
    /// Uncached prompt tokens in flight that have no first token yet.
    var pendingTokens = 0.0
  }

  /// What the router remembers of a request in flight.
  private struct InFlight: Sendable {
    var endpoint: Int32 = -1
    var pendingTokens = 0.0
  }

  /// The load of each endpoint.
  public internal(set) var pool: EndpointPool
  /// What each endpoint is thought to have cached.
  public private(set) var prefixes: PrefixIndex
  /// How it chooses; may be changed between requests.
  public var policy: RoutingPolicy
  var endpoints: [EndpointState] = []
  var random: RandomSource
  var turn = 0
  /// The tokens that an answer is expected to have where nobody says.
  var meanOutput = RecentMean(initial: EndpointLoad.typicalOutputTokens, gain: 0.01)
  /// The candidates of the decision in progress; kept for its memory.
  var candidates: [Candidate] = []
  /// About how many of a prompt's blocks all endpoints have; only speed depends on it.
  private var matchGuess = 0
  private var requests: [InFlight] = []
  /// Requests in flight where the pool is not driven.
  private var counts: FlightCounts?

  /// A router without endpoints.
  ///
  /// - Parameter predictor: What it predicts with; without one, policies that need predictions fall
  ///   back to the emulated engine's forecast.
  public init(
    predictor: Predictor?, policy: RoutingPolicy, configuration: Configuration = Configuration()
  ) {
    pool = EndpointPool(
      predictor: predictor, capacity: configuration.requestCapacity,
      keepsSums: configuration.keepsUnread,
      predictsLevels: configuration.keepsUnread || !policy.decidesByMeans)
    prefixes = PrefixIndex(capacity: configuration.prefixCapacity)
    self.policy = policy
    random = RandomSource(seed: configuration.seed)
    counts = configuration.followsEngines || !policy.isByCounts ? nil : FlightCounts()
    requests.reserveCapacity(configuration.requestCapacity)
  }

  /// Adds an endpoint and returns its index.
  ///
  /// - Parameter engine: What it runs while there is no predictor.
  public mutating func addEndpoint(
    named name: String, accelerator: String, role: EndpointRole = .both, engine: EngineModel
  ) -> Int {
    prefixes.addEndpoint()
    endpoints.append(EndpointState(role: role))
    counts?.addEndpoint()
    candidates.reserveCapacity(2 * endpoints.count)
    return pool.addEndpoint(named: name, accelerator: accelerator, engine: engine)
  }

  /// How many endpoints were added.
  public var endpointCount: Int { endpoints.count }

  /// Takes an endpoint out of the choice, or back in; what is in flight there stays.
  public mutating func setAvailable(_ isAvailable: Bool, endpoint: Int) {
    endpoints[endpoint].isAvailable = isAvailable
  }

  /// The endpoint restarted: its cache is empty.
  public mutating func forgetPrefixes(endpoint: Int) { prefixes.clear(endpoint: endpoint) }

  /// The endpoint's cache holds this many prompt blocks, as far as the index has room for them.
  public mutating func limitPrefixes(_ blocks: Int, endpoint: Int) {
    prefixes.setLimit(blocks, endpoint: endpoint)
  }

  /// Predicts with `predictor` from now on, and routes by its policy section where it has one.
  public mutating func install(_ predictor: Predictor) {
    pool.install(predictor)
    if !predictor.model.policy.isEmpty {
      policy = .predictedCost(PredictedCostParameters(predictor.model.policy))
    }
  }

  // MARK: - Choosing

  /// Chooses an endpoint; changes nothing that prediction depends on.
  ///
  /// - Parameter subset: The endpoints to choose among; `nil` for all that are available.
  /// - Complexity: O(endpoints), no allocation.
  public mutating func pick(
    _ request: RoutingRequest, among subset: [Int]? = nil, at time: Double
  ) -> Pick {
    collect(request, among: subset) { $0 != .decode }
    let pick = choose(request, at: time)
    guard pick.endpoint >= 0, endpoints[pick.endpoint].role == .prefill else {
      return pick.endpoint >= 0 ? predicted(pick, request, at: time) : pick
    }
    return pair(prefill: pick, request, among: subset, at: time)
  }

  private mutating func choose(_ request: RoutingRequest, at time: Double) -> Pick {
    guard !candidates.isEmpty else {
      return Pick(endpoint: -1, reason: .noEndpoint, propensity: 0)
    }
    switch policy {
    case .roundRobin:
      turn &+= 1
      return only(turn % candidates.count, reason: .bestScore)
    case .random:
      let chosen = random.index(below: candidates.count)
      return only(chosen, reason: .bestScore, propensity: 1 / Double(candidates.count))
    case .leastRequest: return leastRequest()
    case .powerOfTwo: return powerOfTwo()
    case .weightedScorers(let weights): return weightedScorers(weights, request)
    case .affinity(let parameters): return affinity(parameters, request)
    case .latencyScorer(let parameters): return latencyScorer(parameters, request, at: time)
    case .loadProduct: return loadProduct(request)
    case .predictedCost(let parameters): return predictedCost(parameters, request, at: time)
    }
  }

  /// Fills ``candidates`` with the available endpoints whose role `accepts`.
  mutating func collect(
    _ request: RoutingRequest, among subset: [Int]?, accepts: (EndpointRole) -> Bool
  ) {
    // Moved out and back, so that the array is never copied.
    var list: [Candidate] = []
    swap(&list, &candidates)
    let most = subset?.count ?? endpoints.count
    while list.count < most { list.append(Candidate()) }
    let found = fill(&list, most, request, among: subset, accepts: accepts)
    if found.count < list.count { list.removeLast(list.count - found.count) }
    swap(&list, &candidates)
    matchGuess = found.guess
  }

  /// Writes all that is known of candidates but forecasts.
  ///
  /// - Returns: How many there are, and the guess for the next request.
  @inline(always)
  private func fill(
    _ list: inout [Candidate], _ most: Int, _ request: RoutingRequest, among subset: [Int]?,
    accepts: (EndpointRole) -> Bool
  ) -> (count: Int, guess: Int) {
    var places = list.mutableSpan
    let (states, blocks) = (endpoints.span, request.prefixBlocks.span)
    let readsCounts = policy.readsCounts
    var (count, shared, guess) = (0, Int.max, matchGuess)
    for index in 0..<most {
      let endpoint = subset?[index] ?? index
      guard endpoint >= 0, endpoint < states.count, states[endpoint].isAvailable,
        accepts(states[endpoint].role)
      else { continue }
      places[count].restart(endpoint)
      if readsCounts { describe(endpoint, into: &places[count]) }
      if !blocks.isEmpty {
        let matched = prefixes.search(blocks, endpoint: endpoint, near: guess)
        if matched > 0 { places[count].match(matched, of: blocks.count, request) }
        shared = min(shared, matched)
        // What all have is the best guess for the next, of this request or another.
        guess = shared
      }
      count += 1
    }
    return (count, guess)
  }

  /// Writes how loaded an endpoint is.
  @inline(always)
  private func describe(_ endpoint: Int, into candidate: inout Candidate) {
    candidate.requests =
      (counts?.requests[endpoint]).map(Double.init) ?? pool.requestsInFlight(on: endpoint)
    candidate.pendingTokens = endpoints[endpoint].pendingTokens
    let seen = counts == nil ? pool.endpoints[endpoint].snapshot : endpoints[endpoint].snapshot
    candidate.waiting = seen?.waitingRequests ?? 0
    candidate.kvCacheUsage = seen?.kvCacheUsage ?? 0
  }

  /// The candidate at `index`, as the outcome.
  @inline(always)
  func only(_ index: Int, reason: PickReason, propensity: Double = 1) -> Pick {
    Pick(
      endpoint: candidates[index].endpoint,
      reason: candidates.count == 1 ? .onlyCandidate : reason, propensity: propensity,
      matchedPrefixTokens: candidates[index].matchedTokens)
  }

  /// The pick, with what is predicted there.
  mutating func predicted(
    _ pick: Pick, _ request: RoutingRequest, at time: Double
  ) -> Pick {
    guard counts == nil else { return pick }
    var pick = pick
    pick.prediction = pool.predict(
      shape(request, matchedTokens: pick.matchedPrefixTokens), on: pick.endpoint, at: time)
    return pick
  }

  func shape(_ request: RoutingRequest, matchedTokens: Double) -> RequestShape {
    RequestShape(
      promptTokens: request.promptTokens, matchedPrefixTokens: matchedTokens,
      maximumTokens: request.maximumTokens)
  }

  /// The tokens that the answer is expected to have.
  func expectedOutput(_ request: RoutingRequest) -> Double {
    if request.expectedOutputTokens > 0 { return request.expectedOutputTokens }
    return request.maximumTokens > 0
      ? min(request.maximumTokens, meanOutput.value) : meanOutput.value
  }

  // MARK: - Events

  /// The request was sent to an endpoint, which will now cache its prompt.
  ///
  /// - Returns: The handle with which its first token and its end are reported.
  /// - Complexity: O(prefix blocks), no allocation while no more than the configured number of
  ///   requests are in flight.
  public mutating func dispatched(
    _ request: RoutingRequest, to endpoint: Int, at time: Double
  ) -> EndpointPool.Handle {
    let blocks = prefixes.insert(request.prefixBlocks, endpoint: endpoint)
    let matched = min(Double(blocks) * request.blockTokens, request.promptTokens)
    return dispatched(shape(request, matchedTokens: matched), to: endpoint, at: time)
  }

  /// Prefill is done elsewhere and its KV cache sent here: only the last prompt token is computed.
  ///
  /// - Parameter handle: Of the prefill, which this ends.
  /// - Returns: The handle of the decode.
  public mutating func handedOff(
    _ handle: EndpointPool.Handle, _ request: RoutingRequest, to endpoint: Int, at time: Double
  ) -> EndpointPool.Handle {
    firstToken(handle, at: time)
    finished(handle, outputTokens: 0, at: time)
    return dispatched(
      shape(request, matchedTokens: max(0, request.promptTokens - 1)), to: endpoint, at: time)
  }

  /// A request was sent to an endpoint; the gateway knows itself what is cached there.
  ///
  /// - Returns: The handle with which its first token and its end are reported.
  public mutating func dispatched(
    _ shape: RequestShape, to endpoint: Int, at time: Double
  ) -> EndpointPool.Handle {
    let handle =
      counts?.dispatched(to: endpoint) ?? pool.dispatched(shape, to: endpoint, at: time)
    let slot = Int(handle.slot)
    while requests.count <= slot { requests.append(InFlight()) }
    requests[slot] = InFlight(endpoint: Int32(endpoint), pendingTokens: shape.newTokens)
    endpoints[endpoint].pendingTokens += shape.newTokens
    return handle
  }

  /// The first token of a request came back; unknown handles are ignored.
  public mutating func firstToken(_ handle: EndpointPool.Handle, at time: Double) {
    settle(handle)
    if counts == nil { pool.firstToken(handle, at: time) }
  }

  /// More of a streamed answer came back, after its first token; unknown handles are ignored.
  public mutating func tokens(_ handle: EndpointPool.Handle, at time: Double) {
    if counts == nil { pool.tokens(handle, at: time) }
  }

  /// A request ended: its last token came, or it was aborted or timed out.
  ///
  /// - Parameter outputTokens: Generated tokens; 0 when unknown.
  public mutating func finished(
    _ handle: EndpointPool.Handle, outputTokens: Double, at time: Double
  ) {
    settle(handle)
    if counts == nil {
      pool.finished(handle, outputTokens: outputTokens, at: time)
    } else {
      counts?.finished(handle)
    }
    if outputTokens > 0 { meanOutput.observe(outputTokens) }
  }

  /// The request's prompt is no longer pending.
  private mutating func settle(_ handle: EndpointPool.Handle) {
    let slot = Int(handle.slot)
    guard requests.indices.contains(slot), requests[slot].pendingTokens != 0, isInFlight(handle)
    else { return }
    let endpoint = Int(requests[slot].endpoint)
    let left = endpoints[endpoint].pendingTokens - requests[slot].pendingTokens
    endpoints[endpoint].pendingTokens = max(0, left)
    requests[slot].pendingTokens = 0
  }

  /// An endpoint's metrics were scraped.
  public mutating func observe(_ snapshot: EngineSnapshot, on endpoint: Int) {
    if counts == nil {
      pool.observe(snapshot, on: endpoint)
    } else {
      endpoints[endpoint].snapshot = snapshot
    }
  }

  /// An endpoint's metrics can no longer be trusted: they are forgotten.
  public mutating func forgetSnapshot(endpoint: Int) {
    if counts == nil {
      pool.forgetSnapshot(endpoint: endpoint)
    } else {
      endpoints[endpoint].snapshot = nil
    }
  }
}

extension Router {
  /// Whether the request was dispatched and has not ended.
  public func isInFlight(_ handle: EndpointPool.Handle) -> Bool {
    counts?.isInFlight(handle) ?? pool.isInFlight(handle)
  }

  /// Whether scraped metrics matter to any pick: to the policy, or to the model.
  public var readsMetrics: Bool {
    if case .weightedScorers = policy { return true }
    return counts == nil && pool.readsSnapshots
  }
}
