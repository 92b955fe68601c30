import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// Loopback servers and clients of the tests run on these threads.
enum Loopback {
  static let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)

  private static let lastPort = Mutex(Int(getpid()) &* 37 % 10_000)

  /// A port that is free and given to nobody else in this process.
  ///
  /// It lies below those that the system gives to outgoing connections, which would take it.
  static func freePort() throws -> Int {
    for _ in 0..<1000 {
      let port = lastPort.withLock { last in
        last = (last + 1) % 10_000
        return 21_000 + last
      }
      let bootstrap = ServerBootstrap(group: group)
      guard let channel = try? bootstrap.bind(host: "127.0.0.1", port: port).wait() else {
        continue
      }
      try channel.close().wait()
      return port
    }
    throw NeverHappened()
  }
}

/// Sends one HTTP/1.1 request per connection.
enum TestClient {
  struct Answer: Sendable {
    var status = 0
    var headers: [String: String] = [:]
    var body: [UInt8] = []
    /// Whether the response came to its proper end.
    var isWhole = false
  }

  /// A request whose response is still coming.
  struct Open: Sendable {
    fileprivate let channel: any Channel
    fileprivate let answer: EventLoopFuture<Answer>

    /// Waits for the end of the response, or for what came of it before the connection closed.
    func rest() async throws -> Answer { try await answer.get() }

    /// Goes away.
    func abort() async throws { try await channel.close() }
  }

  /// Sends a request and waits for the whole response.
  static func send(
    port: Int, path: String, headers: [(String, String)] = [], body: [UInt8] = []
  ) async throws -> Answer {
    try await start(port: port, path: path, headers: headers, body: body).rest()
  }

  /// Sends a request and returns when the first bytes of the response's body have come.
  static func begin(
    port: Int, path: String, headers: [(String, String)] = [], body: [UInt8] = []
  ) async throws -> Open {
    let loop = Loopback.group.next()
    let first = loop.makePromise(of: Void.self)
    let open = try await start(port: port, path: path, headers: headers, body: body, first: first)
    try await first.futureResult.get()
    return open
  }

  /// Announces a body of twice the length and sends one half.
  static func sendHalf(port: Int, body: [UInt8]) async throws -> Open {
    try await start(
      port: port, path: "/echo", headers: [("content-length", "\(2 * body.count)")], body: body,
      isWhole: false)
  }

  private static func start(
    port: Int, path: String, headers: [(String, String)], body: [UInt8],
    first: EventLoopPromise<Void>? = nil, isWhole: Bool = true
  ) async throws -> Open {
    let whole = Loopback.group.next().makePromise(of: Answer.self)
    let channel: any Channel
    do {
      channel = try await ClientBootstrap(group: Loopback.group)
        .channelInitializer { channel in
          channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHTTPClientHandlers()
            try channel.pipeline.syncOperations.addHandler(
              ResponseCollector(whole: whole, first: first))
          }
        }
        .connect(host: "127.0.0.1", port: port).get()
    } catch {
      whole.fail(error)
      first?.fail(error)
      throw error
    }
    var fields = HTTPHeaders([("host", "127.0.0.1"), ("connection", "close")] + headers)
    if !body.isEmpty, isWhole {
      fields.replaceOrAdd(name: "content-length", value: "\(body.count)")
    }
    channel.write(
      HTTPClientRequestPart.head(
        HTTPRequestHead(
          version: .http1_1, method: body.isEmpty ? .GET : .POST, uri: path, headers: fields)),
      promise: nil)
    if !body.isEmpty {
      channel.write(
        HTTPClientRequestPart.body(.byteBuffer(ByteBuffer(bytes: body))), promise: nil)
    }
    if isWhole {
      channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
    } else {
      try await channel.writeAndFlush(HTTPClientRequestPart.body(.byteBuffer(ByteBuffer())))
    }
    return Open(channel: channel, answer: whole.futureResult)
  }
}

private final class ResponseCollector: ChannelInboundHandler {
  typealias InboundIn = HTTPClientResponsePart

  private var answer = TestClient.Answer()
  private var whole: EventLoopPromise<TestClient.Answer>?
  private var first: EventLoopPromise<Void>?

  init(whole: EventLoopPromise<TestClient.Answer>, first: EventLoopPromise<Void>?) {
    self.whole = whole
    self.first = first
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head):
      answer.status = Int(head.status.code)
      answer.headers = Dictionary(
        head.headers.map { ($0.name.lowercased(), $0.value) }, uniquingKeysWith: { $1 })
    case .body(let bytes):
      answer.body.append(contentsOf: bytes.readableBytesView)
      first?.succeed()
      first = nil
    case .end:
      answer.isWhole = true
      finish()
      context.close(promise: nil)
    }
  }

  func channelInactive(context: ChannelHandlerContext) { finish() }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    finish()
    context.close(promise: nil)
  }

  private func finish() {
    first?.succeed()
    first = nil
    whole?.succeed(answer)
    whole = nil
  }
}
