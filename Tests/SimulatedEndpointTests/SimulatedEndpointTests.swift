import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import TestSupport
import Testing

@testable import SimulatedEndpoint

/// Runs an endpoint twenty times as fast as real time, and ends it.
private func withEndpoint(
  _ adjust: (inout EndpointConfiguration) -> Void = { _ in },
  _ body: (SimulatedEndpointServer, Client) async throws -> Void
) async throws {
  var configuration = EndpointConfiguration(engine: .typical())
  configuration.acceleration = 20
  adjust(&configuration)
  let server = try await SimulatedEndpointServer.start(configuration)
  do {
    try await body(server, Client(port: server.port))
  } catch {
    await server.stop()
    throw error
  }
  await server.stop()
}

private struct Answer {
  var status: Int
  var type: String
  var text: String

  var json: [String: Any] {
    (try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]) ?? [:]
  }

  /// The events of a stream, without their `data: `.
  var events: [String] {
    text.components(separatedBy: "\n\n").filter { !$0.isEmpty }
      .map { $0.hasPrefix("data: ") ? String($0.dropFirst(6)) : "bad: " + $0 }
  }

  var usage: [String: Any] { json["usage"] as? [String: Any] ?? [:] }
  var cachedTokens: Int? {
    (usage["prompt_tokens_details"] as? [String: Any])?["cached_tokens"] as? Int
  }
}

private struct Client {
  let port: Int

  func send(
    _ method: HTTPMethod, _ path: String, _ body: ByteBuffer? = nil,
    timeout: TimeAmount = .seconds(30)
  ) async throws -> Answer {
    var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)\(path)")
    request.method = method
    if let body { request.body = .bytes(body) }
    let response = try await HTTPClient.shared.execute(request, timeout: timeout)
    let collected = try await response.body.collect(upTo: 64 << 20)
    return Answer(
      status: Int(response.status.code), type: response.headers.first(name: "content-type") ?? "",
      text: String(buffer: collected))
  }

  func post(_ path: String, _ json: String, timeout: TimeAmount = .seconds(30)) async throws
    -> Answer
  {
    try await send(.POST, path, ByteBuffer(string: json), timeout: timeout)
  }

  func fault(_ json: String) async throws {
    let answer = try await post("/fault", json)
    #expect(answer.status == 200)
  }

  /// The value of a metric.
  func metric(_ name: String) async throws -> Double? {
    let text = try await send(.GET, "/metrics").text
    let line = text.split(separator: "\n").first { $0.hasPrefix(name + "{") }
    return line?.split(separator: " ").last.flatMap { Double($0) }
  }
}

/// A prompt of `tokens` tokens.
private func prompt(_ tokens: Int, _ word: String = "abc ") -> String {
  String(repeating: word, count: tokens)
}

@Suite struct SimulatedEndpointTests {
  @Test func aStreamHasOneEventPerTokenThenUsageThenDone() async throws {
    try await withEndpoint { _, client in
      let answer = try await client.post(
        "/v1/completions",
        """
        {"model":"m","prompt":"\(prompt(40))","max_tokens":7,"stream":true,
        "stream_options":{"include_usage":true}}
        """)
      #expect(answer.status == 200)
      #expect(answer.type.hasPrefix("text/event-stream"))
      #expect(answer.events.last == "[DONE]")
      let documents = answer.events.dropLast().map { event in
        (try? JSONSerialization.jsonObject(with: Data(event.utf8)) as? [String: Any]) ?? [:]
      }
      #expect(documents.count == 8)
      let texts = documents.compactMap {
        ($0["choices"] as? [[String: Any]])?.first?["text"] as? String
      }
      #expect(texts.count == 7)
      #expect(texts.allSatisfy { $0.utf8.count == 4 })
      let usage = try #require(documents.last?["usage"] as? [String: Any])
      #expect(usage["prompt_tokens"] as? Int == 40)
      #expect(usage["completion_tokens"] as? Int == 7)
    }
  }

