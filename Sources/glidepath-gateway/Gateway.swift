import ArgumentParser
import Logging
import ServiceLifecycle
import UnixSignals

/// The gateway's servers; each parses its arguments, composes modules and runs until told to stop.
@main
struct Gateway: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "glidepath-gateway",
    abstract: "Routes LLM requests by predicted latency.",
    version: "1.0.0",
    subcommands: [
      PickerCommand.self, PredictorCommand.self, EndpointCommand.self, LoadCommand.self,
    ])
}

/// What every server understands.
struct ServerOptions: ParsableArguments {
  @Option(help: "The least severe messages that are logged: trace, debug, info, warning, error.")
  var logLevel = "info"

  func logger(_ label: String) throws -> Logger {
    guard let level = Logger.Level(rawValue: logLevel) else {
      throw ValidationError(
        "--log-level '\(logLevel)' is none of trace, debug, info, notice, warning, error, critical")
    }
    var logger = Logger(label: label) { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = level
    return logger
  }
}

extension ServiceGroup {
  /// Runs `services` until SIGTERM or SIGINT, and then lets each drain.
  static func runUntilSignal(_ services: [any Service], logger: Logger) async throws {
    try await ServiceGroup(
      configuration: ServiceGroupConfiguration(
        services: services.map { .init(service: $0) },
        gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
    ).run()
  }
}
