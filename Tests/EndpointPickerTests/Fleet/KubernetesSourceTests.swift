import AsyncHTTPClient
import Hummingbird
import Logging
import NIOCore
import RoutingRuntime
import Testing

@testable import EndpointPicker

@Suite struct KubernetesSourceTests {
  /// The API server's content, and what it was asked.
  private struct Cluster: Sendable {
    var list = ""
    var listStatus = HTTPResponse.Status.ok
    /// Lines of the watch, sent one after the other.
    var events: [String] = []
    /// The version that the server no longer knows.
    var forgottenVersion = ""
    /// Whether the watch ends after its last line.
    var watchEnds = false
    var listCount = 0
    var watchVersions: [String] = []
    var tokens: Set<String> = []
    var selectors: Set<String> = []
  }

  private let cluster = Shared(Cluster())
  private let folder: TemporaryFolder
  private let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  init() throws { folder = try TemporaryFolder() }

  private func answer(_ request: Request) async throws -> Response {
    let parameters = request.uri.queryParameters
    let token = request.headers[.authorization] ?? ""
    cluster.set { $0.tokens.insert(token) }
    if request.uri.path.hasSuffix("/inferencepools/pool") {
      return StubServer.text(
        #"{"spec":{"selector":{"matchLabels":{"app":"vllm","tier":"a b"}},"targetPorts":[{"number":7000}]}}"#
      )
    }
    guard request.uri.path == "/apis/discovery.k8s.io/v1/namespaces/ns/endpointslices" else {
      return StubServer.text("", status: .notFound)
    }
    let selector = parameters["labelSelector"].map(String.init) ?? ""
    cluster.set { $0.selectors.insert(selector) }
    guard parameters["watch"] != nil else {
      cluster.set { $0.listCount += 1 }
      return StubServer.text(cluster.now.list, status: cluster.now.listStatus)
    }
    let version = parameters["resourceVersion"].map(String.init) ?? ""
    cluster.set { $0.watchVersions.append(version) }
    if version == cluster.now.forgottenVersion {
      return StubServer.text(#"{"type":"ERROR","object":{"code":410,"message":"too old"}}"# + "\n")
    }
    return Response(
      status: .ok,
      body: ResponseBody { [cluster] writer in
        var sent = 0
        while !Task.isCancelled {
          let now = cluster.now
          if sent < now.events.count {
            try await writer.write(ByteBuffer(string: now.events[sent]))
            sent += 1
          } else if now.watchEnds {
            break
          }
          try await Task.sleep(for: .milliseconds(5))
        }
        try await writer.finish(nil)
      })
  }

  private func following(
    _ change: (inout PickerConfiguration.Kubernetes) -> Void = { _ in },
    _ body: (LivePicker, KubernetesSource) async throws -> Void
  ) async throws {
    let server = try await StubServer { try await answer($0) }
    try folder.write("secret\n", to: "token")
    var configuration = PickerConfiguration.Kubernetes()
    configuration.server = "http://127.0.0.1:\(server.port)"
    configuration.namespace = "ns"
    configuration.tokenFile = folder.path + "/token"
    configuration.labelSelector = "kubernetes.io/service-name=vllm"
    change(&configuration)
    let picker = LivePicker(settings: PickerSettings(), models: PublishedModel())
    let client = HTTPClient(eventLoopGroupProvider: .singleton)
    var scrape = PickerConfiguration.Scrape()
    scrape.isEnabled = false
    let scraper = MetricsScraper(scrape, picker: picker, client: client, logger: quiet)
    let fleet = EndpointFleet(picker: picker, scraper: scraper, logger: quiet)
    let source = KubernetesSource(
      configuration, connection: try KubernetesSource.connection(configuration), fleet: fleet,
      logger: quiet)
    let task = Task { await source.follow() }
    try await body(picker, source)
    task.cancel()
    await task.value
    await source.shutdown()
    try await client.shutdown()
    await server.stop()
  }

  private func slice(_ version: Int, _ endpoints: [(String, String)]) -> String {
    SliceJSON.slice(
      "s", version: version,
      endpoints: endpoints.map { SliceJSON.endpoint($0.0, name: $0.0, conditions: $0.1) })
  }

  private func states(_ picker: LivePicker) -> [String] {
    picker.report().endpoints.map { "\($0.description.name) \($0.state)" }
  }

  @Test func listAndWatchAreFollowed() async throws {
    cluster.set { $0.list = SliceJSON.list(version: 5, [slice(3, [("10.0.0.1", "{}")])]) }
    try await following { picker, _ in
      #expect(await eventually { states(picker) == ["10.0.0.1 available"] })
      #expect(await eventually { cluster.now.watchVersions == ["5"] })
      #expect(cluster.now.tokens == ["Bearer secret"])
      #expect(cluster.now.selectors == ["kubernetes.io/service-name=vllm"])
      let leaving = #"{"ready":false,"serving":true,"terminating":true}"#
      let changed = slice(6, [("10.0.0.1", leaving), ("10.0.0.2", "{}")])
      cluster.set { $0.events.append(SliceJSON.event("MODIFIED", changed)) }
      #expect(
        await eventually { states(picker) == ["10.0.0.1 draining", "10.0.0.2 available"] })
      #expect(cluster.now.listCount == 1)
    }
  }

