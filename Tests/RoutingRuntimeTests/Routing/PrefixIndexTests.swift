import TestSupport
import Testing

@testable import RoutingRuntime

@Suite struct PrefixIndexTests {
  @Test func onlyLeadingBlocksMatch() {
    var index = PrefixIndex(capacity: 8)
    index.addEndpoint()
    index.insert([1, 2, 3], endpoint: 0)
    #expect(index.matchedBlocks([1, 2, 3, 4], endpoint: 0) == 3)
    #expect(index.matchedBlocks([1, 9, 3], endpoint: 0) == 1)
    #expect(index.matchedBlocks([2, 3], endpoint: 0) == 2)
    #expect(index.matchedBlocks([9, 1], endpoint: 0) == 0)
  }

  @Test func aPromptsTailLeavesFirst() {
    var index = PrefixIndex(capacity: 4)
    index.addEndpoint()
    index.insert([1, 2, 3], endpoint: 0)
    index.insert([7, 8], endpoint: 0)
    #expect(index.matchedBlocks([1, 2, 3], endpoint: 0) == 2)
    #expect(index.matchedBlocks([7, 8], endpoint: 0) == 2)
  }

  @Test func endpointsAreApart() {
    var index = PrefixIndex(capacity: 4)
    index.addEndpoint()
    index.addEndpoint()
    index.insert([1], endpoint: 1)
    #expect(index.matchedBlocks([1], endpoint: 0) == 0)
    index.clear(endpoint: 1)
    #expect(index.matchedBlocks([1], endpoint: 1) == 0)
  }

  @Test func smallerCacheRemembersLess() {
    var index = PrefixIndex(capacity: 8)
    index.addEndpoint()
    index.addEndpoint()
    for endpoint in 0..<2 { index.insert([1, 2, 3, 4, 5], endpoint: endpoint) }
    index.setLimit(4, endpoint: 0)
    #expect(index.matchedBlocks([1], endpoint: 0) == 0, "what it had is not known any more")
    #expect(index.matchedBlocks([1, 2, 3, 4, 5], endpoint: 1) == 5)
    index.insert([1, 2, 3, 4, 5], endpoint: 0)
    #expect(index.matchedBlocks([1, 2, 3, 4, 5], endpoint: 0) == 4)
    index.insert([7], endpoint: 0)
    #expect(index.matchedBlocks([1, 2, 3, 4], endpoint: 0) == 3)
    index.clear(endpoint: 0)
    #expect(index.limit(endpoint: 0) == 4)
    index.setLimit(100, endpoint: 0)
    #expect(index.limit(endpoint: 0) == 8)
    index.insert([1, 2, 3, 4, 5], endpoint: 0)
    #expect(index.matchedBlocks([1, 2, 3, 4, 5], endpoint: 0) == 5)
  }

  /// Against a plain model: an array by recency.
  @Test(arguments: UInt64(0)..<20)
  func behavesLikeAListByRecency(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let capacity = random.integer(in: 1...12)
    var index = PrefixIndex(capacity: capacity)
    index.addEndpoint()
    var recent: [UInt64] = []
    for _ in 0..<400 {
      let blocks = (0..<random.integer(in: 0...6)).map { _ in
        // Few distinct hashes, and multiples of the table's size among them, so that they collide.
        UInt64(random.integer(in: 0...15)) &* 0x1_0000_0000
      }
      for block in blocks.prefix(capacity).reversed() {
        recent.removeAll { $0 == block }
        recent.insert(block, at: 0)
        if recent.count > capacity { recent.removeLast() }
      }
      index.insert(blocks, endpoint: 0)
      for block in (0...15).map({ UInt64($0) &* 0x1_0000_0000 }) {
        #expect(
          index.matchedBlocks([block], endpoint: 0) == (recent.contains(block) ? 1 : 0))
      }
    }
    #expect(index.fill(endpoint: 0) <= 1)
  }

  /// Prompts that grow out of each other, as sessions do: against looking at block after block.
  @Test(arguments: UInt64(0)..<20)
  func theMatchEndsWhereTheFirstBlockIsMissing(seed: UInt64) {
    var random = SplitMix64(seed: seed &+ 300)
    var index = PrefixIndex(capacity: random.integer(in: 1...60))
    for _ in 0..<3 { index.addEndpoint() }
    var prompts: [[UInt64]] = [[]]
    for _ in 0..<300 {
      var prompt = prompts[random.integer(in: 0...prompts.count - 1)]
      // Each hash covers the blocks before it.
      for _ in 0..<random.integer(in: 0...9) {
        prompt.append((prompt.last ?? 7) &* 31 &+ UInt64(random.integer(in: 1...3)))
      }
      prompts.append(prompt.count > 80 ? [] : prompt)
      let endpoint = random.integer(in: 0...2)
      let before = index.matchedBlocks(prompt, endpoint: endpoint)
      #expect(index.insert(prompt, endpoint: endpoint) == before)
      let asked = prompts[random.integer(in: 0...prompts.count - 1)]
      for endpoint in 0..<3 {
        let matched = asked.prefix { index.matchedBlocks([$0], endpoint: endpoint) == 1 }.count
        let guess = random.integer(in: 0...90)
        #expect(index.matchedBlocks(asked, endpoint: endpoint, near: guess) == matched)
      }
    }
  }
}
