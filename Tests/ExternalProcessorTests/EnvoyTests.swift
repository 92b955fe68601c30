import EndpointPicker
import ExternalProcessor
import Foundation
import TestSupport
import Testing

/// Requests through a real Envoy: what arrives, and what stays counted as in flight.
@Suite(.enabled(if: EnvoyProcess.binary != nil, "deploy/fetch-envoy.sh fetches Envoy"))
struct EnvoyTests {
  /// Envoy, a picker and an endpoint.
  private struct Stage {
    let picker: RecordingPicker
    let endpoint: TestEndpoint
    let server: ExternalProcessorServer
    let envoy: EnvoyProcess

    init(
      configuration: String = "envoy.yaml", changes: [(String, String)] = [],
      pickerPort: Int = 0, beforePick: @escaping @Sendable () -> Void = {}
    ) async throws {
      endpoint = try await TestEndpoint()
      let port = endpoint.address.split(separator: ":").last ?? ""
      picker = RecordingPicker([endpoint.address], beforePick: beforePick)
      server = try await ExternalProcessorServer.start(
        picker: picker, configuration: .init(port: pickerPort, threadCount: 2))
      envoy = try await EnvoyProcess.start(
        configuration: configuration, pickerPort: server.port,
        changes: changes + (1...3).map { ("ENDPOINT_PORT_\($0)", "\(port)") })
    }

    /// Ends everything; nothing may be in flight then, nor reported out of turn.
    func end() async throws {
      try await eventually { picker.account.inFlight.isEmpty }
      envoy.stop()
      await server.drain(graceMilliseconds: 0)
      await endpoint.stop()
      #expect(picker.account.inFlight.isEmpty)
      #expect(picker.account.strayEvents == 0)
    }
  }

