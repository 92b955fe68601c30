import NIOCore
import NIOHPACK
import NIOHTTP2
import NIOPosix
import SwiftProtobuf
import Synchronization

@testable import ExternalProcessor

/// A gRPC client as small as the tests need it: one connection, one call at a time.
final class CallClient: Sendable {
  struct Answer: Sendable {
    var status: String?
    var httpStatus: String?
    var messages: [[UInt8]] = []
    var isEnded = false
  }

  private let channel: any Channel
  private let multiplexer: NIOHTTP2Handler.StreamMultiplexer

  init(port: Int) async throws {
    let made = Mutex<NIOHTTP2Handler.StreamMultiplexer?>(nil)
    channel = try await ClientBootstrap(group: Loopback.group)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          let multiplexer = try channel.pipeline.syncOperations.configureHTTP2Pipeline(
            mode: .client, connectionConfiguration: .init(), streamConfiguration: .init()
          ) { $0.eventLoop.makeSucceededVoidFuture() }
          made.withLock { $0 = multiplexer }
        }
      }
      .connect(host: "127.0.0.1", port: port).get()
    guard let multiplexer = made.withLock({ $0 }) else { throw NeverHappened() }
    self.multiplexer = multiplexer
  }

  /// A call in progress.
  final class Call: Sendable {
    fileprivate let state = Mutex(Answer())
    fileprivate let stream = Mutex<(any Channel)?>(nil)

    var answer: Answer { state.withLock { $0 } }

    /// Sends bytes as they are, whatever they mean.
    func send(_ bytes: [UInt8], endsStream: Bool = false) async throws {
      let data = HTTP2Frame.FramePayload.Data(
        data: .byteBuffer(ByteBuffer(bytes: bytes)), endStream: endsStream)
      try await stream.withLock { $0 }?.writeAndFlush(HTTP2Frame.FramePayload.data(data))
    }

    /// Sends a message with its prefix.
    func send(_ message: some SwiftProtobuf.Message, endsStream: Bool = false) async throws {
      var buffer = ByteBuffer()
      buffer.writeMessage(try message.serializedBytes())
      try await send(Array(buffer.readableBytesView), endsStream: endsStream)
    }
  }

  /// Opens a call.
  func call(
    _ path: String, contentType: String = "application/grpc"
  ) async throws -> Call {
    let call = Call()
    let created = channel.eventLoop.makePromise(of: (any Channel).self)
    multiplexer.createStreamChannel(promise: created) { stream in
      stream.eventLoop.makeCompletedFuture {
        try stream.pipeline.syncOperations.addHandler(Collector(call))
      }
    }
    let stream = try await created.futureResult.get()
    call.stream.withLock { $0 = stream }
    let headers = HPACKHeaders([
      (":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "test"),
      ("content-type", contentType), ("te", "trailers"),
    ])
    try await stream.writeAndFlush(HTTP2Frame.FramePayload.headers(.init(headers: headers)))
    return call
  }

  func close() async { try? await channel.close() }

  private final class Collector: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame.FramePayload

    private let call: Call
    private var reader = MessageReader()

    init(_ call: Call) { self.call = call }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      var isEnded = false
      var messages: [[UInt8]] = []
      var headers: HPACKHeaders?
      switch unwrapInboundIn(data) {
      case .headers(let frame):
        headers = frame.headers
        isEnded = frame.endStream
      case .data(let frame):
        if case .byteBuffer(var bytes) = frame.data { reader.append(&bytes) }
        while let message = try? reader.next() { messages.append(Array(buffer: message)) }
        isEnded = frame.endStream
      default: break
      }
      call.state.withLock { answer in
        answer.httpStatus = headers?.first(name: ":status") ?? answer.httpStatus
        answer.status = headers?.first(name: "grpc-status") ?? answer.status
        answer.messages += messages
        if isEnded { answer.isEnded = true }
      }
    }

    func channelInactive(context: ChannelHandlerContext) {
      call.state.withLock { $0.isEnded = true }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
      context.close(promise: nil)
    }
  }
}
