import FleetSimulation
import Testing

@testable import PolicyTuning

@Suite struct FleetCalibratorTests {
  private typealias Fixtures = CalibrationFixtures
  private let quick = FleetCalibrator(
    FleetCalibrator.Configuration(simulatedRows: 450, rounds: 1))

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
