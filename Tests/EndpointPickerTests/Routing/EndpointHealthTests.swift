import RoutingRuntime
import Testing

@testable import EndpointPicker

@Suite struct EndpointHealthTests {
  private let clock = TestClock()

  private func picker(
    endpoints: Int = 2, _ change: (inout PickerSettings) -> Void = { _ in }
  ) -> LivePicker {
    var settings = PickerSettings()
    settings.policy = .roundRobin
    settings.router = Router.Configuration(prefixCapacity: 1_000)
    change(&settings)
    let picker = LivePicker(settings: settings, models: PublishedModel(), clock: clock.clock)
    picker.setEndpoints((0..<endpoints).map(EndpointDescription.numbered))
    return picker
  }

  private func addresses(_ picker: LivePicker, count: Int = 12) -> Set<String> {
    Set(
      (0..<count).compactMap { _ in
        guard let picked = picker.picked() else { return nil }
        picker.finished(picked.ticket, outcome: .good)
        return picked.address
      })
  }

  private func states(_ picker: LivePicker) -> [String] { picker.report().endpoints.map(\.state) }

  private var loaded: EngineMetrics {
    var metrics = EngineMetrics()
    (metrics.waitingRequests, metrics.runningRequests, metrics.kvCacheUsage) = (1, 2, 0.5)
    return metrics
  }

  @Test func drainedEndpointEndsItsRequestsAndGetsNoMore() throws {
    let picker = picker()
    let held = try #require(picker.picked(subset: ["127.0.0.1:8000"]))
    var drained = EndpointDescription.numbered(0)
    drained.isDraining = true
    picker.setEndpoints([drained, .numbered(1)])
    #expect(addresses(picker) == ["127.0.0.1:8001"])
    #expect(states(picker) == ["draining", "available"])
    picker.finished(held.ticket, outcome: .good)
    #expect(picker.requestsInFlight == 0)
    picker.setEndpoints([.numbered(0), .numbered(1)])
    #expect(addresses(picker).count == 2)
  }

  @Test func removedEndpointIsShownUntilItsRequestsEnd() throws {
    let picker = picker()
    let held = try #require(picker.picked(subset: ["127.0.0.1:8000"]))
    picker.setEndpoints([.numbered(1)])
    #expect(addresses(picker) == ["127.0.0.1:8001"])
    #expect(states(picker) == ["removed", "available"])
    picker.finished(held.ticket, outcome: .good)
    #expect(states(picker) == ["available"])
    picker.setEndpoints([.numbered(0), .numbered(1)])
    #expect(states(picker) == ["available", "available"])
    #expect(picker.endpointCount == 2)
  }

  @Test func returningEndpointTakesItsOldPlace() {
    let picker = picker()
    for _ in 0..<50 {
      picker.setEndpoints([.numbered(1)])
      picker.setEndpoints([.numbered(0), .numbered(1)])
    }
    #expect(picker.report().endpoints.map(\.description.name) == ["e0", "e1"])
    #expect(picker.report().counters.compactions == 0)
  }

  @Test func endpointsThatLeftAreForgottenAndRequestsInFlightAreNot() throws {
    let picker = picker()
    let held = try #require(picker.picked(subset: ["127.0.0.1:8001"]))
    clock.advance(5)
    let decoding = try #require(picker.picked(subset: ["127.0.0.1:8001"]))
    clock.advance(5)
    picker.firstToken(decoding.ticket)
    for number in 10..<400 {
      picker.setEndpoints([.numbered(0), .numbered(number)])
    }
    let report = picker.report()
    #expect(report.counters.compactions > 5)
    #expect(report.endpoints.map(\.description.name) == ["e0", "e1", "e399"])
    #expect(report.endpoints.map(\.state) == ["available", "removed", "available"])
    #expect(report.endpoints.map(\.requestsInFlight) == [0, 2, 0])
    #expect(report.endpoints.map(\.pendingRequests) == [0, 1, 0])
    #expect(report.endpoints.map(\.decodingRequests) == [0, 1, 0])
    #expect(addresses(picker) == ["127.0.0.1:8000", "127.0.0.1:8399"])
    for picked in [held, decoding] {
      picker.firstToken(picked.ticket)
      picker.finished(picked.ticket, outcome: .good)
    }
    #expect(picker.requestsInFlight == 0)
    #expect(picker.report().endpoints.map(\.description.name) == ["e0", "e399"])
  }

