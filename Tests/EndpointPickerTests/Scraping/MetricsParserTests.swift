import EndpointPicker
import TestSupport
import Testing

@Suite struct MetricsParserTests {
  private func parse(_ text: String) -> EngineMetrics { MetricsParser.parse(Array(text.utf8)) }

  @Test(arguments: [
    (
      EngineMetrics.Engine.vllm,
      """
      # HELP vllm:num_requests_waiting Number of requests waiting to be processed.
      # TYPE vllm:num_requests_waiting gauge
      vllm:num_requests_waiting{engine="0",model_name="meta/llama"} 3.0
      vllm:num_requests_running{engine="0",model_name="meta/llama"} 5.0
      vllm:kv_cache_usage_perc{engine="0",model_name="meta/llama"} 0.25
      """
    ),
    (
      .sglang,
      """
      sglang:num_running_reqs{model_name="m"} 5
      sglang:num_queue_reqs{model_name="m"} 3
      sglang:token_usage{model_name="m"} 0.25
      """
    ),
    (
      .tensorRT,
      """
      trtllm_num_requests_running{engine_type="trtllm"} 5
      trtllm_num_requests_waiting{engine_type="trtllm"} 3
      trtllm_kv_cache_utilization{engine_type="trtllm"} 0.25
      """
    ),
    (
      .triton,
      """
      nv_trt_llm_request_metrics{model="t",request_type="context",version="1"} 9
      nv_trt_llm_request_metrics{model="t",request_type="scheduled",version="1"} 5
      nv_trt_llm_request_metrics{model="t",request_type="waiting",version="1"} 3
      nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type="max",model="t"} 6239
      nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type="fraction",model="t"} 0.25
      """
    ),
  ])
  func enginesAreUnderstood(engine: EngineMetrics.Engine, text: String) {
    let metrics = parse(text)
    #expect(metrics.engine == engine)
    #expect(metrics.waitingRequests == 3)
    #expect(metrics.runningRequests == 5)
    #expect(metrics.kvCacheUsage == 0.25)
    #expect(parse(text.replacing("\n", with: "\r\n")) == metrics)
  }

  @Test(arguments: [
    (#"vllm:cache_config_info{block_size="16",engine="0",num_gpu_blocks="8192"} 1.0"#, 131_072.0),
    (#"vllm:cache_config_info{num_gpu_blocks="10",a="}",block_size="64"} 1.0"#, 640),
    (#"sglang:max_total_num_tokens{model_name="m"} 4321"#, 4_321),
  ])
  func sizeOfTheCacheIsUnderstood(text: String, tokens: Double) {
    #expect(parse(text).cacheTokens == tokens)
    #expect(parse(text + "\n" + text).cacheTokens == 2 * tokens, "one of each rank")
  }

  @Test(arguments: [
    #"vllm:cache_config_info{block_size="16",num_gpu_blocks="None"} 1.0"#,
    #"vllm:cache_config_info{block_size="16",cpu_num_gpu_blocks="9"} 1.0"#,
    #"vllm:cache_config_info{block_size="16",num_gpu_blocks="12"#,
    #"vllm:cache_config_info{block_size="9999999",num_gpu_blocks="9999999"} 1.0"#,
    #"vllm:cache_config_info{block_size="0",num_gpu_blocks="99999999999999999999"} 1.0"#,
    "vllm:cache_config_info 1.0",
  ])
  func sizeThatCannotBeReadIsUnknown(text: String) {
    #expect(parse(text).cacheTokens == nil)
  }

  @Test func dataParallelRanksAddUp() {
    let metrics = parse(
      """
      vllm:num_requests_waiting{engine="0"} 1
      vllm:num_requests_waiting{engine="1"} 2
      vllm:num_requests_running{engine="0"} 4 1700000000000
      vllm:num_requests_running{engine="1"} 5
      vllm:kv_cache_usage_perc{engine="0"} 0.2
      vllm:kv_cache_usage_perc{engine="1"} 0.4
      """)
    #expect(metrics.waitingRequests == 3)
    #expect(metrics.runningRequests == 9)
    #expect(abs((metrics.kvCacheUsage ?? 0) - 0.3) < 1e-12)
  }

  @Test(arguments: ["NaN", "-1", "+Inf", "1e300", "0x", "", "five", "1,5", "2e7"])
  func numbersThatCannotBeAreLeftOut(value: String) {
    let metrics = parse("vllm:num_requests_waiting \(value)\nvllm:num_requests_running 2\n")
    #expect(metrics.waitingRequests == nil)
    #expect(metrics.runningRequests == 2)
    #expect(!metrics.isComplete)
  }

  @Test func usageAboveOneIsOne() {
    #expect(parse("sglang:token_usage 42\n").kvCacheUsage == 1)
  }

  @Test func similarNamesAreOthers() {
    let metrics = parse(
      """
      vllm:num_requests_waiting_total 7
      xvllm:num_requests_waiting 7
      vllm:num_requests_waitin 7
      # vllm:num_requests_waiting 7
      """)
    #expect(metrics == EngineMetrics())
  }

  @Test func bracesAndCommasInLabelsAreText() {
    let metrics = parse(
      #"""
      vllm:num_requests_waiting{model_name="a}\"{,b"} 4
      nv_trt_llm_request_metrics{model=",request_type=\"waiting\"",request_type="x"} 8
      """#)
    #expect(metrics.waitingRequests == 4)
    let triton = parse(
      #"nv_trt_llm_request_metrics{model=",request_type=\"waiting\"",request_type="x"} 8"#)
    #expect(triton == EngineMetrics())
  }

  @Test(arguments: UInt64(0)..<64)
  func garbageNeverGivesNumbersThatCannotBe(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let parts = [
      "vllm:num_requests_waiting", "nv_trt_llm_request_metrics", "{", "}", "\"", "\\",
      "request_type=\"waiting\"", " ", "\n", "1", "-", "e9", "nan", "\u{0}", ",", "=",
      "sglang:token_usage", "\t", "0.5",
    ]
    var text = ""
    for _ in 0..<400 { text += parts[random.integer(in: 0...parts.count - 1)] }
    var bytes = Array(text.utf8)
    for _ in 0..<20 {
      bytes[random.integer(in: 0...bytes.count - 1)] = UInt8(random.integer(in: 0...255))
    }
    let metrics = MetricsParser.parse(bytes)
    for value in [metrics.waitingRequests, metrics.runningRequests, metrics.kvCacheUsage] {
      #expect(value.map { $0 >= 0 && $0.isFinite } ?? true)
    }
    #expect(metrics.kvCacheUsage ?? 0 <= 1)
  }

  @Test func longLinesAreSkipped() {
    let long = "vllm:num_requests_waiting{a=\"" + String(repeating: "x", count: 20_000) + "\"} 1\n"
    let metrics = parse(long + "vllm:num_requests_running 2\n")
    #expect(metrics.waitingRequests == nil)
    #expect(metrics.runningRequests == 2)
  }
}
