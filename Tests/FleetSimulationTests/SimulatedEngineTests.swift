import CoefficientFile
import Testing

@testable import FleetSimulation

@Suite struct SimulatedEngineTests {
  private typealias Fixtures = EngineFixtures

  private func engine(
    _ model: EngineModel = EngineFixtures.engine(), kvBlocks: Int = 10_000, noise: Double = 0,
    everyToken: Bool = false, seed: UInt64 = 1
  ) -> SimulatedEngine {
    SimulatedEngine(
      SimulatedEngine.Configuration(
        engine: model, blockTokens: 16, kvBlocks: kvBlocks, stepNoise: noise,
        emitsEveryToken: everyToken), seed: seed)
  }

  private func submit(
    _ engine: inout SimulatedEngine, _ id: Int, prompt: Int, output: Int, at time: Double,
    blocks: [UInt64] = []
  ) {
    engine.submit(id: id, promptTokens: prompt, outputTokens: output, blocks: blocks, at: time)
  }

  private func drain(_ engine: inout SimulatedEngine) -> [EngineEvent] {
    var events: [EngineEvent] = []
    while let next = engine.nextEventTime { engine.advance(to: next) { events.append($0) } }
    return events
  }

  @Test func oneRequestTakesItsPrefillAndThenAStepPerToken() {
    var engine = engine()
    submit(&engine, 7, prompt: 100, output: 5, at: 50)
    let events = drain(&engine)
    #expect(events.map(\.kind) == [.firstToken, .finished])
    #expect(events.map(\.time) == [70, 110])  // 10 + 100 · 0.1, then 4 steps of 10.
    #expect(events.map(\.id) == [7, 7])
    #expect(engine.requestsInFlight == 0)
  }

  @Test func aPromptOverTheBudgetIsComputedInChunks() {
    var engine = engine()
    submit(&engine, 1, prompt: 2500, output: 1, at: 0)
    let events = drain(&engine)
    #expect(events.first?.time == 280)  // 3 steps, 2,500 tokens.
    #expect(events.map(\.kind) == [.firstToken, .finished])
  }

  @Test func aPromptJoinsAtTheEndOfTheRunningStep() {
    var engine = engine()
    submit(&engine, 1, prompt: 100, output: 50, at: 0)
    submit(&engine, 2, prompt: 100, output: 2, at: 33)
    let events = drain(&engine)
    // The step from 30 to 40 runs when it comes; its own takes 20.
    #expect(events.first { $0.id == 2 && $0.kind == .firstToken }?.time == 60)
    #expect(events.first { $0.id == 2 && $0.kind == .finished }?.time == 70)
    let last = events.last?.time ?? 0
    #expect(abs(last - 520) < 1e-9)
  }

  @Test func contextLengthensARunExactlyAsItLengthensItsSteps() {
    var engine = engine(Fixtures.engine(step: 10, context: 0.01))
    submit(&engine, 1, prompt: 100, output: 101, at: 0)
    let events = drain(&engine)
    let decode = (0..<100).reduce(0.0) { $0 + 10 + 0.01 * Double(100 + $1) }
    #expect(abs((events.last?.time ?? 0) - (20 + decode)) < 1e-9)
  }

  @Test func requestsBeyondTheSequenceLimitWait() {
    var engine = engine(Fixtures.engine(sequences: 2))
    for id in 0..<3 { submit(&engine, id, prompt: 10, output: 11, at: 0) }
    let events = drain(&engine)
    let firstEnd = events.first { $0.kind == .finished }?.time ?? .infinity
    #expect(events.first { $0.id == 2 && $0.kind == .firstToken }?.time ?? 0 > firstEnd)
    #expect(engine.metrics.finishedRequests == 3)
  }

  @Test func aCachedPrefixIsNotComputedAgainButForTheLastToken() {
    var engine = engine()
    let blocks = (0..<10).map(UInt64.init)
    submit(&engine, 1, prompt: 160, output: 1, at: 0, blocks: blocks)
    submit(&engine, 2, prompt: 160, output: 1, at: 1000, blocks: blocks)
    let events = drain(&engine)
    #expect(events.map(\.cachedTokens) == [0, 0, 144, 144])
    #expect(events.first { $0.id == 2 }?.time == 1000 + 10 + 1.6)
    #expect(engine.metrics.prefixHits == 144)
    #expect(engine.metrics.prefixQueries == 320)
  }

  @Test func theLeastRecentlyUsedPrefixIsEvicted() {
    var engine = engine(kvBlocks: 25)
    let prompts = (0..<3).map { family in (0..<10).map { UInt64(family * 100 + $0) } }
    for (id, family) in [0, 1, 0, 2, 0, 1].enumerated() {
      submit(&engine, id, prompt: 161, output: 1, at: Double(id) * 1000, blocks: prompts[family])
    }
    let cached = drain(&engine).filter { $0.kind == .finished }.map(\.cachedTokens)
    #expect(cached[2] == 160)
    #expect(cached[4] == 160)
    #expect(cached[5] < 160)
  }