  @Test func failedScrapesMakeUnavailableAndOneMakesItComeBack() {
    let picker = picker { $0.scrapeFailures = 3 }
    let address = "127.0.0.1:8000"
    #expect(!picker.scrapeFailed(address: address))
    #expect(!picker.scrapeFailed(address: address))
    #expect(addresses(picker).count == 2)
    #expect(picker.scrapeFailed(address: address))
    #expect(!picker.scrapeFailed(address: address), "it is news only once")
    #expect(addresses(picker) == ["127.0.0.1:8001"])
    #expect(picker.observe(EngineMetrics(), address: address))
    #expect(addresses(picker).count == 2)
  }

  @Test func noHealthyEndpointMeansAllAreTried() {
    let picker = picker { $0.scrapeFailures = 1 }
    for number in 0..<2 { picker.scrapeFailed(address: "127.0.0.1:\(8_000 + number)") }
    #expect(picker.report().isPanicking)
    #expect(addresses(picker).count == 2)
    #expect(picker.anyEndpoint(subset: nil) != nil)
    picker.observe(EngineMetrics(), address: "127.0.0.1:8001")
    #expect(!picker.report().isPanicking)
    #expect(addresses(picker) == ["127.0.0.1:8001"])
  }

  @Test func failingEndpointIsEjectedForAWhile() throws {
    let picker = picker {
      $0.outlierFailures = 3
      $0.ejectionMilliseconds = 1_000
    }
    func fail(_ count: Int) throws {
      for _ in 0..<count {
        let picked = try #require(picker.picked(subset: ["127.0.0.1:8000"]))
        picker.finished(picked.ticket, outcome: .bad)
      }
    }
    try fail(2)
    #expect(addresses(picker).count == 2, "a success begins the count anew")
    try fail(3)
    #expect(addresses(picker) == ["127.0.0.1:8001"])
    #expect(states(picker)[0] == "ejected")
    clock.advance(1_001)
    picker.maintain()
    #expect(states(picker)[0] == "available")
    try fail(1)
    #expect(states(picker)[0] == "ejected", "once more is enough after an ejection")
    clock.advance(1_001)
    picker.maintain()
    #expect(states(picker)[0] == "ejected", "and it lasts twice as long")
    clock.advance(1_001)
    picker.maintain()
    #expect(addresses(picker).count == 2)
  }

  @Test func clientAbortsDoNotEject() throws {
    let picker = picker { $0.outlierFailures = 1 }
    for _ in 0..<10 {
      let picked = try #require(picker.picked())
      picker.finished(picked.ticket, outcome: RequestOutcome(status: 499, end: .interrupted))
    }
    #expect(states(picker) == ["available", "available"])
  }

  @Test func clientsThatGaveUpWaitingDoEject() throws {
    let picker = picker { $0.outlierFailures = 2 }
    for _ in 0..<2 {
      var request = InferenceRequest()
      request.isStreaming = true
      let picked = try #require(picker.picked(request, subset: ["127.0.0.1:8000"]))
      clock.advance(2_500)
      picker.finished(picked.ticket, outcome: RequestOutcome(status: 499, end: .interrupted))
    }
    #expect(states(picker) == ["ejected", "available"])
  }

  // MARK: - Stalls

  private var streaming: InferenceRequest {
    var request = InferenceRequest()
    request.isStreaming = true
    return request
  }

  private func wait(_ milliseconds: Double, _ picker: LivePicker) {
    clock.advance(milliseconds)
    picker.maintain()
  }

  @Test func hungEndpointGetsNoRequestsUntilAStreamGoesOn() throws {
    let picker = picker { $0.stallMilliseconds = 2_000 }
    let stream = try #require(picker.picked(streaming, subset: ["127.0.0.1:8000"]))
    wait(500, picker)
    picker.firstToken(stream.ticket)
    wait(2_000, picker)
    #expect(states(picker) == ["available", "available"])
    wait(1, picker)
    #expect(states(picker) == ["stalled", "available"])
    #expect(addresses(picker) == ["127.0.0.1:8001"])
    wait(60_000, picker)
    #expect(states(picker)[0] == "stalled", "its stream still stands when the ejection ends")
    picker.tokens(stream.ticket, count: 1)
    #expect(addresses(picker).count == 2)
    picker.finished(stream.ticket, outcome: .good)
    #expect(picker.report().counters.stalls == 1)
  }

  @Test func streamsThatGoOnAreNoStall() throws {
    let picker = picker { $0.stallMilliseconds = 2_000 }
    let held = try (0..<2).map { _ in
      try #require(picker.picked(streaming, subset: ["127.0.0.1:8000"]))
    }
    for stream in held { picker.firstToken(stream.ticket) }
    for _ in 0..<10 {
      wait(1_900, picker)
      picker.tokens(held[0].ticket, count: 1)
    }
    #expect(states(picker) == ["available", "available"])
    #expect(picker.report().counters.stalls == 0)
  }

