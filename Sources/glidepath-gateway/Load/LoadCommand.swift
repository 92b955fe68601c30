import ArgumentParser
import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1

/// `glidepath-gateway load`: conversations against a gateway, and how long they took.
struct LoadCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "load",
    abstract: "Send conversations to an OpenAI-compatible server and measure TTFT and TPOT.",
    discussion: """
      Sessions arrive in bursts and have several turns, whose prompts share their beginnings. All \
      times are planned from the seed, whatever the server does, and latencies count from the \
      planned time. Exit code 1 when a request failed that should not have.
      """)

  @Option(help: "The server, such as http://127.0.0.1:8080.")
  var url: String

  @Option(help: "How long requests are sent, s.")
  var seconds = 60.0

  @Option(help: "Requests a second on average.")
  var rate = 8.0

  @Option(help: "The plan's seed.")
  var seed: UInt64 = 1

  @OptionGroup(title: "What is asked") var shape: LoadShapeOptions

  @Option(help: "The model that is asked for.")
  var model = "simulated"

  @Option(help: "The share of failed requests that is accepted, 0…1.")
  var maximumFailedShare = 0.0

  @Option(help: "Give up on a request after this many seconds.")
  var timeout = 300.0

  @Option(help: "Write one JSON line per request to this file, by the time it was due.")
  var outcomes: String?

  @Flag(help: "Print one JSON document instead of text.")
  var json = false

  func validate() throws {
    guard let scheme = URL(string: url)?.scheme, ["http", "https"].contains(scheme) else {
      throw ValidationError("--url must begin with http:// or https://")
    }
    for value in [seconds, rate, timeout] where !(value > 0 && value.isFinite) {
      throw ValidationError("--seconds, --rate and --timeout must be above 0")
    }
  }

  func run() async throws {
    var configuration = shape.configuration
    configuration.seconds = seconds
    configuration.requestsPerSecond = rate
    configuration.seed = seed
    let plan = LoadPlan(configuration)
    var settings = HTTPClient.Configuration()
    settings.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 16_384
    settings.timeout = HTTPClient.Configuration.Timeout(connect: .seconds(10), read: .seconds(120))
    let limit = TimeAmount.nanoseconds(Int64(min(timeout, 1e6) * 1e9))
    let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: settings)
    let clock = ContinuousClock()
    let start = clock.now + .milliseconds(100)
    let outcomes = await withTaskGroup(of: LoadOutcome.self) { group in
      for planned in plan.requests {
        let request = LoadRequest(
          planned: planned, url: url, model: model, due: start + .seconds(planned.time))
        group.addTask { await request.run(client, timeout: limit) }
      }
      return await group.reduce(into: []) { $0.append($1) }
    }
    .sorted { $0.dueSeconds < $1.dueSeconds }
    let elapsed = (clock.now - start) / .seconds(1)
    try await client.shutdown()
    if let path = self.outcomes {
      let lines = outcomes.map { $0.line + "\n" }.joined()
      try Data(lines.utf8).write(to: URL(fileURLWithPath: path))
    }
    let summary = LoadSummary(outcomes: outcomes, seconds: elapsed)
    if json {
      let data = try JSONSerialization.data(
        withJSONObject: summary.json, options: [.sortedKeys])
      print(String(decoding: data, as: UTF8.self))
    } else {
      print(summary.text)
    }
    let failed = outcomes.reduce(0) { $0 + ($1.status == 200 ? 0 : 1) }
    if Double(failed) > maximumFailedShare * Double(outcomes.count) { throw ExitCode.failure }
  }
}

/// What the conversations of a load are like.
struct LoadShapeOptions: ParsableArguments {
  @Option(help: "Turns of a session, on average.")
  var turns = LoadPlan.Configuration().meanTurns

  @Option(help: "System prompts that sessions share.")
  var systemPrompts = LoadPlan.Configuration().systemPrompts

  @Option(help: "Tokens of a system prompt.")
  var systemTokens = LoadPlan.Configuration().systemTokens

  @Option(help: "Tokens of a user's message, on average.")
  var messageTokens = LoadPlan.Configuration().meanMessageTokens

