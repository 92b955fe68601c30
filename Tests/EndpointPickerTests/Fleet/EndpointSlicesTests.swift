import Foundation
import RoutingRuntime
import Testing

@testable import EndpointPicker

/// Answers of the cluster's API, for tests.
enum SliceJSON {
  /// A slice with `endpoints`, each the JSON of one.
  static func slice(
    _ name: String, version: Int, labels: String = "{}", type: String = "IPv4",
    endpoints: [String]
  ) -> String {
    """
    {"metadata":{"name":"\(name)","resourceVersion":"\(version)","labels":\(labels)},\
    "addressType":"\(type)","ports":[{"name":"metrics","port":9},{"name":"http","port":8000}],\
    "endpoints":[\(endpoints.joined(separator: ","))]}
    """
  }

  static func endpoint(_ address: String, name: String, conditions: String = "{}") -> String {
    """
    {"addresses":["\(address)"],"conditions":\(conditions),"targetRef":{"name":"\(name)"}}
    """
  }

  static func list(version: Int, _ slices: [String]) -> String {
    "{\"metadata\":{\"resourceVersion\":\"\(version)\"},\"items\":[\(slices.joined(separator: ","))]}"
  }

  static func event(_ type: String, _ object: String) -> String {
    "{\"type\":\"\(type)\",\"object\":\(object)}\n"
  }
}

@Suite struct EndpointSlicesTests {
  private var settings: EndpointSlices.Settings {
    var settings = EndpointSlices.Settings()
    settings.portName = "http"
    return settings
  }

  private func listed(_ slices: String...) throws -> EndpointSlices {
    var all = EndpointSlices()
    try all.replace(listJSON: Array(SliceJSON.list(version: 5, slices).utf8))
    return all
  }

  @Test func conditionsDecide() throws {
    let slices = try listed(
      SliceJSON.slice(
        "s", version: 1,
        endpoints: [
          SliceJSON.endpoint("10.0.0.1", name: "plain"),
          SliceJSON.endpoint("10.0.0.2", name: "ready", conditions: "{\"ready\":true}"),
          SliceJSON.endpoint("10.0.0.3", name: "starting", conditions: "{\"ready\":false}"),
          SliceJSON.endpoint(
            "10.0.0.4", name: "leaving",
            conditions: "{\"ready\":false,\"serving\":true,\"terminating\":true}"),
          SliceJSON.endpoint(
            "10.0.0.5", name: "gone",
            conditions: "{\"ready\":false,\"serving\":false,\"terminating\":true}"),
        ]))
    #expect(
      slices.endpoints(settings) == [
        EndpointDescription(name: "plain", address: "10.0.0.1:8000"),
        EndpointDescription(name: "ready", address: "10.0.0.2:8000"),
        EndpointDescription(name: "leaving", address: "10.0.0.4:8000", isDraining: true),
      ])
  }

  @Test func labelsNameRoleAndAccelerator() throws {
    let labels = #"{"llm-d.ai/role":"decode","glidepath.dev/accelerator":"H100"}"#
    let slices = try listed(
      SliceJSON.slice(
        "s", version: 1, labels: labels, type: "IPv6",
        endpoints: [SliceJSON.endpoint("fd00::1", name: "a")]))
    #expect(
      slices.endpoints(settings) == [
        EndpointDescription(
          name: "a", address: "[fd00::1]:8000", accelerator: "H100", role: .decode)
      ])
  }

  @Test func portsAreTheNamedThenThePoolsThenTheFirst() throws {
    let slices = try listed(
      SliceJSON.slice(
        "s", version: 1, endpoints: [SliceJSON.endpoint("10.0.0.1", name: "a")]))
    var other = EndpointSlices.Settings()
    #expect(slices.endpoints(other).first?.address == "10.0.0.1:9")
    other.targetPort = 8_080
    #expect(slices.endpoints(other).first?.address == "10.0.0.1:8080")
    other.portName = "absent"
    #expect(slices.endpoints(other).isEmpty)
  }

  @Test func eventsChangeTheSet() throws {
    var slices = try listed(
      SliceJSON.slice(
        "s", version: 1, endpoints: [SliceJSON.endpoint("10.0.0.1", name: "a")]))
    let added = SliceJSON.slice(
      "t", version: 7, endpoints: [SliceJSON.endpoint("10.0.0.2", name: "b")])
    #expect(slices.resourceVersion == "5")
    #expect(try slices.apply(eventJSON: Array(SliceJSON.event("ADDED", added).utf8)) == .changed)
    #expect(slices.resourceVersion == "7")
    #expect(slices.endpoints(settings).map(\.name) == ["a", "b"])
    let bookmark = #"{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}}"#
    #expect(try slices.apply(eventJSON: Array(bookmark.utf8)) == .unchanged)
    #expect(slices.resourceVersion == "9")
    #expect(
      try slices.apply(eventJSON: Array(SliceJSON.event("DELETED", added).utf8)) == .changed)
    #expect(slices.endpoints(settings).map(\.name) == ["a"])
    let expired = #"{"type":"ERROR","object":{"kind":"Status","code":410,"message":"old"}}"#
    #expect(try slices.apply(eventJSON: Array(expired.utf8)) == .expired)
    let failed = #"{"type":"ERROR","object":{"kind":"Status","code":500,"message":"x"}}"#
    #expect(throws: EndpointPickerError.self) { try slices.apply(eventJSON: Array(failed.utf8)) }
  }

  @Test(arguments: ["", "[]", "{\"items\":5}", "{\"items\":[{\"ports\":[{\"port\":\"x\"}]}]}"])
  func malformedAnswerIsRefused(text: String) {
    var slices = EndpointSlices()
    #expect(throws: EndpointPickerError.self) { try slices.replace(listJSON: Array(text.utf8)) }
  }
}
