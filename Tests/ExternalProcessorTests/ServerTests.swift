import EndpointPicker
import NIOCore
import Synchronization
import TestSupport
import Testing

@testable import ExternalProcessor

@Suite struct ServerTests {
  private static let process = "/envoy.service.ext_proc.v3.ExternalProcessor/Process"
  private static let check = "/grpc.health.v1.Health/Check"
  private static let watch = "/grpc.health.v1.Health/Watch"

  private let picker = RecordingPicker()
  private let isReady = Flag()

  private final class Flag: Sendable {
    private let value = Mutex(true)
    var isSet: Bool { value.withLock { $0 } }
    func set(_ isSet: Bool) { value.withLock { $0 = isSet } }
  }

  /// Runs `body` with a client of a server, and ends both.
  private func withServer(
    _ body: (CallClient, ExternalProcessorServer) async throws -> Void
  ) async throws {
    let flag = isReady
    let server = try await ExternalProcessorServer.start(
      picker: picker, configuration: .init(port: 0, threadCount: 1)
    ) { flag.isSet }
    let client = try await CallClient(port: server.port)
    do {
      try await body(client, server)
    } catch {
      await client.close()
      await server.drain(graceMilliseconds: 0)
      throw error
    }
    await client.close()
    await server.drain(graceMilliseconds: 0)
    #expect(picker.account.inFlight.isEmpty)
    #expect(picker.account.strayEvents == 0)
  }

  private func health(_ service: String) -> HealthCheckRequest {
    var request = HealthCheckRequest()
    request.service = service
    return request
  }

  private func status(_ message: [UInt8]?) throws -> HealthServingStatus {
    try HealthCheckResponse(serializedBytes: message ?? [0xff]).status
  }

  // MARK: - Health

  @Test(arguments: ["", "readiness", "envoy.service.ext_proc.v3.ExternalProcessor"])
  func readinessFollowsThePicker(service: String) async throws {
    try await withServer { client, _ in
      for (isSet, expected) in [(true, HealthServingStatus.serving), (false, .notServing)] {
        isReady.set(isSet)
        let call = try await client.call(Self.check)
        try await call.send(health(service), endsStream: true)
        try await eventually { call.answer.isEnded }

        #expect(call.answer.status == "0")
        #expect(try status(call.answer.messages.first) == expected)
      }
    }
  }

  @Test func serverThatIsNotReadyIsAlive() async throws {
    isReady.set(false)
    try await withServer { client, _ in
      let call = try await client.call(Self.check)
      try await call.send(health("liveness"), endsStream: true)
      try await eventually { call.answer.isEnded }
      #expect(try status(call.answer.messages.first) == .serving)
    }
  }

  @Test func healthOfNoSuchServiceIsNotFound() async throws {
    try await withServer { client, _ in
      let call = try await client.call(Self.check)
      try await call.send(health("other"), endsStream: true)
      try await eventually { call.answer.isEnded }
      #expect(call.answer.status == "5")
    }
  }

  @Test func watcherIsToldOfChanges() async throws {
    try await withServer { client, _ in
      let call = try await client.call(Self.watch)
      try await call.send(health("readiness"), endsStream: true)
      try await eventually { call.answer.messages.count == 1 }
      isReady.set(false)
      try await eventually { call.answer.messages.count == 2 }

      #expect(try call.answer.messages.map { try status($0) } == [.serving, .notServing])
      #expect(!call.answer.isEnded)
    }
  }

