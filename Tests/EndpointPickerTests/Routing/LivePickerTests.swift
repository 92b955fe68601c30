import CoefficientFile
import Foundation
import RoutingRuntime
import RuntimeTestSupport
import Synchronization
import TestSupport
import Testing

@testable import EndpointPicker

@Suite struct LivePickerTests {
  private let clock = TestClock()
  private let records = CollectedRecords()

  private func picker(
    endpoints: Int = 3, policy: RoutingPolicy? = .leastRequest, models: PublishedModel = .init(),
    _ change: (inout PickerSettings) -> Void = { _ in }
  ) -> LivePicker {
    var settings = PickerSettings()
    settings.policy = policy
    settings.gateway = "g"
    settings.router = Router.Configuration(prefixCapacity: 1_000)
    change(&settings)
    let picker = LivePicker(
      settings: settings, models: models, clock: clock.clock, sink: records)
    picker.setEndpoints((0..<endpoints).map(EndpointDescription.numbered))
    return picker
  }

  // MARK: - Requests

  @Test func ticketEndsExactlyOnce() throws {
    let picker = picker()
    let ticket = try #require(picker.picked()).ticket
    #expect(picker.requestsInFlight == 1)
    picker.finished(ticket, outcome: .good)
    picker.finished(ticket, outcome: .good)
    picker.firstToken(ticket)
    #expect(picker.requestsInFlight == 0)
    #expect(records.all.count == 1)
    #expect(picker.report().counters.repeatedEnds == 1)
    #expect(picker.report().endpoints.map(\.requestsInFlight) == [0, 0, 0])
  }

