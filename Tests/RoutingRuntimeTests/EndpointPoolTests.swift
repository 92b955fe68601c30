import AllocationCounter
import CoefficientFile
import RuntimeTestSupport
import TestSupport
import Testing

@testable import RoutingRuntime

/// A pool driven by random events, some of them wrong: late, doubled, out of order, unknown.
private struct RandomTraffic {
  var pool: EndpointPool
  var random: SplitMix64
  var time = 0.0
  var live: [EndpointPool.Handle] = []
  var past: [EndpointPool.Handle] = []

  init(seed: UInt64, endpoints: Int = 3) throws {
    let predictor = try Predictor.compile(SyntheticModel.model(seed: seed)).get()
    pool = EndpointPool(predictor: predictor)
    for index in 0..<endpoints {
      _ = pool.addEndpoint(
        named: "e\(index)", accelerator: index == 0 ? "fast" : "",
        engine: SyntheticModel.engine(maximumSequences: seed % 3 == 0 ? 4 : 64))
    }
    random = SplitMix64(seed: seed)
  }

  mutating func step() {
    // Clocks of a gateway's threads may disagree a little.
    time += random.uniform(in: -0.5...20)
    switch random.integer(in: 0...9) {
    case 0...3:
      let request = RequestShape(
        promptTokens: random.uniform(in: 0...5_000),
        matchedPrefixTokens: random.uniform(in: 0...6_000),
        maximumTokens: random.uniform(in: 0...300))
      let endpoint = random.integer(in: 0...pool.endpoints.count - 1)
      live.append(pool.dispatched(request, to: endpoint, at: time))
    case 4...6:
      guard let handle = live.randomElement(using: &random) else { return }
      pool.firstToken(handle, at: time)
      if random.integer(in: 0...2) == 0 { pool.tokens(handle, at: time + 8) }
    case 7...8:
      guard !live.isEmpty else { return }
      let handle = live.remove(at: random.integer(in: 0...live.count - 1))
      pool.finished(handle, outputTokens: random.uniform(in: 0...400), at: time)
      past.append(handle)
    default:
      guard let handle = past.randomElement(using: &random) else { return }
      pool.firstToken(handle, at: time)
      pool.tokens(handle, at: time)
      pool.finished(handle, outputTokens: 5, at: time)
    }
  }
}

@Suite struct EndpointPoolTests {
  @Test(arguments: UInt64(0)..<40)
  func emulatorsConserveRequestsWhateverHappens(seed: UInt64) throws {
    var traffic = try RandomTraffic(seed: seed)
    var row = [Double](repeating: 0, count: Feature.count)
    for _ in 0..<400 {
      traffic.step()
      #expect(traffic.pool.requestsInFlight == traffic.live.count)
      var inFlight = 0
      for index in traffic.pool.endpoints.indices {
        let endpoint = traffic.pool.endpoints[index]
        let own = endpoint.pendingRequests + endpoint.decodingRequests
        inFlight += own
        let emulated = endpoint.engine.queuedRequests + endpoint.engine.decodingRequests
        #expect(emulated == Double(own))
        #expect(endpoint.engine.contextTokens >= 0)
        if endpoint.engine.isBusy {
          #expect(endpoint.engine.stepEnd >= endpoint.engine.stepStart)
        }
        traffic.pool.features(
          RequestShape(promptTokens: 100), on: index, at: traffic.time, into: &row)
        #expect(!row.contains { !$0.isFinite })
      }
      #expect(inFlight == traffic.live.count)
    }
    for handle in traffic.live {
      traffic.pool.finished(handle, outputTokens: 10, at: traffic.time + 1)
    }
    for endpoint in traffic.pool.endpoints {
      #expect(endpoint.engine.isIdle)
      #expect(!endpoint.engine.isBusy)
      #expect(endpoint.engine.contextTokens == 0)
      #expect(endpoint.pendingRequests == 0 && endpoint.decodingRequests == 0)
    }
    #expect(traffic.pool.requestsInFlight == 0)
  }

