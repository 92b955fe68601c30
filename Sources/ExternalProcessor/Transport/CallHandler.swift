internal import EndpointPicker
internal import NIOCore
internal import NIOHPACK
internal import NIOHTTP2
internal import SwiftProtobuf

/// One gRPC call on its HTTP/2 stream: finds the method, then reads and writes its messages.
///
/// Runs on the connection's event loop alone. While the peer does not read, neither does the call,
/// so that what is held in memory stays within the stream's window.
final class CallHandler: ChannelDuplexHandler {
  typealias InboundIn = HTTP2Frame.FramePayload
  typealias OutboundIn = HTTP2Frame.FramePayload
  typealias OutboundOut = HTTP2Frame.FramePayload

  /// Which method was called.
  private enum Call {
    case pending
    case process
    case healthCheck
    case healthWatch
    case ended
  }

  private let shared: SharedState
  private let isHealthAlone: Bool
  private var call = Call.pending
  private var exchange: Exchange
  private var reader = MessageReader()
  private var hasSentHeaders = false
  private var wantsRead = false
  private var watched: (service: String, last: Health.Status)?

  init(shared: SharedState, isHealthAlone: Bool) {
    self.shared = shared
    self.isHealthAlone = isHealthAlone
    exchange = Exchange(
      picker: shared.picker, limits: shared.limits, heldBytes: shared.heldBytes,
      unixNanoseconds: shared.unixNanoseconds)
  }

