internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix

/// An OpenAI-compatible server before a simulated engine.
///
/// It answers `/v1/completions`, `/v1/chat/completions` (streamed or whole), `/v1/models`,
/// `/health`, vLLM's `/metrics`, `POST /echo` (the body, byte for byte) and `POST /fault`. It is for
/// tests and demonstrations: anyone who reaches it may ask for faults.
public final class SimulatedEndpointServer: Sendable {
  /// The port that it listens on.
  public let port: Int

  private let group: MultiThreadedEventLoopGroup
  private let listener: any Channel
  private let driver: NIOLoopBound<EngineDriver>

  /// Starts to listen.
  ///
  /// - Throws: ``SimulatedEndpointError``.
  public static func start(
    _ configuration: EndpointConfiguration
  ) async throws(SimulatedEndpointError) -> SimulatedEndpointServer {
    try configuration.validate()
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let loop = group.next()
    do {
      let driver = try await loop.submit {
        NIOLoopBound(EngineDriver(configuration, loop: loop), eventLoop: loop)
      }.get()
      let listener = try await ServerBootstrap(group: group)
        .serverChannelOption(.backlog, value: 1_024)
        .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
        .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
        .childChannelInitializer { channel in
          channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.configureHTTPServerPipeline(
              withPipeliningAssistance: true, withErrorHandling: true)
            try channel.pipeline.syncOperations.addHandler(
              EndpointHandler(driver: driver.value, configuration: configuration))
          }
        }
        .bind(host: configuration.host, port: configuration.port).get()
      return SimulatedEndpointServer(group: group, listener: listener, driver: driver)
    } catch {
      try? await group.shutdownGracefully()
      throw .cannotListen(
        host: configuration.host, port: configuration.port, reason: "\(error)")
    }
  }

  private init(
    group: MultiThreadedEventLoopGroup, listener: any Channel, driver: NIOLoopBound<EngineDriver>
  ) {
    self.group = group
    self.listener = listener
    self.driver = driver
    port = listener.localAddress?.port ?? 0
  }

  /// Requests that the engine has, queued ones included.
  public func requestsInFlight() async -> Int {
    (try? await driver.eventLoop.submit { [driver] in driver.value.requestsInFlight }.get()) ?? 0
  }

  /// Closes everything at once.
  public func stop() async {
    try? await listener.close()
    try? await group.shutdownGracefully()
  }
}
