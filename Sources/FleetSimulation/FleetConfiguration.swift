public import RoutingRuntime

/// A fleet and the gateway before it.
public struct FleetConfiguration: Sendable {
  /// One endpoint.
  public struct Endpoint: Sendable, Hashable {
    /// What the gateway and its model know it by.
    public var name: String
    /// Its accelerator class.
    public var accelerator: String
    /// What it may be used for.
    public var role: EndpointRole
    /// What it runs.
    public var engine: SimulatedEngine.Configuration

    /// An endpoint made of its parts.
    public init(
      name: String, accelerator: String, role: EndpointRole = .both,
      engine: SimulatedEngine.Configuration
    ) {
      self.name = name
      self.accelerator = accelerator
      self.role = role
      self.engine = engine
    }
  }

  /// Something that goes wrong with an endpoint for a while.
  public struct Fault: Sendable, Hashable {
    /// What goes wrong.
    public enum Kind: Sendable, Hashable {
      /// It dies with its requests, and comes back with an empty cache.
      case killed
      /// It takes requests and answers nothing, not even its metrics.
      case hung
      /// Its steps take this many times as long.
      case slowed(Double)
      /// Its metrics say that it is idle.
      case lyingMetrics
    }

    /// Which endpoint, by index.
    public var endpoint: Int
    /// What goes wrong.
    public var kind: Kind
    /// From when, ms.
    public var start: Double
    /// Until when, ms.
    public var end: Double

    /// A fault of `endpoint` from `start` to `end`, ms.
    public init(endpoint: Int, kind: Kind, start: Double, end: Double) {
      self.endpoint = endpoint
      self.kind = kind
      self.start = start
      self.end = end
    }
  }

  /// The endpoints.
  public var endpoints: [Endpoint]
  /// The gateway's memory and seed.
  public var router: Router.Configuration
  /// Between two scrapes of an endpoint's metrics, ms.
  public var scrapeIntervalMilliseconds: Double
  /// How old metrics may get before the gateway stops sending there, ms.
  public var staleAfterMilliseconds: Double
  /// How long the gateway waits for a first token, ms.
  public var timeoutMilliseconds: Double
  /// What a KV transfer between endpoints takes at least, ms.
  public var transferMilliseconds: Double
  /// What it takes per prompt token, ms.
  public var transferMillisecondsPerToken: Double
  /// What goes wrong.
  public var faults: [Fault]
  /// Seeds the engines' noise.
  public var seed: UInt64

  /// A fleet of `endpoints` without faults.
  public init(
    endpoints: [Endpoint], router: Router.Configuration = Router.Configuration(),
    scrapeIntervalMilliseconds: Double = 50, staleAfterMilliseconds: Double = 1000,
    timeoutMilliseconds: Double = .infinity, transferMilliseconds: Double = 5,
    transferMillisecondsPerToken: Double = 0.002, faults: [Fault] = [], seed: UInt64 = 1
  ) {
    self.endpoints = endpoints
    self.router = router
    self.scrapeIntervalMilliseconds = scrapeIntervalMilliseconds
    self.staleAfterMilliseconds = staleAfterMilliseconds
    self.timeoutMilliseconds = timeoutMilliseconds
    self.transferMilliseconds = transferMilliseconds
    self.transferMillisecondsPerToken = transferMillisecondsPerToken
    self.faults = faults
    self.seed = seed
  }

  /// The same fleet with only its first `count` endpoints, or with more like them, in turn.
  public func resized(to count: Int) -> FleetConfiguration {
    guard !endpoints.isEmpty else { return self }
    var result = self
    result.endpoints = (0..<max(count, 1)).map { index in
      var endpoint = endpoints[index % endpoints.count]
      if index >= endpoints.count { endpoint.name += "-\(index / endpoints.count + 1)" }
      return endpoint
    }
    return result
  }
}
