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

    /// The defaults.
    public init(prefixCapacity: Int = 31_250, requestCapacity: Int = 4096, seed: UInt64 = 1) {
      self.prefixCapacity = prefixCapacity
      self.requestCapacity = requestCapacity
      self.seed = seed
    }
  }

  /// The load of each endpoint.
  public private(set) var pool: EndpointPool
  /// What each endpoint is thought to have cached.
  public private(set) var prefixes: PrefixIndex
  /// How it chooses; may be changed between requests.
  public var policy: RoutingPolicy

  /// A router without endpoints.
  ///
  /// - Parameter predictor: What it predicts with; without one, policies that need predictions fall
  ///   back to the emulated engine's forecast.
  public init(
    predictor: Predictor?, policy: RoutingPolicy, configuration: Configuration = Configuration()
  ) {
    pool = EndpointPool(predictor: predictor, capacity: configuration.requestCapacity)
    prefixes = PrefixIndex(capacity: configuration.prefixCapacity)
    self.policy = policy
  }

  /// Adds an endpoint and returns its index.
  ///
  /// - Parameter engine: What it runs while there is no predictor.
  public mutating func addEndpoint(
    named name: String, accelerator: String, role: EndpointRole = .both, engine: EngineModel
  ) -> Int {
    prefixes.addEndpoint()
    return pool.addEndpoint(named: name, accelerator: accelerator, engine: engine)
  }

  /// Takes an endpoint out of the choice, or back in; what is in flight there stays.
  public mutating func setAvailable(_ isAvailable: Bool, endpoint: Int) {}

  /// Predicts with `predictor` from now on, and routes by its policy section where it has one.
  public mutating func install(_ predictor: Predictor) { pool.install(predictor) }

  /// Chooses an endpoint; changes nothing that prediction depends on.
  ///
  /// - Parameter subset: The endpoints to choose among; `nil` for all that are available.
  /// - Complexity: O(endpoints), no allocation.
  public mutating func pick(
    _ request: RoutingRequest, among subset: [Int]? = nil, at time: Double
  ) -> Pick { Pick(endpoint: -1, reason: .noEndpoint, propensity: 0) }

  // MARK: - Events

  /// The request was sent to an endpoint, which will now cache its prompt.
  ///
  /// - Returns: The handle with which its first token and its end are reported.
  public mutating func dispatched(
    _ request: RoutingRequest, to endpoint: Int, at time: Double
  ) -> EndpointPool.Handle {
    pool.dispatched(RequestShape(promptTokens: request.promptTokens), to: endpoint, at: time)
  }

  /// The first token of a request came back.
  public mutating func firstToken(_ handle: EndpointPool.Handle, at time: Double) {
    pool.firstToken(handle, at: time)
  }

  /// A request ended: its last token came, or it was aborted or timed out.
  ///
  /// - Parameter outputTokens: Generated tokens; 0 when unknown.
  public mutating func finished(
    _ handle: EndpointPool.Handle, outputTokens: Double, at time: Double
  ) {
    pool.finished(handle, outputTokens: outputTokens, at: time)
  }

  /// An endpoint's metrics were scraped.
  public mutating func observe(_ snapshot: EngineSnapshot, on endpoint: Int) {
    pool.observe(snapshot, on: endpoint)
  }
}
