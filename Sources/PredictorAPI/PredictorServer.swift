internal import Hummingbird
public import Logging
internal import NIOCore
internal import PredictorEntries
public import ServiceLifecycle

/// llm-d's latency predictor, served by Glidepath.
///
/// It speaks the HTTP API of llm-d's prediction and training servers, so that an unmodified llm-d
/// router uses it in place of them: `PREDICTION_SERVER_URL` and `TRAINING_SERVER_URL` are all that
/// changes. Beyond that API it takes up to 10,000 rows a question, keeps every posted entry on disk
/// across restarts, and puts a new model in force only after it was judged on entries that it had
/// not seen.
public struct PredictorServer: Service {
  /// The ports that are listened on.
  public struct Ports: Sendable, Hashable {
    /// Of the prediction API.
    public var prediction: Int
    /// Of the training API.
    public var training: Int
  }

  private let state: PredictorState
  private let didStart: @Sendable (Ports) async -> Void

  /// A server that is not running yet.
  ///
  /// - Parameter didStart: Called once both APIs can be reached.
  /// - Throws: ``PredictorAPIError``.
  public init(
    _ configuration: PredictorConfiguration, logger: Logger,
    didStart: @escaping @Sendable (Ports) async -> Void = { _ in }
  ) throws(PredictorAPIError) {
    state = try PredictorState(configuration, logger: logger)
    self.didStart = didStart
  }

  /// Serves until the task is cancelled or a graceful shutdown is asked for.
  public func run() async throws {
    let (bound, continuation) = AsyncStream.makeStream(of: (isTraining: Bool, port: Int).self)
    let predictions = application(port: state.configuration.predictionPort) { port in
      continuation.yield((false, port))
    } routes: {
      PredictionRoutes(state).add(to: $0)
    }
    let training = application(port: state.configuration.trainingPort) { port in
      continuation.yield((true, port))
    } routes: {
      TrainingRoutes(state).add(to: $0)
    }
    let group = ServiceGroup(
      configuration: ServiceGroupConfiguration(
        services: [
          predictions, training, RetrainLoop(state: state),
          StartNotice(bound: bound, didStart: didStart),
        ].map { .init(service: $0) }, logger: state.logger))
    defer { state.stop() }
    try await group.run()
  }

  private func application(
    port: Int, didBind: @escaping @Sendable (Int) -> Void,
    routes: (Router<BasicRequestContext>) -> Void
  ) -> any Service {
    let router = Router(context: BasicRequestContext.self)
    routes(router)
    return Application(
      router: router,
      configuration: ApplicationConfiguration(
        address: .hostname(state.configuration.host, port: port), serverName: "glidepath"),
      onServerRunning: { channel in didBind(channel.localAddress?.port ?? port) },
      logger: state.logger)
  }
}

/// Tells once both ports are known.
private struct StartNotice: Service {
  let bound: AsyncStream<(isTraining: Bool, port: Int)>
  let didStart: @Sendable (PredictorServer.Ports) async -> Void

  func run() async throws {
    var ports = PredictorServer.Ports(prediction: 0, training: 0)
    for await one in bound.cancelOnGracefulShutdown() {
      if one.isTraining { ports.training = one.port } else { ports.prediction = one.port }
      if ports.prediction > 0, ports.training > 0 { break }
    }
    if ports.prediction > 0, ports.training > 0 { await didStart(ports) }
    try? await gracefulShutdown()
  }
}
