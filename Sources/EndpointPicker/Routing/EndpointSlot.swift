internal import RoutingRuntime

/// What the picker itself keeps of one endpoint, at the router's index for it.
struct EndpointSlot: Sendable {
  var description: EndpointDescription
  /// Whether some source lists it.
  var isPresent = true
  /// Whether its metrics say that it is alive.
  var isAlive = true
  var consecutiveScrapeFailures = 0
  /// Failed requests in a row.
  var consecutiveFailures = 0
  /// Ejections in a row, which make the next one longer.
  var ejections = 0
  /// Until when it gets no requests for having failed too many, ms.
  var ejectedUntil = -Double.infinity
  /// Whether its requests in flight make no progress.
  var isStalled = false
  /// After an ejection: it gets one request at a time until one has its first token.
  var isOnProbation = false
  /// Requests in flight that were sent to it on probation.
  var probesInFlight = 0
  /// When an answer of it last went on, ms.
  var progressAt = -Double.infinity
  var snapshot: EngineSnapshot?
  var requestsInFlight = 0
  /// Picks by `PickReason.rawValue`.
  var picks = [UInt64](repeating: 0, count: PickReason.allCases.count)
  var completedRequests: UInt64 = 0
  var failedRequests: UInt64 = 0
  /// The recent mean share of prompts that was thought to be cached.
  var prefixShare = 0.0

  init(_ description: EndpointDescription) { self.description = description }

  /// Whether it may be chosen at `time`, were there no other.
  var mayServe: Bool { isPresent && !description.isDraining }

  /// Whether it is in order at `time`.
  func isHealthy(at time: Double) -> Bool {
    mayServe && isAlive && !isStalled && time >= ejectedUntil
      && !(isOnProbation && probesInFlight > 0)
  }

  /// One word for reports.
  func state(at time: Double) -> String {
    if !isPresent { return "removed" }
    if description.isDraining { return "draining" }
    if !isAlive { return "unavailable" }
    if isStalled { return "stalled" }
    if time < ejectedUntil { return "ejected" }
    return "available"
  }

  /// Nothing is held against it any more.
  mutating func acquit() {
    (consecutiveFailures, ejections) = (0, 0)
    (isStalled, isOnProbation) = (false, false)
    ejectedUntil = -.infinity
  }

  mutating func picked(_ reason: PickReason, matchedShare: Double) {
    requestsInFlight += 1
    picks[Int(reason.rawValue)] += 1
    prefixShare += 0.05 * (matchedShare - prefixShare)
  }
}

/// A request in flight.
struct Flight: Sendable {
  var request: InferenceRequest
  var handle: EndpointPool.Handle
  var pick: Pick
  var policyName: String
  /// The snapshot that the decision saw.
  var snapshot: EngineSnapshot?
  var receivedUnixNanoseconds: Int64
  var dispatchedUnixNanoseconds: Int64
  /// On the monotonic clock, ms.
  var dispatchedAt: Double
  var firstTokenAt: Double?
  /// When the first token or a later chunk was last noted.
  var notedAt = 0.0
  var streamedTokens = 0
  /// The chunks that were noted, ms after the first token.
  var chunkOffsets: [Float] = []
  /// Whether its endpoint was on probation when it was picked.
  var isProbe = false

  /// Arrival to dispatch, ms.
  var waitMilliseconds: Double {
    Double(dispatchedUnixNanoseconds - receivedUnixNanoseconds) * 1e-6
  }
}
