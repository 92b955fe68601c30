internal import RoutingRuntime

extension PickerState {
  /// What the log says of an ended request.
  func record(
    _ flight: Flight, ticket: PickTicket, outcome: RequestOutcome, at time: Double
  ) -> RequestRecord {
    var record = RequestRecord()
    record.identifier =
      flight.request.requestIdentifier.isEmpty
      ? "\(settings.gateway)-\(settings.startedUnixNanoseconds)-\(ticket.identifier)"
      : flight.request.requestIdentifier
    record.traceParent = flight.request.traceParent
    record.receivedUnixNanoseconds = flight.receivedUnixNanoseconds
    record.dispatchedUnixNanoseconds = flight.dispatchedUnixNanoseconds
    place(&record, flight)
    record.model = flight.request.model
    record.adapter = flight.request.adapter
    record.policy = flight.policyName
    record.propensity = min(max(flight.pick.propensity, 0), 1)
    record.priority = flight.request.priority
    record.isStreaming = flight.request.isStreaming
    record.inputTokens = max(flight.request.promptTokens, 1)
    record.maximumTokens = flight.request.maximumTokens
    record.prefixMatchTokens = min(
      Int(max(flight.pick.matchedPrefixTokens, 0)), record.inputTokens)
    record.outputTokens = outcome.outputTokens ?? -1
    record.cachedTokens = Self.cachedTokens(outcome, inputTokens: record.inputTokens)
    record.ttftObjectiveMilliseconds = flight.request.ttftObjectiveMilliseconds
    record.tpotObjectiveMilliseconds = flight.request.tpotObjectiveMilliseconds
    record.status = (100...599).contains(outcome.status) ? outcome.status : 500
    record.e2eMilliseconds = flight.waitMilliseconds + time - flight.dispatchedAt
    if let first = flight.firstTokenAt {
      record.ttftMilliseconds = flight.waitMilliseconds + first - flight.dispatchedAt
    }
    record.prefixBlocks = flight.request.prefixBlocks
    record.chunkOffsets = flight.chunkOffsets
    return record
  }

  private func place(_ record: inout RequestRecord, _ flight: Flight) {
    let description = slots[flight.pick.endpoint].description
    record.endpoint = description.name
    record.accelerator = description.accelerator
    record.role = description.role == .both ? "" : description.role.name
    if slots.indices.contains(flight.pick.prefillEndpoint) {
      record.prefillEndpoint = slots[flight.pick.prefillEndpoint].description.name
    }
    if let snapshot = flight.snapshot {
      record.waitingRequests = Int(snapshot.waitingRequests)
      record.runningRequests = Int(snapshot.runningRequests)
      record.kvCacheUsage = min(max(snapshot.kvCacheUsage, 0), 1)
      record.snapshotAgeMilliseconds = max(0, flight.dispatchedAt - snapshot.time)
    }
  }

  /// The engine's cached tokens in the unit of the estimate, which may differ from the engine's.
  private static func cachedTokens(_ outcome: RequestOutcome, inputTokens: Int) -> Int {
    guard let cached = outcome.cachedTokens, cached >= 0 else { return -1 }
    guard let prompt = outcome.promptTokens, prompt > 0 else { return min(cached, inputTokens) }
    let share = min(Double(cached) / Double(prompt), 1)
    return Int((share * Double(inputTokens)).rounded(.down))
  }
}
