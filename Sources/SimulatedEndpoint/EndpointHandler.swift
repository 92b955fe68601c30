internal import FleetSimulation
internal import Glibc
internal import NIOCore
internal import NIOHTTP1

/// One connection to a simulated endpoint.
final class EndpointHandler: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private let driver: EngineDriver
  private let configuration: EndpointConfiguration
  private var head: HTTPRequestHead?
  private var body: [UInt8] = []
  private var isTooLarge = false
  /// Whether the client wants the connection closed after the answer.
  private var isLastAnswer = false
  /// The request that the engine works on for this connection.
  private var running: Int?

  init(driver: EngineDriver, configuration: EndpointConfiguration) {
    self.driver = driver
    self.configuration = configuration
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head):
      self.head = head
      body.removeAll(keepingCapacity: true)
      isTooLarge = false
      isLastAnswer = !head.isKeepAlive
      if isEcho(head) { beginEcho(head, context) }
    case .body(let part):
      guard let head else { return }
      if isEcho(head) {
        write(.body(.byteBuffer(part)), context, flushes: true)
      } else if body.count + part.readableBytes > configuration.maximumBodyBytes {
        isTooLarge = true
      } else {
        body += part.readableBytesView
      }
    case .end:
      guard let head else { return }
      self.head = nil
      if isEcho(head) {
        write(.end(nil), context, flushes: true)
      } else if isTooLarge {
        answer(413, CompletionAnswer.error(413, "the body is too large"), context)
      } else {
        route(head, context)
      }
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    if let running { driver.abort(running) }
    running = nil
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }

  // MARK: - Routes

  private func isEcho(_ head: HTTPRequestHead) -> Bool {
    head.method == .POST && head.uri == "/echo"
  }

  private func route(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
    let parts = head.uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    var path = parts[0]
    while path.count > 1, path.hasSuffix("/") { path = path.dropLast() }
    if driver.faults.contains(.resets), path != "/fault" { return reset(context) }
    switch (head.method, path) {
    case (.POST, "/v1/completions"): complete(isChat: false, context)
    case (.POST, "/v1/chat/completions"): complete(isChat: true, context)
    case (.POST, "/fault") where configuration.takesFaults: fault(context)
    case (.GET, "/metrics"):
      // A hung server does not answer scrapes either.
      if !driver.faults.contains(.hang) { metrics(parts.count > 1 ? parts[1] : "", context) }
    case (.GET, "/v1/models"):
      let model = CompletionAnswer.quoted(configuration.model)
      answer(
        200, "{\"object\":\"list\",\"data\":[{\"id\":\(model),\"object\":\"model\"}]}", context)
    case (.GET, "/health"), (.GET, "/ping"):
      if !driver.faults.contains(.hang) { answer(200, "", context) }
    default:
      answer(404, CompletionAnswer.error(404, "no such path"), context)
    }
  }

  private func metrics(_ query: Substring, _ context: ChannelHandlerContext) {
    let metrics = driver.faults.contains(.lies) ? EngineMetrics() : driver.metrics()
    let text = EngineMetricsText.write(
      metrics, model: configuration.model, blockTokens: driver.blockTokens,
      kvBlocks: driver.kvBlocks, names: EngineMetricsText.names(query))
    answer(200, text, context, type: "text/plain; version=0.0.4; charset=utf-8")
  }

  private func fault(_ context: ChannelHandlerContext) {
    guard let fault = FaultRequest.parse(body) else {
      return answer(400, CompletionAnswer.error(400, "no such fault"), context)
    }
    fault.apply(to: driver)
    answer(200, "{}", context)
  }

  // MARK: - Completions

  private func complete(isChat: Bool, _ context: ChannelHandlerContext) {
    guard !driver.faults.contains(.errors) else {
      return answer(500, CompletionAnswer.error(500, "a fault was asked for"), context)
    }
    let request: CompletionRequest
    do throws(CompletionRequest.Refusal) {
      request = try CompletionRequest(body, isChat: isChat, servedModel: configuration.model)
    } catch {
      return answer(400, CompletionAnswer.error(400, error.message), context)
    }
    var progress = AnswerProgress(request: request)
    running = driver.submit(
      promptTokens: request.promptTokens,
      answerTokens: request.maximumTokens ?? configuration.defaultAnswerTokens,
      blocks: request.blocks(ofTokens: driver.blockTokens)
    ) { [weak self] event in
      self?.take(event, &progress, context)
    }
  }

  private func take(
    _ event: EngineEvent, _ progress: inout AnswerProgress, _ context: ChannelHandlerContext
  ) {
    if driver.faults.contains(.resets) { return reset(context) }
    switch event.kind {
    case .rejected:
      running = nil
      answer(400, CompletionAnswer.error(400, "longer than the KV cache"), context)
    case .failed:
      running = nil
      if progress.hasBegun {
        reset(context)
      } else {
        answer(500, CompletionAnswer.error(500, "the engine died"), context)
      }
    case .firstToken, .token, .finished:
      if event.kind == .finished { running = nil }
      guard progress.request.isStreamed else {
        if event.kind == .finished { answer(200, progress.whole(event), context) }
        return
      }
      if !progress.hasBegun { beginStream(context) }
      let text = progress.events(event)
      var buffer = context.channel.allocator.buffer(capacity: text.utf8.count)
      buffer.writeString(text)
      write(.body(.byteBuffer(buffer)), context, flushes: event.kind != .finished)
      if event.kind == .finished { write(.end(nil), context, flushes: true) }
    }
  }

  // MARK: - Writing

  private func beginStream(_ context: ChannelHandlerContext) {
    var head = HTTPResponseHead(version: .http1_1, status: .ok)
    head.headers.add(name: "content-type", value: "text/event-stream; charset=utf-8")
    write(.head(head), context, flushes: false)
  }

  private func beginEcho(_ request: HTTPRequestHead, _ context: ChannelHandlerContext) {
    var head = HTTPResponseHead(version: .http1_1, status: .ok)
    let type = request.headers.first(name: "content-type") ?? "application/octet-stream"
    head.headers.add(name: "content-type", value: type)
    write(.head(head), context, flushes: false)
  }

  private func answer(
    _ status: Int, _ text: String, _ context: ChannelHandlerContext,
    type: String = "application/json"
  ) {
    var head = HTTPResponseHead(
      version: .http1_1, status: HTTPResponseStatus(statusCode: status))
    head.headers.add(name: "content-type", value: type)
    head.headers.add(name: "content-length", value: "\(text.utf8.count)")
    write(.head(head), context, flushes: false)
    var buffer = context.channel.allocator.buffer(capacity: text.utf8.count)
    buffer.writeString(text)
    write(.body(.byteBuffer(buffer)), context, flushes: false)
    write(.end(nil), context, flushes: true)
  }

  private func write(
    _ part: HTTPServerResponsePart, _ context: ChannelHandlerContext, flushes: Bool
  ) {
    guard isLastAnswer, case .end = part else {
      context.write(wrapOutboundOut(part), promise: nil)
      if flushes { context.flush() }
      return
    }
    let promise = context.eventLoop.makePromise(of: Void.self)
    promise.futureResult.assumeIsolated().whenComplete { _ in context.close(promise: nil) }
    context.writeAndFlush(wrapOutboundOut(part), promise: promise)
  }

  /// Drops the connection without a goodbye.
  private func reset(_ context: ChannelHandlerContext) {
    if let running { driver.abort(running) }
    running = nil
    // Without lingering, closing resets.
    if let socket = context.channel as? any SocketOptionProvider {
      _ = socket.setSoLinger(linger(l_onoff: 1, l_linger: 0))
    }
    context.close(promise: nil)
  }
}

