import NIOCore
import NIOHTTP1
import NIOPosix

/// An HTTP/1.1 server that answers as the path asks it to.
///
/// - `/echo`: the request's body in one piece.
/// - `/echo-stream`: the same as a stream, in pieces of many sizes.
/// - `/reset`: the start of a stream, then the connection closes.
/// - `/hang`: the start of a stream, and no more.
/// - anything else: the request's path.
final class TestEndpoint: Sendable {
  static let event = #"data: {"choices":[{"delta":{"content":"word"}}]}"# + "\n\n"

  let address: String
  private let listener: any Channel

  init() async throws {
    listener = try await ServerBootstrap(group: Loopback.group)
      .serverChannelOption(.backlog, value: 256)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.configureHTTPServerPipeline()
          try channel.pipeline.syncOperations.addHandler(Handler())
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    address = "127.0.0.1:\(listener.localAddress?.port ?? 0)"
  }

  func stop() async { try? await listener.close() }

  private final class Handler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private var path = ""
    private var body = ByteBuffer()

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      switch unwrapInboundIn(data) {
      case .head(let head):
        path = head.uri
        body.clear()
      case .body(var bytes): body.writeBuffer(&bytes)
      case .end: answer(context)
      }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
      context.close(promise: nil)
    }

    private func answer(_ context: ChannelHandlerContext) {
      switch path {
      case "/echo":
        head(context, type: "application/octet-stream", length: body.readableBytes)
        piece(body, context)
        end(context)
      case "/echo-stream":
        head(context, type: "text/event-stream")
        var size = 1
        while let bytes = body.readSlice(length: min(size, body.readableBytes)), size > 0 {
          piece(bytes, context)
          size = body.readableBytes == 0 ? 0 : size * 7 % 70_001
        }
        end(context)
      case "/reset":
        head(context, type: "text/event-stream")
        piece(ByteBuffer(string: TestEndpoint.event), context)
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        // Late enough that the start has passed on its own.
        context.eventLoop.scheduleTask(in: .milliseconds(50)) {
          bound.value.close(promise: nil)
        }
      case "/hang":
        head(context, type: "text/event-stream")
        piece(ByteBuffer(string: TestEndpoint.event), context)
      default:
        head(context, type: "text/plain", length: path.utf8.count)
        piece(ByteBuffer(string: path), context)
        end(context)
      }
    }

    private func head(_ context: ChannelHandlerContext, type: String, length: Int? = nil) {
      var headers = HTTPHeaders([("content-type", type)])
      if let length { headers.add(name: "content-length", value: "\(length)") }
      context.write(
        wrapOutboundOut(
          .head(HTTPResponseHead(version: .http1_1, status: .ok, headers: headers))),
        promise: nil)
    }

    private func piece(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
      context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: nil)
    }

    private func end(_ context: ChannelHandlerContext) {
      context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }
  }
}