  @Test func longPromptIsGivenTime() throws {
    let picker = picker { $0.stallMilliseconds = 2_000 }
    let prompt = try #require(picker.picked(streaming, subset: ["127.0.0.1:8000"]))
    wait(10_000, picker)
    #expect(states(picker)[0] == "available")
    wait(1, picker)
    #expect(states(picker)[0] == "stalled")
    picker.firstToken(prompt.ticket)
    #expect(states(picker)[0] == "available")
  }

  @Test func wholeAnswersAreWaitedFor() throws {
    let picker = picker { $0.stallMilliseconds = 2_000 }
    _ = try #require(picker.picked(subset: ["127.0.0.1:8000"]))
    wait(300_000, picker)
    #expect(states(picker)[0] == "available")
  }

  @Test func endpointThatHungIsTriedWithOneRequestAtATime() throws {
    let picker = picker {
      $0.stallMilliseconds = 2_000
      $0.ejectionMilliseconds = 1_000
    }
    let stream = try #require(picker.picked(streaming, subset: ["127.0.0.1:8000"]))
    picker.firstToken(stream.ticket)
    wait(2_001, picker)
    picker.finished(stream.ticket, outcome: RequestOutcome(status: 499, end: .interrupted))
    #expect(addresses(picker) == ["127.0.0.1:8001"], "though none is left to show that it hangs")
    wait(1_001, picker)
    let held = try (0..<4).map { _ in try #require(picker.picked(streaming)) }
    #expect(held.filter { $0.address == "127.0.0.1:8000" }.count == 1)
    for one in held {
      clock.advance(1_000)
      picker.firstToken(one.ticket)
      picker.finished(one.ticket, outcome: .good)
    }
    #expect(addresses(picker).count == 2)
    #expect(states(picker) == ["available", "available"])
  }

  @Test func staleSnapshotIsIgnored() throws {
    let picker = picker { $0.staleMilliseconds = 2_000 }
    picker.observe(loaded, address: "127.0.0.1:8000")
    clock.advance(1_999)
    picker.maintain()
    #expect(picker.report().endpoints[0].snapshot?.waitingRequests == 1)
    clock.advance(2)
    picker.maintain()
    #expect(picker.report().endpoints[0].snapshot == nil)
    #expect(picker.report().counters.staleSnapshots == 1)
  }

  @Test func firstTokenEndsTheProbation() throws {
    let picker = picker {
      $0.outlierFailures = 1
      $0.ejectionMilliseconds = 1_000
    }
    let older = try #require(picker.picked(streaming, subset: ["127.0.0.1:8000"]))
    let failed = try #require(picker.picked(streaming, subset: ["127.0.0.1:8000"]))
    picker.finished(failed.ticket, outcome: .bad)
    wait(1_001, picker)
    picker.firstToken(older.ticket)
    let probe = try #require(
      picker.picked(streaming, subset: ["127.0.0.1:8000"]), "whatever runs there since before")
    #expect(addresses(picker) == ["127.0.0.1:8001"])
    picker.firstToken(probe.ticket)
    #expect(addresses(picker).count == 2)
    picker.finished(probe.ticket, outcome: .good)
    picker.finished(older.ticket, outcome: .good)
    #expect(picker.requestsInFlight == 0)
  }

  @Test func noMoreIsRememberedThanTheEngineCaches() throws {
    let picker = picker(endpoints: 1)
    var metrics = loaded
    metrics.cacheTokens = Double(4 * InferenceRequest.blockTokens)
    picker.observe(metrics, address: "127.0.0.1:8000")
    var request = InferenceRequest()
    request.prefixBlocks = [1, 2, 3, 4]
    request.promptTokens = 4 * InferenceRequest.blockTokens
    let first = try #require(picker.picked(request))
    picker.finished(first.ticket, outcome: .good)
    #expect(picker.report().endpoints[0].prefixFill == 1)
    request.prefixBlocks = [5, 6, 7, 8]
    let other = try #require(picker.picked(request))
    picker.finished(other.ticket, outcome: .good)
    #expect(picker.report().endpoints[0].prefixFill == 1)
  }

  @Test func incompleteMetricsAreNoSnapshot() {
    let picker = picker()
    var metrics = EngineMetrics()
    metrics.waitingRequests = 4
    picker.observe(metrics, address: "127.0.0.1:8000")
    #expect(picker.report().endpoints[0].snapshot == nil)
    picker.observe(loaded, address: "10.0.0.9:1")
    #expect(picker.report().endpoints.allSatisfy { $0.snapshot == nil })
  }
}
