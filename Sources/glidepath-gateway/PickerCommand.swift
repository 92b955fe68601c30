import ArgumentParser
import EndpointPicker
import ExternalProcessor
import Foundation
import Logging
import ServiceLifecycle

/// `glidepath-gateway picker`: the endpoint picker of an Envoy.
struct PickerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "picker",
    abstract: "Pick endpoints for an Envoy through its external processing filter.",
    discussion: """
      The configuration is one YAML file; every field has a default. SIGTERM drains: readiness is \
      withdrawn, requests in flight end, the request log is written out, and the process ends.
      """)

  @Option(name: .shortAndLong, help: "The configuration, a YAML file.")
  var config: String

  @Flag(help: "Only check the configuration.")
  var check = false

  @OptionGroup var server: ServerOptions

  func run() async throws {
    guard let data = FileManager.default.contents(atPath: config) else {
      throw ValidationError(
        "\(config) cannot be read; name a configuration such as deploy/gateway.yaml")
    }
    let configuration: PickerConfiguration
    do {
      configuration = try PickerConfiguration.parse([UInt8](data), name: config)
      try configuration.validate()
    } catch EndpointPickerError.badField(let field, let problem, let remedy) {
      throw EndpointPickerError.badField("\(config): \(field)", problem: problem, remedy: remedy)
    }
    if check {
      print("\(config) is fine")
      return
    }
    let logger = try server.logger("picker")
    try await ServiceGroup.runUntilSignal(
      [PickerServer(configuration: configuration, logger: logger)], logger: logger)
  }
}

/// The picker behind its gRPC service.
struct PickerServer: Service {
  let configuration: PickerConfiguration
  let logger: Logger

  func run() async throws {
    let runtime = try await PickerRuntime.start(configuration, logger: logger)
    let server: ExternalProcessorServer
    do {
      server = try await ExternalProcessorServer.start(
        picker: runtime.picker,
        configuration: ExternalProcessorServer.Configuration(
          host: configuration.data.address, port: configuration.data.port,
          healthPort: configuration.data.healthPort,
          maximumBodyBytes: configuration.limits.maximumBodyBytes),
        isReady: { runtime.readiness.isReady })
    } catch {
      await runtime.stop()
      throw error
    }
    print("picking on port \(server.port), admin on port \(runtime.adminPort)")
    fflush(nil)
    // Until a signal comes, or the admin port asks for the end.
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await runtime.waitForDrainRequest() }
      group.addTask { try? await gracefulShutdown() }
      await group.next()
      group.cancelAll()
    }
    // The picker goes on picking while its readiness is withdrawn; then the calls themselves end.
    let grace = Double(configuration.drain.limitMilliseconds)
    await runtime.drain { await server.drain(graceMilliseconds: min(grace, 5_000)) }
  }
}
