import ArgumentParser
import FleetSimulation
import Foundation
import Logging
import ServiceLifecycle
import SimulatedEndpoint

/// `glidepath-gateway endpoint`: inference endpoints that are simulated.
struct EndpointCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "endpoint",
    abstract: "Serve simulated OpenAI-compatible endpoints with vLLM's metrics.",
    discussion: """
      Endpoints batch continuously, prefill in chunks, cache prefixes and run out of KV cache as a \
      real engine does, in real time or faster. For tests and demonstrations: `POST /fault` with \
      {"kind": "slow", "factor": 5}, or hang, stall, error, reset, metrics, kill and heal, makes \
      one fail.
      """)

  @Option(help: "How many endpoints.")
  var count = 1

  @Option(help: "The first one's port, the others' follow; 0 for any free ones.")
  var port = 8100

  @Option(help: "The address to listen on.")
  var host = "127.0.0.1"

  @Option(help: "How fast each is, separated by commas; the last one goes for the rest.")
  var speeds = "1"

  @Option(help: "Simulated time per real time.")
  var acceleration = 1.0

  @Option(help: "KV-cache blocks of 16 tokens, each endpoint.")
  var kvBlocks = 16_384

  @Option(help: "The served model's name.")
  var model = "simulated"

  @Option(help: "Write the endpoints to this file, for `picker`.")
  var endpointsFile: String?

  @Flag(inversion: .prefixedNo, help: "Answer POST /fault.")
  var faults = true

  @OptionGroup var server: ServerOptions

  func validate() throws {
    guard (1...64).contains(count) else { throw ValidationError("--count must be 1…64") }
    guard (0...65_535).contains(port), port == 0 || port + count <= 65_536 else {
      throw ValidationError("--port must be 0…65535, and so must those of the endpoints after it")
    }
    guard !speedValues.isEmpty, speedValues.allSatisfy({ $0 > 0 && $0.isFinite }) else {
      throw ValidationError("--speeds must be numbers above 0")
    }
  }

  private var speedValues: [Double] {
    speeds.split(separator: ",").compactMap { Double($0) }
  }

  func run() async throws {
    let logger = try server.logger("endpoint")
    let speeds = speedValues
    var servers: [SimulatedEndpointServer] = []
    var file = "endpoints:\n"
    for index in 0..<count {
      let speed = speeds[min(index, speeds.count - 1)]
      var configuration = EndpointConfiguration(
        engine: .typical(speed: speed, kvBlocks: kvBlocks))
      configuration.host = host
      configuration.port = port == 0 ? 0 : port + index
      configuration.model = model
      configuration.acceleration = acceleration
      configuration.seed = UInt64(index + 1)
      configuration.takesFaults = faults
      let server = try await SimulatedEndpointServer.start(configuration)
      print("endpoint \(index) of speed \(speed) on port \(server.port)")
      file += "  - name: endpoint-\(index)\n    address: \(host):\(server.port)\n"
      file += "    accelerator: speed-\(speed)\n"
      servers.append(server)
    }
    fflush(nil)
    if let endpointsFile {
      try Data(file.utf8).write(to: URL(fileURLWithPath: endpointsFile), options: .atomic)
    }
    try await ServiceGroup.runUntilSignal([EndpointServers(servers: servers)], logger: logger)
  }
}

/// Endpoints that run until they are told to stop.
private struct EndpointServers: Service {
  let servers: [SimulatedEndpointServer]

  func run() async throws {
    try? await gracefulShutdown()
    for server in servers { await server.stop() }
  }
}
