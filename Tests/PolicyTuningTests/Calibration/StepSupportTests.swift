import FleetSimulation
import RoutingRuntime
import Testing

@testable import PolicyTuning

@Suite struct StepSupportTests {
  private typealias Fixtures = CalibrationFixtures

  /// A log of small batches, and what it has seen.
  private func support() -> StepSupport {
    let fleet = Fixtures.fleet([("gpu", Fixtures.engine()), ("gpu", Fixtures.engine())])
    let outcomes = Fleet(fleet, policy: .leastRequest).run(Fixtures.workload).outcomes
    let log = TuningLog(simulated: Fixtures.workload, outcomes: outcomes, fleet: fleet)
    return StepSupport(log, rows: 0..<log.count, tokenBudget: 2048) { _ in true }
  }

  private func length(_ coefficients: [Double], batch: Double) -> Double {
    var step = StepComposition()
    step.decodingRequests = batch
    return StepModel(coefficients: coefficients).milliseconds(step)
  }

  @Test func bendsBeyondWhatWasSeenAreDropped() {
    let support = support()
    #expect(support.decoding.upperBound < 64)
    var wild = [Double](repeating: 0, count: StepFeature.count)
    wild[0] = 8
    wild[1] = 0.1
    // A slope and a jump at 64 that would cancel at 66 requests.
    wild[13] = 13
    wild[17] = -25

    let sane = support.sane(wild)

    #expect(abs(length(sane, batch: 20) - length(wild, batch: 20)) < 1e-9)
    #expect(abs(length(sane, batch: 100) - 18) < 1e-9)
  }

  @Test func singleBatchSizesCountOnlyWhereTheyAreCommon() {
    let support = StepSupport(decoding: 1...12, lowerQuartile: 5, prefill: 2000)
    var given = [Double](repeating: 0, count: StepFeature.count)
    (given[0], given[1]) = (8, 0.2)
    for index in StepFeature.bumps { given[index] = 0.3 }
    let sane = support.sane(given)
    for (batch, index) in zip(1..., StepFeature.bumps) {
      #expect(sane[index] == ((5...12).contains(batch) ? 0.3 : 0), "a batch of \(batch)")
    }
  }

  @Test func smallerBatchesNeverTakeLonger() {
    let support = StepSupport(decoding: 1...40, lowerQuartile: 9, prefill: 2000)
    var falling = [Double](repeating: 0, count: StepFeature.count)
    falling[0] = 12
    falling[1] = -1
    falling[8] = 1.5

    let sane = support.sane(falling)

    #expect(length(sane, batch: 1) <= length(sane, batch: 4) + 1e-9)
    #expect(abs(length(sane, batch: 12) - length(falling, batch: 12)) < 1e-9)
  }
}

@Suite struct StepRegressionTests {
  private typealias Fixtures = CalibrationFixtures

  @Test func stepsOfTheSimulationTellWhatPromptsCost() {
    let truth = Fixtures.engine()
    let fleet = Fixtures.fleet([("gpu", truth), ("gpu", truth)])
    let outcomes = Fleet(fleet, policy: .leastRequest).run(Fixtures.workload).outcomes
    let log = TuningLog(simulated: Fixtures.workload, outcomes: outcomes, fleet: fleet)
    let rows = 0..<log.count
    let bench = CalibrationBench(
      log: log, rows: rows, judged: 100..<rows.upperBound, classOfEndpoint: [0, 0],
      scrapeInterval: 50, seed: 5)
    var wrong = truth.engine
    for column in [3, 4] + Array(18..<24) { wrong.stepCoefficients[column] *= 0.5 }
    var guess = FleetGuess(classes: [ClassGuess(base: wrong, source: .stepEnds)])
    guess.classes[0].cacheTokens = 80_000
    let support = StepSupport(log, rows: rows, tokenBudget: wrong.tokenBudget) { _ in true }

    guess = StepRegression(bench: bench).refined(
      guess, support: [support], parts: [.prefill], rounds: 5)

    var step = StepComposition()
    step.decodingRequests = 4
    step.prefillTokens = 600
    let learned = guess.classes[0].configuration(blockTokens: 64).engine.stepCoefficients
    let ratio =
      StepModel(coefficients: learned).milliseconds(step)
      / StepModel(coefficients: truth.engine.stepCoefficients).milliseconds(step)
    #expect((0.93...1.07).contains(ratio), "\(ratio)")
  }
}
