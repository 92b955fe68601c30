internal import CoefficientFile
public import RoutingRuntime

extension PredictorEntry {
  /// The runtime's features that an entry fills; a model of entries may use no other.
  ///
  /// The router reports counts and not the times of events, so no engine can be emulated: the
  /// forecasts in ms stay 0, and the terms are fitted on tokens and requests directly.
  public static let features: [Feature] = [
    .promptTokens, .newTokens, .matchedPrefixTokens, .queuedTokens, .decodingRequests,
    .contextAfter, .snapshotWaiting, .snapshotUsage,
  ]

  /// Writes the entry's features to `row`, the same in training as in prediction.
  ///
  /// - Parameter row: Shape `[Feature.count]`; what an entry does not fill must be 0 and stays so.
  public func fill(_ row: inout [Double]) {
    let input = self[.inputTokens]
    let matched = self[.prefixMatchFraction] * input
    row[Int(Feature.promptTokens.rawValue)] = input
    row[Int(Feature.newTokens.rawValue)] = input - matched
    row[Int(Feature.matchedPrefixTokens.rawValue)] = matched
    row[Int(Feature.queuedTokens.rawValue)] = self[.prefillTokensInFlight]
    row[Int(Feature.decodingRequests.rawValue)] = self[.runningRequests]
    row[Int(Feature.contextAfter.rawValue)] = self[.decodeTokensInFlight]
    row[Int(Feature.snapshotWaiting.rawValue)] = self[.waitingRequests]
    row[Int(Feature.snapshotUsage.rawValue)] = self[.kvCacheUsage]
  }
}

extension Predictor {
  /// Whether the model uses nothing but what a ``PredictorEntry`` fills.
  public var isOfEntries: Bool {
    let filled = Set(PredictorEntry.features.map(\.rawValue))
    return (model.ttft.terms + model.tpot.terms).allSatisfy { term in
      filled.contains(term.first.feature)
        && (term.second.map { filled.contains($0.feature) } ?? true)
    }
  }
}
