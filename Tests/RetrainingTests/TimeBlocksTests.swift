import LogReplay
import RequestLog
import TestSupport
import Testing

@testable import Retraining

/// Where a log is cut, and whether a night is whole.
@Suite struct TimeBlocksTests {
  /// A log of `count` requests, 20 ms apart on average, that last up to `longestMilliseconds`.
  private func log(
    seed: UInt64, count: Int, longestMilliseconds: Double = 2_000
  ) -> ReplayLog {
    var random = SplitMix64(seed: seed)
    var time = 1_790_000_000_000_000_000 as Int64
    let rows = (0..<count).map { index in
      time += Int64(random.uniform(in: 0...40) * 1e6)
      var row = LoggedRequest()
      row.identityHigh = seed
      row.identityLow = UInt64(index)
      row.status = 200
      row.receivedNanoseconds = time
      row.dispatchedNanoseconds = time + Int64(random.uniform(in: 0...3) * 1e6)
      row.inputTokens = 100
      row.outputTokens = 10
      row.ttftMilliseconds = random.uniform(in: 5...50)
      row.e2eMilliseconds = random.uniform(in: 60...longestMilliseconds)
      return row
    }
    return ReplayLog(rows: rows, symbols: SymbolTable())
  }

  @Test(arguments: UInt64(0)..<20)
  func everyFittedRequestEndsBeforeTheFirstJudgedDispatch(seed: UInt64) throws {
    let log = log(seed: seed, count: 2_000)
    let blocks = TimeBlocks(log)
    try #require(!blocks.fit.isEmpty && !blocks.judge.isEmpty)
    let cut = log.dispatchTime(blocks.judge.lowerBound)
    #expect(blocks.fit.allSatisfy { log.endTime($0) <= cut })
    #expect(blocks.fit.lowerBound == 0)
    #expect(blocks.fit.upperBound < blocks.judge.lowerBound)
    #expect(blocks.judge == 1_600..<2_000)
  }

  @Test func aRequestThatNeverEndsDoesNotEmptyTheFit() {
    let log = log(seed: 1, count: 2_000, longestMilliseconds: 1e9)
    let blocks = TimeBlocks(log)
    let cut = log.dispatchTime(blocks.judge.lowerBound)
    #expect(blocks.embargoMilliseconds <= 0.1 * cut)
    #expect(blocks.fit.count > 1_300)
  }

  @Test(arguments: [0, 1, 4])
  func aLogTooShortToCutIsNotJudged(count: Int) {
    let blocks = TimeBlocks(log(seed: 2, count: count))
    #expect(blocks.fit == 0..<count)
    #expect(blocks.judge.isEmpty)
  }

  @Test func onlyANightMuchShorterThanTheLastIsCutOff() {
    let log = log(seed: 3, count: 1_000)
    func codes(_ night: Range<Int>, _ expected: Int64?) -> [String] {
      WindowChecks(log: log, night: night, expectedNanoseconds: expected).findings.map(\.code)
    }
    let whole = WindowChecks(log: log, night: 0..<1_000, expectedNanoseconds: nil)
      .lengthNanoseconds
    #expect(whole == log.rows[999].receivedNanoseconds - log.rows[0].receivedNanoseconds)
    #expect(codes(0..<1_000, whole) == [])
    #expect(codes(0..<500, whole) == [])
    #expect(codes(0..<100, whole) == ["truncated-window"])
    // Without a champion there is nothing to compare with, and no new rows are another check's.
    #expect(codes(0..<100, nil) == [])
    #expect(codes(0..<0, whole) == [])
  }

  @Test func aNightIsNeverExpectedToBeLongerThanADay() {
    let log = log(seed: 4, count: 1_000)
    let week = 7 * 86_400_000_000_000 as Int64
    let day = 86_400_000_000_000 as Int64
    func share(_ expected: Int64) -> Double? {
      WindowChecks(log: log, night: 0..<1_000, expectedNanoseconds: expected).findings.first?
        .measured
    }
    #expect(share(week) == share(day))
    #expect(share(day) != nil)
  }
}
