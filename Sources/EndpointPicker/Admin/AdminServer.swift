internal import Foundation
internal import Hummingbird
internal import Logging
internal import NIOCore
internal import Synchronization

/// The admin port: metrics, health, the dashboard, and the two actions.
///
/// It has no authentication, so it listens on loopback unless told otherwise. Actions are refused to
/// browsers' scripts: any request that carries an `Origin` is answered with 403.
final class AdminServer: Sendable {
  /// What the server asks of the picker.
  struct Actions: Sendable {
    var snapshot: @Sendable () -> AdminSnapshot
    var readiness: @Sendable () -> Readiness
    /// Reads the model now; the version in force, or why not.
    var reload: @Sendable () -> Result<UInt64, ReloadRefused>
    var drain: @Sendable () -> Void
  }

  struct ReloadRefused: Error, Sendable { var reason: String }

  private static let maximumStreams = 16
  private static let streamMilliseconds = 500

  private let actions: Actions
  private let logger: Logger
  private let streams = Atomic<Int>(0)
  private let task = Mutex<Task<Void, Never>?>(nil)

  init(actions: Actions, logger: Logger) {
    self.actions = actions
    self.logger = logger
  }

  /// Starts to listen.
  ///
  /// - Returns: The port.
  func start(_ configuration: PickerConfiguration.AdminPort) async throws(EndpointPickerError)
    -> Int
  {
    let (ports, continuation) = AsyncStream.makeStream(of: Result<Int, EndpointPickerError>.self)
    // The server calls each connection that ends with it an error; what matters is thrown.
    var quiet = logger
    quiet.logLevel = .critical
    let application = Application(
      router: router(),
      configuration: ApplicationConfiguration(
        address: .hostname(configuration.address, port: configuration.port), serverName: nil),
      onServerRunning: { channel in
        continuation.yield(.success(channel.localAddress?.port ?? configuration.port))
        continuation.finish()
      }, logger: quiet)
    let running = Task {
      do {
        try await application.run()
        continuation.yield(.failure(.admin("it ended before it began to listen")))
      } catch {
        continuation.yield(
          .failure(.admin("\(configuration.address):\(configuration.port): \(error)")))
      }
      continuation.finish()
    }
    task.withLock { $0 = running }
    for await port in ports { return try port.get() }
    throw .admin("it ended before it began to listen")
  }

  /// Stops listening and waits for the connections to end.
  func stop() async {
    let running = task.withLock { task in
      defer { task = nil }
      return task
    }
    running?.cancel()
    await running?.value
  }

  // MARK: - Routes

  private func router() -> Router<BasicRequestContext> {
    let router = Router()
    router.get("/") { _, _ in Self.page() }
    router.get("/healthz") { _, _ in Self.text("ok\n") }
    router.get("/readyz") { [actions] _, _ in
      let readiness = actions.readiness()
      return Self.text(
        readiness.isReady ? "ready\n" : readiness.reasons.joined(separator: "\n") + "\n",
        status: readiness.isReady ? .ok : .serviceUnavailable)
    }
    router.get("/metrics") { [actions] _, _ in
      Self.text(
        MetricsText(actions.snapshot()).text, type: "text/plain; version=0.0.4; charset=utf-8")
    }
    router.get("/status") { [actions] _, _ in
      Self.json(StatusDocument(actions.snapshot()).json())
    }
    router.get("/events") { [self] _, _ in events() }
    router.post("/reload") { [actions] request, _ in
      guard !Self.isFromPage(request) else { return Self.forbidden }
      switch actions.reload() {
      case .success(let version): return Self.text("version \(version) is in force\n")
      case .failure(let refused):
        return Self.text(refused.reason + "\n", status: .unprocessableContent)
      }
    }
    router.post("/drain") { [actions] request, _ in
      guard !Self.isFromPage(request) else { return Self.forbidden }
      actions.drain()
      return Self.text("draining\n", status: .accepted)
    }
    return router
  }

  private static func isFromPage(_ request: Request) -> Bool { request.headers[.origin] != nil }

  private static var forbidden: Response {
    text("actions are not for pages of other origins\n", status: .forbidden)
  }

  private static func page() -> Response {
    var response = text(DashboardPage.html, type: "text/html; charset=utf-8")
    response.headers[.contentSecurityPolicy] =
      "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
      + "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"
    return response
  }

  private static func text(
    _ text: String, type: String = "text/plain; charset=utf-8",
    status: HTTPResponse.Status = .ok
  ) -> Response {
    Response(
      status: status, headers: headers(type),
      body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
  }

  private static func json(_ bytes: [UInt8]) -> Response {
    Response(
      status: .ok, headers: headers("application/json"),
      body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
  }

  private static func headers(_ type: String) -> HTTPFields {
    [.contentType: type, .cacheControl: "no-store", .xContentTypeOptions: "nosniff"]
  }

  // MARK: - Events

  /// The status again and again, as server-sent events, until the client leaves.
  private func events() -> Response {
    guard streams.add(1, ordering: .relaxed).newValue <= Self.maximumStreams else {
      streams.subtract(1, ordering: .relaxed)
      return Self.text("too many streams\n", status: .serviceUnavailable)
    }
    let slot = StreamSlot { [self] in streams.subtract(1, ordering: .relaxed) }
    let body = ResponseBody { [actions] writer in
      defer { slot.release() }
      while !Task.isCancelled {
        var buffer = ByteBuffer(string: "data: ")
        buffer.writeBytes(StatusDocument(actions.snapshot()).json())
        buffer.writeString("\n\n")
        try await writer.write(buffer)
        try await Task.sleep(for: .milliseconds(Self.streamMilliseconds))
      }
      try await writer.finish(nil)
    }
    return Response(status: .ok, headers: Self.headers("text/event-stream"), body: body)
  }
}

/// Gives a stream's place back once, also when its body was never written.
private final class StreamSlot: Sendable {
  private let isHeld = Atomic<Bool>(true)
  private let giveBack: @Sendable () -> Void

  init(_ giveBack: @escaping @Sendable () -> Void) { self.giveBack = giveBack }

  deinit { release() }

  func release() {
    if isHeld.exchange(false, ordering: .relaxed) { giveBack() }
  }
}