  @Test func aRequestThatCannotFitIsRejected() {
    var engine = engine(kvBlocks: 4)
    submit(&engine, 1, prompt: 60, output: 10, at: 0)
    #expect(drain(&engine).map(\.kind) == [.rejected])
  }

  @Test func theNewestIsPreemptedWhenMemoryRunsOutAndStillEnds() {
    var engine = engine(kvBlocks: 10)
    submit(&engine, 1, prompt: 60, output: 80, at: 0)
    submit(&engine, 2, prompt: 60, output: 80, at: 0)
    let events = drain(&engine)
    #expect(engine.metrics.preemptions > 0)
    #expect(events.filter { $0.kind == .finished }.map(\.id) == [1, 2])
    #expect(events.filter { $0.kind == .firstToken }.count == 2)
    #expect(engine.heldTokens == 0)
  }

  @Test func transferredPromptsOnlyComputeTheirLastToken() {
    var engine = engine()
    engine.submit(
      id: 1, promptTokens: 500, outputTokens: 2, blocks: [], transferredTokens: 499, at: 0)
    #expect(drain(&engine).map(\.time) == [10.1, 20.1])
  }

  @Test func delaysAddToWhatTheGatewaySees() {
    var model = Fixtures.engine()
    model.uplinkMilliseconds = 3
    model.downlinkMilliseconds = 2
    var engine = engine(model)
    submit(&engine, 1, prompt: 100, output: 2, at: 0)
    #expect(drain(&engine).map(\.time) == [25, 35])
  }

  @Test(arguments: UInt64(0)..<8)
  func advancingToTheNextEventAlwaysReachesIt(seed: UInt64) {
    var model = Fixtures.engine(step: 7.123_456_7, context: 1.1e-5)
    model.uplinkMilliseconds = 0.1 + Double(seed) * 0.37
    model.downlinkMilliseconds = 0.3 + Double(seed) * 0.123_4
    var engine = engine(model, noise: 0.05, everyToken: seed % 2 == 0, seed: seed)
    for id in 0..<50 {
      submit(&engine, id, prompt: 300, output: 40, at: 1e6 + Double(id) * 13.7)
    }
    while let next = engine.nextEventTime {
      engine.advance(to: next) { _ in }
      if let after = engine.nextEventTime, after <= next {
        Issue.record("stands still at \(next)")
        return
      }
    }
  }

  @Test func metricsMoveAtStepEndsOnly() {
    var engine = engine()
    submit(&engine, 1, prompt: 100, output: 11, at: 0)
    engine.advance(to: 19) { _ in }
    #expect(engine.metrics.runningRequests == 0)
    engine.advance(to: 20) { _ in }
    #expect(engine.metrics.runningRequests == 1)
    let before = engine.metrics.kvCacheUsage
    #expect(before == 100.0 / 160_000)
    engine.advance(to: 29) { _ in }
    #expect(engine.metrics.kvCacheUsage == before)
    engine.advance(to: 55) { _ in }
    #expect(engine.metrics.kvCacheUsage == 103.0 / 160_000)
  }

  @Test(arguments: UInt64(0)..<8)
  func resultsDoNotDependOnWhoAsksOrWhatIsEmitted(seed: UInt64) {
    let requests = Fixtures.requests(count: 200, blockTokens: 16, seed: seed)
    var quiet = engine(kvBlocks: 140, noise: 0.05, seed: seed)
    var eager = engine(kvBlocks: 140, noise: 0.05, everyToken: true, seed: seed)
    let few = Fixtures.run(requests, on: &quiet)
    let all = Fixtures.run(requests, on: &eager, stride: 3.7)
    #expect(few == all.filter { $0.kind != .token })
    #expect(zip(all, all.dropFirst()).allSatisfy { $0.time <= $1.time })
    var tokens = [Int](repeating: 0, count: requests.count)
    for event in all where event.kind == .firstToken || event.kind == .token {
      tokens[event.id] += 1
      #expect(event.generatedTokens == tokens[event.id])
    }
    for request in requests {
      #expect(tokens[request.id] == max(1, request.output - 1), "request \(request.id)")
    }
  }

  @Test(arguments: UInt64(0)..<8)
  func everyRequestEndsOnceAndTheMemoryComesBack(seed: UInt64) {
    let requests = Fixtures.requests(count: 300, blockTokens: 16, seed: seed)
    var engine = engine(kvBlocks: 70 + Int(seed) * 20, noise: 0.1, seed: seed)
    let events = Fixtures.run(requests, on: &engine)
    #expect(Set(events.filter { $0.kind == .finished }.map(\.id)).count == requests.count)
    #expect(events.count == 2 * requests.count)
    #expect(engine.heldTokens == 0)
    let isConsistent = engine.cache.isConsistent
    #expect(isConsistent)
    #expect(engine.contextTokens == 0)
    #expect(engine.requestsInFlight == 0)
  }
}
