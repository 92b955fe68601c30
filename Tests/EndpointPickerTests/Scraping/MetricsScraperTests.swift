import AsyncHTTPClient
import Hummingbird
import Logging
import RoutingRuntime
import Testing

@testable import EndpointPicker

@Suite struct MetricsScraperTests {
  private struct Engine: Sendable {
    var waiting = 1
    var isHealthy = true
    var knowsFilter = true
    var hangs = false
    var filteredCount = 0
    var plainCount = 0
  }

  private let engine = Shared(Engine())

  private func answer(_ request: Request) async throws -> Response {
    let isFiltered = request.uri.path == "/metrics/" && request.uri.query != nil
    engine.set { if isFiltered { $0.filteredCount += 1 } else { $0.plainCount += 1 } }
    let now = engine.now
    if now.hangs { try await Task.sleep(for: .seconds(5)) }
    if !now.isHealthy { return StubServer.text("", status: .internalServerError) }
    if isFiltered, !now.knowsFilter { return StubServer.text("", status: .notFound) }
    return StubServer.text(
      """
      vllm:num_requests_waiting{engine="0"} \(now.waiting)
      vllm:num_requests_running{engine="0"} 2
      vllm:kv_cache_usage_perc{engine="0"} 0.5
      """)
  }

  /// Runs `body` with a picker whose one endpoint is scraped from a stub.
  private func scraping(
    _ change: (inout PickerConfiguration.Scrape) -> Void = { _ in },
    _ body: (LivePicker) async throws -> Void
  ) async throws {
    let server = try await StubServer { try await answer($0) }
    var configuration = PickerConfiguration.Scrape()
    configuration.intervalMilliseconds = 10
    configuration.retryMilliseconds = 10
    configuration.timeoutMilliseconds = 100
    change(&configuration)
    var settings = PickerSettings()
    settings.scrapeFailures = 3
    let picker = LivePicker(settings: settings, models: PublishedModel())
    let client = HTTPClient(eventLoopGroupProvider: .singleton)
    let scraper = MetricsScraper(
      configuration, picker: picker, client: client,
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    let endpoints = [EndpointDescription(name: "e", address: "127.0.0.1:\(server.port)")]
    picker.setEndpoints(endpoints)
    scraper.setEndpoints(endpoints)
    try await body(picker)
    await scraper.stop()
    try await client.shutdown()
    await server.stop()
  }

  private func waiting(_ picker: LivePicker) -> Double? {
    picker.report().endpoints.first?.snapshot?.waitingRequests
  }

  @Test func snapshotsFollowTheEngineByTheFilter() async throws {
    try await scraping { picker in
      #expect(await eventually { waiting(picker) == 1 })
      engine.set { $0.waiting = 7 }
      #expect(await eventually { waiting(picker) == 7 })
      #expect(engine.now.plainCount == 0)
      #expect(engine.now.filteredCount > 1)
    }
  }

  @Test func onlyAnAnswerEndsTheUseOfTheFilter() async throws {
    engine.set { $0.hangs = true }
    try await scraping { picker in
      #expect(await eventually { picker.report().counters.failedScrapes > 1 })
      engine.set { $0.hangs = false }
      #expect(await eventually { waiting(picker) == 1 })
      #expect(engine.now.plainCount == 0)
    }
  }

  @Test func engineWithoutFilterIsAskedForAll() async throws {
    engine.set { $0.knowsFilter = false }
    try await scraping { picker in
      #expect(await eventually { waiting(picker) == 1 })
      let before = engine.now
      #expect(await eventually { engine.now.plainCount > before.plainCount + 5 })
      #expect(engine.now.filteredCount == before.filteredCount, "it is not asked for it again")
    }
  }

  @Test func deadEndpointGetsUnavailableAndComesBack() async throws {
    try await scraping { picker in
      #expect(await eventually { waiting(picker) == 1 })
      engine.set { $0.isHealthy = false }
      #expect(await eventually { picker.report().endpoints[0].state == "unavailable" })
      #expect(waiting(picker) == nil)
      engine.set { $0.isHealthy = true }
      #expect(await eventually { picker.report().endpoints[0].state == "available" })
      #expect(await eventually { waiting(picker) == 1 })
    }
  }

  @Test func hangingEndpointTimesOut() async throws {
    engine.set { $0.hangs = true }
    try await scraping { picker in
      #expect(await eventually { picker.report().endpoints[0].state == "unavailable" })
    }
  }

  @Test func unknownMetricsMeanAliveWithoutSnapshot() async throws {
    let server = try await StubServer { _ in StubServer.text("up 1\n") }
    let picker = LivePicker(settings: PickerSettings(), models: PublishedModel())
    let client = HTTPClient(eventLoopGroupProvider: .singleton)
    var configuration = PickerConfiguration.Scrape()
    configuration.intervalMilliseconds = 10
    let scraper = MetricsScraper(
      configuration, picker: picker, client: client,
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    let endpoints = [EndpointDescription(name: "e", address: "127.0.0.1:\(server.port)")]
    picker.setEndpoints(endpoints)
    scraper.setEndpoints(endpoints)
    #expect(await eventually { picker.report().counters.scrapes > 3 })
    #expect(picker.report().endpoints[0].state == "available")
    #expect(picker.report().endpoints[0].snapshot == nil)
    await scraper.stop()
    try await client.shutdown()
    await server.stop()
  }
}