  @Test func healthPortAnswersHealthChecksAlone() async throws {
    let server = try await ExternalProcessorServer.start(
      picker: picker, configuration: .init(port: 0, healthPort: 0, threadCount: 1))
    let client = try await CallClient(port: try #require(server.healthPort))
    let health = try await client.call(Self.check)
    try await health.send(self.health("readiness"), endsStream: true)
    let process = try await client.call(Self.process)
    try await eventually { health.answer.isEnded && process.answer.isEnded }

    #expect(health.answer.status == "0")
    #expect(process.answer.status == "12")
    #expect(server.healthPort != server.port)
    await client.close()
    await server.drain(graceMilliseconds: 0)
  }

  // MARK: - Calls

  @Test func unknownMethodIsUnimplemented() async throws {
    try await withServer { client, _ in
      let call = try await client.call("/other.Service/Method")
      try await eventually { call.answer.isEnded }
      #expect(call.answer.status == "12")
    }
  }

  @Test func whatIsNotGRPCIsRefused() async throws {
    try await withServer { client, _ in
      let call = try await client.call(Self.process, contentType: "text/plain")
      try await eventually { call.answer.isEnded }
      #expect(call.answer.httpStatus == "415")
    }
  }

  @Test(
    arguments: [
      ([1, 0, 0, 0, 1, 0], "12"), ([0, 0xff, 0, 0, 0, 0], "8"), ([0, 0, 0, 0, 2, 0xff, 0xff], "3"),
    ] as [([UInt8], String)])
  func messagesThatCannotBeReadEndTheCallAlone(bytes: [UInt8], status: String) async throws {
    try await withServer { client, _ in
      let good = try await client.call(Self.process)
      try await good.send(ProcessingRequest.requestHeaders())
      let bad = try await client.call(Self.process)
      try await bad.send(bytes)
      try await eventually { bad.answer.isEnded }
      #expect(bad.answer.status == status)

      try await good.send(ProcessingRequest.requestBody(#"{"prompt":"a"}"#))
      try await eventually { good.answer.messages.count == 2 }
      #expect(!good.answer.isEnded)
    }
  }

  @Test func messagesMayBeCutAnywhere() async throws {
    try await withServer { client, _ in
      var bytes = ByteBuffer()
      for message in [ProcessingRequest.requestHeaders(), .requestBody(#"{"prompt":"a"}"#)] {
        bytes.writeMessage(try message.serializedBytes())
      }
      let call = try await client.call(Self.process)
      for byte in bytes.readableBytesView { try await call.send([byte]) }
      try await eventually { call.answer.messages.count == 2 }
      let first = try ProcessingResponse(serializedBytes: call.answer.messages.first ?? [])
      #expect(first.metadataDestination == "10.0.0.1:8000")
    }
  }

  @Test func callsEndWhenTheClientDoes() async throws {
    try await withServer { client, _ in
      let call = try await client.call(Self.process)
      try await call.send(ProcessingRequest.requestHeaders())
      try await call.send(ProcessingRequest.requestBody(#"{"prompt":"a"}"#), endsStream: true)
      try await eventually { call.answer.isEnded }

      #expect(call.answer.status == "0")
      #expect(picker.account.outcomes.map(\.status) == [499])
    }
  }

  @Test(arguments: UInt64(0)..<4)
  func garbageNeverStopsTheServer(seed: UInt64) async throws {
    var random = SplitMix64(seed: seed)
    var whole = ByteBuffer()
    for message in [
      ProcessingRequest.requestHeaders(), .requestBody(#"{"model":"m","prompt":"a"}"#),
      .responseHeaders(), .responseBody("data: {}\n\n", endsStream: true),
    ] {
      whole.writeMessage(try message.serializedBytes())
    }
    let bytes = Array(whole.readableBytesView)
    try await withServer { client, _ in
      for _ in 0..<50 {
        var mutated = bytes
        for _ in 0..<3 {
          mutated[random.integer(in: 0...mutated.count - 1)] = UInt8(random.integer(in: 0...255))
        }
        let call = try await client.call(Self.process)
        try? await call.send(mutated, endsStream: true)
        try await eventually { call.answer.isEnded }
      }
      let call = try await client.call(Self.check)
      try await call.send(health("liveness"), endsStream: true)
      try await eventually { call.answer.isEnded }
      #expect(call.answer.status == "0")
    }
  }

  // MARK: - Listening

  @Test func drainedServerReportsWhatItLeaves() async throws {
    try await withServer { client, server in
      let call = try await client.call(Self.process)
      try await call.send(ProcessingRequest.requestHeaders())
      try await call.send(ProcessingRequest.requestBody(#"{"prompt":"a"}"#))
      try await eventually { picker.account.inFlight.count == 1 }
      await server.drain(graceMilliseconds: 50)
      #expect(picker.account.outcomes.map(\.end) == [.drained])
    }
  }

  @Test func takenPortIsReported() async throws {
    try await withServer { _, server in
      await #expect(throws: ExternalProcessorError.self) {
        try await ExternalProcessorServer.start(
          picker: picker, configuration: .init(port: server.port, threadCount: 1))
      }
    }
  }

  @Test func valuesOutOfRangeAreRefused() {
    #expect(throws: ExternalProcessorError.outOfRange(name: "port", value: 70_000)) {
      try ExternalProcessorServer.Configuration(port: 70_000)
    }
    #expect(throws: ExternalProcessorError.outOfRange(name: "threadCount", value: -1)) {
      try ExternalProcessorServer.Configuration(threadCount: -1)
    }
    #expect(throws: ExternalProcessorError.outOfRange(name: "maximumBodyBytes", value: 1 << 30)) {
      try ExternalProcessorServer.Configuration(maximumBodyBytes: 1 << 30)
    }
  }
}
