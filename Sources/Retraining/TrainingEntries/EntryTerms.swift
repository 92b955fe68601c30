internal import LatencyRegression
internal import RoutingRuntime

/// The terms that a model of entries chooses from.
enum EntryTerms {
  static func fitter(threads: Int) -> SampleFitter {
    SampleFitter(ttft: ttft, tpot: tpot, threads: threads)
  }

  private static let load: [Feature] = [
    .snapshotWaiting, .decodingRequests, .snapshotUsage, .queuedTokens, .contextAfter,
  ]

  /// A prompt costs its own tokens, more where it attends to more, behind what is queued.
  private static let ttft = candidates(
    base: [.newTokens, .queuedTokens],
    tried: load + [.newTokens, .promptTokens, .matchedPrefixTokens],
    products: [
      (.newTokens, .promptTokens), (.newTokens, .decodingRequests), (.newTokens, .snapshotUsage),
      (.queuedTokens, .decodingRequests), (.queuedTokens, .snapshotWaiting),
      (.queuedTokens, .queuedTokens), (.newTokens, .queuedTokens), (.newTokens, .newTokens),
      (.snapshotWaiting, .decodingRequests), (.snapshotWaiting, .snapshotUsage),
      (.newTokens, .snapshotWaiting),
    ])

  /// A token's step grows with the batch and the context that it attends to.
  private static let tpot = candidates(
    base: [.decodingRequests],
    tried: load + [.promptTokens],
    products: [
      (.decodingRequests, .snapshotUsage), (.decodingRequests, .queuedTokens),
      (.decodingRequests, .decodingRequests), (.snapshotUsage, .snapshotUsage),
      (.decodingRequests, .promptTokens), (.snapshotWaiting, .decodingRequests),
    ])

  private static func candidates(
    base: [Feature], tried: [Feature], products: [(Feature, Feature)]
  ) -> SampleFitter.Candidates {
    SampleFitter.Candidates(
      base: base.map(\.rawValue), tried: tried.map(\.rawValue),
      products: products.map { ($0.0.rawValue, $0.1.rawValue) })
  }
}
