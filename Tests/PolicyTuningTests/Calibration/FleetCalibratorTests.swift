import FleetSimulation
import Testing

@testable import PolicyTuning

@Suite struct FleetCalibratorTests {
  private typealias Fixtures = CalibrationFixtures
  private let quick = FleetCalibrator(
    FleetCalibrator.Configuration(simulatedRows: 350, rounds: 1))

  @Test func aFleetIsRecoveredFromItsLogAlone() {
    let truth = Fixtures.engine()
    let log = Fixtures.log(of: Fixtures.fleet([("gpu", truth), ("gpu", truth)]))
    let cut = log.firstRow(ofNewest: 0.3)

    let calibration = quick.calibrate(
      log, rows: 0..<cut, model: Fixtures.model(slowness: 1.4))

    #expect(calibration.classes.map(\.name) == ["gpu"])
    let found = calibration.classes[0].engine
    let cache = Double(found.kvBlocks * found.blockTokens)
    #expect(abs(cache / 80_000 - 1) < 0.1, "\(cache)")
    #expect(calibration.discrepancy < 0.05, "\(calibration.discrepancy)")
    #expect((45...55).contains(calibration.scrapeIntervalMilliseconds))
    let proof = SimulatorProof(log, calibration: calibration, judged: cut..<log.replay.rows.count)
    #expect(proof.passes, "\(proof.sentences)")
    #expect(proof.sentences.isEmpty)
  }

  @Test func classesAreLearnedApart() {
    let fleet = Fixtures.fleet([
      ("slow", Fixtures.engine()), ("fast", Fixtures.engine(speed: 4, cacheTokens: 160_000)),
    ])
    let log = Fixtures.log(of: fleet)
    let cut = log.firstRow(ofNewest: 0.3)

    let calibration = quick.calibrate(log, rows: 0..<cut, model: Fixtures.model(slowness: 1))

    let sizes = calibration.classes.map { $0.engine.kvBlocks * $0.engine.blockTokens }
    let slow = calibration.classes.firstIndex { $0.name == "slow" } ?? 0
    let fast = calibration.classes.firstIndex { $0.name == "fast" } ?? 0
    #expect(calibration.classes.count == 2)
    #expect(sizes[fast] * 2 > sizes[slow] * 3)
    let proof = SimulatorProof(log, calibration: calibration, judged: cut..<log.replay.rows.count)
    #expect(proof.passes, "\(proof.sentences)")
  }

  @Test func fewNumbersGoBeforeManyThatAreHardlyNearer() {
    let truth = Fixtures.engine()
    let log = Fixtures.log(of: Fixtures.fleet([("gpu", truth), ("gpu", truth)]))
    let rows = 0..<log.count
    let search = CalibrationSearch(
      bench: CalibrationBench(
        log: log, rows: rows, judged: rows, classOfEndpoint: [0, 0], scrapeInterval: 50, seed: 5),
      classes: AcceleratorClasses(log, rows: rows, model: Fixtures.model(slowness: 1)), rows: rows)
    func nearest(_ distances: KeyValuePairs<FleetCalibration.Source, Double>)
      -> FleetCalibration.Source?
    {
      search.nearest(
        distances.map {
          FleetGuess(
            classes: [ClassGuess(base: truth.engine, source: $0.key)], discrepancies: [$0.value])
        })?.classes.first?.source
    }
    #expect(nearest([.stepEnds: 0.1, .plainAnswers: 0.12]) == .plainAnswers)
    #expect(nearest([.stepEnds: 0.1, .plainAnswers: 0.13]) == .stepEnds)
    #expect(nearest([.plainAnswers: 0.12, .replayedSteps: 0.1]) == .plainAnswers)
    #expect(nearest([.stepEnds: 0.1, .answers: 0.095]) == .stepEnds)
  }

  @Test func whatGrowsWithTheContextIsScaledAlone() {
    let guess = ClassGuess(base: Fixtures.engine().engine, source: .plainAnswers)
    let before = guess.configuration(blockTokens: 64).engine.stepCoefficients
    let after = guess.moved(.contextScale, by: 0.5, unit: 1).configuration(blockTokens: 64)
      .engine.stepCoefficients
    #expect(abs(after[2] - 1.5 * before[2]) < 1e-12)
    #expect(before[2] > 0)
    for index in before.indices where index != 2 { #expect(after[index] == before[index]) }
  }

  @Test func theSameLogGivesTheSameCalibration() {
    let engine = Fixtures.engine()
    let log = Fixtures.log(of: Fixtures.fleet([("gpu", engine), ("gpu", engine)]))
    let calibrator = FleetCalibrator(
      FleetCalibrator.Configuration(simulatedRows: 120, rounds: 1))
    let model = Fixtures.model(slowness: 1.1)
    let first = calibrator.calibrate(log, rows: 0..<400, model: model)
    let again = calibrator.calibrate(log, rows: 0..<400, model: model)
    // Half-widths may be nan, which equals nothing.
    #expect(first.classes.map(\.engine) == again.classes.map(\.engine))
    #expect(first.discrepancy == again.discrepancy)
  }
}

@Suite struct CacheFitTests {
  private typealias Fixtures = CalibrationFixtures

  @Test(arguments: [40_000, 80_000])
  func evictionsAloneTellTheSizeOfTheCache(tokens: Int) {
    let truth = Fixtures.engine(cacheTokens: tokens)
    let fleet = Fixtures.fleet([("gpu", truth), ("gpu", truth)])
    var outcomes = Fleet(fleet, policy: .leastRequest).run(Fixtures.workload).outcomes
    for index in outcomes.indices { outcomes[index].snapshotUsage = .nan }
    let log = TuningLog(simulated: Fixtures.workload, outcomes: outcomes, fleet: fleet)
    let rows = 0..<log.replay.rows.count
    let bench = CalibrationBench(
      log: log, rows: rows, judged: 100..<rows.upperBound, classOfEndpoint: [0, 0],
      scrapeInterval: 50, seed: 5)
    let search = CalibrationSearch(
      bench: bench,
      classes: AcceleratorClasses(log, rows: rows, model: Fixtures.model(slowness: 1)), rows: rows)
    var guess = FleetGuess(classes: [ClassGuess(base: truth.engine, source: .stepEnds)])

    search.fitCache(&guess)

    let ratio = guess.classes[0].cacheTokens / Double(tokens)
    #expect((0.8...1.25).contains(ratio), "\(ratio)")
  }
}