  @Test(arguments: UInt64(0)..<8)
  func anEngineOnlyMovesForward(seed: UInt64) throws {
    var traffic = try RandomTraffic(seed: seed)
    var steps = [Double](repeating: 0, count: traffic.pool.endpoints.count)
    for _ in 0..<400 {
      traffic.step()
      for index in steps.indices {
        let count = traffic.pool.endpoints[index].engine.stepCount
        #expect(count >= steps[index])
        steps[index] = count
      }
    }
    #expect(steps.contains { $0 > 0 })
  }

  @Test(arguments: UInt64(0)..<8)
  func installingAModelKeepsTheLoadAndMovesNamedEndpoints(seed: UInt64) throws {
    var traffic = try RandomTraffic(seed: seed)
    for _ in 0..<300 { traffic.step() }
    let before = traffic.pool
    var newer = SyntheticModel.model(seed: seed + 100)
    newer.engines = [SyntheticModel.engine(speed: 2), SyntheticModel.engine(speed: 4)]
    let predictor = try Predictor.compile(newer).get()

    traffic.pool.install(predictor)

    let request = RequestShape(promptTokens: 100)
    for index in before.endpoints.indices {
      let (old, new) = (before.endpoints[index], traffic.pool.endpoints[index])
      #expect(new.pendingRequests == old.pendingRequests)
      #expect(new.decodingRequests == old.decodingRequests)
      #expect(new.engine.queuedRequests == old.engine.queuedRequests)
      #expect(new.engine.contextTokens == old.engine.contextTokens)
      var step = StepComposition()
      step.decodingRequests = 1
      #expect(
        new.engine.stepModel.milliseconds(step) < old.engine.stepModel.milliseconds(step))
      #expect(traffic.pool.correctionFactors(index, at: traffic.time) == (1, 1))
      #expect(traffic.pool.predict(request, on: index, at: traffic.time) != nil)
    }
    // Outcomes of what the old model predicted end well and move nothing.
    for handle in traffic.live {
      traffic.pool.firstToken(handle, at: traffic.time + 5_000)
      traffic.pool.finished(handle, outputTokens: 50, at: traffic.time + 90_000)
    }
    #expect(traffic.pool.requestsInFlight == 0)
    for index in before.endpoints.indices {
      #expect(traffic.pool.correctionFactors(index, at: traffic.time) == (1, 1))
    }
  }

  @Test func predictionsAndEventsAllocateNothing() throws {
    var traffic = try RandomTraffic(seed: 3, endpoints: 16)
    for _ in 0..<3_000 { traffic.step() }
    for handle in traffic.live { traffic.pool.finished(handle, outputTokens: 9, at: traffic.time) }
    let request = RequestShape(promptTokens: 700, matchedPrefixTokens: 100, maximumTokens: 64)
    var pool = traffic.pool
    traffic.pool = EndpointPool()
    var time = traffic.time
    func serve(_ count: Int) {
      for index in 0..<count {
        time += 15
        for endpoint in 0..<16 { _ = pool.predict(request, on: endpoint, at: time) }
        let handle = pool.dispatched(request, to: index % 16, at: time)
        pool.firstToken(handle, at: time + 40)
        pool.finished(handle, outputTokens: 30, at: time + 300)
      }
    }
    serve(100)

    allocation_counter_start()
    serve(200)
    let count = allocation_counter_stop()

    // Without optimization, removing an array's last element allocates.
    #if DEBUG
      #expect(count <= 200)
    #else
      #expect(count == 0)
    #endif
  }

  @Test func allocationsAreCountedWhereThereAreSome() {
    allocation_counter_start()
    let array = [Double](repeating: 1, count: 1_000)
    let count = allocation_counter_stop()
    #expect(array.count == 1_000)
    #expect(count == 1)
  }
}
