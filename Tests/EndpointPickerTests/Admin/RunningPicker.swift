import AsyncHTTPClient
import CoefficientFile
import Foundation
import Logging
import NIOCore
import NIOHTTP1
import RoutingRuntime
import RuntimeTestSupport
import Testing

@testable import EndpointPicker

/// A whole picker on free ports, with files of its own.
struct RunningPicker {
  let folder: TemporaryFolder
  let runtime: PickerRuntime
  let client: HTTPClient

  var base: String { "http://127.0.0.1:\(runtime.adminPort)" }

  /// Runs `body` against a picker with `endpoints` numbered endpoints, and ends it.
  static func with(
    endpoints: Int = 3, model: GlideModel? = nil,
    _ change: (inout PickerConfiguration) -> Void = { _ in },
    _ body: (RunningPicker) async throws -> Void
  ) async throws {
    let folder = try TemporaryFolder()
    try folder.write(list(0..<endpoints), to: "endpoints.yaml")
    if let model { try write(model, to: folder) }
    var configuration = PickerConfiguration()
    configuration.gateway = "gw"
    configuration.logLevel = "critical"
    configuration.admin.port = 0
    configuration.endpoints.file = folder.path + "/endpoints.yaml"
    configuration.endpoints.fileIntervalMilliseconds = 10
    configuration.model.path = folder.path + "/champion.glide"
    configuration.model.rescanMilliseconds = 20
    configuration.requestLog.folder = folder.path + "/log"
    configuration.scrape.isEnabled = false
    configuration.limits.prefixCapacity = 1_000
    configuration.drain.graceMilliseconds = 0
    configuration.drain.limitMilliseconds = 5_000
    change(&configuration)
    let runtime = try await PickerRuntime.start(
      configuration, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    let running = RunningPicker(
      folder: folder, runtime: runtime, client: HTTPClient(eventLoopGroupProvider: .singleton))
    do {
      try await body(running)
    } catch {
      await running.end()
      throw error
    }
    await running.end()
  }

  private func end() async {
    await runtime.stop()
    try? await client.shutdown()
  }

  static func list(_ numbers: Range<Int>) -> String {
    "endpoints:\n"
      + numbers.map { "  - {name: e\($0), address: '127.0.0.1:\(8_000 + $0)'}\n" }.joined()
  }

  static func write(_ model: GlideModel, to folder: TemporaryFolder) throws {
    try CoefficientFile.write(
      try model.encoded(), to: folder.path + "/champion.glide")
  }

  /// Sends a request to the admin port.
  func ask(
    _ path: String, _ method: HTTPMethod = .GET, headers: [String: String] = [:],
    timeout: TimeAmount = .seconds(10)
  ) async throws -> (status: Int, body: String) {
    var request = HTTPClientRequest(url: base + path)
    request.method = method
    for (name, value) in headers { request.headers.add(name: name, value: value) }
    let response = try await client.execute(request, timeout: timeout)
    let body = try await response.body.collect(upTo: 8 << 20)
    return (Int(response.status.code), String(buffer: body))
  }

  /// Has `count` requests picked for, answered and ended.
  func serve(_ count: Int, promptTokens: Int = 200) {
    for index in 0..<count {
      var request = InferenceRequest()
      request.requestIdentifier = "r\(index)"
      request.model = "llama"
      request.promptTokens = promptTokens
      request.isStreaming = true
      guard let picked = runtime.picker.picked(request) else { continue }
      runtime.picker.firstToken(picked.ticket)
      runtime.picker.finished(picked.ticket, outcome: .good)
    }
  }
}
