internal import FleetSimulation
internal import LogReplay
internal import RequestLog
internal import RoutingRuntime

/// Whether a calibrated simulation may be believed: logged decisions replayed on a part of the log
/// that the calibration has not seen, latency distribution against latency distribution.
public struct SimulatorProof: Sendable, Hashable {
  /// What is compared.
  public enum Metric: String, Sendable, Hashable, CaseIterable {
    case ttft = "TTFT"
    case tpot = "TPOT"
    case e2e = "E2E"
    case cachedTokens = "cached tokens"
  }

  /// By which statistic.
  public enum Statistic: String, Sendable, Hashable, CaseIterable {
    case p50 = "P50"
    case p90 = "P90"
    case p99 = "P99"
    case mean = "mean"
  }

  /// One statistic in both worlds.
  public struct Comparison: Sendable, Hashable {
    /// Of which endpoint; `nil` for all.
    public var endpoint: String?
    /// What is compared.
    public var metric: Metric
    /// By which statistic.
    public var statistic: Statistic
    /// In the log; ms, or tokens.
    public var logged: Double
    /// In the simulation; ms, or tokens.
    public var simulated: Double
    /// How far they may lie apart, as a share of the logged; `nil` where it is only reported.
    public var bound: Double?
    /// Requests behind it.
    public var count: Int

    /// Simulated over logged, less 1; `nan` where the log has 0.
    public var relativeError: Double { logged != 0 ? simulated / logged - 1 : .nan }
    /// Whether it lies within its bound; true without one.
    public var passes: Bool {
      guard let bound else { return true }
      // Tokens of a log without reuse: both 0 is right.
      if logged == 0 { return simulated == 0 }
      return abs(relativeError) <= bound
    }
  }

  /// How far simulated and logged may lie apart, as shares of the logged.
  public struct Bounds: Sendable, Hashable {
    /// Of the medians of TTFT and TPOT.
    public var median: Double
    /// Of their P90.
    public var p90: Double
    /// Of mean E2E.
    public var meanE2E: Double
    /// Of all cached tokens.
    public var cachedTokens: Double
    /// Requests below which nothing is proved.
    public var fewestRequests: Int

    /// 10 %, 15 %, 7 % and 5 %, on at least 200 requests.
    public init(
      median: Double = 0.1, p90: Double = 0.15, meanE2E: Double = 0.07,
      cachedTokens: Double = 0.05, fewestRequests: Int = 200
    ) {
      self.median = median
      self.p90 = p90
      self.meanE2E = meanE2E
      self.cachedTokens = cachedTokens
      self.fewestRequests = fewestRequests
    }
  }

  /// All comparisons: first those of the whole, then by endpoint.
  public var comparisons: [Comparison]
  /// Judged requests.
  public var requestCount: Int
  /// Whether all bounds are kept.
  public var passes: Bool
  /// What is off, and what speaks for why; empty when all is well.
  public var sentences: [String]

  /// The comparison of the whole for a metric and a statistic.
  public func comparison(_ metric: Metric, _ statistic: Statistic) -> Comparison? {
    comparisons.first {
      $0.endpoint == nil && $0.metric == metric && $0.statistic == statistic
    }
  }