/// How far an answer has come.
struct AnswerProgress {
  let request: CompletionRequest
  private let createdUnixSeconds = Int64(time(nil))
  private(set) var hasBegun = false
  private var sentTokens = 0

  init(request: CompletionRequest) { self.request = request }

  /// The stream's text that `event` adds.
  mutating func events(_ event: EngineEvent) -> String {
    let answer = CompletionAnswer(
      identifier: event.id, request: request, createdUnixSeconds: createdUnixSeconds)
    let isLast = event.kind == .finished
    let text = (sentTokens..<max(event.generatedTokens, sentTokens)).map(answer.text).joined()
    var events = ""
    if !text.isEmpty || isLast {
      events = answer.event(text, isFirst: !hasBegun, isLast: isLast)
    }
    hasBegun = true
    sentTokens = max(event.generatedTokens, sentTokens)
    if isLast {
      if request.includesUsage {
        events += answer.usageEvent(
          answerTokens: sentTokens, cachedTokens: event.cachedTokens)
      }
      events += CompletionAnswer.done
    }
    return events
  }

  /// The whole answer.
  func whole(_ event: EngineEvent) -> String {
    CompletionAnswer(
      identifier: event.id, request: request, createdUnixSeconds: createdUnixSeconds
    ).whole(answerTokens: event.generatedTokens, cachedTokens: event.cachedTokens)
  }
}
