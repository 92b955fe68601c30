import TestSupport
import Testing

@testable import RoutingRuntime

@Suite struct EndingCalendarTests {
  @Test(arguments: UInt64(0)..<20)
  func dropsWhatASortedListWould(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    var calendar = EndingCalendar()
    // Some answers are longer than a new calendar has room for.
    let longest = seed % 2 == 0 ? 40 : 30_000
    for _ in 0..<3 {
      var list: [Double] = []
      for _ in 0..<200 {
        if random.uniform(in: 0...1) < 0.7 {
          // Many are equal, as whole steps are.
          let ending = Double(random.integer(in: 1...longest))
          calendar.add(ending)
          list.append(ending)
        } else {
          let steps = random.uniform(in: 0...0.8) * Double(longest)
          let dropped = list.filter { $0 <= steps }.count
          list.removeAll { $0 <= steps }
          #expect(calendar.drop(by: steps) == Double(dropped))
        }
        #expect(calendar.count == list.count)
        #expect(calendar.earliest == list.min() ?? .infinity)
      }
      calendar.removeAll()
      #expect(calendar.count == 0 && calendar.earliest == .infinity)
      #expect(calendar.drop(by: .infinity) == 0)
    }
  }

  @Test func partsOfAStepCountAsWhole() {
    var calendar = EndingCalendar()
    calendar.add(2.25)
    calendar.add(2)
    #expect(calendar.drop(by: 2) == 1)
    #expect(calendar.earliest == 3)
    // Beyond the last step that a new calendar has room for.
    #expect(calendar.drop(by: 3) == 1)
    calendar.add(1_023.5)
    #expect(calendar.earliest == 1_024)
  }

  /// A log may say anything: what is beyond all bounds ends last, and nothing traps.
  @Test func impossibleEndingsAreBounded() {
    var calendar = EndingCalendar()
    for ending in [-5, 0, 1e300, .infinity, .nan] { calendar.add(ending) }
    #expect(calendar.drop(by: 0) == 2)
    #expect(calendar.earliest == Double((1 << 20) - 1))
    #expect(calendar.drop(by: .infinity) == 3)
    #expect(calendar.count == 0)
  }
}
