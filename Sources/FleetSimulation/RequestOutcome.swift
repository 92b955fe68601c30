internal import RoutingRuntime

/// How a simulated request ended.
public struct RequestOutcome: Sendable, Hashable {
  /// What became of it.
  public enum Status: UInt8, Sendable, Hashable, CaseIterable {
    /// The simulation ended before it did.
    case unfinished = 0
    /// It was answered in full.
    case completed = 1
    /// The gateway refused it.
    case shed = 2
    /// No endpoint was eligible.
    case noEndpoint = 3
    /// The endpoint refused it: it cannot fit.
    case rejected = 4
    /// The endpoint died with it, or was dead.
    case failed = 5
    /// The gateway gave up waiting for its first token.
    case timedOut = 6
  }

  /// Where it was sent, where decode ran; -1 for nowhere.
  public var endpoint: Int32 = -1
  /// Where its prompt was computed, when elsewhere; else -1.
  public var prefillEndpoint: Int32 = -1
  /// What became of it.
  public var status = Status.unfinished
  /// Tokens that it generated.
  public var outputTokens: Int32 = 0
  /// Prompt tokens found in the endpoint's cache.
  public var cachedTokens: Int32 = 0
  /// Prompt tokens that the gateway took to be cached where it sent the prompt; -1 where it did not
  /// choose.
  public var matchedPrefixTokens: Int32 = -1
  /// Arrival, ms.
  public var arrivalMilliseconds = 0.0
  /// Arrival to first token, ms; `nan` without one.
  public var ttftMilliseconds = Double.nan
  /// Arrival to last token, ms; `nan` unless completed.
  public var e2eMilliseconds = Double.nan
  /// The endpoint's metrics as the gateway knew them at dispatch; -1 before the first scrape.
  public var snapshotWaiting: Int32 = -1
  /// The batch of that snapshot; -1 before the first scrape.
  public var snapshotRunning: Int32 = -1
  /// The KV-cache usage of that snapshot, 0…1; `nan` before the first scrape.
  public var snapshotUsage = Float.nan
  /// How old that snapshot was, ms; `nan` before the first scrape.
  public var snapshotAgeMilliseconds = Float.nan
  /// The gateway's prediction of its TTFT, ms; `nan` without one.
  public var predictedTTFTMilliseconds = Double.nan

  /// A request that has not been sent.
  public init() {}

  // MARK: - What happens, each in one access

  /// It reached the gateway, which chose.
  mutating func arrive(at time: Double, _ pick: Pick, _ snapshot: SeenSnapshot?) {
    arrive(at: time, endpoint: pick.endpoint, prefill: pick.prefillEndpoint, snapshot)
    guard pick.endpoint >= 0 else {
      status = pick.reason == .shed ? .shed : .noEndpoint
      return
    }
    predictedTTFTMilliseconds = pick.prediction?.ttft.mean ?? .nan
    matchedPrefixTokens = Int32(pick.matchedPrefixTokens)
  }

  /// It reached the gateway, and was sent where it was told.
  @inline(always)
  mutating func arrive(at time: Double, endpoint: Int, prefill: Int, _ snapshot: SeenSnapshot?) {
    arrivalMilliseconds = time
    self.endpoint = Int32(truncatingIfNeeded: endpoint)
    prefillEndpoint = Int32(truncatingIfNeeded: prefill)
    guard let snapshot else { return }
    snapshotWaiting = snapshot.waiting
    snapshotRunning = snapshot.running
    snapshotUsage = snapshot.usage
    snapshotAgeMilliseconds = snapshot.age
  }

  /// Its first token came, from where it is decoded.
  mutating func firstToken(_ event: EngineEvent) {
    ttftMilliseconds = event.time - arrivalMilliseconds
    if prefillEndpoint < 0 { cachedTokens = Int32(truncatingIfNeeded: event.cachedTokens) }
  }

  /// Its last token came.
  mutating func complete(_ event: EngineEvent) {
    e2eMilliseconds = event.time - arrivalMilliseconds
    outputTokens = Int32(truncatingIfNeeded: event.generatedTokens)
    status = .completed
  }

  /// The mean gap between output tokens, ms; `nan` when fewer than two came.
  public var tpotMilliseconds: Double {
    outputTokens >= 2 ? (e2eMilliseconds - ttftMilliseconds) / Double(outputTokens - 1) : .nan
  }

