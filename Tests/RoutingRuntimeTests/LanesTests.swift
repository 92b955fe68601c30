import Glibc
import TestSupport
import Testing

@testable import RoutingRuntime

@Suite struct LanesTests {
  @Test(arguments: UInt64(0)..<8)
  func exponentialIsThatOfTheLibrary(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let reach = [0.1, 1, 10, 700][Int(seed % 4)]
    for _ in 0..<1_000 {
      let x = Lanes((0..<laneCount).map { _ in random.uniform(in: -reach...reach) })
      let y = exponential(x)
      for lane in 0..<laneCount {
        // Two units in the last place, and the library's own error of half of one.
        #expect(abs(y[lane] - exp(x[lane])) <= 2.5 * exp(x[lane]).ulp, "\(x[lane])")
      }
    }
  }

  @Test func exponentialOfNothingIsOne() {
    #expect(exponential(all(0)) == all(1))
  }
}
