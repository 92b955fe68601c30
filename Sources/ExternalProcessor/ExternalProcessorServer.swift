public import EndpointPicker
internal import Glibc
internal import NIOCore
internal import NIOHTTP2
internal import NIOPosix
internal import Synchronization

/// Why the server cannot do what it was asked to.
public enum ExternalProcessorError: Error, Sendable, Hashable {
  /// The address cannot be listened on.
  case cannotListen(host: String, port: Int, reason: String)
  /// A configured value is out of its range.
  case outOfRange(name: String, value: Int)
}

/// Serves Envoy's external processing over gRPC (HTTP/2 without TLS), and gRPC health checks.
///
/// It is built on HTTP/2 directly: general gRPC servers treat a client that resets many streams as
/// an attacker and drop the connection, and a gateway whose users cancel requests is just such a
/// client: it ends every exchange by resetting the stream. Everything happens on the connection's event loop, without a thread switch.
///
/// It has no authentication and belongs on loopback or a trusted network.
public final class ExternalProcessorServer: Sendable {
  /// Where and how to listen.
  public struct Configuration: Sendable, Hashable {
    /// The address to listen on.
    public let host: String
    /// The port; 0 for any free one.
    public let port: Int
    /// Another port, for health checks alone; 0 for any free one, `nil` for none.
    public let healthPort: Int?
    /// Event loops, 0…1024; 0 for one per core.
    public let threadCount: Int
    /// The largest request body, bytes, 1 KiB…16 MiB; larger ones are refused with 413.
    public let maximumBodyBytes: Int
    /// Request bodies held at one time, bytes together, at least ``maximumBodyBytes``; requests
    /// beyond are refused with 503.
    public let maximumHeldBytes: Int

    /// A configuration made of its parts.
    ///
    /// - Throws: ``ExternalProcessorError/outOfRange(name:value:)``.
    public init(
      host: String = "127.0.0.1", port: Int = 9002, healthPort: Int? = nil,
      threadCount: Int = 0, maximumBodyBytes: Int = 16 << 20, maximumHeldBytes: Int = 1 << 30
    ) throws(ExternalProcessorError) {
      guard (0...65535).contains(healthPort ?? 0) else {
        throw .outOfRange(name: "healthPort", value: healthPort ?? 0)
      }
      guard (0...65535).contains(port) else { throw .outOfRange(name: "port", value: port) }
      guard (0...1024).contains(threadCount) else {
        throw .outOfRange(name: "threadCount", value: threadCount)
      }
      guard (1024...16 << 20).contains(maximumBodyBytes) else {
        throw .outOfRange(name: "maximumBodyBytes", value: maximumBodyBytes)
      }
      guard maximumHeldBytes >= maximumBodyBytes else {
        throw .outOfRange(name: "maximumHeldBytes", value: maximumHeldBytes)
      }
      self.host = host
      self.port = port
      self.healthPort = healthPort
      self.threadCount = threadCount
      self.maximumBodyBytes = maximumBodyBytes
      self.maximumHeldBytes = maximumHeldBytes
    }
  }

  /// The port that it listens on.
  public let port: Int
  /// The port of health checks alone, if there is one; ``port`` answers them too.
  public let healthPort: Int?

  private let shared: SharedState
  private let group: MultiThreadedEventLoopGroup
  private let listeners: [any Channel]
  private let connections: Connections

  /// Starts to listen.
  ///
  /// - Parameters:
  ///   - picker: Chooses endpoints; called on the event loops.
  ///   - isReady: Whether requests can be served, for readiness checks; called often.
  /// - Throws: ``ExternalProcessorError/cannotListen(host:port:reason:)``.
  public static func start(
    picker: any PickerService, configuration: Configuration,
    isReady: @escaping @Sendable () -> Bool = { true }
  ) async throws(ExternalProcessorError) -> ExternalProcessorServer {
    let shared = SharedState(
      picker: picker, limits: Exchange.Limits(requestBodyBytes: configuration.maximumBodyBytes),
      heldBytes: HeldBytes(limit: configuration.maximumHeldBytes),
      unixNanoseconds: unixNanoseconds, isReady: isReady)
    let group = MultiThreadedEventLoopGroup(
      numberOfThreads: configuration.threadCount > 0
        ? configuration.threadCount : System.coreCount)
    let connections = Connections()
    var listeners: [any Channel] = []
    do {
      let ports =
        [(configuration.port, false)] + (configuration.healthPort.map { [($0, true)] } ?? [])
      for (port, isHealthAlone) in ports {
        listeners.append(
          try await bootstrap(group, shared, connections, isHealthAlone: isHealthAlone)
            .bind(host: configuration.host, port: port).get())
      }
    } catch {
      let port = listeners.isEmpty ? configuration.port : configuration.healthPort ?? 0
      for listener in listeners { try? await listener.close() }
      try? await group.shutdownGracefully()
      throw .cannotListen(host: configuration.host, port: port, reason: "\(error)")
    }
    return ExternalProcessorServer(
      shared: shared, group: group, listeners: listeners, connections: connections)
  }

  private static func bootstrap(
    _ group: MultiThreadedEventLoopGroup, _ shared: SharedState, _ connections: Connections,
    isHealthAlone: Bool
  ) -> ServerBootstrap {
    ServerBootstrap(group: group)
      .serverChannelOption(.backlog, value: 1024)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try ConnectionPipeline.configure(channel, shared: shared, isHealthAlone: isHealthAlone)
          connections.add(channel)
        }
      }
  }

  private init(
    shared: SharedState, group: MultiThreadedEventLoopGroup, listeners: [any Channel],
    connections: Connections
  ) {
    self.shared = shared
    self.group = group
    self.listeners = listeners
    self.connections = connections
    port = listeners.first?.localAddress?.port ?? 0
    healthPort = listeners.count > 1 ? listeners[1].localAddress?.port : nil
  }

  /// Takes no more calls, lets those in progress end, and closes what is left after a while.
  ///
  /// Every request in flight has been reported as finished when the first call of this returns;
  /// further calls do nothing.
  ///
  /// - Parameter graceMilliseconds: How long calls may go on, ms.
  public func drain(graceMilliseconds: Double) async {
    guard shared.beginDraining() else { return }
    for listener in listeners { try? await listener.close() }
    connections.quiesce()
    let deadline = ContinuousClock.now + .milliseconds(max(graceMilliseconds, 0))
    while !connections.isEmpty, ContinuousClock.now < deadline {
      try? await Task.sleep(for: .milliseconds(20))
    }
    await connections.close()
    try? await group.shutdownGracefully()
  }

  private static func unixNanoseconds() -> Int64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }
}

/// The open connections of a server.
final class Connections: Sendable {
  private let open = Mutex<[ObjectIdentifier: any Channel]>([:])

  var isEmpty: Bool { open.withLock { $0.isEmpty } }

  func add(_ channel: any Channel) {
    let identifier = ObjectIdentifier(channel)
    open.withLock { $0[identifier] = channel }
    channel.closeFuture.whenComplete { [self] _ in
      open.withLock { _ = $0.removeValue(forKey: identifier) }
    }
  }

  /// Asks the peers to open no more streams; each connection closes after its last one.
  func quiesce() {
    for channel in open.withLock({ Array($0.values) }) {
      channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
    }
  }

  func close() async {
    for channel in open.withLock({ Array($0.values) }) { try? await channel.close() }
  }
}
