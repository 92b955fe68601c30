import Testing

@testable import PolicyTuning

@Suite struct PairedComparisonTests {
  /// Runs over 20 blocks: block effects shared by both arms, noise of their own, and a factor.
  static func runs(seeds: Int, factor: Double, noise: Double, world: UInt64, arm: UInt64)
    -> [Observations]
  {
    var blocks = SeededGenerator(seed: world)
    let effects = (0..<20).map { _ in 50 * (1 + blocks.uniform()) }
    return (0..<seeds).map { seed in
      var random = SeededGenerator(seed: arm &+ UInt64(seed) &* 7919)
      var run = Observations()
      for block in 0..<20 {
        let shift = 1 + noise * random.normal()
        for _ in 0..<40 {
          let ttft = factor * effects[block] * shift * (0.5 + random.uniform())
          run.append(
            block: block, ttftMilliseconds: ttft, tpotMilliseconds: 10, e2eMilliseconds: ttft + 500,
            isGood: ttft < 80)
        }
      }
      return run
    }
  }

  @Test(arguments: [TuningMetric.ttftMean, .ttftP90, .e2eMean])
  func aRealGainIsAWinAndItsMirrorALoss(metric: TuningMetric) {
    let better = Self.runs(seeds: 4, factor: 0.8, noise: 0.05, world: 1, arm: 10)
    let worse = Self.runs(seeds: 4, factor: 1, noise: 0.05, world: 1, arm: 20)
    let win = PairedComparison(metric, candidate: better, baseline: worse)
    #expect(win.verdict(smallestGain: 0.01) == .win)
    #expect(win.lower < win.gain && win.gain < win.upper)
    if metric == .ttftMean { #expect(abs(win.gain - 0.2) < 0.03) }
    #expect(PairedComparison(metric, candidate: worse, baseline: better).verdict == .loss)
  }

  @Test func equalPoliciesSeldomLookBetter() {
    var (wins, losses) = (0, 0)
    for world in 0..<100 as Range<UInt64> {
      let one = Self.runs(seeds: 3, factor: 1, noise: 0.1, world: world, arm: 1000 + world)
      let two = Self.runs(seeds: 3, factor: 1, noise: 0.1, world: world, arm: 5000 + world)
      let comparison = PairedComparison(
        .ttftMean, candidate: one, baseline: two, replicates: 200, seed: world)
      if comparison.verdict(smallestGain: 0) == .win { wins += 1 }
      if comparison.verdict == .loss { losses += 1 }
    }
    #expect(wins <= 5 && losses <= 5, "\(wins) wins, \(losses) losses")
  }

  @Test func theQuantileOfADrawIsThatOfItsRequests() {
    let runs = Self.runs(seeds: 1, factor: 1, noise: 0, world: 3, arm: 3)
    let comparison = PairedComparison(.ttftP90, candidate: runs, baseline: runs)
    let sorted = runs[0].ttft.sorted()
    #expect(comparison.candidate == sorted[Int(0.9 * Double(sorted.count - 1))])
    #expect(comparison.gain == 0)
    #expect(comparison.lower == 0 && comparison.upper == 0)
    #expect(comparison.verdict == .undecided)
  }

  @Test func fewBlocksDecideNothing() {
    var run = Observations()
    for index in 0..<300 {
      run.append(
        block: index / 100, ttftMilliseconds: 10, tpotMilliseconds: 1, e2eMilliseconds: 20,
        isGood: true)
    }
    var slower = run
    slower.ttft = slower.ttft.map { $0 * 3 }
    let comparison = PairedComparison(.ttftMean, candidate: [run], baseline: [slower])
    #expect(comparison.verdict == .undecided)
  }

  @Test func refusingRequestsIsNoGain() {
    let honest = Self.runs(seeds: 2, factor: 1, noise: 0, world: 4, arm: 4)
    let refusing = honest.map { run in
      var all = Observations()
      for index in run.ttft.indices {
        let isSlow = run.ttft[index] > 100
        all.append(
          block: Int(run.blocks[index]), ttftMilliseconds: isSlow ? .infinity : run.ttft[index],
          tpotMilliseconds: 10, e2eMilliseconds: isSlow ? .infinity : 600, isGood: !isSlow)
      }
      return all
    }
    let comparison = PairedComparison(.ttftMean, candidate: refusing, baseline: honest)
    #expect(comparison.verdict == .loss)
  }

  @Test func rankCorrelationKnowsOrderAlone() {
    let x = [1.0, 2, 3, 4, 5]
    #expect(ParameterSensitivity.rankCorrelation(x, x.map { $0 * $0 * $0 }) == 1)
    #expect(ParameterSensitivity.rankCorrelation(x, x.map { -$0 }) == -1)
    #expect(ParameterSensitivity.rankCorrelation(x, [1, 1, 1, 1, 1]).isNaN)
    // 1 − 6 Σd² / n(n² − 1), worked by hand.
    #expect(abs(ParameterSensitivity.rankCorrelation(x, [2, 1, 4, 3, 5]) - 0.8) < 1e-12)
  }

  @Test func theParetoFrontHoldsWhatNothingBeats() {
    let points: [(first: Double, second: Double)] = [
      (3, 1), (1, 3), (2, 2), (2.5, 2.5), (1, 4), (.nan, 0), (3, 1),
    ]
    #expect(ParetoFront.indices(points) == [1, 2, 0])
  }
}
