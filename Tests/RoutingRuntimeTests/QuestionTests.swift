import CoefficientFile
import RuntimeTestSupport
import TestSupport
import Testing

@testable import RoutingRuntime

/// Questions may come at any time and in any number: they never change what happens.
@Suite struct QuestionTests {
  private let model = SyntheticModel.model(seed: 11)

  private func pool() throws -> EndpointPool {
    var pool = EndpointPool(predictor: try Predictor.compile(model).get(), capacity: 64)
    for index in 0..<3 {
      _ = pool.addEndpoint(named: "e\(index)", accelerator: "slow", engine: model.engines[0])
    }
    return pool
  }

  /// Predicts one request on all endpoints.
  private func answers(_ pool: inout EndpointPool, at time: Double) -> [Prediction?] {
    (0..<3).map { pool.predict(RequestShape(promptTokens: 700), on: $0, at: time) }
  }

  @Test(arguments: UInt64(0)..<30)
  func askedAndUnaskedPoolsAgreeBitForBit(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    var (asked, unasked) = (try pool(), try pool())
    var inFlight: [(handle: EndpointPool.Handle, hasFirstToken: Bool)] = []
    var time = 1_000.0
    var batch: [Prediction] = []
    for turn in 0..<200 {
      time += random.uniform(in: 0...12)
      let endpoint = random.integer(in: 0...2)
      let request = RequestShape(
        promptTokens: random.uniform(in: 1...3_000),
        maximumTokens: random.integer(in: 0...1) == 0 ? 0 : 60)
      // Up to the event itself, so that engines were run ahead past what the event says.
      switch random.integer(in: 0...3) {
      case 0: _ = asked.predict(request, on: endpoint, at: time)
      case 1: asked.predict(request, matchedPrefixTokens: [], at: time, into: &batch)
      default: break
      }
      switch random.integer(in: 0...2) {
      case 0:
        let handle = asked.dispatched(request, to: endpoint, at: time)
        #expect(handle == unasked.dispatched(request, to: endpoint, at: time))
        inFlight.append((handle, false))
      case 1 where !inFlight.isEmpty:
        let index = random.integer(in: 0...inFlight.count - 1)
        let request = inFlight[index]
        if request.hasFirstToken {
          asked.finished(request.handle, outputTokens: 20, at: time)
          unasked.finished(request.handle, outputTokens: 20, at: time)
          inFlight.remove(at: index)
        } else {
          asked.firstToken(request.handle, at: time)
          unasked.firstToken(request.handle, at: time)
          inFlight[index].hasFirstToken = true
        }
      default: break
      }
      guard turn % 20 == 19 else { continue }
      // A copy is asked, so that the pool itself stays unasked.
      var copy = unasked
      #expect(answers(&asked, at: time + 3) == answers(&copy, at: time + 3))
    }
  }

  @Test func whatHappensAtTheTimeOfAQuestionIsSeen() throws {
    let request = RequestShape(promptTokens: 700)
    func answer(_ pool: inout EndpointPool) -> Prediction? {
      pool.predict(request, on: 2, at: 1_000)
    }
    var (asked, unasked) = (try pool(), try pool())
    let idle = answer(&asked)
    let handle = asked.dispatched(request, to: 2, at: 1_000)
    _ = unasked.dispatched(request, to: 2, at: 1_000)
    var copy = unasked
    let dispatched = answer(&asked)
    #expect(dispatched != idle)
    #expect(dispatched == answer(&copy))

    let snapshot = EngineSnapshot(
      waitingRequests: 50, runningRequests: 60, kvCacheUsage: 0.9, time: 1_000)
    asked.observe(snapshot, on: 2)
    unasked.observe(snapshot, on: 2)
    copy = unasked
    let scraped = answer(&asked)
    #expect(scraped != dispatched)
    #expect(scraped == answer(&copy))

    asked.firstToken(handle, at: 1_000)
    #expect(answer(&asked) != scraped)
    asked.install(try Predictor.compile(SyntheticModel.model(seed: 12)).get())
    let reloaded = answer(&asked)
    #expect(reloaded != scraped)
    asked.finished(handle, outputTokens: 1, at: 1_000)
    #expect(answer(&asked) != reloaded)
  }
}
