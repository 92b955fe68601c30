import Hummingbird
import Logging
import NIOCore
import Synchronization

/// An HTTP server of a test's own, on a free loopback port; ended by ``stop()``.
final class StubServer: Sendable {
  let port: Int
  private let task: Task<Void, Never>

  init(
    _ respond: @escaping @Sendable (Request) async throws -> Response
  ) async throws {
    let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
    let responder = CallbackResponder { (request: Request, _: BasicRequestContext) in
      try await respond(request)
    }
    let application = Application(
      responder: responder,
      configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: 0)),
      onServerRunning: { channel in
        continuation.yield(channel.localAddress?.port ?? 0)
        continuation.finish()
      }, logger: Logger(label: "stub") { _ in SwiftLogNoOpLogHandler() })
    task = Task {
      try? await application.run()
      continuation.finish()
    }
    var bound = 0
    for await port in ports { bound = port }
    port = bound
    guard bound > 0 else { throw StubFailure() }
  }

  func stop() async {
    task.cancel()
    await task.value
  }

  static func text(_ text: String, status: HTTPResponse.Status = .ok) -> Response {
    Response(status: status, body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
  }
}

struct StubFailure: Error {}

/// What a test's servers saw and are to do, shared with their handlers.
final class Shared<Value: Sendable>: Sendable {
  private let value: Mutex<Value>
  init(_ value: Value) { self.value = Mutex(value) }
  func set(_ body: @Sendable (inout Value) -> Void) { value.withLock { body(&$0) } }
  var now: Value { value.withLock { $0 } }
}
