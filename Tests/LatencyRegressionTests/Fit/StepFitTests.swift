import CoefficientFile
import LinearAlgebra
import RoutingRuntime
import TestSupport
import Testing

@testable import LatencyRegression

@Suite struct StepFitTests {
  private static let columns = Array(0..<StepFeature.count)

  /// Equations of steps of 8 ms and 0.2 ms a request, off by up to 3 %, with `batches` in turn.
  private func equations(
    _ batches: [Double], count: Int, seed: UInt64 = 5
  ) throws -> NormalMatrix {
    var random = SplitMix64(seed: seed)
    var elements: [Float] = []
    var targets: [Double] = []
    for index in 0..<count {
      var step = StepComposition()
      step.decodingRequests = batches[index % batches.count]
      var features = [Double](repeating: 0, count: StepFeature.count)
      StepFeature.accumulate(step, weight: 1, into: &features)
      elements += features.map(Float.init)
      targets.append((8 + 0.2 * step.decodingRequests) * (1 + random.uniform(in: -0.03...0.03)))
    }
    return try NormalMatrix(
      Design(rowCount: count, columnCount: StepFeature.count, elements: elements),
      targets: targets, weights: targets.map { 1 / ($0 * $0) }, threads: 1)
  }

  private func solution(_ normal: NormalMatrix) throws -> StepFit.Solution {
    var coefficients = [Double](repeating: 0, count: StepFeature.count)
    coefficients[0] = 8
    let engine = EngineModel(
      stepCoefficients: coefficients,
      stepHalfWidths: [Float](repeating: 0, count: StepFeature.count), tokenBudget: 2048,
      maximumSequences: 256, uplinkMilliseconds: 0, downlinkMilliseconds: 0)
    return try StepFit(pooled: normal, own: normal).solution(
      columns: Self.columns, previous: engine)
  }

  @Test(arguments: UInt64(0)..<6)
  func aBatchThatHardlyTouchesAKnotSaysNothingAboutWhatLiesBeyond(seed: UInt64) throws {
    // Expected batches are no whole numbers: 48.0001 is beyond the knot at 48.
    let batches = (1...47).map(Double.init) + [48.000_1]
    let found = try solution(equations(batches, count: 4_800, seed: seed))
    let model = StepModel(coefficients: found.coefficients)
    for batch in [49.0, 52, 64] {
      var step = StepComposition()
      step.decodingRequests = batch
      let length = model.milliseconds(step)
      #expect(abs(length / (8 + 0.2 * batch) - 1) < 0.15, "\(batch): \(length)")
    }
  }

  @Test func whatNoBatchReachesIsZeroAndSoIsItsHalfWidth() throws {
    let found = try solution(equations([1, 2, 3, 5, 7], count: 400))
    for column in [11, 12, 13, 14, 17, 20, 23] {
      #expect(found.coefficients[column] == 0)
      #expect(found.halfWidths[column] == 0)
    }
  }
}
