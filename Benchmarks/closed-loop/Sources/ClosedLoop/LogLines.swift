import FleetSimulation

/// A simulated run as lines of the native request log.
struct LogLines {
  let workload: Workload
  let configuration: FleetConfiguration
  let outcomes: [RequestOutcome]

  func write(_ emit: (String) -> Void) {
    let start = 1_800_000_000_000_000_000
    for (index, (request, outcome)) in zip(workload.requests, outcomes).enumerated()
    where outcome.status == .completed && outcome.endpoint >= 0 {
      let endpoint = configuration.endpoints[Int(outcome.endpoint)]
      let received = start + Int(request.arrivalMilliseconds * 1e6)
      let blocks = request.prefixBlocks.map { String($0 >> 16) }.joined(separator: ",")
      emit(
        """
        {"request_id":"s\(index)","received_unix_ns":\(received),"endpoint":"\(endpoint.name)",\
        "accelerator":"\(endpoint.accelerator)","stream":true,\
        "input_tokens":\(request.promptTokens),"output_tokens":\(outcome.outputTokens),\
        "cached_tokens":\(outcome.cachedTokens),"prefix_match_tokens":\(outcome.cachedTokens),\
        "ttft_ms":\(outcome.ttftMilliseconds),"e2e_ms":\(outcome.e2eMilliseconds),"status":200,\
        "prefix_block_tokens":\(workload.blockTokens),"prefix_blocks":[\(blocks)]}
        """)
    }
  }
}