  private static let json = [("content-type", "application/json")]
  private static let chat = Array(#"{"model":"m","prompt":"hi","stream":true}"#.utf8)

  /// A body of `length` bytes: JSON from 40 bytes on, below that any text.
  private func body(length: Int, seed: UInt64) -> (headers: [(String, String)], bytes: [UInt8]) {
    var random = SplitMix64(seed: seed)
    let letters = (0..<max(0, length)).map { _ in UInt8(random.integer(in: 0x61...0x7a)) }
    guard length >= 40 else { return ([("content-type", "text/plain")], letters) }
    let start = Array(#"{"model":"m","prompt":""#.utf8)
    let end = Array(#""}"#.utf8)
    return (Self.json, start + letters.prefix(length - start.count - end.count) + end)
  }

  @Test(arguments: ["/echo", "/echo-stream"])
  func bodiesArriveByteForByte(path: String) async throws {
    let stage = try await Stage()
    for length in [
      1, 2, 39, 40, 4095, 61_999, 62_000, 62_001, 65_535, 65_536, 300_000, 1_048_577, 8 << 20,
    ] {
      let (headers, bytes) = body(length: length, seed: UInt64(length))
      let answer = try await TestClient.send(
        port: stage.envoy.port, path: path, headers: headers, body: bytes)

      #expect(answer.status == 200, "\(length) bytes")
      #expect(answer.isWhole)
      #expect(answer.body == bytes, "\(length) bytes")
    }
    try await stage.end()
    #expect(stage.picker.account.outcomes.allSatisfy { $0.status == 200 && $0.end == .complete })
    #expect(stage.picker.account.outcomes.count == 13)
  }

  @Test func parallelRequestsDoNotMix() async throws {
    let stage = try await Stage()
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for index in 0..<64 {
        let (headers, bytes) = body(length: 1000 * (index + 1), seed: UInt64(index))
        let path = index.isMultiple(of: 2) ? "/echo" : "/echo-stream"
        group.addTask {
          try await TestClient.send(
            port: stage.envoy.port, path: path, headers: headers, body: bytes
          ).body == bytes
        }
      }
      for try await isSame in group { #expect(isSame) }
    }
    try await stage.end()
    #expect(stage.picker.account.outcomes.count == 64)
  }

  @Test func hundredsOfStreamsShareAConnection() async throws {
    let stage = try await Stage()
    var open: [TestClient.Open] = []
    for _ in 0..<300 {
      open.append(
        try await TestClient.begin(
          port: stage.envoy.port, path: "/hang", headers: Self.json, body: Self.chat))
    }
    let good = try await TestClient.send(
      port: stage.envoy.port, path: "/echo", headers: Self.json, body: Self.chat)

    #expect(good.body == Self.chat)
    #expect(stage.picker.account.inFlight.count == 300)
    for one in open { try await one.abort() }
    try await stage.end()
  }

  @Test func streamIsWatched() async throws {
    let stage = try await Stage()
    let open = try await TestClient.begin(
      port: stage.envoy.port, path: "/hang", headers: Self.json, body: Self.chat)

    // The client has it, so the picker saw it before.
    #expect(stage.picker.account.firstTokens == 1)
    #expect(stage.picker.account.requests.first?.isStreaming == true)
    try await open.abort()
    try await stage.end()
  }

  @Test func requestsWithoutBodyPass() async throws {
    let stage = try await Stage()
    let answer = try await TestClient.send(port: stage.envoy.port, path: "/v1/models")

    #expect(answer.status == 200)
    #expect(answer.body == Array("/v1/models".utf8))
    try await stage.end()
  }

  @Test func refusalsReachTheClientAndTheServerGoesOn() async throws {
    let stage = try await Stage()
    let malformed = try await TestClient.send(
      port: stage.envoy.port, path: "/echo", headers: Self.json, body: Array("{".utf8))
    let large = try await TestClient.send(
      port: stage.envoy.port, path: "/echo",
      body: Array(repeating: UInt8(ascii: "x"), count: (16 << 20) + 1))
    let good = try await TestClient.send(
      port: stage.envoy.port, path: "/echo", headers: Self.json, body: Self.chat)

    #expect(malformed.status == 400)
    #expect(large.status == 413)
    #expect(good.body == Self.chat)
    try await stage.end()
    #expect(stage.picker.account.outcomes.count == 1)
  }

  @Test func clientCannotNameTheDestination() async throws {
    let stage = try await Stage()
    let other = try await TestEndpoint()
    let answer = try await TestClient.send(
      port: stage.envoy.port, path: "/echo",
      headers: Self.json + [("x-gateway-destination-endpoint", other.address)], body: Self.chat)

    #expect(answer.body == Self.chat)
    #expect(stage.picker.account.outcomes.count == 1)
    await other.stop()
    try await stage.end()
  }

  // MARK: - Breaks

  @Test func abortedClientsLeaveNothingInFlight() async throws {
    let stage = try await Stage()
    // More than the 200 stream resets in 30 s at which HTTP/2 servers drop a connection by default.
    for _ in 0..<30 {
      try await withThrowingTaskGroup { group in
        for _ in 0..<10 {
          group.addTask {
            let open = try await TestClient.begin(
              port: stage.envoy.port, path: "/hang", headers: Self.json, body: Self.chat)
            try await open.abort()
          }
        }
        try await group.waitForAll()
      }
    }
    let good = try await TestClient.send(
      port: stage.envoy.port, path: "/echo", headers: Self.json, body: Self.chat)

    #expect(good.body == Self.chat)
    try await stage.end()
    #expect(stage.picker.account.outcomes.filter { $0.status == 499 }.count == 300)
    #expect(stage.picker.account.outcomes.filter { $0.status == 200 }.count == 1)
  }

  @Test func clientThatLeavesWhileItSendsIsNotCounted() async throws {
    let stage = try await Stage()
    let started = try await TestClient.sendHalf(port: stage.envoy.port, body: Self.chat)
    try await started.abort()
    try await stage.end()
    #expect(stage.picker.account.requests.isEmpty)
  }

  @Test func endpointResetLeavesNothingInFlight() async throws {
    let stage = try await Stage()
    let answer = try await TestClient.send(
      port: stage.envoy.port, path: "/reset", headers: Self.json, body: Self.chat)

    #expect(!answer.isWhole)
    #expect(answer.body == Array(TestEndpoint.event.utf8))
    try await stage.end()
    #expect(stage.picker.account.outcomes.map(\.end) == [.interrupted])
  }

  @Test func endpointThatDoesNotListenIsReported() async throws {
    let stage = try await Stage()
    await stage.endpoint.stop()
    let answer = try await TestClient.send(
      port: stage.envoy.port, path: "/echo", headers: Self.json, body: Self.chat)

    #expect(answer.status == 503)
    try await stage.end()
    #expect(stage.picker.account.outcomes.map(\.status) == [503])
  }

  @Test func pickerRestartLeavesNothingInFlight() async throws {
    // One that no connection is given by chance while nobody listens.
    let stage = try await Stage(pickerPort: Loopback.freePort())
    let open = try await TestClient.begin(
      port: stage.envoy.port, path: "/hang", headers: Self.json, body: Self.chat)
    await stage.server.drain(graceMilliseconds: 100)

    #expect(stage.picker.account.inFlight.isEmpty)
    #expect(stage.picker.account.outcomes.map(\.end) == [.drained])
    _ = try await open.rest()

    let next = try await ExternalProcessorServer.start(
      picker: stage.picker, configuration: .init(port: stage.server.port, threadCount: 2))
    try await eventually {
      try await TestClient.send(
        port: stage.envoy.port, path: "/echo", headers: Self.json, body: Self.chat
      ).body == Self.chat
    }
    stage.envoy.stop()
    await next.drain(graceMilliseconds: 0)
    await stage.endpoint.stop()
    #expect(stage.picker.account.inFlight.isEmpty)
    #expect(stage.picker.account.strayEvents == 0)
  }

  @Test func hungPickerHoldsUpNobody() async throws {
    let gate = DispatchSemaphore(value: 0)
    let stage = try await Stage(
      changes: [("interval: 5s, timeout: 5s", "interval: 0.1s, timeout: 0.3s")]
    ) { gate.wait() }
    let answer = try await TestClient.send(
      port: stage.envoy.port, path: "/echo", headers: Self.json, body: Self.chat)

    #expect((500...599).contains(answer.status))
    gate.signal()
    try await eventually { stage.picker.account.outcomes.count == 1 }
    try await stage.end()
    #expect(stage.picker.account.outcomes.map(\.end) == [.interrupted])
  }

  @Test func drainLetsAStreamEnd() async throws {
    let stage = try await Stage()
    let bytes = body(length: 3 << 20, seed: 1).bytes
    async let answer = TestClient.send(
      port: stage.envoy.port, path: "/echo-stream", headers: Self.json, body: bytes)
    try await eventually { stage.picker.account.next > 0 }
    await stage.server.drain(graceMilliseconds: 20_000)

    #expect(try await answer.body == bytes)
    stage.envoy.stop()
    await stage.endpoint.stop()
    #expect(stage.picker.account.outcomes.map(\.end) == [.complete])
  }

  @Test func envoyHotRestartLeavesNothingInFlight() async throws {
    let stage = try await Stage()
    let open = try await TestClient.begin(
      port: stage.envoy.port, path: "/hang", headers: Self.json, body: Self.chat)
    try await stage.envoy.hotRestart()
    _ = try await open.rest()
    let good = try await TestClient.send(
      port: stage.envoy.port, path: "/echo", headers: Self.json, body: Self.chat)

    #expect(good.body == Self.chat)
    try await stage.end()
    #expect(stage.picker.account.outcomes.map(\.end) == [.interrupted, .complete])
  }

  @Test func killedEnvoyLeavesNothingInFlight() async throws {
    let stage = try await Stage()
    _ = try await TestClient.begin(
      port: stage.envoy.port, path: "/hang", headers: Self.json, body: Self.chat)
    #expect(stage.picker.account.inFlight.count == 1)
    stage.envoy.stop()
    try await stage.end()
  }

  // MARK: - Other configurations

  @Test func failOpenGoesOnWithoutAPicker() async throws {
    let stage = try await Stage(configuration: "envoy-fail-open.yaml")
    let picked = try await TestClient.send(
      port: stage.envoy.port, path: "/echo", headers: Self.json, body: Self.chat)
    #expect(picked.body == Self.chat)
    try await eventually { stage.picker.account.outcomes.count == 1 }
    await stage.server.drain(graceMilliseconds: 0)
    try await eventually {
      try await TestClient.send(
        port: stage.envoy.port, path: "/echo", headers: Self.json, body: Self.chat
      ).body == Self.chat
    }
    #expect(stage.picker.account.requests.count == 1)
    stage.envoy.stop()
    await stage.endpoint.stop()
  }

  @Test func bufferedModeWorks() async throws {
    let stage = try await Stage(changes: [("FULL_DUPLEX_STREAMED", "BUFFERED")])
    for length in [1, 40, 100_000, 1_000_000] {
      let (headers, bytes) = body(length: length, seed: 7)
      let answer = try await TestClient.send(
        port: stage.envoy.port, path: "/echo", headers: headers, body: bytes)
      #expect(answer.body == bytes, "\(length) bytes")
    }
    try await stage.end()
  }
}

/// The tests above run unless someone says that they need not.
@Test func envoyIsAtHand() {
  let isWaived = ProcessInfo.processInfo.environment["GLIDEPATH_WITHOUT_ENVOY"] == "1"
  #expect(
    EnvoyProcess.binary != nil || isWaived,
    "run deploy/fetch-envoy.sh, set ENVOY, or set GLIDEPATH_WITHOUT_ENVOY=1")
}
