/// One logged request as the data checks see it; numbers that the log lacks are `nan`.
public struct DatasetRow: Sendable {
  /// Arrival at the gateway, nanoseconds since 1970.
  public var receivedNanoseconds: Int64
  /// The gateway replica; empty when the log does not say.
  public var gateway = ""
  /// Where the request was sent.
  public var endpoint: String
  /// The accelerator class; empty when the log does not say.
  public var accelerator = ""
  /// The served model; empty when the log does not say.
  public var model = ""
  /// The HTTP status.
  public var status = 200
  /// Prompt length, tokens.
  public var inputTokens = Double.nan
  /// Generated tokens.
  public var outputTokens = Double.nan
  /// The gateway's estimate of cached prompt tokens.
  public var prefixMatchTokens = Double.nan
  /// What the engine reported as cached, tokens.
  public var cachedTokens = Double.nan
  /// Arrival to first token, milliseconds.
  public var ttftMilliseconds = Double.nan
  /// Arrival to last token, milliseconds.
  public var e2eMilliseconds = Double.nan
  /// A TPOT that the log states itself, milliseconds.
  public var loggedTPOTMilliseconds = Double.nan
  /// The engine's waiting requests at dispatch.
  public var waiting = Double.nan
  /// The engine's running requests at dispatch.
  public var running = Double.nan
  /// The engine's KV-cache usage at dispatch, 0…1.
  public var kvCacheUsage = Double.nan
  /// How old the engine's snapshot was at dispatch, milliseconds.
  public var snapshotAgeMilliseconds = Double.nan
  /// Arrival to dispatch, milliseconds; `nan` where the log does not say.
  public var dispatchDelayMilliseconds = Double.nan
  /// Requests that the replayed log has open on the endpoint at dispatch.
  public var replayedInFlight = Double.nan
  /// The champion's median TTFT prediction, milliseconds.
  public var championTTFTMilliseconds = Double.nan

  /// A row with everything else unknown.
  public init(receivedNanoseconds: Int64, endpoint: String) {
    self.receivedNanoseconds = receivedNanoseconds
    self.endpoint = endpoint
  }

  /// Mean gap between tokens, milliseconds; `nan` for fewer than two tokens.
  var tpotMilliseconds: Double {
    outputTokens > 1 ? (e2eMilliseconds - ttftMilliseconds) / (outputTokens - 1) : .nan
  }

  func value(_ column: DatasetColumn) -> Double {
    switch column {
    case .inputTokens: inputTokens
    case .outputTokens: outputTokens
    case .prefixMatchTokens: prefixMatchTokens
    case .cachedTokens: cachedTokens
    case .ttft: ttftMilliseconds
    case .e2e: e2eMilliseconds
    case .tpot: tpotMilliseconds
    case .waiting: waiting
    case .running: running
    case .kvCacheUsage: kvCacheUsage
    case .snapshotAge: snapshotAgeMilliseconds
    }
  }

  /// Where a value of `column` would be cut off; `nan` when nothing bounds it.
  func ceiling(_ column: DatasetColumn) -> Double {
    switch column {
    case .prefixMatchTokens, .cachedTokens: inputTokens
    case .kvCacheUsage: 1
    default: .nan
    }
  }
}

/// A numeric column that is summarized.
public enum DatasetColumn: String, Sendable, Codable, CaseIterable {
  /// Prompt length, tokens.
  case inputTokens
  /// Generated tokens.
  case outputTokens
  /// The gateway's estimate of cached prompt tokens.
  case prefixMatchTokens
  /// The engine's count of cached prompt tokens.
  case cachedTokens
  /// Time to first token, milliseconds.
  case ttft
  /// End-to-end latency, milliseconds.
  case e2e
  /// Time per output token, milliseconds.
  case tpot
  /// The engine's waiting requests.
  case waiting
  /// The engine's running requests.
  case running
  /// The engine's KV-cache usage, 0…1.
  case kvCacheUsage
  /// The age of the engine's snapshot, milliseconds.
  case snapshotAge

  /// Columns that a gateway writes before the outcome is known.
  static let knownAtDispatch: [DatasetColumn] = [
    .inputTokens, .prefixMatchTokens, .waiting, .running, .kvCacheUsage, .snapshotAge,
  ]

  /// The name of the column in the request log.
  public var logName: String {
    switch self {
    case .inputTokens: "input_tokens"
    case .outputTokens: "output_tokens"
    case .prefixMatchTokens: "prefix_match_tokens"
    case .cachedTokens: "cached_tokens"
    case .ttft: "ttft_ms"
    case .e2e: "e2e_ms"
    case .tpot: "tpot_ms"
    case .waiting: "waiting"
    case .running: "running"
    case .kvCacheUsage: "kv_usage"
    case .snapshotAge: "snapshot_age_ms"
    }
  }
}
