import CoefficientFile
import TestSupport
import Testing

@testable import RoutingRuntime

@Suite struct LiveCorrectionTests {
  private static let model = CorrectionModel(
    gain: 0.1, bound: 1.8, halfLifeMilliseconds: 10_000, conformalStep: 0.02)

  private func heads(_ center: Double) -> SIMD8<Double> {
    SIMD8(center, center, 1.5 * center, 2 * center, 3 * center, 0, 0, 0)
  }

  /// A correction after `count` outcomes of `ratio` times what was predicted, one a ms.
  private func corrected(ratio: Double, count: Int) -> LiveCorrection {
    var correction = LiveCorrection(Self.model)
    correction.addEndpoint()
    correction.addEndpoint()
    for index in 0..<count {
      let time = Double(index)
      let predicted = HeadValues(
        correction.corrected(heads(100), endpoint: 0, regime: 0, at: time), floor: 0.05)
      correction.observe(
        raw: heads(100), corrected: predicted, actual: 100 * ratio, endpoint: 0, regime: 0,
        underway: 1, at: time)
    }
    return correction
  }

  @Test(arguments: [1e-9, 0.01, 0.5, 2, 100, 1e9])
  func staysWithinItsBoundHoweverOddTheOutcomes(ratio: Double) {
    let factor = corrected(ratio: ratio, count: 5_000).factor(0, at: 5_000)
    #expect(factor <= Self.model.bound && factor >= 1 / Self.model.bound)
    #expect(ratio > 1 ? factor > 1.2 : factor < 0.9)
  }

  @Test func followsASlowerEndpointAndLeavesTheOthers() {
    let correction = corrected(ratio: 1.5, count: 500)
    #expect(correction.factor(0, at: 500) > 1.25)
    #expect(correction.factor(1, at: 500) == 1)
  }

  @Test func followsSmallDeviationsOfATypeThatIsHardlyKnown() {
    func factor(doubt: Double) -> Double {
      var correction = LiveCorrection(Self.model)
      correction.addEndpoint(doubt: doubt)
      for index in 0..<300 {
        correction.observe(
          raw: heads(100), corrected: HeadValues(heads(100), floor: 0.05), actual: 107, endpoint: 0,
          regime: 0, underway: 1, at: Double(index))
      }
      return correction.factor(0, at: 300)
    }
    #expect(factor(doubt: 0) == 1)
    #expect(abs(factor(doubt: 1) - 1.07) < 0.005)
  }

  @Test func decaysToNoCorrection() {
    let correction = corrected(ratio: 1.7, count: 500)
    var last = correction.factor(0, at: 500)
    for time in stride(from: 5_000.0, through: 100_000, by: 5_000) {
      let factor = correction.factor(0, at: time)
      #expect(factor <= last && factor >= 1)
      last = factor
    }
    #expect(last == 1)
  }

  @Test(arguments: [Double.nan, .infinity, -5, 0])
  func ignoresWhatIsNoLatency(actual: Double) {
    var correction = LiveCorrection(Self.model)
    correction.addEndpoint()
    let predicted = HeadValues(heads(100), floor: 0.05)
    for _ in 0..<100 {
      correction.observe(
        raw: heads(100), corrected: predicted, actual: actual, endpoint: 0, regime: 0, underway: 1,
        at: 0)
    }
    #expect(correction.corrected(heads(100), endpoint: 0, regime: 0, at: 0) == heads(100))
  }

  @Test(arguments: UInt64(0)..<10)
  func levelsCoverTheirShareAfterADrift(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    var correction = LiveCorrection(Self.model)
    correction.addEndpoint()
    var covered = 0
    let (warmUp, judged) = (4_000, 4_000)
    for index in 0..<(warmUp + judged) {
      let time = Double(index)
      let predicted = HeadValues(
        correction.corrected(heads(100), endpoint: 0, regime: 0, at: time), floor: 0.05)
      // Wider than the model's heads say, and 1.3 times as slow.
      let actual = 130 * (0.4 + 2.5 * random.uniform() * random.uniform())
      if index >= warmUp, actual <= predicted.p90 { covered += 1 }
      correction.observe(
        raw: heads(100), corrected: predicted, actual: actual, endpoint: 0, regime: 0, underway: 1,
        at: time)
    }
    // Three standard errors of a share of 0.9 among 4,000.
    #expect(abs(Double(covered) / Double(judged) - 0.9) < 0.015)
  }

  @Test(arguments: UInt64(0)..<5)
  func levelsStayCalmWhileManyOutcomesAreUnderWay(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    var model = Self.model
    // As fitted models have it.
    model.conformalStep = 0.005
    var correction = LiveCorrection(model)
    correction.addEndpoint()
    let (delay, count) = (1_500, 30_000)
    var underway: [(predicted: HeadValues, actual: Double)] = []
    var medians: [Double] = []
    for index in 0..<count {
      let time = Double(index)
      let predicted = HeadValues(
        correction.corrected(heads(100), endpoint: 0, regime: 0, at: time), floor: 0.05)
      medians.append(predicted.p50)
      // Nothing drifts: the median is right all the time.
      underway.append((predicted, 100 * (0.5 + random.uniform())))
      guard index >= delay else { continue }
      let outcome = underway[index - delay]
      correction.observe(
        raw: heads(100), corrected: outcome.predicted, actual: outcome.actual, endpoint: 0,
        regime: 0, underway: Double(delay), at: time)
    }
    let late = medians.suffix(count / 2)
    #expect((late.min() ?? 0) > 80 && (late.max() ?? .infinity) < 125)
  }
}
