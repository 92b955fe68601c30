internal import FleetSimulation

/// An engine's metrics in Prometheus' text format, under vLLM's names.
enum EngineMetricsText {
  /// The text of all metrics, or of those that `names` asks for.
  static func write(
    _ metrics: EngineMetrics, model: String, blockTokens: Int, kvBlocks: Int, names: [String]
  ) -> String {
    let label = "{engine=\"0\",model_name=\(CompletionAnswer.quoted(model))}"
    let usage = min(max(metrics.kvCacheUsage, 0), 1)
    let all: [(name: String, kind: String, help: String, value: String)] = [
      (
        "vllm:num_requests_running", "gauge", "Requests in the batch.",
        "\(Double(metrics.runningRequests))"
      ),
      (
        "vllm:num_requests_waiting", "gauge", "Requests that wait.",
        "\(Double(metrics.waitingRequests))"
      ),
      ("vllm:kv_cache_usage_perc", "gauge", "KV-cache usage, 1 is all.", "\(usage)"),
      (
        "vllm:prefix_cache_queries", "counter", "Prompt tokens looked up in the prefix cache.",
        "\(Double(metrics.prefixQueries))"
      ),
      (
        "vllm:prefix_cache_hits", "counter", "Prompt tokens found in the prefix cache.",
        "\(Double(metrics.prefixHits))"
      ),
      (
        "vllm:num_preemptions", "counter", "Requests preempted.",
        "\(Double(metrics.preemptions))"
      ),
      (
        "vllm:prompt_tokens", "counter", "Prompt tokens processed.",
        "\(Double(metrics.promptTokens))"
      ),
      (
        "vllm:generation_tokens", "counter", "Tokens generated.",
        "\(Double(metrics.generatedTokens))"
      ),
      (
        "vllm:request_success", "counter", "Requests that ended well.",
        "\(Double(metrics.finishedRequests))"
      ),
    ]
    var text = ""
    for one in all {
      let sample = one.kind == "counter" ? one.name + "_total" : one.name
      guard names.isEmpty || names.contains(sample) || names.contains(one.name) else { continue }
      text += "# HELP \(one.name) \(one.help)\n# TYPE \(one.name) \(one.kind)\n"
      text += "\(sample)\(label) \(one.value)\n"
    }
    if names.isEmpty || names.contains("vllm:cache_config_info") {
      text += "# HELP vllm:cache_config_info The cache's configuration.\n"
      text += "# TYPE vllm:cache_config_info gauge\n"
      text += "vllm:cache_config_info{block_size=\"\(blockTokens)\",engine=\"0\","
      text += "num_gpu_blocks=\"\(kvBlocks)\"} 1.0\n"
    }
    return text
  }

  /// The values of `name[]` in a query.
  static func names(_ query: Substring) -> [String] {
    query.split(separator: "&").compactMap { pair in
      let parts = pair.split(separator: "=", maxSplits: 1).map(decoded)
      return parts.count == 2 && parts[0] == "name[]" ? parts[1] : nil
    }
  }

  /// Resolves percent escapes; what is none stays.
  private static func decoded(_ text: Substring) -> String {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "%"), rest.count >= 2,
        let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
      {
        bytes.append(value)
        rest = rest.dropFirst(2)
      } else {
        bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
