import CoefficientFile
import RuntimeTestSupport
import Testing

@testable import LatencyRegression

@Suite struct CalibrationTrialTests {
  private func trial(speed: Double, gate: Double, isFresh: Bool) -> CalibrationTrial {
    let limits = EngineLimits(gate: gate)
    let trial = CalibrationTrial(
      limits: limits, answers: [], engines: [SyntheticModel.engine(speed: speed)], rounds: 2)
    return isFresh ? trial : trial.continued(limits, rounds: 2)
  }

  @Test func trialsOfTheSameEnginesShareAReplay() {
    let trials = [(1.0, 0.35), (1, 1), (2, 0.35), (2, 1), (1, 0.35)].map {
      trial(speed: $0, gate: $1, isFresh: false)
    }
    let groups = CalibrationTrial.alike(trials)
    #expect(groups.map(\.count) == [2, 2, 1])
    #expect(groups.flatMap { $0 }.map(\.limits) == trials.map(\.limits))
  }

  /// What a first guess replays is known only after its answers were looked at.
  @Test func trialsThatBeginShareNothing() {
    let trials = [0.35, 1].map { trial(speed: 1, gate: $0, isFresh: true) }
    #expect(CalibrationTrial.alike(trials).map(\.count) == [1, 1])
  }
}
