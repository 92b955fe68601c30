import TestSupport
import Testing

@testable import FleetSimulation

@Suite struct CacheBlocksTests {
  @Test func blocksOfOneLengthNeedNoEnds() {
    let blocks = CacheBlocks(hashes: [1, 2, 3])
    #expect((0...4).map { blocks.full(within: 16 * $0 - 1, blockTokens: 16) } == [0, 0, 1, 2, 3])
    #expect(blocks.end(of: 2, blockTokens: 16) == 32)
  }

  @Test func blocksOfDifferentLengthsEndWhereTheySay() {
    let blocks = CacheBlocks(hashes: [1, 2, 3], ends: [64, 80, 128])
    let full = [0, 63, 64, 79, 80, 127, 128, 500].map { blocks.full(within: $0, blockTokens: 64) }
    #expect(full == [0, 0, 1, 1, 2, 2, 3, 3])
    #expect((0...3).map { blocks.end(of: $0, blockTokens: 64) } == [0, 64, 80, 128])
    #expect(CacheBlocks(hashes: [1, 2], ends: [64]).ends.isEmpty)
  }

  @Test func promptsThatPartWithinABlockShareItsBeginning() {
    var engine = SimulatedEngine(
      SimulatedEngine.Configuration(
        engine: EngineFixtures.engine(), blockTokens: 64, kvBlocks: 100), seed: 1)
    var cached: [Int: Int] = [:]
    for (id, own) in [UInt64(10), 20].enumerated() {
      engine.submit(
        id: id, promptTokens: 150, outputTokens: 2, blocks: [1, 2, own], ends: [64, 112, 128],
        at: Double(1_000 * id))
      while let next = engine.nextEventTime {
        engine.advance(to: next) { cached[$0.id] = $0.cachedTokens }
      }
    }
    #expect(cached == [0: 0, 1: 112])
    #expect(engine.heldTokens == 0)
    let isConsistent = engine.cache.isConsistent
    #expect(isConsistent)
  }

  /// Blocks of mixed lengths in a cache that is too small.
  @Test(arguments: UInt64(0)..<10)
  func memoryOfMixedLengthsComesBack(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    var engine = SimulatedEngine(
      SimulatedEngine.Configuration(
        engine: EngineFixtures.engine(), blockTokens: 16, kvBlocks: random.integer(in: 70...200),
        retainsAnswers: seed % 2 == 0), seed: seed)
    for request in EngineFixtures.requests(count: 150, blockTokens: 16, seed: seed) {
      engine.advance(to: request.time) { _ in }
      // A hash tells the length: some blocks are twice as long.
      var ends: [Int32] = []
      for hash in request.blocks { ends.append((ends.last ?? 0) + (hash % 3 == 0 ? 32 : 16)) }
      let count = ends.count { $0 <= request.prompt }
      engine.submit(
        id: request.id, promptTokens: request.prompt, outputTokens: request.output,
        blocks: Array(request.blocks.prefix(count)), ends: Array(ends.prefix(count)),
        at: request.time)
    }
    while let next = engine.nextEventTime { engine.advance(to: next) { _ in } }
    #expect(engine.requestsInFlight == 0)
    #expect(engine.heldTokens == 0)
    let isConsistent = engine.cache.isConsistent
    #expect(isConsistent)
  }
}
