import Testing

@testable import RequestLog

@Suite struct IdentityTests {
  /// Stores keep identities for years: these must never change.
  @Test(arguments: [
    ("", "f8e8aee5b34e9114", "c2b2ae3d27d4eb4f"), ("r71-0-0", "3bfae3e4503e5fbb", "afe324e6e1586c"),
    ("0123456789abcdef0123456789abcdef0", "9e53155cdfe21cf1", "271f9279a1f5e651"),
  ])
  func identityOfAnIDNeverChanges(id: String, high: String, low: String) {
    let identity = RequestIdentity(id.utf8)
    #expect(String(identity.high, radix: 16) == high)
    #expect(String(identity.low, radix: 16) == low)
  }

  @Test func bytesBehindTheIDDoNotMatter() {
    let id = Array("request-12345".utf8)
    let block = ByteBlock(capacity: 100)
    block.append(id + Array("garbage behind it".utf8))
    let bytes = block.bytes
    #expect(RequestIdentity(count: id.count) { bytes.word(at: $0) } == RequestIdentity(id))
  }

  @Test func similarIDsDiffer() {
    var seen: Set<UInt64> = []
    for index in 0..<100_000 {
      seen.insert(RequestIdentity("r\(index)".utf8).high)
      seen.insert(RequestIdentity("c0-r\(index)".utf8).low)
    }
    #expect(seen.count == 200_000)
  }

  @Test func setTellsNewFromSeen() {
    var random = SeededNumbers(seed: 1)
    let identities = [0, 1] + (0..<20_000).map { _ in random.next() }
    var set = IdentitySet()
    // 0 and 1 share a slot value: one in 2⁶³ ids may so be taken for a duplicate.
    #expect(
      identities.map { set.insert($0) } == [true, false] + Array(repeating: true, count: 20_000))
    #expect(identities.allSatisfy { !set.insert($0) })
    #expect(set.count == 20_001)
  }

  @Test func longLogsForgetTheEarliestOnly() {
    var set = IdentitySet(generation: 1_000)
    func insert(_ range: ClosedRange<UInt64>) -> [Bool] {
      range.map { set.insert($0 &* 0x9E37_79B9_7F4A_7C15) }
    }
    #expect(insert(1...5_000).allSatisfy { $0 })
    #expect(insert(4_001...5_000).allSatisfy { !$0 })
    #expect(insert(1...1) == [true], "long gone")
  }
}
