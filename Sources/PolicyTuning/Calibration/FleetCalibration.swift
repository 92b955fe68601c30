public import FleetSimulation
public import RoutingRuntime

/// What was learned about a fleet from its log, enough to simulate it.
public struct FleetCalibration: Sendable, Hashable {
  /// What was learned about one accelerator class.
  public struct AcceleratorClass: Sendable, Hashable {
    /// Its name in the log; empty when the log has none.
    public var name: String
    /// What its endpoints run.
    public var engine: SimulatedEngine.Configuration
    /// Complete requests that it was learned from.
    public var sampleCount: Int
    /// Where the step coefficients come from.
    public var source: Source
    /// The 95 % half-width of decode steps' length, as a share of it; `nan` when unknown.
    public var decodeHalfWidth: Double
    /// The 95 % half-width of what prompts add to steps, as a share of it; `nan` when unknown.
    public var prefillHalfWidth: Double
    /// The 95 % half-width of the KV cache's size, as a share of it; `nan` when unknown.
    public var cacheHalfWidth: Double
  }

  /// Which equations gave the step coefficients.
  public enum Source: String, Sendable, Hashable, CaseIterable {
    /// First tokens' times and the gaps between step ends that the gateway saw.
    case stepEnds
    /// How long answers took, given the batches and prompts that they met.
    case answers
    /// The same without bends: few numbers, which a log near saturation can tell where it cannot tell
    /// many.
    case plainAnswers
    /// Both, given the steps that a simulation of the log says they took.
    case replayedSteps

    /// Whether it is regressed on how long answers took.
    var isByAnswers: Bool { self == .answers || self == .plainAnswers }
  }

  /// One endpoint of the log.
  public struct Endpoint: Sendable, Hashable {
    /// Its name.
    public var name: String
    /// Its class, an index into ``FleetCalibration/classes``.
    public var accelerator: Int
    /// What the log uses it for.
    public var role = EndpointRole.both
  }

  /// The accelerator classes, by first appearance.
  public var classes: [AcceleratorClass]
  /// The endpoints, in ``TuningLog/endpoints``' order.
  public var endpoints: [Endpoint]
  /// Between two scrapes of an endpoint's metrics, ms.
  public var scrapeIntervalMilliseconds: Double
  /// How far the simulation is from the rows that it was calibrated on: the mean absolute
  /// logarithm of simulated over logged quantiles.
  public var discrepancy: Double
  /// What a person should know.
  public var warnings: [String]

  /// The log's fleet, ready to be simulated.
  public func fleet(seed: UInt64 = 1, router: Router.Configuration = Router.Configuration())
    -> FleetConfiguration
  {
    FleetConfiguration(
      endpoints: endpoints.map { endpoint in
        FleetConfiguration.Endpoint(
          name: endpoint.name, accelerator: classes[endpoint.accelerator].name,
          role: endpoint.role,
          engine: classes[endpoint.accelerator].engine)
      }, router: router, scrapeIntervalMilliseconds: scrapeIntervalMilliseconds, seed: seed)
  }
}
