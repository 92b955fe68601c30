import FleetSimulation
import Testing

@testable import PolicyTuning

@Suite struct SimulatorProofTests {
  private typealias Fixtures = CalibrationFixtures

  private func calibration(_ engine: SimulatedEngine.Configuration) -> FleetCalibration {
    FleetCalibration(
      classes: [
        FleetCalibration.AcceleratorClass(
          name: "gpu", engine: engine, sampleCount: 1000, source: .answers,
          decodeHalfWidth: .nan, prefillHalfWidth: .nan, cacheHalfWidth: .nan)
      ],
      endpoints: [
        FleetCalibration.Endpoint(name: "e0", accelerator: 0),
        FleetCalibration.Endpoint(name: "e1", accelerator: 0),
      ], scrapeIntervalMilliseconds: 50, discrepancy: 0, warnings: [])
  }

  private func proof(of engine: SimulatedEngine.Configuration) -> SimulatorProof {
    let truth = Fixtures.engine()
    let log = Fixtures.log(of: Fixtures.fleet([("gpu", truth), ("gpu", truth)]))
    return SimulatorProof(
      log, calibration: calibration(engine),
      judged: log.firstRow(ofNewest: 0.3)..<log.replay.rows.count)
  }

  @Test func theTruthIsProved() {
    let proof = proof(of: Fixtures.engine())
    #expect(proof.passes, "\(proof.sentences)")
    #expect(abs(proof.comparison(.tpot, .p50)?.relativeError ?? 1) < 0.03)
    #expect(abs(proof.comparison(.ttft, .p50)?.relativeError ?? 1) < 0.08)
    #expect(proof.comparisons.contains { $0.endpoint == "e1" && $0.metric == .e2e })
  }

  @Test func slowerEnginesAreFoundOut() {
    let proof = proof(of: Fixtures.engine(speed: 2))
    #expect(!proof.passes)
    #expect(proof.comparison(.tpot, .p50)?.passes == false)
    #expect(proof.sentences.contains { $0.hasPrefix("TPOT P50 is") })
    #expect(proof.sentences.contains { $0.contains("does not fit these engines") })
  }

  @Test func smallerCachesAreFoundOut() {
    let proof = proof(of: Fixtures.engine(cacheTokens: 24_000))
    #expect(!proof.passes)
    #expect(proof.comparison(.cachedTokens, .mean)?.passes == false)
    #expect(proof.sentences.contains { $0.contains("simulated caches found −") })
  }

  @Test func fewRequestsProveNothing() {
    let truth = Fixtures.engine()
    let log = Fixtures.log(of: Fixtures.fleet([("gpu", truth), ("gpu", truth)]))
    let count = log.replay.rows.count
    let proof = SimulatorProof(
      log, calibration: calibration(truth), judged: (count - 50)..<count)
    #expect(!proof.passes)
    #expect(proof.sentences.first?.contains("needs 200") == true)
  }

  @Test func wordsRoundAsReadersExpect() {
    #expect(ProofDiagnosis.percent(-0.0149) == "−1.5 %")
    #expect(ProofDiagnosis.percent(0.2, isSigned: false) == "20.0 %")
    #expect(ProofDiagnosis.number(3144.6) == "3145")
    #expect(ProofDiagnosis.number(2.5) == "2.50")
    #expect(ProofDiagnosis.number(-0.07) == "−0.07")
  }
}
