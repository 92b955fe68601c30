internal import AsyncHTTPClient
internal import Logging
internal import NIOCore
internal import NIOHTTP1
internal import Synchronization

/// Reads every endpoint's metrics on one interval and tells the picker.
///
/// Each endpoint has a task of its own, so that one that hangs delays no other.
final class MetricsScraper: Sendable {
  private let configuration: PickerConfiguration.Scrape
  private let picker: LivePicker
  private let client: HTTPClient
  private let logger: Logger
  private let tasks = Mutex<[EndpointDescription: Task<Void, Never>]>([:])

  init(
    _ configuration: PickerConfiguration.Scrape, picker: LivePicker, client: HTTPClient,
    logger: Logger
  ) {
    self.configuration = configuration
    self.picker = picker
    self.client = client
    self.logger = logger
  }

  /// Scrapes these endpoints from now on, and no others.
  func setEndpoints(_ endpoints: [EndpointDescription]) {
    guard configuration.isEnabled else { return }
    // Draining changes nothing here.
    let wanted = Set(
      endpoints.map { endpoint in
        var endpoint = endpoint
        endpoint.isDraining = false
        return endpoint
      })
    tasks.withLock { tasks in
      for (endpoint, task) in tasks where !wanted.contains(endpoint) {
        task.cancel()
        tasks[endpoint] = nil
      }
      for endpoint in wanted where tasks[endpoint] == nil {
        tasks[endpoint] = Task { await self.follow(endpoint) }
      }
    }
  }

  /// Ends all tasks and waits for them.
  func stop() async {
    let running = tasks.withLock { tasks in
      defer { tasks = [:] }
      return Array(tasks.values)
    }
    for task in running { task.cancel() }
    for task in running { await task.value }
  }

  // MARK: - One endpoint

  private func follow(_ endpoint: EndpointDescription) async {
    let clock = ContinuousClock()
    var source = MetricsSource(endpoint, configuration)
    var isAvailable = true
    var due = clock.now
    while !Task.isCancelled {
      let metrics = await read(&source)
      if Task.isCancelled { return }
      if let metrics {
        if picker.observe(metrics, address: endpoint.address) {
          logger.notice("endpoint is back", metadata: ["endpoint": "\(endpoint.name)"])
        }
        isAvailable = true
      } else if picker.scrapeFailed(address: endpoint.address) {
        logger.warning("endpoint is unavailable", metadata: ["endpoint": "\(endpoint.name)"])
        isAvailable = false
        source.reset()
      }
      let interval =
        isAvailable ? configuration.intervalMilliseconds : configuration.retryMilliseconds
      // A scrape that took longer than the interval is not made up for.
      due = max(due + .milliseconds(interval), clock.now)
      try? await Task.sleep(until: due, clock: clock)
    }
  }

  /// One scrape; `nil` when the endpoint did not answer with success.
  private func read(_ source: inout MetricsSource) async -> EngineMetrics? {
    guard let filtered = source.filtered else { return await fetch(source.plain).metrics }
    let first = await fetch(filtered)
    switch first {
    case .metrics(let metrics) where metrics.engine != nil: return metrics
    case .silence: return nil
    case .metrics, .refusal: break
    }
    // It answers, but knows no filter or nothing of what is asked for.
    guard !Task.isCancelled, let metrics = await fetch(source.plain).metrics else { return nil }
    if metrics.engine != nil { source.filtered = nil }
    return metrics
  }

  private enum Answer {
    case metrics(EngineMetrics)
    /// Another status than success.
    case refusal
    /// No answer, or none in time.
    case silence

    var metrics: EngineMetrics? {
      if case .metrics(let metrics) = self { metrics } else { nil }
    }
  }

  private func fetch(_ url: String) async -> Answer {
    var request = HTTPClientRequest(url: url)
    request.headers.add(name: "accept", value: "text/plain")
    do {
      let response = try await client.execute(
        request, timeout: .milliseconds(Int64(configuration.timeoutMilliseconds)))
      guard response.status.code == 200 else { return .refusal }
      let body = try await response.body.collect(upTo: MetricsParser.maximumBytes)
      return .metrics(MetricsParser.parse([UInt8](body.readableBytesView)))
    } catch {
      return .silence
    }
  }
}

/// Where one endpoint's metrics are.
struct MetricsSource: Sendable {
  /// All metrics.
  let plain: String
  /// The needed ones alone; `nil` where that is not understood.
  var filtered: String?
  private let firstFiltered: String?

  init(_ endpoint: EndpointDescription, _ configuration: PickerConfiguration.Scrape) {
    let address =
      endpoint.metricsAddress.isEmpty ? endpoint.address : endpoint.metricsAddress
    plain = "http://\(address)\(configuration.path)"
    // vLLM answers without a redirect only where a slash comes before the question mark.
    let slash = configuration.path.hasSuffix("/") ? "" : "/"
    firstFiltered = configuration.isFiltered ? "\(plain)\(slash)?\(MetricsParser.filter)" : nil
    filtered = firstFiltered
  }

  /// Another engine may come back there: it is asked for the filter again.
  mutating func reset() { filtered = firstFiltered }
}
