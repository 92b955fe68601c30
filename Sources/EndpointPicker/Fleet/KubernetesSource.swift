internal import AsyncHTTPClient
internal import Foundation
internal import Logging
internal import NIOCore
internal import NIOHTTP1
internal import NIOSSL
internal import Synchronization

/// Lists and watches a cluster's EndpointSlices.
///
/// A broken watch continues from the last version seen; when the server has forgotten that version,
/// everything is listed anew. Meanwhile the endpoints stay as they are.
final class KubernetesSource: Sendable {
  private let configuration: PickerConfiguration.Kubernetes
  private let fleet: EndpointFleet
  private let client: HTTPClient
  private let logger: Logger
  private let state = Mutex(SourceStatus())

  private static let maximumAnswerBytes = 64 << 20
  private static let maximumEventBytes = 4 << 20
  private static let maximumTokenBytes = 1 << 16
  /// The server ends a watch after this; the client gives up a little later.
  private static let watchSeconds = 240
  private static let firstPauseMilliseconds = 200
  private static let longestPauseMilliseconds = 30_000

  /// - Parameter connection: How the server is reached, see ``connection(_:)``.
  init(
    _ configuration: PickerConfiguration.Kubernetes, connection: HTTPClient.Configuration,
    fleet: EndpointFleet, logger: Logger
  ) {
    self.configuration = configuration
    self.fleet = fleet
    self.logger = logger
    client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: connection)
  }

  /// How the server is reached; the certificates are read here.
  static func connection(
    _ configuration: PickerConfiguration.Kubernetes
  ) throws(EndpointPickerError) -> HTTPClient.Configuration {
    var settings = HTTPClient.Configuration()
    settings.redirectConfiguration = .disallow
    settings.connectionPool.retryConnectionEstablishment = false
    settings.timeout = .init(connect: .seconds(10), read: .seconds(Int64(watchSeconds + 30)))
    guard configuration.server.hasPrefix("https://"), !configuration.certificateFile.isEmpty
    else { return settings }
    var security = TLSConfiguration.makeClientConfiguration()
    do {
      let certificates = try NIOSSLCertificate.fromPEMFile(configuration.certificateFile)
      security.trustRoots = .certificates(certificates)
    } catch {
      throw .badField(
        "endpoints.kubernetes.certificateFile",
        problem: "\(configuration.certificateFile) holds no PEM certificates (\(error))",
        remedy: "name the cluster's CA file, or leave it empty for the system's")
    }
    settings.tlsConfiguration = security
    return settings
  }

  var status: SourceStatus { state.withLock { $0 } }

  /// Ends connections; to be called after the task of ``follow()`` has ended.
  func shutdown() async { try? await client.shutdown() }

  /// Follows the cluster until the task is cancelled.
  func follow() async {
    var slices = EndpointSlices()
    var settings: EndpointSlices.Settings?
    var selector = ""
    var pause = Self.firstPauseMilliseconds
    while !Task.isCancelled {
      do {
        if settings == nil {
          (settings, selector) = try await pool()
          try slices.replace(listJSON: await list(selector))
          publish(slices, settings)
        }
        pause = Self.firstPauseMilliseconds
        let isExpired = try await watch(&slices, selector, settings)
        guard isExpired else { continue }
      } catch {
        if Task.isCancelled { return }
        note("\(error)")
      }
      // After any doubt about what was missed, everything is listed anew; but not at once.
      settings = nil
      try? await Task.sleep(for: .milliseconds(pause + Int.random(in: 0...(pause / 2))))
      pause = min(2 * pause, Self.longestPauseMilliseconds)
    }
  }

  private func publish(_ slices: EndpointSlices, _ settings: EndpointSlices.Settings?) {
    guard let settings else { return }
    fleet.update(slices.endpoints(settings), from: "kubernetes")
    state.withLock { status in
      status.updates += 1
      status.lastRefusal = nil
    }
  }

  private func note(_ reason: String) {
    let isNew = state.withLock { status in
      status.refusals += 1
      defer { status.lastRefusal = reason }
      return status.lastRefusal != reason
    }
    if isNew { logger.error("the cluster did not answer", metadata: ["reason": "\(reason)"]) }
  }

  // MARK: - Requests

  private var namespace: String {
    if !configuration.namespace.isEmpty { return configuration.namespace }
    let path = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"
    let bytes = (try? SystemCall.read(path, limit: 1_024)) ?? []
    let name = String(decoding: bytes, as: UTF8.self)
      .trimmingCharacters(in: .whitespacesAndNewlines)
    return name.isEmpty ? "default" : name
  }

  private func get(_ path: String, timeout: TimeAmount) async throws -> HTTPClientResponse {
    var request = HTTPClientRequest(url: configuration.server + path)
    request.headers.add(name: "accept", value: "application/json")
    if !configuration.tokenFile.isEmpty {
      // Read each time: the kubelet replaces it before it expires.
      let bytes = try SystemCall.read(configuration.tokenFile, limit: Self.maximumTokenBytes)
      let token = String(decoding: bytes, as: UTF8.self)
        .trimmingCharacters(in: .whitespacesAndNewlines)
      request.headers.add(name: "authorization", value: "Bearer \(token)")
    }
    return try await client.execute(request, timeout: timeout)
  }

  private func body(_ path: String) async throws -> (status: UInt, bytes: [UInt8]) {
    let response = try await get(path, timeout: .seconds(30))
    let body = try await response.body.collect(upTo: Self.maximumAnswerBytes)
    return (response.status.code, [UInt8](body.readableBytesView))
  }

  private func slicesPath(_ selector: String, _ query: String) -> String {
    let encoded =
      selector.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? selector
    return "/apis/discovery.k8s.io/v1/namespaces/\(namespace)/endpointslices"
      + "?labelSelector=\(encoded)\(query)"
  }

  private func list(_ selector: String) async throws -> [UInt8] {
    let answer = try await body(slicesPath(selector, ""))
    guard answer.status == 200 else {
      throw EndpointPickerError.cluster("listing EndpointSlices: HTTP \(answer.status)")
    }
    return answer.bytes
  }

  /// Applies events until the server ends the watch; returns whether everything must be listed anew.
  private func watch(
    _ slices: inout EndpointSlices, _ selector: String, _ settings: EndpointSlices.Settings?
  ) async throws -> Bool {
    let query =
      "&watch=1&allowWatchBookmarks=true&timeoutSeconds=\(Self.watchSeconds)"
      + "&resourceVersion=\(slices.resourceVersion)"
    let response = try await get(
      slicesPath(selector, query), timeout: .seconds(Int64(Self.watchSeconds + 60)))
    if response.status.code == 410 { return true }
    guard response.status.code == 200 else {
      throw EndpointPickerError.cluster("watching EndpointSlices: HTTP \(response.status.code)")
    }
    var line: [UInt8] = []
    for try await buffer in response.body {
      for byte in buffer.readableBytesView {
        guard byte == UInt8(ascii: "\n") else {
          line.append(byte)
          continue
        }
        let outcome = line.isEmpty ? .unchanged : try slices.apply(eventJSON: line)
        line.removeAll(keepingCapacity: true)
        if outcome == .expired { return true }
        if outcome == .changed { publish(slices, settings) }
      }
      guard line.count <= Self.maximumEventBytes else {
        throw EndpointPickerError.cluster("an event of over \(Self.maximumEventBytes) bytes")
      }
    }
    return false
  }

  // MARK: - The InferencePool

  private struct Pool: Decodable {
    struct Selector: Decodable { var matchLabels: [String: String]? }
    struct Port: Decodable { var number: Int? }
    struct Specification: Decodable {
      var selector: Selector?
      var targetPorts: [Port]?
    }
    var spec: Specification?
  }

  /// What selects the slices, and the settings to read them by.
  private func pool() async throws -> (EndpointSlices.Settings, String) {
    var settings = EndpointSlices.Settings()
    settings.portName = configuration.portName
    settings.accelerator = configuration.accelerator
    settings.acceleratorLabel = configuration.acceleratorLabel
    settings.roleLabel = configuration.roleLabel
    if configuration.inferencePool.isEmpty { return (settings, configuration.labelSelector) }
    let path =
      "/apis/inference.networking.k8s.io/v1/namespaces/\(namespace)/inferencepools/"
      + configuration.inferencePool
    let answer = try await body(path)
    guard answer.status == 200 else {
      throw EndpointPickerError.cluster(
        "reading InferencePool \(configuration.inferencePool): HTTP \(answer.status)")
    }
    let pool = try JSONDecoder().decode(Pool.self, from: Data(answer.bytes))
    let labels = pool.spec?.selector?.matchLabels ?? [:]
    guard !labels.isEmpty else {
      throw EndpointPickerError.cluster(
        "InferencePool \(configuration.inferencePool) has no selector.matchLabels")
    }
    settings.targetPort = pool.spec?.targetPorts?.first?.number ?? 0
    let selector = labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    return (settings, selector.joined(separator: ","))
  }
}
