import EndpointPicker
import Foundation
import RoutingRuntime
import TestSupport
import Testing

@Suite struct EndpointFileTests {
  @Test func fieldsAreRead() throws {
    let text = """
      endpoints:
        - name: gpu-1
          address: 10.0.0.1:8000
          accelerator: H100
          role: prefill
          model: llama
          metricsAddress: 10.0.0.1:9100
        - address: "[fd00::1]:8000"
          drain: true
      """
    let endpoints = try EndpointFile.parse(Array(text.utf8))
    #expect(
      endpoints == [
        EndpointDescription(
          name: "gpu-1", address: "10.0.0.1:8000", accelerator: "H100", role: .prefill,
          model: "llama", metricsAddress: "10.0.0.1:9100"),
        EndpointDescription(
          name: "[fd00::1]:8000", address: "[fd00::1]:8000", isDraining: true),
      ])
  }

  @Test(arguments: [
    ("endpoints:\n  - {name: a, address: b}", "endpoints[0].address"),
    ("endpoints:\n  - {name: a, address: 'b:0'}", "endpoints[0].address"),
    ("endpoints:\n  - {name: a, address: 'b c:80'}", "endpoints[0].address"),
    ("endpoints:\n  - {address: 'b:80', role: cook}", "endpoints[0].role"),
    ("endpoints:\n  - {address: 'b:80', speed: 1}", "endpoints[0].speed"),
    ("endpoints:\n  - {address: 'b:80'}\n  - {address: 'b:80', name: x}", "endpoints[1].address"),
    (
      "endpoints:\n  - {address: 'b:80', name: x}\n  - {address: 'c:80', name: x}",
      "endpoints[1].name"
    ),
    ("endpoints: 5", "endpoints"),
    ("servers: []", "servers"),
  ])
  func wrongFieldIsNamed(text: String, field: String) {
    #expect {
      try EndpointFile.parse(Array(text.utf8))
    } throws: { error in
      guard case .badField(let found, _, _)? = error as? EndpointPickerError else { return false }
      return found == field
    }
  }

  @Test func exampleIsRead() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    let bytes = try Data(contentsOf: root.appendingPathComponent("deploy/endpoints.yaml"))
    #expect(
      try EndpointFile.parse([UInt8](bytes)) == [
        EndpointDescription(
          name: "gpu-1", address: "10.0.0.1:8000", accelerator: "H100", model: "llama-3.1-8b",
          metricsAddress: "10.0.0.1:9100"),
        EndpointDescription(name: "gpu-2", address: "10.0.0.2:8000"),
      ])
  }

  @Test func emptyFileHasNoEndpoints() throws {
    #expect(try EndpointFile.parse([]).isEmpty)
    #expect(try EndpointFile.parse(Array("endpoints: []\n".utf8)).isEmpty)
  }

  @Test(arguments: UInt64(0)..<24)
  func damagedFileIsRefusedOrHasGoodEndpoints(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    var bytes = Array(
      "endpoints:\n  - {name: a, address: '1.2.3.4:80', role: both}\n  - address: b:81\n".utf8)
    for _ in 0..<random.integer(in: 1...6) {
      bytes[random.integer(in: 0...bytes.count - 1)] = UInt8(random.integer(in: 0...255))
    }
    for endpoint in (try? EndpointFile.parse(bytes)) ?? [] {
      #expect(endpoint.address.contains(":"))
      #expect(!endpoint.name.isEmpty)
    }
  }
}
