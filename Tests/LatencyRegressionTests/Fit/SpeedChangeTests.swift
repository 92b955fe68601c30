import LogReplay
import RequestLog
import Testing

@testable import LatencyRegression

@Suite struct SpeedChangeTests {
  private static let log = SyntheticFleet(requests: 6500).log(seed: 11)

  /// The log, with the latencies of rows from `start` on that `isSlow` selects 30 % longer.
  private func slowed(
    from start: Int, where isSlow: (LoggedRequest) -> Bool = { _ in true }
  ) -> ReplayLog {
    Self.log.latencies { $0 >= start && isSlow(Self.log.rows[$0]) ? 1.3 : 1 }
  }

  private func changes(_ log: ReplayLog, threads: Int = 2) -> [SpeedChanges.Change] {
    SpeedChanges.find(log, in: log.rows.indices, threads: threads)
  }

  @Test func aSteadyLogHasNoChanges() {
    #expect(changes(Self.log).isEmpty)
  }

  @Test func aSlowdownOfAllEndpointsIsFoundOnce() throws {
    let found = changes(slowed(from: 4000))
    #expect(found.count == 1)
    let change = try #require(found.first)
    #expect(change.endpoint == .none)
    #expect(change.rows.lowerBound == 0 && abs(change.rows.upperBound - 4000) < 100)
    // Answers that are told longer overlap more, which explains a part of the 0.26.
    #expect(change.logarithm > 0.15 && change.logarithm < 0.3)
    #expect(changes(slowed(from: 4000), threads: 1).first?.logarithm == change.logarithm)
  }

  @Test func aSlowdownOfOneEndpointIsThatEndpoints() throws {
    let endpoint = Self.log.rows[0].endpoint
    let found = changes(slowed(from: 4000) { $0.endpoint == endpoint })
    #expect(found.count == 1)
    #expect(found.first?.endpoint == endpoint)
  }

  @Test func shortLogsAreNotSearched() {
    let log = slowed(from: 1500)
    #expect(SpeedChanges.find(log, in: 0..<3000, threads: 2).isEmpty)
  }

  @Test func latenciesAreStretchedAndArrivalsStay() {
    let twice = Self.log.latencies { $0 == 7 ? 2 : 1 }
    #expect(twice.rows[7].ttftMilliseconds == 2 * Self.log.rows[7].ttftMilliseconds)
    #expect(twice.rows[7].e2eMilliseconds == 2 * Self.log.rows[7].e2eMilliseconds)
    #expect(twice.dispatchTime(7) == Self.log.dispatchTime(7))
    #expect(twice.rows[8].ttftMilliseconds == Self.log.rows[8].ttftMilliseconds)
  }
}
