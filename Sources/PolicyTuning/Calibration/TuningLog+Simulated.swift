public import FleetSimulation
internal import LogReplay
internal import RequestLog

extension TuningLog {
  /// The log that a gateway would have written of a simulated run.
  ///
  /// Requests that were never sent are left out.
  ///
  /// - Parameter outcomes: Of `workload` on `fleet`.
  public init(
    simulated workload: Workload, outcomes: [RequestOutcome], fleet: FleetConfiguration
  ) {
    var symbols = SymbolTable()
    let endpoints = fleet.endpoints.map { symbols.intern($0.name) }
    let accelerators = fleet.endpoints.map { symbols.intern($0.accelerator) }
    var batch = RequestBatch()
    for (index, outcome) in outcomes.enumerated()
    where fleet.endpoints.indices.contains(Int(outcome.endpoint)) {
      let request = workload.requests[index]
      var row = LoggedRequest()
      row.identityHigh = 1
      row.identityLow = UInt64(index)
      row.endpoint = endpoints[Int(outcome.endpoint)]
      row.accelerator = accelerators[Int(outcome.endpoint)]
      if fleet.endpoints.indices.contains(Int(outcome.prefillEndpoint)) {
        row.prefillEndpoint = endpoints[Int(outcome.prefillEndpoint)]
      }
      row.receivedNanoseconds =
        Self.originNanoseconds + Int64((request.arrivalMilliseconds * 1e6).rounded())
      row.inputTokens = Int32(clamping: request.promptTokens)
      row.maxTokens = Int32(clamping: request.maximumTokens)
      if request.ttftObjectiveMilliseconds > 0 {
        row.targetTTFTMilliseconds = Float(request.ttftObjectiveMilliseconds)
      }
      if request.tpotObjectiveMilliseconds > 0 {
        row.targetTPOTMilliseconds = Float(request.tpotObjectiveMilliseconds)
      }
      row.waitingRequests = outcome.snapshotWaiting
      row.runningRequests = outcome.snapshotRunning
      row.kvCacheUsage = outcome.snapshotUsage
      row.snapshotAgeMilliseconds = outcome.snapshotAgeMilliseconds
      row.status = outcome.status.httpStatus
      row.outputTokens = outcome.outputTokens
      row.cachedTokens = outcome.cachedTokens
      row.ttftMilliseconds = outcome.ttftMilliseconds
      row.e2eMilliseconds = outcome.e2eMilliseconds
      row.prefixMatchTokens = outcome.matchedPrefixTokens
      row.prefixBlockTokens = Int32(clamping: workload.blockTokens)
      row.prefixBlocks = TextRange(
        start: Int32(clamping: batch.blocks.count),
        count: Int32(clamping: request.prefixBlocks.count))
      batch.blocks.append(contentsOf: request.prefixBlocks)
      batch.rows.append(row)
    }
    self.init(batch: batch, symbols: symbols)
  }

  /// Any moment will do: 2025-11-21 04:53:20 UTC.
  private static let originNanoseconds: Int64 = 1_763_700_800_000_000_000
}

extension RequestOutcome.Status {
  /// As a gateway logs it.
  fileprivate var httpStatus: Int16 {
    switch self {
    case .completed: 200
    case .shed: 429
    case .noEndpoint: 503
    case .rejected: 400
    case .failed, .unfinished: 502
    case .timedOut: 504
    }
  }
}
