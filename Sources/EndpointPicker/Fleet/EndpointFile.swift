internal import RoutingRuntime

/// The file that lists endpoints: YAML with one list, `endpoints`.
///
///     endpoints:
///       - name: gpu-1
///         address: 10.0.0.1:8000
///         accelerator: H100
///
/// Fields of an item: `name`, `address`, `accelerator`, `role` (`both`, `prefill`, `decode`),
/// `model`, `metricsAddress` and `drain`.
public enum EndpointFile {
  /// The largest file that is read, bytes.
  public static let maximumBytes = 4 << 20

  /// The endpoints that a file's bytes list.
  ///
  /// - Throws: ``EndpointPickerError`` that names the field and the remedy.
  public static func parse(
    _ bytes: [UInt8], name: String = "endpoints"
  ) throws(EndpointPickerError) -> [EndpointDescription] {
    guard bytes.count <= maximumBytes else {
      throw .badDocument(name: name, problem: "larger than \(maximumBytes) bytes")
    }
    var top = try YAMLDocument.mapping(bytes, name: name)
    var endpoints: [EndpointDescription] = []
    for var item in try top.list("endpoints", limit: EndpointDescription.maximumCount) {
      endpoints.append(try endpoint(&item))
    }
    try top.finish()
    try checkUnique(endpoints)
    return endpoints
  }

  private static func endpoint(
    _ item: inout YAMLMapping
  ) throws(EndpointPickerError) -> EndpointDescription {
    var endpoint = EndpointDescription(name: "", address: "")
    var role = ""
    try item.read("name", into: &endpoint.name)
    try item.read("address", into: &endpoint.address)
    try item.read("accelerator", into: &endpoint.accelerator)
    try item.read("role", into: &role)
    try item.read("model", into: &endpoint.model)
    try item.read("metricsAddress", into: &endpoint.metricsAddress)
    try item.read("drain", into: &endpoint.isDraining)
    try item.finish()
    guard EndpointDescription.isAddress(endpoint.address) else {
      throw .badField(
        item.field("address"), problem: "`\(endpoint.address)` is no address",
        remedy: "write host:port, such as 10.0.0.1:8000")
    }
    guard endpoint.metricsAddress.isEmpty || EndpointDescription.isAddress(endpoint.metricsAddress)
    else {
      throw .badField(
        item.field("metricsAddress"), problem: "`\(endpoint.metricsAddress)` is no address",
        remedy: "write host:port, or leave it out")
    }
    guard let known = EndpointRole(name: role) else {
      throw .badField(
        item.field("role"), problem: "`\(role)` is no role", remedy: "use both, prefill or decode")
    }
    endpoint.role = known
    if endpoint.name.isEmpty { endpoint.name = endpoint.address }
    return endpoint
  }

  private static func checkUnique(
    _ endpoints: [EndpointDescription]
  ) throws(EndpointPickerError) {
    var (names, addresses) = (Set<String>(), Set<String>())
    for (index, endpoint) in endpoints.enumerated() {
      guard names.insert(endpoint.name).inserted else {
        throw .badField(
          "endpoints[\(index)].name", problem: "`\(endpoint.name)` is taken",
          remedy: "give each endpoint a name of its own")
      }
      guard addresses.insert(endpoint.address).inserted else {
        throw .badField(
          "endpoints[\(index)].address", problem: "`\(endpoint.address)` is listed twice",
          remedy: "list each address once")
      }
    }
  }
}
