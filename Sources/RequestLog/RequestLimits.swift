/// What a believable log line may say; beyond it the line is quarantined.
public struct RequestLimits: Sendable, Hashable {
  /// The most tokens that any count may state.
  public var maximumTokens: Int32 = 10_000_000
  /// The longest duration, ms; a day.
  public var maximumLatencyMilliseconds: Double = 86_400_000
  /// The earliest arrival, Unix nanoseconds; 2015-01-01T00:00:00Z.
  public var earliestNanoseconds: Int64 = 1_420_070_400_000_000_000
  /// The caller's clock, Unix nanoseconds: arrivals a day or more after it are quarantined.
  ///
  /// `nil`
  /// judges a line only by the lines around it, so that a machine with a wrong clock can read logs.
  public var nowNanoseconds: Int64?
  /// How far the arrival may fall behind the latest one before it, ms; an hour.
  ///
  /// Lines are written
  /// at completion, so that seconds are usual.
  public var maximumClockStepBackMilliseconds: Double = 3_600_000
  /// How far the arrival may run ahead of the lines around it, ms; a day.
  public var maximumClockLeadMilliseconds: Double = 86_400_000

  /// The default limits.
  public init() {}

  static let nanosecondsPerMillisecond = 1_000_000.0
  static let nanosecondsPerDay: Int64 = 86_400_000_000_000

  var stepBackNanoseconds: Int64 { Self.nanoseconds(maximumClockStepBackMilliseconds) }
  var leadNanoseconds: Int64 { Self.nanoseconds(maximumClockLeadMilliseconds) }

  private static func nanoseconds(_ milliseconds: Double) -> Int64 {
    Int64(exactly: (milliseconds * nanosecondsPerMillisecond).rounded()) ?? .max
  }
}

/// Checks what one line says about itself; what it says against other lines is the assembler's.
struct RequestValidator: Sendable {
  var limits: RequestLimits
  /// The fields that a line must have.
  var required: Set<RequestField> = Self.nativelyRequired

  /// The fields that every native line must have; `ttft_ms` and `e2e_ms` only with status 200.
  static let nativelyRequired: Set<RequestField> = [
    .requestID, .received, .endpoint, .inputTokens, .ttft, .e2e,
  ]
  /// Clocks of one gateway agree to a millisecond: logs round their readings that far.
  private static let roundingNanoseconds: Int64 = 1_000_000

  /// Completes `draft` from what it has and checks it.
  func validate(_ draft: inout RequestDraft) throws(Rejection) {
    derive(&draft)
    try checkPresence(draft.row)
    try checkTimes(&draft.row)
    try checkCounts(draft.row)
    try checkDurations(draft)
    try checkFractions(draft.row)
    guard (100...599).contains(draft.row.status) else {
      throw Rejection(.status, .absurd(limit: "HTTP statuses are 100 to 599"))
    }
  }

  /// E2E from TPOT, and the dispatch from the arrival, where the log has only these.
  private func derive(_ draft: inout RequestDraft) {
    if draft.row.e2eMilliseconds.isNaN, !draft.tpotMilliseconds.isNaN,
      draft.row.outputTokens >= 1
    {
      draft.row.e2eMilliseconds =
        draft.row.ttftMilliseconds + draft.tpotMilliseconds * Double(draft.row.outputTokens - 1)
    }
    if draft.row.dispatchedNanoseconds == LoggedRequest.missingTime {
      draft.row.dispatchedNanoseconds = draft.row.receivedNanoseconds
    }
  }

  private func checkPresence(_ row: LoggedRequest) throws(Rejection) {
    if row.requestID.count == 0, required.contains(.requestID) {
      throw Rejection(.requestID, .missing)
    }
    if row.receivedNanoseconds == LoggedRequest.missingTime, required.contains(.received) {
      throw Rejection(.received, .missing)
    }
    if row.endpoint == .none, required.contains(.endpoint) { throw Rejection(.endpoint, .missing) }
    if row.inputTokens < 0, required.contains(.inputTokens) {
      throw Rejection(.inputTokens, .missing)
    }
    guard row.status == 200 else { return }
    // An answer that is not streamed has no first token that a gateway could see.
    if row.ttftMilliseconds.isNaN, row.stream != 0, required.contains(.ttft) {
      throw Rejection(.ttft, .missing)
    }
    if row.e2eMilliseconds.isNaN, required.contains(.e2e) { throw Rejection(.e2e, .missing) }
  }

