import TestSupport
import Testing

@testable import RoutingRuntime

@Suite struct EndingHeapTests {
  @Test(arguments: UInt64(0)..<20)
  func dropsWhatASortedListWould(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    var heap = EndingHeap()
    var list: [Double] = []
    for _ in 0..<400 {
      if random.uniform(in: 0...1) < 0.7 {
        // Many are equal, as whole steps are.
        let ending = Double(random.integer(in: 1...40))
        heap.add(ending)
        list.append(ending)
      } else {
        let steps = random.uniform(in: 0...30)
        let dropped = list.filter { $0 <= steps }.count
        list.removeAll { $0 <= steps }
        #expect(heap.drop(by: steps) == Double(dropped))
      }
      #expect(heap.count == list.count)
      #expect(heap.earliest == list.min() ?? .infinity)
    }
    heap.removeAll()
    #expect(heap.count == 0 && heap.earliest == .infinity)
    #expect(heap.drop(by: .infinity) == 0)
  }
}
