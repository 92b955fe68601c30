/// What the picker counts over its life.
struct PickerCounters: Sendable {
  /// Beyond this many, the histograms of further models are one.
  static let maximumModels = 32

  var latencies: [String: LatencyHistograms] = [:]
  var shedRequests: UInt64 = 0
  var unplacedRequests: UInt64 = 0
  var headerOnlyRequests: UInt64 = 0
  /// Ends of tickets that were not in flight any more.
  var repeatedEnds: UInt64 = 0
  /// Requests that nobody ended within their lifetime.
  var expiredRequests: UInt64 = 0
  var ejections: UInt64 = 0
  /// Endpoints found to make no progress, some of them ejections too.
  var stalls: UInt64 = 0
  var scrapes: UInt64 = 0
  var failedScrapes: UInt64 = 0
  var staleSnapshots: UInt64 = 0
  /// First tokens and answers that came later than their request's objective.
  var ttftViolations: UInt64 = 0
  var tpotViolations: UInt64 = 0
  /// Times that endpoints which left were forgotten.
  var compactions: UInt64 = 0
  /// Ends by the status' first digit.
  var ends = [UInt64](repeating: 0, count: 6)
  var hasModelsPerEndpoint = false

  mutating func observeTTFT(_ actual: Double, predicted: Double?, model: String) {
    change(model) { latencies in
      latencies.ttft.observe(actual * 1e-3)
      if let predicted { latencies.predictedTTFT.observe(predicted * 1e-3) }
    }
  }

  mutating func observeTPOT(_ actual: Double, predicted: Double?, model: String) {
    change(model) { latencies in
      latencies.tpot.observe(actual * 1e-3)
      if let predicted { latencies.predictedTPOT.observe(predicted * 1e-3) }
    }
  }

  private mutating func change(_ model: String, _ body: (inout LatencyHistograms) -> Void) {
    let isKnown = latencies[model] != nil
    let name = isKnown || latencies.count < Self.maximumModels ? String(model.prefix(128)) : "other"
    body(&latencies[name, default: LatencyHistograms()])
  }

  mutating func countEnd(status: Int) { ends[min(max(status / 100, 0), 5)] += 1 }
}

/// One request's predicted and actual TTFT, from its dispatch, ms.
struct LatencyOutcome: Sendable, Hashable {
  var endpoint: String
  var predictedMilliseconds: Double
  var predictedP90Milliseconds: Double
  var actualMilliseconds: Double
}

/// The latest outcomes.
struct OutcomeWindow: Sendable {
  static let capacity = 400

  private var ring: [LatencyOutcome] = []
  private var next = 0

  mutating func add(_ outcome: LatencyOutcome) {
    if ring.count < Self.capacity {
      ring.append(outcome)
    } else {
      ring[next] = outcome
      next = (next + 1) % Self.capacity
    }
  }

  /// Oldest first.
  var outcomes: [LatencyOutcome] { Array(ring[next...] + ring[..<next]) }
}
