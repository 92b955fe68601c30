import EndpointPicker
import Foundation
import RoutingRuntime
import Testing

@Suite struct ConfigurationTests {
  private static let example: String = {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    let file = root.appendingPathComponent("deploy/gateway.yaml")
    return (try? String(contentsOf: file, encoding: .utf8)) ?? ""
  }()

  private func parse(_ text: String) throws -> PickerConfiguration {
    try PickerConfiguration.parse(Array(text.utf8))
  }

  private func problem(_ text: String) -> (field: String, remedy: String)? {
    do {
      _ = try PickerConfiguration.parse(Array(text.utf8))
      return nil
    } catch {
      guard case .badField(let field, _, let remedy) = error else { return ("", "\(error)") }
      return (field, remedy)
    }
  }

  @Test func exampleStatesTheDefaults() throws {
    var expected = PickerConfiguration()
    expected.endpoints.file = "endpoints.yaml"
    #expect(try parse(Self.example) == expected)
  }

  @Test(arguments: [
    "", "data", "admin", "model", "policy", "endpoints", "endpoints.kubernetes", "scrape",
    "outliers", "requestLog", "limits", "drain",
  ])
  func exampleNamesEveryField(section: String) throws {
    let parts = section.split(separator: ".")
    let nested = parts.enumerated().map { String(repeating: "  ", count: $0) + "\($1):\n" }
    let text = nested.joined() + String(repeating: "  ", count: parts.count) + "noSuchField: 1\n"
    let found = try #require(problem(text))
    let names = found.remedy.replacing("use one of ", with: "").split(separator: ", ")
    #expect(names.count > 1)
    for name in names {
      #expect(Self.example.contains("\(name):"), "\(section).\(name)")
    }
  }

  @Test(arguments: [
    ("endpoints: {}", "endpoints"),
    ("logLevel: loud\nendpoints: {file: e}", "logLevel"),
    ("admin: {port: 70000}\nendpoints: {file: e}", "admin.port"),
    ("admin: {port: 9002}\nendpoints: {file: e}", "admin.port"),
    ("admin: {port: nine}\nendpoints: {file: e}", "admin.port"),
    ("admin: 5\nendpoints: {file: e}", "admin"),
    ("policy: {name: best}\nendpoints: {file: e}", "policy.name"),
    (
      "policy: {name: predictedCost, parameters: {headroom: 7}}\nendpoints: {file: e}",
      "policy.parameters.headroom"
    ),
    (
      "policy: {name: model, parameters: {headroom: 0.1}}\nendpoints: {file: e}",
      "policy.parameters.headroom"
    ),
    (
      "policy: {name: weightedScorers, parameters: {speed: 1}}\nendpoints: {file: e}",
      "policy.parameters.speed"
    ),
    ("scrape: {enabled: maybe}\nendpoints: {file: e}", "scrape.enabled"),
    ("scrape: {path: metrics}\nendpoints: {file: e}", "scrape.path"),
    ("scrape: {staleMilliseconds: 40}\nendpoints: {file: e}", "scrape.staleMilliseconds"),
    ("drain: {limitMilliseconds: 1}\nendpoints: {file: e}", "drain.limitMilliseconds"),
    ("endpoints: {kubernetes: {enabled: true}}", "endpoints.kubernetes.labelSelector"),
    (
      "endpoints: {kubernetes: {enabled: true, labelSelector: a=b, server: 'ftp://x'}}",
      "endpoints.kubernetes.server"
    ),
    (
      "endpoints: {kubernetes: {enabled: true, inferencePool: 'a/../b'}}",
      "endpoints.kubernetes.inferencePool"
    ),
    ("gateway: a\ngateway: b\nendpoints: {file: e}", "gateway"),
    ("requestLog: {queueCapacity: 0}\nendpoints: {file: e}", "requestLog.queueCapacity"),
  ])
  func wrongFieldIsNamedWithItsRemedy(text: String, field: String) throws {
    let found = try #require(problem(text))
    #expect(found.field == field || found.remedy.contains(field), "\(found)")
    #expect(!found.remedy.isEmpty)
  }

  @Test(arguments: [
    String(repeating: "[", count: 100_000), String(repeating: "- ", count: 100_000),
    String(repeating: "{a: ", count: 5_000), "a: &x [*x, *x]", "\u{0}", "a: b: c", "%YAML 9",
    (0..<3_000).map { String(repeating: " ", count: $0) + "a:\n" }.joined(),
  ])
  func hostileTextIsRefused(text: String) {
    #expect(problem(text) != nil)
  }

  @Test func policiesTakeTheirParameters() throws {
    let cost = try parse(
      "policy: {name: predictedCost, parameters: {exploration: 0.5}}\nendpoints: {file: e}")
    #expect(
      try cost.policy.routingPolicy() == .predictedCost(PredictedCostParameters(exploration: 0.5)))
    let scorers = try parse(
      "policy: {name: weightedScorers, parameters: {prefix: 7}}\nendpoints: {file: e}")
    #expect(try scorers.policy.routingPolicy() == .weightedScorers(ScorerWeights(prefix: 7)))
    let plain = try parse("policy: {name: roundRobin}\nendpoints: {file: e}")
    #expect(try plain.policy.routingPolicy() == .roundRobin)
  }

  @Test func everyPolicyNameIsUnderstood() throws {
    for name in RoutingPolicy.names {
      let configuration = try parse("policy: {name: \(name)}\nendpoints: {file: e}")
      #expect(try configuration.policy.routingPolicy()?.name == name)
    }
  }
}
