/// One finished request, with all that its log line says.
public struct RequestRecord: Sendable, Hashable {
  /// Identifies it.
  public var identifier = ""
  /// Its W3C trace context; goes to the process' own log, not to the request log.
  public var traceParent = ""
  /// When its headers arrived, ns since 1970.
  public var receivedUnixNanoseconds: Int64 = 0
  /// When its endpoint was picked, ns since 1970.
  public var dispatchedUnixNanoseconds: Int64 = 0
  /// Where it was answered.
  public var endpoint = ""
  /// Where its prompt was computed, if elsewhere; else empty.
  public var prefillEndpoint = ""
  /// The accelerator of the endpoint that answered.
  public var accelerator = ""
  /// The role of the endpoint that answered.
  public var role = ""
  /// The model that was asked for.
  public var model = ""
  /// The adapter, where named apart from the model.
  public var adapter = ""
  /// The policy's name.
  public var policy = ""
  /// The probability with which the policy chose the endpoint, 0…1.
  public var propensity = Double.nan
  /// Higher is more important.
  public var priority = 0
  /// Whether the answer was streamed.
  public var isStreaming = false
  /// Prompt tokens, as estimated at dispatch: what predictions were made from.
  public var inputTokens = 0
  /// Generated tokens; -1 when unknown.
  public var outputTokens = -1
  /// The most tokens that the client asked for; 0 when it did not say.
  public var maximumTokens = 0
  /// Prompt tokens that the engine found in its cache, in ``inputTokens``' unit; -1 when unknown.
  public var cachedTokens = -1
  /// Prompt tokens thought to be cached there, at dispatch.
  public var prefixMatchTokens = 0
  /// The engine's waiting requests at dispatch; -1 when unknown.
  public var waitingRequests = -1
  /// The engine's running requests at dispatch; -1 when unknown.
  public var runningRequests = -1
  /// The engine's KV-cache usage at dispatch, 0…1.
  public var kvCacheUsage = Double.nan
  /// How old that snapshot was at dispatch, ms.
  public var snapshotAgeMilliseconds = Double.nan
  /// The TTFT that the client asked for, ms; 0 for none.
  public var ttftObjectiveMilliseconds = 0.0
  /// The TPOT that the client asked for, ms; 0 for none.
  public var tpotObjectiveMilliseconds = 0.0
  /// The HTTP status that the client saw.
  public var status = 200
  /// Arrival to first token, ms; not a number when none was seen.
  public var ttftMilliseconds = Double.nan
  /// Arrival to end, ms.
  public var e2eMilliseconds = Double.nan
  /// Hashes of the prompt's leading blocks.
  public var prefixBlocks: [UInt64] = []
  /// Chunk arrivals after the first token, ms after it.
  public var chunkOffsets: [Float] = []

  /// A record of nothing yet.
  public init() {}
}

/// Where finished requests are logged.
public protocol RequestRecordSink: Sendable {
  /// Takes a record, or drops and counts it; never waits.
  func append(_ record: RequestRecord)
}
