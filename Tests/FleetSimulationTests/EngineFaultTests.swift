import Testing

@testable import FleetSimulation

@Suite struct EngineFaultTests {
  private func engine() -> SimulatedEngine {
    SimulatedEngine(SimulatedEngine.Configuration(engine: EngineFixtures.engine()), seed: 1)
  }

  private func drain(_ engine: inout SimulatedEngine) -> [EngineEvent] {
    var events: [EngineEvent] = []
    while let next = engine.nextEventTime { engine.advance(to: next) { events.append($0) } }
    return events
  }

  @Test func anAbortedRequestLeavesWithoutAnEventAndFreesItsSeat() {
    var engine = engine()
    engine.submit(id: 1, promptTokens: 100, outputTokens: 1000, blocks: [], at: 0)
    engine.submit(id: 2, promptTokens: 100, outputTokens: 10, blocks: [], at: 0)
    engine.submit(id: 3, promptTokens: 100, outputTokens: 10, blocks: [], at: 60)
    engine.advance(to: 45) { _ in }
    engine.abort(id: 1, at: 45)
    engine.abort(id: 3, at: 45)
    let events = drain(&engine)
    #expect(events.map(\.id) == [2])
    #expect(engine.requestsInFlight == 0)
    #expect(engine.heldTokens == 0)
  }

  @Test func aHungEngineGoesOnWhereItStood() {
    var engine = engine()
    engine.submit(id: 1, promptTokens: 100, outputTokens: 11, blocks: [], at: 0)
    engine.advance(to: 55) { _ in }
    engine.hang(at: 55)
    #expect(engine.nextEventTime == nil)
    engine.advance(to: 1000) { _ in Issue.record("a hung engine does nothing") }
    engine.resume(at: 1055)
    #expect(drain(&engine).map(\.time) == [1120])
  }

  @Test func aSlowEngineTakesLongerFromItsNextStepOn() {
    var engine = engine()
    engine.submit(id: 1, promptTokens: 100, outputTokens: 11, blocks: [], at: 0)
    engine.advance(to: 55) { _ in }
    engine.setSlowness(5, at: 55)
    #expect(drain(&engine).map(\.time) == [60 + 6 * 50])
  }

  @Test func aDeadEngineFailsItsRequestsAndForgetsItsCache() {
    var engine = engine()
    let blocks = (0..<6).map(UInt64.init)
    engine.submit(id: 1, promptTokens: 100, outputTokens: 11, blocks: blocks, at: 0)
    engine.submit(id: 2, promptTokens: 100, outputTokens: 11, blocks: blocks, at: 80)
    engine.advance(to: 55) { _ in }
    engine.fail(at: 90)
    var events: [EngineEvent] = []
    engine.advance(to: 100) { events.append($0) }
    #expect(events.map(\.kind) == [.failed, .failed])
    engine.submit(id: 3, promptTokens: 100, outputTokens: 1, blocks: blocks, at: 100)
    #expect(drain(&engine).first?.cachedTokens == 0)
  }
}
