/// The columns of `request_chunks` that hold one value for each row, in the table's order.
enum ChunkColumn: String, CaseIterable {
  case identity
  case requestID = "request_id"
  case receivedOffset = "received_offset_ns"
  case dispatchDelay = "dispatch_delay_ns"
  case endpoint
  case prefillEndpoint = "prefill_endpoint"
  case gateway, pool, model, adapter, accelerator, role, policy
  case inputTokens = "input_tokens"
  case outputTokens = "output_tokens"
  case maxTokens = "max_tokens"
  case cachedTokens = "cached_tokens"
  case prefixMatchTokens = "prefix_match_tokens"
  case waiting, running
  case status, priority, stream
  case ttft = "ttft_ms"
  case e2e = "e2e_ms"
  case kvUsage = "kv_usage"
  case snapshotAge = "snapshot_age_ms"
  case propensity
  case targetTTFT = "slo_ttft_ms"
  case targetTPOT = "slo_tpot_ms"
  case line
  case prefixBlockTokens = "prefix_block_tokens"
  case prefixBlockStart = "prefix_block_start"
  case prefixBlockCount = "prefix_block_count"
  case chunkOffsetStart = "chunk_offset_start"
  case chunkOffsetCount = "chunk_offset_count"
  case candidatesStart = "candidates_start"
  case candidatesLength = "candidates_length"
  case prefixBlocks = "prefix_blocks"
  case chunkOffsets = "chunk_offsets_ms"
  case candidates

  /// How its bytes are read.
  enum Kind {
    case integer, real, name, text, raw
  }

  var kind: Kind {
    switch self {
    case .identity, .prefixBlocks, .chunkOffsets, .candidates: .raw
    case .requestID: .text
    case .endpoint, .prefillEndpoint, .gateway, .pool, .model, .adapter, .accelerator, .role,
      .policy:
      .name
    case .ttft, .e2e, .kvUsage, .snapshotAge, .propensity, .targetTTFT, .targetTPOT: .real
    default: .integer
    }
  }

  /// The SQL that gives the value of row `p.i` of chunk `c`.
  var expression: String {
    let column = "c.\(rawValue)"
    let width = "(length(\(column)) / c.row_count)"
    let cell = "substr(\(column), 1 + p.i * \(width), \(width))"
    switch kind {
    case .raw: return column
    case .text:
      return "rtrim(CAST(\(cell) AS TEXT), char(\(CellEncoder.padding)))"
    case .integer, .name:
      return "CASE typeof(\(column)) WHEN 'blob' THEN NULLIF(trim(\(cell)), '') + 0"
        + " ELSE \(column) END"
    case .real:
      return "CASE typeof(\(column)) WHEN 'blob' THEN CAST(NULLIF(trim(\(cell)), '') AS REAL)"
        + " ELSE \(column) END"
    }
  }
}