  @Test func aChatIsAnsweredWholeWithUsage() async throws {
    try await withEndpoint { _, client in
      let answer = try await client.post(
        "/v1/chat/completions",
        "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"}]}],"
          + "\"max_completion_tokens\":5}")
      #expect(answer.status == 200)
      #expect(answer.json["object"] as? String == "chat.completion")
      let message = (answer.json["choices"] as? [[String: Any]])?.first?["message"]
      #expect(((message as? [String: Any])?["content"] as? String)?.utf8.count == 20)
      #expect(answer.usage["completion_tokens"] as? Int == 5)
    }
  }

  @Test func aSharedBeginningIsFoundInTheCacheByWholeBlocks() async throws {
    try await withEndpoint { _, client in
      let first = try await client.post(
        "/v1/completions", "{\"prompt\":\"\(prompt(100))\",\"max_tokens\":2}")
      #expect(first.cachedTokens == 0)
      let second = try await client.post(
        "/v1/completions", "{\"prompt\":\"\(prompt(100))and more of it\",\"max_tokens\":2}")
      #expect(second.cachedTokens == 96)
      let other = try await client.post(
        "/v1/completions", "{\"prompt\":\"x\(prompt(100))\",\"max_tokens\":2}")
      #expect(other.cachedTokens == 0)
      let model = try await client.post(
        "/v1/completions", "{\"model\":\"n\",\"prompt\":\"\(prompt(100))\",\"max_tokens\":2}")
      #expect(model.cachedTokens == 0)
      let hits = try await client.metric("vllm:prefix_cache_hits_total")
      #expect(hits == 96)
    }
  }

  @Test func metricsCanBeAskedForByName() async throws {
    try await withEndpoint { _, client in
      let all = try await client.send(.GET, "/metrics").text
      #expect(all.contains("vllm:kv_cache_usage_perc{"))
      #expect(all.contains("vllm:cache_config_info{block_size=\"16\""))
      let query =
        "/metrics/?name[]=vllm:num_requests_waiting&name%5B%5D=vllm%3Anum_requests_running"
      let answer = try await client.send(
        .GET, query.replacingOccurrences(of: "[]", with: "%5B%5D"))
      let lines = answer.text.split(separator: "\n").filter { !$0.hasPrefix("#") }
      #expect(lines.count == 2, "\(answer.text)")
      #expect(lines.allSatisfy { $0.hasSuffix(" 0.0") })
    }
  }

  @Test func whatIsNoRequestIsRefusedInOpenAIsForm() async throws {
    try await withEndpoint { _, client in
      for body in ["", "{", "{\"prompt\":{}}", "{}", "{\"prompt\":\"a\",\"max_tokens\":0}"] {
        let answer = try await client.post("/v1/completions", body)
        #expect(answer.status == 400, "\(body)")
        #expect((answer.json["error"] as? [String: Any])?["message"] is String)
      }
      let chat = try await client.post("/v1/chat/completions", "{\"messages\":[]}")
      #expect(chat.status == 400)
      let path = try await client.send(.GET, "/v2")
      #expect(path.status == 404)
      let models = try await client.send(.GET, "/v1/models")
      #expect((models.json["data"] as? [[String: Any]])?.first?["id"] as? String == "simulated")
    }
  }

  @Test func aRequestLargerThanTheCacheIsRefused() async throws {
    try await withEndpoint {
      $0.engine = .typical(kvBlocks: 8)
    } _: { _, client in
      let answer = try await client.post(
        "/v1/completions", "{\"prompt\":\"\(prompt(500))\",\"max_tokens\":2}")
      #expect(answer.status == 400)
    }
  }

  @Test func aClientThatLeavesFreesItsPlace() async throws {
    try await withEndpoint {
      $0.acceleration = 1
    } _: { server, client in
      // Ten thousand tokens take over a minute.
      var request = HTTPClientRequest(url: "http://127.0.0.1:\(server.port)/v1/completions")
      request.method = .POST
      request.body = .bytes(
        ByteBuffer(string: "{\"prompt\":\"hello\",\"max_tokens\":10000,\"stream\":true}"))
      let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
      for try await _ in response.body { break }
      var left = 1
      for _ in 0..<100 where left > 0 {
        try await Task.sleep(for: .milliseconds(20))
        _ = try await client.metric("vllm:num_requests_running")
        left = await server.requestsInFlight()
      }
      #expect(left == 0)
    }
  }

  @Test(arguments: [1, 100_000, 3_000_001], [false, true])
  func anEchoIsByteIdentical(size: Int, isClosed: Bool) async throws {
    var random = SplitMix64(seed: UInt64(size))
    let bytes = (0..<size).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    try await withEndpoint { server, _ in
      var request = HTTPClientRequest(url: "http://127.0.0.1:\(server.port)/echo")
      request.method = .POST
      // The answer must arrive whole before the connection is closed.
      if isClosed { request.headers.add(name: "connection", value: "close") }
      request.body = .bytes(ByteBuffer(bytes: bytes))
      let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
      let echoed = try await response.body.collect(upTo: 8 << 20)
      #expect(response.status == .ok)
      #expect([UInt8](buffer: echoed) == bytes)
    }
  }

  @Test func faultsComeAndGo() async throws {
    try await withEndpoint { _, client in
      let body = "{\"prompt\":\"hello\",\"max_tokens\":2}"
      try await client.fault("{\"kind\":\"error\"}")
      let answer1 = try await client.post("/v1/completions", body)
      #expect(answer1.status == 500)
      try await client.fault("{\"kind\":\"heal\"}")
      let answer2 = try await client.post("/v1/completions", body)
      #expect(answer2.status == 200)
      try await client.fault("{\"kind\":\"reset\"}")
      await #expect(throws: (any Error).self) { try await client.post("/v1/completions", body) }
      try await client.fault("{\"kind\":\"heal\"}")
      try await client.fault("{\"kind\":\"hang\"}")
      await #expect(throws: (any Error).self) {
        try await client.post("/v1/completions", body, timeout: .milliseconds(200))
      }
      await #expect(throws: (any Error).self) {
        try await client.send(.GET, "/metrics", timeout: .milliseconds(200))
      }
      try await client.fault("{\"kind\":\"heal\"}")
      let answer3 = try await client.post("/v1/completions", body)
      #expect(answer3.status == 200)
      try await client.fault("{\"kind\":\"stall\"}")
      await #expect(throws: (any Error).self) {
        try await client.post("/v1/completions", body, timeout: .milliseconds(200))
      }
      let scrape = try await client.send(.GET, "/metrics")
      #expect(scrape.status == 200)
      try await client.fault("{\"kind\":\"heal\"}")
      let unknown = try await client.post("/fault", "{\"kind\":\"melt\"}")
      #expect(unknown.status == 400)
    }
  }

  @Test func faultsCanBeForbidden() async throws {
    try await withEndpoint {
      $0.takesFaults = false
    } _: { _, client in
      let answer = try await client.post("/fault", "{\"kind\":\"kill\"}")
      #expect(answer.status == 404)
    }
  }

  @Test func requestsBatchContinuously() async throws {
    try await withEndpoint {
      $0.acceleration = 4
    } _: { _, client in
      // Seconds long, so that four meet however slowly they begin.
      let body = "{\"prompt\":\"hello\",\"max_tokens\":2000,\"stream\":true}"
      try await withThrowingTaskGroup(of: Answer.self) { group in
        for _ in 0..<4 { group.addTask { try await client.post("/v1/completions", body) } }
        var most = 0.0
        for _ in 0..<2_000 where most < 4 {
          most = max(most, try await client.metric("vllm:num_requests_running") ?? 0)
          try await Task.sleep(for: .milliseconds(5))
        }
        #expect(most == 4)
        for try await answer in group { #expect(answer.status == 200) }
      }
    }
  }

  @Test func badConfigurationsAreRefused() async throws {
    var configuration = EndpointConfiguration(engine: .typical())
    configuration.acceleration = 0
    await #expect(throws: SimulatedEndpointError.self) {
      try await SimulatedEndpointServer.start(configuration)
    }
    try await withEndpoint { server, _ in
      var second = EndpointConfiguration(engine: .typical())
      second.port = server.port
      await #expect(throws: SimulatedEndpointError.self) {
        try await SimulatedEndpointServer.start(second)
      }
    }
  }
}
