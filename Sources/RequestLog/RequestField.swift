/// A field of the native request log.
enum RequestField: UInt8, CaseIterable, Sendable {
  case requestID, received, dispatched
  case endpoint, prefillEndpoint, gateway, pool, model, adapter, accelerator, role, policy
  case inputTokens, outputTokens, maxTokens, cachedTokens, prefixMatchTokens, prefixBlockTokens
  case waiting, running
  case ttft, e2e, tpot, snapshotAge, targetTTFT, targetTPOT
  case kvUsage, propensity
  case status, priority, stream
  case prefixBlocks, chunkOffsets, candidates
  /// A member of the line that is none of ours.
  case ignored

  /// What its values are.
  enum Kind: UInt8 {
    case identity, time, name, count, milliseconds, fraction, status, priority, flag
    case blocks, offsets, json, ignored
  }

  var kind: Kind {
    switch self {
    case .requestID: .identity
    case .received, .dispatched: .time
    case .endpoint, .prefillEndpoint, .gateway, .pool, .model, .adapter, .accelerator, .role,
      .policy:
      .name
    case .inputTokens, .outputTokens, .maxTokens, .cachedTokens, .prefixMatchTokens,
      .prefixBlockTokens, .waiting, .running:
      .count
    case .ttft, .e2e, .tpot, .snapshotAge, .targetTTFT, .targetTPOT: .milliseconds
    case .kvUsage, .propensity: .fraction
    case .status: .status
    case .priority: .priority
    case .stream: .flag
    case .prefixBlocks: .blocks
    case .chunkOffsets: .offsets
    case .candidates: .json
    case .ignored: .ignored
    }
  }

  /// The member's name in the native log.
  var name: String {
    switch self {
    case .requestID: "request_id"
    case .received: "received_unix_ns"
    case .dispatched: "dispatched_unix_ns"
    case .endpoint: "endpoint"
    case .prefillEndpoint: "prefill_endpoint"
    case .gateway: "gateway"
    case .pool: "pool"
    case .model: "model"
    case .adapter: "adapter"
    case .accelerator: "accelerator"
    case .role: "role"
    case .policy: "policy"
    case .inputTokens: "input_tokens"
    case .outputTokens: "output_tokens"
    case .maxTokens: "max_tokens"
    case .cachedTokens: "cached_tokens"
    case .prefixMatchTokens: "prefix_match_tokens"
    case .prefixBlockTokens: "prefix_block_tokens"
    case .waiting: "waiting"
    case .running: "running"
    case .ttft: "ttft_ms"
    case .e2e: "e2e_ms"
    case .tpot: "tpot_ms"
    case .snapshotAge: "snapshot_age_ms"
    case .targetTTFT: "slo_ttft_ms"
    case .targetTPOT: "slo_tpot_ms"
    case .kvUsage: "kv_usage"
    case .propensity: "propensity"
    case .status: "status"
    case .priority: "priority"
    case .stream: "stream"
    case .prefixBlocks: "prefix_blocks"
    case .chunkOffsets: "chunk_offsets_ms"
    case .candidates: "candidates"
    case .ignored: ""
    }
  }

  /// The field of that native name.
  static func named(_ name: [UInt8]) -> RequestField? { byName[name] }

  private static let byName: [[UInt8]: RequestField] = {
    var table: [[UInt8]: RequestField] = [:]
    for field in allCases where field != .ignored { table[Array(field.name.utf8)] = field }
    return table
  }()
}

/// A request while its line is being read: the row, and what only helps to derive it.
struct RequestDraft {
  var row = LoggedRequest()
  /// The logged `tpot_ms`; E2E follows from it where the log has none.
  var tpotMilliseconds = Double.nan

  /// The latest chunk offset that is believed, ms; a day.
  static let longestOffset = 86_400_000.0

  @inline(__always) mutating func set(_ field: RequestField, name: Symbol) {
    switch field {
    case .endpoint: row.endpoint = name
    case .prefillEndpoint: row.prefillEndpoint = name
    case .gateway: row.gateway = name
    case .pool: row.pool = name
    case .model: row.model = name
    case .adapter: row.adapter = name
    case .accelerator: row.accelerator = name
    case .role: row.role = name
    case .policy: row.policy = name
    default: break
    }
  }

  @inline(__always) mutating func set(_ field: RequestField, count: Int32) {
    switch field {
    case .inputTokens: row.inputTokens = count
    case .outputTokens: row.outputTokens = count
    case .maxTokens: row.maxTokens = count
    case .cachedTokens: row.cachedTokens = count
    case .prefixMatchTokens: row.prefixMatchTokens = count
    case .prefixBlockTokens: row.prefixBlockTokens = count
    case .waiting: row.waitingRequests = count
    case .running: row.runningRequests = count
    default: break
    }
  }

  /// Sets a duration (ms) or a fraction.
  @inline(__always) mutating func set(_ field: RequestField, number: Double) {
    switch field {
    case .ttft: row.ttftMilliseconds = number
    case .e2e: row.e2eMilliseconds = number
    case .tpot: tpotMilliseconds = number
    case .snapshotAge: row.snapshotAgeMilliseconds = Float(number)
    case .targetTTFT: row.targetTTFTMilliseconds = Float(number)
    case .targetTPOT: row.targetTPOTMilliseconds = Float(number)
    case .kvUsage: row.kvCacheUsage = Float(number)
    case .propensity: row.propensity = Float(number)
    default: break
    }
  }

  @inline(__always) mutating func set(_ field: RequestField, time: Int64) {
    if field == .received {
      row.receivedNanoseconds = time
    } else {
      row.dispatchedNanoseconds = time
    }
  }
}