  @Test func subsetIsObeyed() throws {
    let picker = picker()
    for _ in 0..<20 {
      let picked = try #require(picker.picked(subset: ["127.0.0.1:8001", "10.9.9.9:1"]))
      #expect(picked.address == "127.0.0.1:8001")
    }
    #expect(
      picker.pick(InferenceRequest(), subset: ["10.9.9.9:1"], receivedUnixNanoseconds: 0)
        == .noEndpoint)
    #expect(
      picker.pick(InferenceRequest(), subset: [], receivedUnixNanoseconds: 0) == .noEndpoint)
    #expect(picker.anyEndpoint(subset: ["127.0.0.1:8002"]) == "127.0.0.1:8002")
    #expect(picker.anyEndpoint(subset: []) == nil)
  }

  @Test func headerOnlyRequestsGoRound() {
    let picker = picker()
    #expect(Set((0..<3).compactMap { _ in picker.anyEndpoint(subset: nil) }).count == 3)
    #expect(picker.requestsInFlight == 0)
  }

  @Test func requestsGoToEndpointsOfTheirModel() throws {
    let picker = picker(endpoints: 0)
    var (llama, qwen) = (EndpointDescription.numbered(0), EndpointDescription.numbered(1))
    (llama.model, qwen.model) = ("llama", "qwen")
    picker.setEndpoints([llama, qwen])
    var request = InferenceRequest()
    request.model = "qwen"
    for _ in 0..<6 { #expect(try #require(picker.picked(request)).address == qwen.address) }
    request.model = "an-adapter"
    #expect(picker.picked(request) != nil)
  }

  @Test func recordSaysWhatHappened() throws {
    let picker = picker(endpoints: 1)
    var metrics = EngineMetrics()
    (metrics.waitingRequests, metrics.runningRequests, metrics.kvCacheUsage) = (2, 3, 0.5)
    picker.observe(metrics, address: "127.0.0.1:8000")
    clock.advance(30)
    var request = InferenceRequest()
    request.requestIdentifier = "r"
    request.promptTokens = 130
    request.prefixBlocks = [1, 2]
    request.isStreaming = true
    let received = clock.unixNanoseconds
    clock.advance(5)
    let ticket = try #require(
      picker.picked(request, receivedUnixNanoseconds: received)
    ).ticket
    clock.advance(100)
    picker.firstToken(ticket)
    clock.advance(12)
    picker.tokens(ticket, count: 1)
    clock.advance(13)
    picker.tokens(ticket, count: 1)
    clock.advance(19)
    picker.tokens(ticket, count: 1)
    clock.advance(156)
    picker.tokens(ticket, count: 1)
    picker.finished(
      ticket,
      outcome: RequestOutcome(
        status: 200, end: .complete, outputTokens: 11, promptTokens: 260, cachedTokens: 130))
    let record = try #require(records.all.first)
    #expect(record.identifier == "r")
    #expect(record.endpoint == "e0")
    #expect(record.policy == "leastRequest")
    #expect(abs(record.ttftMilliseconds - 105) < 1e-6)
    #expect(abs(record.e2eMilliseconds - 305) < 1e-6)
    #expect(record.dispatchedUnixNanoseconds - record.receivedUnixNanoseconds == 5_000_000)
    #expect((record.waitingRequests, record.runningRequests) == (2, 3))
    #expect(abs(record.snapshotAgeMilliseconds - 35) < 1e-6)
    #expect(record.inputTokens == 130)
    #expect(record.cachedTokens == 65, "half of the prompt, in the estimate's unit")
    #expect(record.outputTokens == 11)
    #expect(record.chunkOffsets == [25, 200], "20 ms apart at least")
    #expect(record.prefixBlocks == [1, 2])
  }

  @Test func repeatedPromptIsKnownToBeCached() throws {
    let picker = picker()
    var request = InferenceRequest()
    request.promptTokens = 256
    request.prefixBlocks = [1, 2, 3, 4]
    let first = try #require(picker.picked(request))
    picker.finished(first.ticket, outcome: .good)
    let again = try #require(picker.picked(request, subset: [first.address]))
    picker.finished(again.ticket, outcome: .good)
    #expect(records.all.map(\.prefixMatchTokens) == [0, 256])
  }

  @Test func expiredRequestIsEnded() throws {
    let picker = picker { $0.lifetimeMilliseconds = 1_000 }
    _ = try #require(picker.picked())
    clock.advance(900)
    picker.maintain()
    #expect(picker.requestsInFlight == 1)
    clock.advance(200)
    picker.maintain()
    #expect(picker.requestsInFlight == 0)
    #expect(picker.report().counters.expiredRequests == 1)
  }

  @Test func separatePrefillIsAPair() throws {
    let picker = picker(endpoints: 0, policy: .predictedCost(PredictedCostParameters()))
    var (prefill, decode) = (EndpointDescription.numbered(0), EndpointDescription.numbered(1))
    (prefill.role, decode.role) = (.prefill, .decode)
    picker.setEndpoints([prefill, decode])
    let picked = try #require(picker.picked())
    #expect(picked.address == decode.address)
    #expect(picked.prefillAddress == prefill.address)
    clock.advance(50)
    picker.firstToken(picked.ticket)
    picker.finished(picked.ticket, outcome: .good)
    #expect(picker.requestsInFlight == 0)
    #expect(records.all.first?.prefillEndpoint == "e0")
    let report = picker.report()
    #expect(report.endpoints.allSatisfy { $0.pendingRequests == 0 && $0.decodingRequests == 0 })
  }

  // MARK: - Concurrency and reload

  @Test func accountingIsZeroAfterAnyInterleaving() async {
    let picker = picker(endpoints: 4)
    let isOver = Flag()
    await withTaskGroup(of: Void.self) { group in
      for worker in 0..<4 {
        group.addTask {
          var random = SplitMix64(seed: UInt64(worker))
          for _ in 0..<400 {
            guard let picked = picker.picked() else { continue }
            if random.integer(in: 0...3) > 0 { picker.firstToken(picked.ticket) }
            picker.tokens(picked.ticket, count: 1)
            let outcome: RequestOutcome = random.integer(in: 0...9) == 0 ? .bad : .good
            picker.finished(picked.ticket, outcome: outcome)
            if random.integer(in: 0...5) == 0 { picker.finished(picked.ticket, outcome: outcome) }
          }
          if worker == 0 { isOver.raise() }
        }
      }
      group.addTask {
        var random = SplitMix64(seed: 99)
        while !isOver.isRaised {
          let listed = (0..<6).filter { _ in random.integer(in: 0...1) == 0 }
          picker.setEndpoints(listed.map(EndpointDescription.numbered))
          picker.scrapeFailed(address: "127.0.0.1:8001")
          picker.observe(EngineMetrics(), address: "127.0.0.1:8001")
          picker.maintain()
          await Task.yield()
        }
      }
    }
    let report = picker.report()
    #expect(picker.requestsInFlight == 0)
    #expect(report.endpoints.allSatisfy { $0.requestsInFlight == 0 })
    #expect(report.endpoints.allSatisfy { $0.pendingRequests + $0.decodingRequests == 0 })
    #expect(!records.all.isEmpty)
  }

  @Test func newModelIsTakenOverWithRequestsInFlight() throws {
    let models = PublishedModel()
    let picker = picker(policy: nil, models: models)
    let before = try #require(picker.picked())
    #expect(picker.report().modelVersion == 0)
    models.publish(try Predictor.compile(SyntheticModel.constant(70)).get())
    let after = try #require(picker.picked())
    #expect(picker.report().modelVersion == 1)
    #expect(picker.report().endpoints.allSatisfy { $0.predictedTTFT?.p50 == 70 })
    clock.advance(80)
    for picked in [before, after] {
      picker.firstToken(picked.ticket)
      picker.finished(picked.ticket, outcome: .good)
    }
    let report = picker.report()
    #expect(report.requestsInFlight == 0)
    #expect(report.outcomes.map(\.predictedMilliseconds) == [70])
    #expect(report.outcomes.map(\.actualMilliseconds) == [80])
  }

  @Test func reloadsUnderLoadRefuseNothingAndNeverMixModels() async throws {
    let models = PublishedModel()
    let picker = picker(endpoints: 8, policy: nil, models: models)
    let predictors = try (1...5).map { number in
      try Predictor.compile(SyntheticModel.constant(Double(100 * number))).get()
    }
    models.publish(predictors[0])
    let refused = Shared(0)
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<3 {
        group.addTask {
          for _ in 0..<300 {
            // Other tests run on the same few threads.
            await Task.yield()
            guard let picked = picker.picked() else {
              refused.set { $0 += 1 }
              continue
            }
            picker.firstToken(picked.ticket)
            picker.finished(picked.ticket, outcome: .good)
          }
        }
      }
      group.addTask {
        for turn in 0..<100 {
          models.publish(predictors[turn % predictors.count])
          await Task.yield()
        }
      }
    }
    _ = picker.picked()
    let report = picker.report()
    #expect(refused.now == 0)
    #expect(report.modelVersion == 101)
    #expect(report.outcomes.allSatisfy { $0.predictedMilliseconds == $0.predictedP90Milliseconds })
    let constants = Set(report.outcomes.map(\.predictedMilliseconds))
    #expect(constants.isSubset(of: [100, 200, 300, 400, 500]))
  }

  @Test func fixedPolicyOutlastsAReload() throws {
    let models = PublishedModel()
    var model = SyntheticModel.constant(70)
    model.policy = PredictedCostParameters(exploration: 0.3).section
    let fixed = picker(policy: .roundRobin, models: models)
    let free = picker(policy: nil, models: models)
    models.publish(try Predictor.compile(model).get())
    for picker in [fixed, free] { picker.maintain() }
    #expect(fixed.report().policyName == "roundRobin")
    #expect(free.report().policyName == "predictedCost")
  }
}
