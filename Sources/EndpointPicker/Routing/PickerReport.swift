internal import CoefficientFile
internal import RoutingRuntime

/// What reports need of the picker at one moment.
struct PickerReport: Sendable {
  struct Endpoint: Sendable {
    var description: EndpointDescription
    var state: String
    var requestsInFlight: Int
    var pendingRequests: Int
    var decodingRequests: Int
    var snapshot: EngineSnapshot?
    var snapshotAgeMilliseconds: Double?
    var prefixShare: Double
    var prefixFill: Double
    var ttftCorrection: Double
    var tpotCorrection: Double
    /// For ``PickerReport/referenceTokens`` of uncached prompt.
    var predictedTTFT: HeadValues?
    var predictedTPOT: HeadValues?
    var picks: [UInt64]
    var completedRequests: UInt64
    var failedRequests: UInt64
  }

  /// The prompt whose TTFT is predicted for each endpoint.
  static let referenceTokens = 1_000.0

  /// Endpoints that are listed, or still have requests in flight.
  var endpoints: [Endpoint]
  var counters: PickerCounters
  var outcomes: [LatencyOutcome]
  var requestsInFlight: Int
  var policyName: String
  var modelVersion: UInt64
  var provenance: Provenance?
  var isPanicking: Bool
  var time: Double

  init(_ state: inout PickerState, at time: Double) {
    self.time = time
    endpoints = []
    for index in state.slots.indices {
      let slot = state.slots[index]
      guard slot.isPresent || slot.requestsInFlight > 0 else { continue }
      endpoints.append(Self.endpoint(&state, index, at: time))
    }
    counters = state.counters
    outcomes = state.outcomes.outcomes
    requestsInFlight = state.flights.count
    policyName = state.policyName
    modelVersion = state.modelVersion
    provenance = state.predictor?.model.provenance
    isPanicking = state.isPanicking
  }

  private static func endpoint(
    _ state: inout PickerState, _ index: Int, at time: Double
  ) -> Endpoint {
    let slot = state.slots[index]
    let prediction = state.router.predict(
      RoutingRequest(promptTokens: referenceTokens), on: index, matchedPrefixTokens: 0, at: time)
    let factors = state.router.pool.correctionFactors(index, at: time)
    return Endpoint(
      description: slot.description, state: slot.state(at: time),
      requestsInFlight: slot.requestsInFlight,
      pendingRequests: state.router.pool.endpoints[index].pendingRequests,
      decodingRequests: state.router.pool.endpoints[index].decodingRequests,
      snapshot: slot.snapshot,
      snapshotAgeMilliseconds: slot.snapshot.map { max(0, time - $0.time) },
      prefixShare: slot.prefixShare, prefixFill: state.router.prefixes.fill(endpoint: index),
      ttftCorrection: factors.ttft, tpotCorrection: factors.tpot,
      predictedTTFT: prediction?.ttft, predictedTPOT: prediction?.tpot, picks: slot.picks,
      completedRequests: slot.completedRequests, failedRequests: slot.failedRequests)
  }
}
