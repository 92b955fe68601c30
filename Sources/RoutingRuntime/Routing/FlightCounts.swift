/// Requests in flight per endpoint and nothing else: all that policies need that count.
///
/// It stands in for the ``EndpointPool`` where nobody asks for predictions, at a fraction of its work.
struct FlightCounts: Sendable {
  private(set) var requests: [Int] = []
  private var endpoints: [Int32] = []
  private var generations: [UInt32] = []
  private var free: [Int32] = []

  mutating func addEndpoint() { requests.append(0) }

  /// A request was sent to `endpoint`.
  mutating func dispatched(to endpoint: Int) -> EndpointPool.Handle {
    requests[endpoint] += 1
    guard let slot = free.popLast() else {
      endpoints.append(Int32(endpoint))
      generations.append(1)
      return EndpointPool.Handle(slot: Int32(endpoints.count - 1), generation: 1)
    }
    let index = Int(slot)
    endpoints[index] = Int32(endpoint)
    generations[index] &+= 1
    return EndpointPool.Handle(slot: slot, generation: generations[index])
  }

  /// Whether the request was dispatched and has not ended.
  func isInFlight(_ handle: EndpointPool.Handle) -> Bool {
    let index = Int(handle.slot)
    return endpoints.indices.contains(index) && generations[index] == handle.generation
      && endpoints[index] >= 0
  }

  /// The request ended; unknown handles are ignored.
  mutating func finished(_ handle: EndpointPool.Handle) {
    guard isInFlight(handle) else { return }
    let index = Int(handle.slot)
    requests[Int(endpoints[index])] -= 1
    endpoints[index] = -1
    free.append(handle.slot)
  }
}

extension RoutingPolicy {
  /// Whether it chooses by counts, prefixes and metrics alone, without any prediction.
  public var isByCounts: Bool {
    switch self {
    case .roundRobin, .random, .leastRequest, .powerOfTwo, .weightedScorers, .affinity,
      .loadProduct:
      true
    case .latencyScorer, .predictedCost: false
    }
  }
  /// Whether it looks at how many requests and tokens are in flight, or at scraped metrics.
  var readsCounts: Bool {
    if case .predictedCost = self { return false }
    return true
  }

  /// Whether no quantile of a prediction is ever looked at.
  var decidesByMeans: Bool {
    guard case .predictedCost(let parameters) = self else { return isByCounts }
    return parameters.quantileLevel <= 0
  }
}
