/// The mappings that ship, as text, so that one static binary carries them.
enum ReadyMappings {
  /// Envoy's JSON access log; `Mappings/README.md` has the `json_format` that it expects.
  static let envoy = """
    description: Envoy JSON access log
    format: jsonl
    fields:
      request_id: [request_id, x_request_id, "[x-request-id]"]
      received_unix_ns: start_time
      endpoint: upstream_host
      gateway: hostname
      pool: upstream_cluster
      model: [model, response_model]
      # Envoy logs code 0 when the client went away before the answer, and keeps code 200 when a stream
      # broke off after its headers: the flags tell.
      status:
        path: [response_flags, flags, response_code]
        values: {"0": "499", "DC": "499", "DPE": "499", "UT": "504", "SI": "504", "DT": "504"}
        words: "503"
      input_tokens: [input_tokens, llm_input_token]
      output_tokens: [output_tokens, llm_output_token]
      cached_tokens: [cached_tokens, llm_cached_input_token]
      ttft_ms: [ttft_ms, response_duration]
      e2e_ms: duration
      policy: policy
      slo_ttft_ms: slo_ttft_ms
      slo_tpot_ms: slo_tpot_ms
    """

  /// vLLM's `llm_request` spans, as an OpenTelemetry collector's file exporter writes them.
  static let otelGenAI = """
    description: vLLM request spans in OTLP/JSON, one export request a line
    format: otlp
    where:
      - {path: name, equals: llm_request}
    fields:
      request_id: ["attributes[gen_ai.request.id]", spanId]
      received_unix_ns: startTimeUnixNano
      endpoint:
        - "resource.attributes[service.instance.id]"
        - "resource.attributes[k8s.pod.name]"
        - "resource.attributes[host.name]"
        - "resource.attributes[service.name]"
      model: ["attributes[gen_ai.response.model]", "attributes[gen_ai.request.model]"]
      input_tokens: ["attributes[gen_ai.usage.prompt_tokens]", "attributes[gen_ai.usage.input_tokens]"]
      output_tokens: ["attributes[gen_ai.usage.completion_tokens]", "attributes[gen_ai.usage.output_tokens]"]
      cached_tokens: ["attributes[gen_ai.usage.cached_tokens]", "attributes[gen_ai.usage.cache_read.input_tokens]"]
      max_tokens: "attributes[gen_ai.request.max_tokens]"
      # vLLM states latencies in seconds.
      ttft_ms: {path: "attributes[gen_ai.latency.time_to_first_token]", factor: 1000}
      e2e_ms: {path: "attributes[gen_ai.latency.e2e]", factor: 1000}
    """

  /// The bodies that llm-d's endpoint picker posts to its training server.
  ///
  /// An entry has either a TTFT or a TPOT, no id and no endpoint: TTFT entries are taken, under an id
  /// made of their content and one endpoint name; TPOT entries say neither length nor request and are
  /// skipped.
  static let llmD = """
    description: bodies of llm-d's POST /add_training_data_bulk, one a line
    format: jsonl
    records: entries
    where:
      - {path: actual_ttft_ms, above: 0}
    required: [endpoint, input_tokens, ttft_ms]
    fields:
      request_id: {generate: content}
      received_unix_ns: timestamp
      endpoint: {constant: llm-d-pool}
      role: pod_type
      input_tokens: input_token_length
      waiting: num_request_waiting
      running: num_request_running
      kv_usage: kv_cache_percentage
      prefix_match_tokens: {path: prefix_cache_score, times: input_token_length}
      ttft_ms: actual_ttft_ms
    """
}
