import TestSupport
import Testing

@testable import RequestLog

@Suite struct MappingTests {
  @Test func envoyAccessLogIsRead() throws {
    let lines = [
      """
      {"request_id":"a","start_time":"2026-08-21T10:00:00.250Z","upstream_host":"10.0.0.7:8000",\
      "response_code":200,"duration":812,"response_duration":95,"input_tokens":"120",\
      "output_tokens":40,"upstream_cluster":"llama","policy":"-"}
      """,
      """
      {"x_request_id":"b","start_time":"2026-08-21T12:00:01.5+02:00","upstream_host":"10.0.0.8:8000",\
      "response_code":0,"duration":"77","response_duration":"-","llm_input_token":9}
      """,
    ]
    let file = try RequestLogFixtures.file(lines: lines)
    let log = try readAll([file.path], mapping: try FieldMapping.named("envoy"))
    #expect(log.rejected.isEmpty)
    let rows = log.batch.rows
    #expect(rows.map { log.batch.requestID($0) } == ["a", "b"])
    #expect(
      rows.map(\.receivedNanoseconds) == [1_787_306_400_250_000_000, 1_787_306_401_500_000_000])
    #expect(rows.map { log.symbols.name($0.endpoint) } == ["10.0.0.7:8000", "10.0.0.8:8000"])
    #expect(rows.map(\.status) == [200, 499])
    #expect(rows.map(\.inputTokens) == [120, 9])
    #expect(rows[0].ttftMilliseconds == 95 && rows[0].e2eMilliseconds == 812)
    #expect(rows[1].ttftMilliseconds.isNaN && rows[1].e2eMilliseconds == 77)
    #expect(rows[0].policy == .none)
  }

  /// As Envoy 1.40 wrote them: an answer, a dead endpoint, a stream and a request that clients left.
  @Test func envoyStreamsThatBrokeOffAreNoLatencies() throws {
    func line(_ id: String, _ duration: Int, _ flags: String, _ code: Int, _ first: String)
      -> String
    {
      """
      {"duration":\(duration),"response_flags":"\(flags)","input_tokens":120,"output_tokens":4,\
      "request_id":"\(id)","response_code":\(code),"response_duration":\(first),\
      "start_time":"2026-11-23T10:10:31.216Z","upstream_cluster":"up",\
      "upstream_host":"127.0.0.1:18181"}
      """
    }
    let file = try RequestLogFixtures.file(lines: [
      line("a", 131, "-", 200, "39"), line("b", 0, "UF", 503, "null"),
      line("c", 56, "DC", 200, "38"), line("d", 22, "DC", 0, "null"),
      line("e", 30_000, "UT,URX", 504, "null"),
    ])
    let log = try readAll([file.path], mapping: try FieldMapping.named("envoy"))
    #expect(log.rejected.isEmpty)
    #expect(log.batch.rows.map(\.status) == [200, 503, 499, 499, 503])
    #expect(log.batch.rows[0].ttftMilliseconds == 39)
  }

  private static func span(_ id: String, _ name: String, ttft: String) -> String {
    """
    {"name":"\(name)","spanId":"s\(id)","startTimeUnixNano":"1790000000000000000","attributes":[\
    {"key":"gen_ai.request.id","value":{"stringValue":"\(id)"}},\
    {"key":"gen_ai.usage.prompt_tokens","value":{"intValue":"128"}},\
    {"key":"gen_ai.usage.completion_tokens","value":{"intValue":16}},\
    {"key":"gen_ai.response.model","value":{"stringValue":"llama"}},\
    {"key":"gen_ai.latency.time_to_first_token","value":{"doubleValue":\(ttft)}},\
    {"key":"gen_ai.latency.e2e","value":{"doubleValue":2.125}}]}
    """
  }

  @Test func spansOfOneExportBecomeRequests() throws {
    let line = """
      {"resourceSpans":[{"resource":{"attributes":[{"key":"service.instance.id",\
      "value":{"stringValue":"vllm-0"}}]},"scopeSpans":[{"spans":[\(Self.span("a", "llm_request", ttft: "0.045")),\
      \(Self.span("x", "tokenize", ttft: "0")),\(Self.span("b", "llm_request", ttft: "-1"))]}]},\
      {"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"other"}}]},\
      "scopeSpans":[{"spans":[\(Self.span("c", "llm_request", ttft: "0.5"))]}]}]}
      """
    let file = try RequestLogFixtures.file(lines: [line, "{\"resourceLogs\":[]}"])
    let log = try readAll([file.path], mapping: try FieldMapping.named("otel-genai"))
    #expect(log.batch.rows.map { log.batch.requestID($0) } == ["a", "c"])
    #expect(log.batch.rows.map { log.symbols.name($0.endpoint) } == ["vllm-0", "other"])
    #expect(log.batch.rows.map(\.ttftMilliseconds) == [45, 500])
    #expect(log.batch.rows.map(\.e2eMilliseconds) == [2125, 2125])
    #expect(log.batch.rows.map(\.outputTokens) == [16, 16])
    #expect(log.summary.skipped == 1)
    #expect(log.rejected.map(\.reason.code) == ["negative", "malformed"])
    #expect(log.rejected.map(\.lineNumber) == [1, 2])
  }

  @Test func trainingEntriesGetStableIDs() throws {
    func entry(_ ttft: Int, _ tpot: Int, _ second: Int) -> String {
      """
      {"kv_cache_percentage":0.42,"input_token_length":1873,"num_request_waiting":0,\
      "num_request_running":12,"num_tokens_generated":0,"actual_ttft_ms":\(ttft),\
      "actual_tpot_ms":\(tpot),"prefix_cache_score":0.5,"prefill_tokens_in_flight":4096,\
      "timestamp":"2026-08-21T10:00:0\(second)Z","pod_type":""}
      """
    }
    let lines = [
      "{\"entries\":[\(entry(231, 0, 0)),\(entry(0, 18, 0))]}",
      "{\"entries\":[\(entry(90, 0, 1))]}",
      "{\"entries\":[\(entry(231, 0, 0))]}",
    ]
    let file = try RequestLogFixtures.file(lines: lines)
    let mapping = try FieldMapping.named("llm-d")
    let log = try readAll([file.path], mapping: mapping)
    #expect(log.batch.rows.map(\.ttftMilliseconds) == [231, 90])
    #expect(log.batch.rows.map(\.runningRequests) == [12, 12])
    #expect(log.batch.rows.map(\.prefixMatchTokens) == [936, 936])
    #expect(log.batch.rows.allSatisfy { $0.e2eMilliseconds.isNaN })
    #expect(log.symbols.name(log.batch.rows[0].endpoint) == "llm-d-pool")
    #expect(log.summary.skipped == 1)
    #expect(log.rejected.map(\.reason) == [.duplicateID])
    let ids = log.batch.rows.map { log.batch.requestID($0) }
    let again = try readAll([file.path], mapping: mapping)
    #expect(again.batch.rows.map { again.batch.requestID($0) } == ids)
  }

  @Test func ownMappingConvertsUnitsAndNames() throws {
    let yaml = """
      format: jsonl
      fields:
        request_id: meta.id
        received_unix_ns: {path: at, factor: 1000000}
        endpoint: {path: "hosts[1]", values: {"h1": "gpu-1"}}
        gateway: {constant: edge}
        input_tokens: {path: "usage[prompt.tokens]"}
        ttft_ms: {path: t.first, factor: 1000}
        tpot_ms: {path: t.each, factor: 0.001}
        output_tokens: n
      """
    let file = try RequestLogFixtures.file(lines: [
      """
      {"meta":{"id":17},"at":1790000000123,"hosts":["x","h1"],"usage":{"prompt.tokens":4},\
      "t":{"first":"0.25","each":2000},"n":3}
      """
    ])
    let mapping = try FieldMapping.named(
      try file.write(Array(yaml.utf8), name: "own.yaml"))
    let log = try readAll([file.path], mapping: mapping)
    let row = try #require(log.batch.rows.first)
    #expect(log.batch.requestID(row) == "17")
    #expect(row.receivedNanoseconds == 1_790_000_000_123_000_000)
    #expect(log.symbols.name(row.endpoint) == "gpu-1" && log.symbols.name(row.gateway) == "edge")
    #expect(row.ttftMilliseconds == 250 && row.e2eMilliseconds == 254)
  }

  @Test(arguments: [
    ("fields: [", "no YAML"), ("just text", "table"), ("fields: {}", "required but not mapped"),
    ("format: xml\nfields: {}", "xml"), ("colour: red\nfields: {}", "colour"),
    ("fields: {speed: x}", "speed"), ("fields: {ttft_ms: {factor: 2}}", "path"),
    ("fields: {ttft_ms: {path: x, factor: -2}}", "factor"),
    ("fields: {ttft_ms: \"a..b\"}", "a..b"), ("where: [{path: x}]\nfields: {}", "equals"),
    ("fields: {ttft_ms: {path: x, unit: s}}", "unit"),
  ])
  func faultyMappingIsRefusedWithItsFault(yaml: String, part: String) throws {
    let error = try #require(throws: RequestLogError.self) {
      try FieldMapping(yaml: yaml, name: "test")
    }
    #expect(error.description.contains(part), "\(error)")
  }

  @Test func unknownMappingNamesTheReadyOnes() throws {
    let error = try #require(throws: RequestLogError.self) { try FieldMapping.named("nope") }
    #expect(error.description.contains("envoy, llm-d, otel-genai"))
  }

  @Test(arguments: [
    ("1970-01-01T00:00:00Z", 0), ("2024-02-29T23:59:59.5Z", 1_709_251_199_500_000_000),
    ("2000-03-01 00:00:00+00:00", 951_868_800_000_000_000),
    ("2026-08-21T10:00:00.123456789-0530", 1_787_326_200_123_456_789),
    ("2100-03-01T00:00:00Z", 4_107_542_400_000_000_000),
  ])
  func timesAreUnixNanoseconds(text: String, nanoseconds: Int64) {
    #expect(Timestamp.nanoseconds(Array(text.utf8)) == nanoseconds)
  }

  @Test(arguments: [
    "", "2026-08-21", "2026-13-01T00:00:00Z", "2023-02-29T00:00:00Z", "2026-08-21T10:00:00",
    "2026-08-21T10:00:00.Z", "2026-08-21T10:00:00Zx", "2026-08-21T24:00:00Z",
    "2026-08-21T10:00:00+1", "9999-01-01T00:00:00Z",
  ])
  func otherTextIsNoTime(text: String) {
    #expect(Timestamp.nanoseconds(Array(text.utf8)) == nil)
  }
}
