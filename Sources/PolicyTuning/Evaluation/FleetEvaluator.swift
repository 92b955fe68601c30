public import FleetSimulation
public import RoutingRuntime

/// Runs policies on a simulated fleet behind the real router.
///
/// The first part of the time is cut into segments to tune on; the rest judges. Requests just
/// before a segment are simulated too, to fill caches and queues, and do not count.
public struct FleetEvaluator: PolicyEvaluator {
  /// Options.
  public struct Configuration: Sendable, Hashable {
    /// The share of the time to tune on, 0…1.
    public var tuningShare: Double
    /// Segments of the tuning part.
    public var segmentCount: Int
    /// Requests simulated before a segment, as a share of it.
    public var warmUpShare: Double
    /// Time blocks of the judging part, for the bootstrap.
    public var blockCount: Int
    /// The TTFT that requests without an objective of their own are held to, ms; 0 for none.
    public var ttftObjectiveMilliseconds: Double
    /// The TPOT that they are held to, ms; 0 for none.
    public var tpotObjectiveMilliseconds: Double

    /// The defaults.
    public init(
      tuningShare: Double = 0.7, segmentCount: Int = 6, warmUpShare: Double = 0.5,
      blockCount: Int = 20, ttftObjectiveMilliseconds: Double = 0,
      tpotObjectiveMilliseconds: Double = 0
    ) {
      self.tuningShare = tuningShare
      self.segmentCount = segmentCount
      self.warmUpShare = warmUpShare
      self.blockCount = blockCount
      self.ttftObjectiveMilliseconds = ttftObjectiveMilliseconds
      self.tpotObjectiveMilliseconds = tpotObjectiveMilliseconds
    }
  }

  /// A stretch of requests that count, and where its simulation begins.
  private struct Stretch: Sendable {
    var workload: Workload
    /// The first request that counts.
    var first: Int
    /// Arrivals from and to, ms.
    var start: Double
    var end: Double
  }

  /// The fleet; its seeds are replaced in every run.
  public let fleet: FleetConfiguration
  private let predictor: Predictor?
  private let configuration: Configuration
  private let segments: [Stretch]
  private let judged: Stretch

  /// An evaluator on `workload`.
  ///
  /// - Parameter predictor: What the router predicts with.
  public init(
    fleet: FleetConfiguration, predictor: Predictor?, workload: Workload,
    configuration: Configuration = Configuration()
  ) {
    self.fleet = fleet
    self.predictor = predictor
    self.configuration = configuration
    let requests = workload.requests
    let start = requests.first?.arrivalMilliseconds ?? 0
    let cut = start + configuration.tuningShare * workload.durationMilliseconds
    let firstJudged = requests.firstIndex { $0.arrivalMilliseconds >= cut } ?? requests.count
    let objectives = workload.objectives(
      ttftMilliseconds: configuration.ttftObjectiveMilliseconds,
      tpotMilliseconds: configuration.tpotObjectiveMilliseconds)
    func stretch(_ range: Range<Int>) -> Stretch {
      let warm = Int(configuration.warmUpShare * Double(range.count))
      let begin = max(0, range.lowerBound - warm)
      let slice = Workload(
        requests: Array(objectives.requests[begin..<range.upperBound]),
        blockTokens: workload.blockTokens)
      return Stretch(
        workload: slice, first: range.lowerBound - begin,
        start: range.isEmpty ? 0 : requests[range.lowerBound].arrivalMilliseconds,
        end: range.isEmpty ? 0 : requests[range.upperBound - 1].arrivalMilliseconds)
    }
    let count = max(1, min(configuration.segmentCount, max(firstJudged, 1)))
    let parts = (0..<count).map { part in
      (part * firstJudged / count)..<((part + 1) * firstJudged / count)
    }
    segments = Self.stratified(parts.map { Self.load(requests[$0]) }).map { stretch(parts[$0]) }
    judged = stretch(firstJudged..<requests.count)
  }

  /// Requests that count when a policy is judged.
  public var judgedCount: Int { judged.workload.requests.count - judged.first }

  /// Segments to tune on.
  public var segmentCount: Int { segments.count }

  /// A run on one tuning segment, as a few blocks of time.
  public func tuning(_ policy: RoutingPolicy, segment: Int, seed: UInt64) -> Observations {
    run(segments[segment], policy, seed: seed, blockCount: Self.segmentBlocks)
  }

  private static let segmentBlocks = 4

  /// A run on the judging part.
  public func judging(_ policy: RoutingPolicy, seed: UInt64) -> Observations {
    run(judged, policy, seed: seed, blockCount: configuration.blockCount)
  }

  /// What users and engines see on the judging part, for reports.
  public func judgedSummary(_ policy: RoutingPolicy, seed: UInt64) -> FleetSummary {
    let outcomes = outcomes(judged, policy, seed: seed)
    return FleetSummary(
      outcomes, of: judged.workload, window: judged.start..<(judged.end.nextUp))
  }

  private func outcomes(
    _ stretch: Stretch, _ policy: RoutingPolicy, seed: UInt64
  ) -> [RequestOutcome] {
    var fleet = fleet
    fleet.seed = seed
    fleet.router.seed = seed &+ 0x5eed
    return Fleet(fleet, predictor: predictor, policy: policy)
      .run(stretch.workload, keepsSnapshots: false).outcomes
  }

  private func run(
    _ stretch: Stretch, _ policy: RoutingPolicy, seed: UInt64, blockCount: Int
  ) -> Observations {
    let outcomes = outcomes(stretch, policy, seed: seed)
    let requests = stretch.workload.requests
    let width = max(stretch.end - stretch.start, 1e-9)
    var result = Observations()
    for index in stretch.first..<requests.count {
      let (request, outcome) = (requests[index], outcomes[index])
      let share = (request.arrivalMilliseconds - stretch.start) / width
      result.append(
        block: min(Int(share * Double(blockCount)), blockCount - 1), request, outcome)
    }
    return result
  }

  /// Work per ms: prompt tokens, and output tokens at what they cost more or less.
  private static func load(_ requests: ArraySlice<SimulatedRequest>) -> Double {
    guard let first = requests.first, let last = requests.last else { return 0 }
    let work = requests.reduce(0.0) {
      $0 + Double($1.promptTokens) + outputWeight * Double($1.outputTokens)
    }
    return work / max(last.arrivalMilliseconds - first.arrivalMilliseconds, 1)
  }

  private static let outputWeight = 10.0

  /// An order of segments whose beginnings are all mixed: by rank of load, at steps of the golden
  /// section.
  static func stratified(_ loads: [Double]) -> [Int] {
    var ranked = loads.indices.sorted { (loads[$0], $0) < (loads[$1], $1) }
    var order: [Int] = []
    var position = 0.7
    while !ranked.isEmpty {
      order.append(ranked.remove(at: min(Int(position * Double(ranked.count)), ranked.count - 1)))
      position = (position + 0.618_034).truncatingRemainder(dividingBy: 1)
    }
    return order
  }
}
