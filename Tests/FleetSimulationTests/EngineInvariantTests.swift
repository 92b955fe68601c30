import TestSupport
import Testing

@testable import FleetSimulation

@Suite struct EngineInvariantTests {
  private func engine(_ random: inout SplitMix64, seed: UInt64) -> SimulatedEngine {
    var model = EngineFixtures.engine(
      step: random.uniform(in: 1...20), context: random.uniform(in: 0...1e-3),
      budget: Double(random.integer(in: 8...2048)), sequences: Double(random.integer(in: 1...32)))
    model.uplinkMilliseconds = random.uniform(in: 0...3)
    model.downlinkMilliseconds = random.uniform(in: 0...3)
    let configuration = SimulatedEngine.Configuration(
      engine: model, blockTokens: 16, kvBlocks: random.integer(in: 70...400),
      stepNoise: random.uniform(in: 0...0.3), driftNoise: random.uniform(in: 0...0.2),
      requestOverheadMilliseconds: random.uniform(in: 0...5),
      overheadPerDecodingMilliseconds: random.uniform(in: 0...1),
      overheadNoise: random.uniform(in: 0...0.5), schedulesAhead: seed % 2 == 0,
      retainsAnswers: seed % 3 != 0, emitsEveryToken: seed % 5 == 0)
    return SimulatedEngine(configuration, seed: seed)
  }

  /// Submits, aborts, slows, hangs and resumes at random.
  @Test(arguments: UInt64(0)..<30)
  func whateverHappensEveryRequestEndsOnceAndTheMemoryComesBack(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    var engine = engine(&random, seed: seed)
    let requests = EngineFixtures.requests(count: 150, blockTokens: 16, seed: seed)
    var (ended, aborted, last) = (Set<Int>(), Set<Int>(), -Double.infinity)
    func note(_ event: EngineEvent) {
      #expect(event.time >= last)
      last = event.time
      #expect(!aborted.contains(event.id), "an event of an aborted request")
      if event.kind == .finished || event.kind == .rejected {
        #expect(ended.insert(event.id).inserted)
      }
    }
    for request in requests {
      engine.advance(to: request.time) { note($0) }
      #expect((0...1).contains(engine.metrics.kvCacheUsage))
      engine.submit(
        id: request.id, promptTokens: request.prompt, outputTokens: request.output,
        blocks: request.blocks, at: request.time)
      switch random.integer(in: 0...19) {
      case 0, 1:
        let victim = random.integer(in: 0...request.id)
        if !ended.contains(victim), aborted.insert(victim).inserted {
          engine.abort(id: victim, at: request.time)
        }
      case 2: engine.setSlowness(random.uniform(in: 0.5...3), at: request.time)
      case 3: engine.hang(at: request.time)
      default: engine.resume(at: request.time)
      }
    }
    engine.resume(at: requests[requests.count - 1].time)
    while let next = engine.nextEventTime {
      engine.advance(to: next) { note($0) }
      #expect((0...1).contains(engine.metrics.kvCacheUsage))
    }
    #expect(ended.union(aborted).count == requests.count)
    #expect(ended.isDisjoint(with: aborted))
    #expect(engine.requestsInFlight == 0)
    #expect(engine.heldTokens == 0)
    #expect(engine.contextTokens == 0)
    let isConsistent = engine.cache.isConsistent
    #expect(isConsistent)
  }

  @Test func aDayOfTrafficDoesNotGrowTheEngine() {
    var engine = SimulatedEngine(
      SimulatedEngine.Configuration(
        engine: EngineFixtures.engine(), blockTokens: 64, kvBlocks: 200, stepNoise: 0.05), seed: 1)
    var (slots, nodes, queue) = (0, 0, 0)
    let day = 86_400_000.0
    let count = 20_000
    for id in 0..<count {
      let time = day * Double(id) / Double(count)
      engine.advance(to: time) { _ in }
      let blocks = (0..<8).map { UInt64($0 < 3 ? id % 7 : id) << 8 + UInt64($0) }
      engine.submit(id: id, promptTokens: 540, outputTokens: 30, blocks: blocks, at: time)
      guard id == count / 10 else { continue }
      (slots, nodes, queue) = (engine.slots.count, engine.cache.nodeCount, engine.queue.capacity)
    }
    #expect(engine.slots.count <= slots + 4)
    #expect(engine.cache.nodeCount <= nodes + 50)
    #expect(engine.queue.capacity <= max(queue, 16))
    #expect(engine.metrics.finishedRequests > count - 10)
  }
}