  @Option(help: "Tokens of an answer, on average.")
  var answerTokens = LoadPlan.Configuration().meanAnswerTokens

  @Option(help: "How much more arrives in a burst than outside; 1 for none.")
  var burstiness = LoadPlan.Configuration().burstiness

  func validate() throws {
    guard turns >= 1, turns <= 1_000, burstiness >= 1, burstiness <= 1_000 else {
      throw ValidationError("--turns and --burstiness must be 1…1000")
    }
    guard (1...10_000).contains(systemPrompts), (0...1_000_000).contains(systemTokens) else {
      throw ValidationError("--system-prompts must be 1…10000, --system-tokens 0…1000000")
    }
    for value in [messageTokens, answerTokens] where !(value > 0 && value <= 1e6) {
      throw ValidationError("--message-tokens and --answer-tokens must be above 0, at most 1000000")
    }
  }

  var configuration: LoadPlan.Configuration {
    var configuration = LoadPlan.Configuration()
    configuration.meanTurns = turns
    configuration.systemPrompts = systemPrompts
    configuration.systemTokens = systemTokens
    configuration.meanMessageTokens = messageTokens
    configuration.meanAnswerTokens = answerTokens
    configuration.burstiness = burstiness
    return configuration
  }
}

/// Sends one planned request when it is due.
struct LoadRequest: Sendable {
  let planned: PlannedRequest
  let url: String
  let model: String
  let due: ContinuousClock.Instant

  func run(_ client: HTTPClient, timeout: TimeAmount) async -> LoadOutcome {
    let body = body()
    try? await Task.sleep(until: due, clock: .continuous)
    var outcome = LoadOutcome(dueSeconds: planned.time, status: 0)
    do {
      var request = HTTPClientRequest(url: url + "/v1/chat/completions")
      request.method = .POST
      request.headers.add(name: "content-type", value: "application/json")
      request.body = .bytes(ByteBuffer(bytes: body))
      let response = try await client.execute(request, timeout: timeout)
      outcome.status = Int(response.status.code)
      var tail = StreamTail()
      for try await part in response.body {
        if outcome.ttftMilliseconds.isNaN { outcome.ttftMilliseconds = now() }
        tail.append(part)
      }
      outcome.endMilliseconds = now()
      outcome.promptTokens = tail.number("prompt_tokens")
      outcome.cachedTokens = tail.number("cached_tokens")
      outcome.answerTokens = tail.number("completion_tokens")
      // An answer without its usage was cut off.
      if outcome.status == 200, outcome.answerTokens == 0 { outcome.status = 0 }
    } catch {
      outcome.status = 0
      outcome.failure = "\(error)"
      outcome.endMilliseconds = now()
    }
    return outcome
  }

  private func now() -> Double { (ContinuousClock.now - due) / .milliseconds(1) }

  /// The texts are letters and blanks, so that nothing needs escaping.
  private func body() -> [UInt8] {
    var text = "{\"model\":\"\(model)\",\"stream\":true,\"max_tokens\":\(planned.answerTokens),"
    text += "\"stream_options\":{\"include_usage\":true},\"messages\":["
    for (index, message) in planned.messages.enumerated() {
      if index > 0 { text += "," }
      text += "{\"role\":\"\(index % 2 == 0 ? "user" : "assistant")\",\"content\":\"\(message)\"}"
    }
    return Array((text + "]}").utf8)
  }
}

/// The end of a stream, where the usage stands.
private struct StreamTail {
  private var bytes: [UInt8] = []

  mutating func append(_ part: ByteBuffer) {
    bytes += part.readableBytesView
    if bytes.count > 4_096 { bytes.removeFirst(bytes.count - 2_048) }
  }

  /// The number after the last `"name":`.
  func number(_ name: String) -> Int {
    let text = String(decoding: bytes, as: UTF8.self)
    guard let range = text.range(of: "\"\(name)\":", options: .backwards) else { return 0 }
    return Int(text[range.upperBound...].prefix { $0.isNumber }) ?? 0
  }
}
