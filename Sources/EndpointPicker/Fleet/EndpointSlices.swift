internal import Foundation
internal import RoutingRuntime

/// The EndpointSlices of a cluster as its API tells them, and the endpoints in them.
struct EndpointSlices: Sendable {
  /// What slices do not say themselves.
  struct Settings: Sendable {
    var portName = ""
    /// The pool's target port; 0 for none.
    var targetPort = 0
    var accelerator = ""
    var acceleratorLabel = "glidepath.dev/accelerator"
    var roleLabel = "llm-d.ai/role"
  }

  /// What an event means to the watch.
  enum Outcome: Hashable {
    case changed
    case unchanged
    /// The version is too old: everything is to be listed anew.
    case expired
  }

  private(set) var resourceVersion = ""
  private var slices: [String: Slice] = [:]

  /// Replaces everything by a list's answer.
  mutating func replace(listJSON: [UInt8]) throws(EndpointPickerError) {
    let list: SliceList = try Self.decode(listJSON)
    slices = [:]
    for slice in list.items ?? [] { slices[slice.metadata?.name ?? ""] = slice }
    resourceVersion = list.metadata?.resourceVersion ?? ""
  }

  /// Applies one line of a watch.
  mutating func apply(eventJSON: [UInt8]) throws(EndpointPickerError) -> Outcome {
    let event: Event = try Self.decode(eventJSON)
    if event.type == "ERROR" {
      if event.object?.code == 410 { return .expired }
      throw .cluster("watch: \(event.object?.message ?? "an error without a message")")
    }
    guard let slice = event.object, let name = slice.metadata?.name ?? bookmark(event) else {
      return .unchanged
    }
    if let version = slice.metadata?.resourceVersion { resourceVersion = version }
    switch event.type {
    case "ADDED", "MODIFIED":
      slices[name] = slice
      return .changed
    case "DELETED":
      return slices.removeValue(forKey: name) == nil ? .unchanged : .changed
    default: return .unchanged
    }
  }

  private func bookmark(_ event: Event) -> String? { event.type == "BOOKMARK" ? "" : nil }

  private static func decode<Value: Decodable>(
    _ bytes: [UInt8]
  ) throws(EndpointPickerError) -> Value {
    do {
      return try JSONDecoder().decode(Value.self, from: Data(bytes))
    } catch {
      throw .cluster("an answer that is not as documented (\(error))")
    }
  }

  // MARK: - Endpoints

  /// The endpoints that may be used or are draining, by address.
  func endpoints(_ settings: Settings) -> [EndpointDescription] {
    var found: [String: EndpointDescription] = [:]
    for slice in slices.keys.sorted().compactMap({ slices[$0] }) {
      guard let port = slice.port(settings) else { continue }
      for endpoint in slice.endpoints ?? [] {
        guard let description = slice.description(endpoint, port: port, settings) else { continue }
        // While a slice is split, an endpoint may be in both: the one in use counts.
        if let known = found[description.address], !known.isDraining { continue }
        found[description.address] = description
      }
    }
    return found.keys.sorted().compactMap { found[$0] }
  }

  // MARK: - The API's shapes

  private struct SliceList: Decodable {
    var metadata: Metadata?
    var items: [Slice]?
  }

  private struct Event: Decodable {
    var type: String?
    var object: Slice?
  }

  struct Metadata: Decodable, Sendable {
    var name: String?
    var resourceVersion: String?
    var labels: [String: String]?
  }

  struct Conditions: Decodable, Sendable {
    var ready: Bool?
    var serving: Bool?
    var terminating: Bool?
  }

  struct Reference: Decodable, Sendable {
    var name: String?
  }

  struct Member: Decodable, Sendable {
    var addresses: [String]?
    var conditions: Conditions?
    var targetRef: Reference?
  }

  struct Port: Decodable, Sendable {
    var name: String?
    var port: Int?
  }

  /// A slice; in error events, the API's `Status`.
  struct Slice: Decodable, Sendable {
    var metadata: Metadata?
    var addressType: String?
    var endpoints: [Member]?
    var ports: [Port]?
    var code: Int?
    var message: String?
  }
}

extension EndpointSlices.Slice {
  fileprivate func port(_ settings: EndpointSlices.Settings) -> Int? {
    let all = ports ?? []
    if !settings.portName.isEmpty {
      return all.first { $0.name == settings.portName }?.port
    }
    if settings.targetPort > 0 { return settings.targetPort }
    return all.first?.port
  }

  fileprivate func description(
    _ endpoint: EndpointSlices.Member, port: Int, _ settings: EndpointSlices.Settings
  ) -> EndpointDescription? {
    let conditions = endpoint.conditions
    let isTerminating = conditions?.terminating ?? false
    let isUsable = isTerminating ? conditions?.serving ?? true : conditions?.ready ?? true
    guard isUsable, let host = endpoint.addresses?.first else { return nil }
    let address = addressType == "IPv6" ? "[\(host)]:\(port)" : "\(host):\(port)"
    guard EndpointDescription.isAddress(address) else { return nil }
    let labels = metadata?.labels ?? [:]
    return EndpointDescription(
      name: endpoint.targetRef?.name ?? address, address: address,
      accelerator: labels[settings.acceleratorLabel] ?? settings.accelerator,
      role: EndpointRole(name: labels[settings.roleLabel] ?? "") ?? .both,
      isDraining: isTerminating)
  }
}