  private func checkTimes(_ row: inout LoggedRequest) throws(Rejection) {
    let received = row.receivedNanoseconds
    guard received != LoggedRequest.missingTime else { return }
    if received < limits.earliestNanoseconds {
      throw Rejection(.received, received < 0 ? .negative : .absurd(limit: Self.tooEarly))
    }
    if let now = limits.nowNanoseconds,
      received.subtractingReportingOverflow(now).partialValue >= RequestLimits.nanosecondsPerDay
    {
      throw Rejection(.received, .absurd(limit: "a day or more after the present"))
    }
    let (wait, overflow) = row.dispatchedNanoseconds.subtractingReportingOverflow(received)
    if overflow || Double(wait) > limits.maximumLatencyMilliseconds * 1e6 {
      throw Rejection(.dispatched, .absurd(limit: "over a day after the arrival"))
    }
    if wait < -Self.roundingNanoseconds {
      throw Rejection(.dispatched, .inconsistent("the dispatch is before the arrival"))
    }
    if wait < 0 { row.dispatchedNanoseconds = received }
    if Double(wait - Self.roundingNanoseconds) > row.ttftMilliseconds * 1e6 {
      throw Rejection(.dispatched, .inconsistent("the dispatch is after the first token"))
    }
  }

  private static let tooEarly = "before 2015; the unit is nanoseconds"

  private func checkCounts(_ row: LoggedRequest) throws(Rejection) {
    let limit = limits.maximumTokens
    let counts: [(RequestField, Int32)]
    if row.inputTokens <= limit, row.outputTokens <= limit, row.cachedTokens <= row.inputTokens,
      row.prefixMatchTokens <= row.inputTokens, row.maxTokens <= limit,
      row.prefixBlockTokens <= limit, row.waitingRequests <= limit, row.runningRequests <= limit
    {
      return
    }
    counts = [
      (.inputTokens, row.inputTokens), (.outputTokens, row.outputTokens),
      (.maxTokens, row.maxTokens), (.cachedTokens, row.cachedTokens),
      (.prefixMatchTokens, row.prefixMatchTokens), (.prefixBlockTokens, row.prefixBlockTokens),
      (.waiting, row.waitingRequests), (.running, row.runningRequests),
    ]
    for (field, count) in counts where count > limit {
      throw Rejection(field, .absurd(limit: "at most \(limit)"))
    }
    guard row.inputTokens >= 0 else { return }
    let field: RequestField =
      row.prefixMatchTokens > row.inputTokens ? .prefixMatchTokens : .cachedTokens
    throw Rejection(field, .inconsistent("more tokens than the prompt has"))
  }

  private func checkDurations(_ draft: RequestDraft) throws(Rejection) {
    let row = draft.row
    let limit = limits.maximumLatencyMilliseconds
    // Every comparison with NaN, a missing value, is false.
    if row.ttftMilliseconds > limit { throw tooLong(.ttft) }
    if row.e2eMilliseconds > limit { throw tooLong(.e2e) }
    if draft.tpotMilliseconds > limit { throw tooLong(.tpot) }
    if Double(row.snapshotAgeMilliseconds) > limit { throw tooLong(.snapshotAge) }
    if Double(row.targetTTFTMilliseconds) > limit { throw tooLong(.targetTTFT) }
    if Double(row.targetTPOTMilliseconds) > limit { throw tooLong(.targetTPOT) }
    if row.e2eMilliseconds < row.ttftMilliseconds {
      throw Rejection(.e2e, .inconsistent("the last token comes before the first"))
    }
  }

  private func tooLong(_ field: RequestField) -> Rejection {
    Rejection(
      field,
      .absurd(limit: "at most \(Int(limits.maximumLatencyMilliseconds)) ms"))
  }

  private func checkFractions(_ row: LoggedRequest) throws(Rejection) {
    if row.kvCacheUsage > 1 { throw Rejection(.kvUsage, .absurd(limit: "a fraction of 0 to 1")) }
    if row.propensity > 1 { throw Rejection(.propensity, .absurd(limit: "a fraction of 0 to 1")) }
  }
}