  // MARK: - Inbound

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .headers(let headers): begin(headers, context)
    case .data(let data):
      guard case .byteBuffer(var bytes) = data.data else { return }
      reader.append(&bytes)
      readMessages(context)
      if data.endStream { inboundEnded(context) }
    default: break
    }
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    context.flush()
    context.fireChannelReadComplete()
  }

  func channelInactive(context: ChannelHandlerContext) {
    closeExchange()
    call = .ended
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    closeExchange()
    call = .ended
    // A stream that the peer has reset is closed already.
    if !(error is NIOHTTP2Errors.StreamClosed) { context.close(promise: nil) }
  }

  private func closeExchange() {
    exchange.close(shared.isDraining ? .drained : .interrupted)
  }

  private func begin(_ headers: HTTP2Frame.FramePayload.Headers, _ context: ChannelHandlerContext) {
    // Trailers from the client carry nothing; they only end its side.
    guard case .pending = call else { return headers.endStream ? inboundEnded(context) : () }
    guard headers.headers.first(name: "content-type")?.hasPrefix("application/grpc") == true else {
      call = .ended
      let answer = HPACKHeaders([(":status", "415")])
      context.write(
        wrapOutboundOut(.headers(.init(headers: answer, endStream: true))), promise: nil)
      return
    }
    switch headers.headers.first(name: ":path") {
    case "/envoy.service.ext_proc.v3.ExternalProcessor/Process" where !isHealthAlone:
      call = .process
    case "/grpc.health.v1.Health/Check": call = .healthCheck
    case "/grpc.health.v1.Health/Watch": call = .healthWatch
    default: return end(.unimplemented, "no such method", context)
    }
    if headers.endStream { inboundEnded(context) }
  }

  private func readMessages(_ context: ChannelHandlerContext) {
    do {
      while let message = try reader.next() {
        switch call {
        case .process: try process(message, context)
        case .healthCheck: try checkHealth(Array(buffer: message), context)
        case .healthWatch: try watchHealth(Array(buffer: message), context)
        case .pending, .ended: return
        }
      }
    } catch MessageReader.Failure.compressed {
      end(.unimplemented, "compressed message", context)
    } catch MessageReader.Failure.tooLarge {
      end(.resourceExhausted, "message too large", context)
    } catch {
      end(.invalidArgument, "message cannot be read", context)
    }
  }

  private func inboundEnded(_ context: ChannelHandlerContext) {
    switch call {
    case .process:
      closeExchange()
      end(.ok, "", context)
    case .healthCheck, .pending: end(.invalidArgument, "no message", context)
    case .healthWatch where watched == nil: end(.invalidArgument, "no message", context)
    case .healthWatch, .ended: break
    }
  }

  // MARK: - Methods

  private func process(_ message: ByteBuffer, _ context: ChannelHandlerContext) throws {
    let bytes = message.readableBytesUInt8Span
    if let piece = ResponsePiece(bytes),
      exchange.passResponse(bytes.extracting(piece.bytes), endsStream: piece.endsStream)
    {
      var buffer = context.channel.allocator.buffer(capacity: piece.bytes.count + 32)
      piece.writeEcho(of: message, to: &buffer)
      return write(buffer, context)
    }
    let answers = exchange.receive(
      try ProcessingRequest(serializedBytes: Array(buffer: message)))
    guard !answers.isEmpty else { return }
    var buffer = context.channel.allocator.buffer(capacity: 0)
    for answer in answers { buffer.writeMessage(try answer.serializedBytes()) }
    write(buffer, context)
  }

  private func checkHealth(_ message: [UInt8], _ context: ChannelHandlerContext) throws {
    let service = try HealthCheckRequest(serializedBytes: message).service
    guard let status = shared.health(of: service) else {
      return end(.notFound, "no such service", context)
    }
    try writeHealth(status, context)
    end(.ok, "", context)
  }

  private func watchHealth(_ message: [UInt8], _ context: ChannelHandlerContext) throws {
    guard watched == nil else { return }
    let service = try HealthCheckRequest(serializedBytes: message).service
    let status = shared.health(of: service) ?? .serviceUnknown
    watched = (service, status)
    try writeHealth(status, context)
    lookAgain(context)
  }

  /// Tells a watcher of changes, looking every second until its stream ends.
  private func lookAgain(_ context: ChannelHandlerContext) {
    let bound = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
    context.eventLoop.scheduleTask(in: .seconds(1)) {
      let (handler, context) = bound.value
      guard case .healthWatch = handler.call, let (service, last) = handler.watched else { return }
      let status = handler.shared.health(of: service) ?? .serviceUnknown
      if status != last {
        handler.watched = (service, status)
        try? handler.writeHealth(status, context)
        context.flush()
      }
      handler.lookAgain(context)
    }
  }

  private func writeHealth(_ status: Health.Status, _ context: ChannelHandlerContext) throws {
    var answer = HealthCheckResponse()
    answer.status = status.onTheWire
    var buffer = context.channel.allocator.buffer(capacity: 16)
    buffer.writeMessage(try answer.serializedBytes())
    write(buffer, context)
  }

  // MARK: - Outbound

  /// Holds the peer back while it does not take what is written to it.
  func read(context: ChannelHandlerContext) {
    if context.channel.isWritable { context.read() } else { wantsRead = true }
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    if wantsRead, context.channel.isWritable {
      wantsRead = false
      context.read()
    }
    context.fireChannelWritabilityChanged()
  }

  private func write(_ messages: ByteBuffer, _ context: ChannelHandlerContext) {
    if !hasSentHeaders {
      hasSentHeaders = true
      let headers = HPACKHeaders([(":status", "200"), ("content-type", "application/grpc")])
      context.write(wrapOutboundOut(.headers(.init(headers: headers))), promise: nil)
    }
    context.write(wrapOutboundOut(.data(.init(data: .byteBuffer(messages)))), promise: nil)
  }

  private func end(_ status: CallStatus, _ message: String, _ context: ChannelHandlerContext) {
    if case .ended = call { return }
    closeExchange()
    call = .ended
    var headers = HPACKHeaders()
    if !hasSentHeaders {
      headers.add(name: ":status", value: "200")
      headers.add(name: "content-type", value: "application/grpc")
    }
    headers.add(name: "grpc-status", value: "\(status.rawValue)")
    if !message.isEmpty { headers.add(name: "grpc-message", value: message) }
    context.write(wrapOutboundOut(.headers(.init(headers: headers, endStream: true))), promise: nil)
    context.flush()
  }
}

/// The gRPC status codes that the server ends calls with.
enum CallStatus: Int {
  case ok = 0
  case invalidArgument = 3
  case notFound = 5
  case resourceExhausted = 8
  case unimplemented = 12
}
