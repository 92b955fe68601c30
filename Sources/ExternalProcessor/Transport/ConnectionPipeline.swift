internal import NIOCore
internal import NIOHTTP2

/// The handlers of one HTTP/2 connection.
enum ConnectionPipeline {
  /// Bytes that a peer may send ahead, per stream and per connection.
  private static let windowBytes = 1 << 20
  /// Exchanges at one time on one connection; a gateway's worker has all of its on one.
  private static let maximumStreams = 1 << 16

  /// Adds them; to be called on the channel's event loop.
  ///
  /// - Parameter isHealthAlone: Whether no other calls are served than health checks.
  static func configure(
    _ channel: any Channel, shared: SharedState, isHealthAlone: Bool
  ) throws {
    let management = NIOHTTP2ServerConnectionManagementHandler(
      eventLoop: channel.eventLoop,
      configuration: .init(
        maxIdleTime: nil, maxAge: nil, maxGraceTime: nil,
        keepalive: .init(pingInterval: .minutes(2), ackTimeout: .seconds(20))))
    var connection = NIOHTTP2Handler.ConnectionConfiguration()
    connection.targetWindowSize = 16 * windowBytes
    connection.initialSettings = [
      HTTP2Setting(parameter: .maxConcurrentStreams, value: maximumStreams),
      HTTP2Setting(parameter: .initialWindowSize, value: windowBytes),
      HTTP2Setting(parameter: .maxFrameSize, value: 1 << 17),
      HTTP2Setting(parameter: .maxHeaderListSize, value: 16 << 10),
    ]
    // The peer is our own gateway. It resets a stream whenever a client goes away, which must not
    // cost the other streams their connection.
    connection.maximumConnectionGlitches = .max
    connection.maximumRecentlyResetStreams = 4096
    connection.maximumSequentialEmptyDataFrames = 1024
    var stream = NIOHTTP2Handler.StreamConfiguration()
    stream.targetWindowSize = windowBytes
    stream.outboundBufferSizeHighWatermark = windowBytes / 4
    stream.outboundBufferSizeLowWatermark = windowBytes / 8
    stream.streamResetFrameRateLimit.maximumCount = 10_000
    stream.streamResetFrameRateLimit.windowLength = .milliseconds(10)
    stream.streamErrorRateLimit.maximumCount = 10_000
    stream.streamErrorRateLimit.windowLength = .milliseconds(10)
    _ = try channel.pipeline.syncOperations.configureHTTP2Pipeline(
      mode: .server, connectionConfiguration: connection, streamConfiguration: stream,
      streamDelegate: management.http2StreamDelegate
    ) { stream in
      stream.eventLoop.makeCompletedFuture {
        try stream.pipeline.syncOperations.addHandler(
          CallHandler(shared: shared, isHealthAlone: isHealthAlone))
      }
    }
    try channel.pipeline.syncOperations.addHandler(management)
    try channel.pipeline.syncOperations.addHandler(ConnectionErrorHandler())
  }
}

/// Closes a connection that cannot be gone on with.
private final class ConnectionErrorHandler: ChannelInboundHandler {
  typealias InboundIn = HTTP2Frame

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {}

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    switch error {
    case is NIOHTTP2Errors.StreamError, is NIOHTTP2Errors.StreamClosed,
      is NIOHTTP2Errors.NoSuchStream:
      // One stream's own affair, such as a frame that crossed the peer's reset of it.
      break
    default: context.close(promise: nil)
    }
  }
}