  /// Replays rows `judged` of `log`; what came before them fills the caches and the queues.
  ///
  /// - Parameters:
  ///   - calibration: From earlier rows of the log.
  ///   - seed: Of the simulation's noise.
  /// - Complexity: one simulation of the log up to the last judged row.
  public init(
    _ log: TuningLog, calibration: FleetCalibration, judged: Range<Int>,
    bounds: Bounds = Bounds(), seed: UInt64 = 2
  ) {
    let start = max(0, judged.lowerBound - Self.warmUpRows)
    let rows = start..<judged.upperBound
    let router = Router.Configuration(prefixCapacity: 1, requestCapacity: 1)
    let outcomes = Fleet(calibration.fleet(seed: seed, router: router), policy: .roundRobin).run(
      log.workload(rows),
      routing: .forced(log.decisions(rows), prefill: log.prefillDecisions(rows))
    ).outcomes
    let whole = SimulationComparison(log, outcomes, firstRow: start, rows: judged)
    comparisons = Self.comparisons(whole, endpoint: nil, bounds: bounds)
    for endpoint in log.endpoints.indices {
      let part = SimulationComparison(log, outcomes, firstRow: start, rows: judged) {
        log.endpoint(ofRow: $0) == endpoint
      }
      comparisons += Self.comparisons(
        part, endpoint: log.endpointName(endpoint), bounds: bounds)
    }
    requestCount = whole.e2e.logged.count
    let isLarge = requestCount >= bounds.fewestRequests
    passes = isLarge && comparisons.allSatisfy(\.passes)
    sentences = []
    if !isLarge {
      sentences.append(
        "Only \(requestCount) requests to judge by; a proof needs \(bounds.fewestRequests).")
    }
    let failed = comparisons.filter { !$0.passes }
    sentences += failed.map(Self.sentence)
    if !failed.isEmpty {
      sentences += ProofDiagnosis(log, outcomes, firstRow: start, judged: judged).sentences
    }
  }

  /// Rows before the judged ones that fill the caches at most.
  private static let warmUpRows = 200_000

  private static func comparisons(
    _ pairs: SimulationComparison, endpoint: String?, bounds: Bounds
  ) -> [Comparison] {
    var result: [Comparison] = []
    let isWhole = endpoint == nil
    for (metric, pair) in [(Metric.ttft, pairs.ttft), (.tpot, pairs.tpot), (.e2e, pairs.e2e)] {
      guard !pair.logged.isEmpty else { continue }
      let (logged, simulated) = (pair.logged.sorted(), pair.simulated.sorted())
      for (statistic, level) in [(Statistic.p50, 0.5), (.p90, 0.9), (.p99, 0.99)] {
        let bound: Double? =
          metric == .e2e
          ? nil
          : statistic == .p50
            ? bounds.median
            : statistic == .p90 ? bounds.p90 : nil
        result.append(
          Comparison(
            endpoint: endpoint, metric: metric, statistic: statistic,
            logged: SimulationComparison.Pair.sortedQuantile(logged, level),
            simulated: SimulationComparison.Pair.sortedQuantile(simulated, level),
            bound: isWhole ? bound : nil, count: pair.logged.count))
      }
      result.append(
        Comparison(
          endpoint: endpoint, metric: metric, statistic: .mean,
          logged: SimulationComparison.Pair.mean(pair.logged),
          simulated: SimulationComparison.Pair.mean(pair.simulated),
          bound: isWhole && metric == .e2e ? bounds.meanE2E : nil, count: pair.logged.count))
    }
    if !pairs.cached.logged.isEmpty {
      result.append(
        Comparison(
          endpoint: endpoint, metric: .cachedTokens, statistic: .mean,
          logged: SimulationComparison.Pair.mean(pairs.cached.logged),
          simulated: SimulationComparison.Pair.mean(pairs.cached.simulated),
          bound: isWhole ? bounds.cachedTokens : nil, count: pairs.cached.logged.count))
    }
    return result
  }

  private static func sentence(_ comparison: Comparison) -> String {
    let unit = comparison.metric == .cachedTokens ? "tokens" : "ms"
    let percent = ProofDiagnosis.percent(comparison.relativeError)
    let bound = ProofDiagnosis.percent(comparison.bound ?? 0, isSigned: false)
    return "\(comparison.metric.rawValue) \(comparison.statistic.rawValue) is "
      + "\(ProofDiagnosis.number(comparison.simulated)) \(unit) simulated against "
      + "\(ProofDiagnosis.number(comparison.logged)) \(unit) logged: \(percent), bound \(bound)."
  }
}