  @Test func endedWatchContinuesFromItsVersion() async throws {
    cluster.set {
      $0.list = SliceJSON.list(version: 5, [])
      $0.events = [SliceJSON.event("ADDED", slice(8, [("10.0.0.1", "{}")]))]
      $0.watchEnds = true
    }
    try await following { picker, _ in
      #expect(await eventually { cluster.now.watchVersions.count >= 2 })
      #expect(Array(cluster.now.watchVersions.prefix(2)) == ["5", "8"])
      #expect(cluster.now.listCount == 1)
      #expect(picker.endpointCount == 1)
    }
  }

  @Test func forgottenVersionIsListedAnew() async throws {
    cluster.set {
      $0.list = SliceJSON.list(version: 5, [])
      $0.forgottenVersion = "5"
    }
    try await following { picker, _ in
      #expect(await eventually { cluster.now.listCount >= 2 })
      cluster.set { $0.list = SliceJSON.list(version: 9, [slice(9, [("10.0.0.7", "{}")])]) }
      #expect(await eventually { states(picker) == ["10.0.0.7 available"] })
      #expect(await eventually { cluster.now.watchVersions.last == "9" })
    }
  }

  @Test func failingServerLeavesTheEndpointsAsTheyAre() async throws {
    cluster.set {
      $0.list = SliceJSON.list(version: 5, [slice(3, [("10.0.0.1", "{}")])])
      $0.events = ["not json\n"]
    }
    try await following { picker, source in
      #expect(await eventually { source.status.refusals > 0 })
      cluster.set { $0.listStatus = .forbidden }
      #expect(await eventually { source.status.lastRefusal?.contains("403") ?? false })
      #expect(states(picker) == ["10.0.0.1 available"])
    }
  }

  @Test func poolSaysSelectorAndPort() async throws {
    cluster.set { $0.list = SliceJSON.list(version: 5, [slice(3, [("10.0.0.1", "{}")])]) }
    try await following {
      $0.labelSelector = ""
      $0.inferencePool = "pool"
    } _: { picker, _ in
      #expect(await eventually { picker.endpointCount == 1 })
      #expect(picker.picked()?.address == "10.0.0.1:7000")
      #expect(cluster.now.selectors == ["app=vllm,tier=a b"])
    }
  }

  @Test func wrongCertificateFileIsNamed() throws {
    try folder.write("no certificate", to: "ca")
    var configuration = PickerConfiguration.Kubernetes()
    configuration.certificateFile = folder.path + "/ca"
    #expect {
      try KubernetesSource.connection(configuration)
    } throws: { error in
      guard case .badField(let field, _, _)? = error as? EndpointPickerError else { return false }
      return field == "endpoints.kubernetes.certificateFile"
    }
  }
}