  /// Whether it completed within both objectives, ms; 0 for none.
  public func meets(ttftMilliseconds: Double, tpotMilliseconds: Double) -> Bool {
    guard status == .completed else { return false }
    if ttftMilliseconds > 0, !(self.ttftMilliseconds <= ttftMilliseconds) { return false }
    guard tpotMilliseconds > 0, outputTokens >= 2 else { return true }
    return self.tpotMilliseconds <= tpotMilliseconds
  }
}

/// An endpoint's metrics as a log writes them.
struct SeenSnapshot {
  var waiting: Int32
  var running: Int32
  var usage: Float
  var age: Float

  init(_ gauges: EngineGauges, age milliseconds: Double) {
    waiting = Int32(truncatingIfNeeded: gauges.waitingRequests)
    running = Int32(truncatingIfNeeded: gauges.runningRequests)
    usage = Float(gauges.kvCacheUsage)
    age = Float(milliseconds)
  }
}

/// The mean and three quantiles of a latency, ms; all `nan` without values.
public struct LatencyQuantiles: Sendable, Hashable {
  /// The mean.
  public var mean = Double.nan
  /// The median.
  public var p50 = Double.nan
  /// Nine in ten are at most this.
  public var p90 = Double.nan
  /// All but one in a hundred are at most this.
  public var p99 = Double.nan

  /// Of `values`, in any order; those that are not finite do not count.
  public init(_ values: [Double]) {
    var sorted = values.filter(\.isFinite)
    guard !sorted.isEmpty else { return }
    sorted.sort()
    mean = sorted.reduce(0, +) / Double(sorted.count)
    p50 = Self.quantile(sorted, 0.5)
    p90 = Self.quantile(sorted, 0.9)
    p99 = Self.quantile(sorted, 0.99)
  }

  /// The linearly interpolated quantile of sorted values; `nan` without any.
  static func quantile(_ sorted: [Double], _ level: Double) -> Double {
    guard let last = sorted.last else { return .nan }
    let position = level * Double(sorted.count - 1)
    let lower = Int(position)
    guard lower + 1 < sorted.count else { return last }
    return sorted[lower] + (position - Double(lower)) * (sorted[lower + 1] - sorted[lower])
  }
}

/// What users saw of a simulated fleet.
public struct FleetSummary: Sendable, Hashable {
  /// Requests.
  public var requestCount = 0
  /// Those that were answered in full.
  public var completedCount = 0
  /// TTFT of all that had a first token.
  public var ttft = LatencyQuantiles([])
  /// TPOT of all that completed with two tokens or more.
  public var tpot = LatencyQuantiles([])
  /// E2E of all that completed.
  public var e2e = LatencyQuantiles([])
  /// Share of the requests that completed within their objectives, 0…1; those without objectives
  /// need only complete.
  public var goodput = 0.0
  /// Share of the completed requests' prompt tokens that were cached, 0…1.
  public var cachedShare = 0.0

  /// Of the requests of `workload` that arrive in `window`, ms.
  public init(
    _ outcomes: [RequestOutcome], of workload: Workload,
    window: Range<Double> = -Double.infinity..<Double.infinity
  ) {
    var (ttfts, tpots, e2es): ([Double], [Double], [Double]) = ([], [], [])
    var (good, prompt, cached) = (0, 0, 0)
    for (request, outcome) in zip(workload.requests, outcomes)
    where window.contains(request.arrivalMilliseconds) {
      requestCount += 1
      ttfts.append(outcome.ttftMilliseconds)
      if outcome.meets(
        ttftMilliseconds: request.ttftObjectiveMilliseconds,
        tpotMilliseconds: request.tpotObjectiveMilliseconds)
      {
        good += 1
      }
      guard outcome.status == .completed else { continue }
      completedCount += 1
      tpots.append(outcome.tpotMilliseconds)
      e2es.append(outcome.e2eMilliseconds)
      prompt += request.promptTokens
      cached += Int(outcome.cachedTokens)
    }
    ttft = LatencyQuantiles(ttfts)
    tpot = LatencyQuantiles(tpots)
    e2e = LatencyQuantiles(e2es)
    goodput = requestCount > 0 ? Double(good) / Double(requestCount) : 0
    cachedShare = prompt > 0 ? Double(cached) / Double(prompt) : 0
  }
}
