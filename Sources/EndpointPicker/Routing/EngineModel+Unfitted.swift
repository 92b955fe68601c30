internal import CoefficientFile
internal import RoutingRuntime

extension EngineModel {
  /// The engine that is assumed while there is no model: a mid-size model on a current GPU.
  ///
  /// Steps of 8 ms, some 10,000 prompt tokens a second; it ranks endpoints by load and says nothing
  /// of their latency.
  static let unfitted: EngineModel = {
    var coefficients = [Double](repeating: 0, count: StepFeature.count)
    coefficients[0] = 8
    coefficients[1] = 0.06
    coefficients[2] = 4e-5
    coefficients[3] = 0.1
    coefficients[4] = 0.02
    coefficients[5] = 1
    return EngineModel(
      stepCoefficients: coefficients,
      stepHalfWidths: [Float](repeating: 0, count: coefficients.count), tokenBudget: 8_192,
      maximumSequences: 256, uplinkMilliseconds: 1, downlinkMilliseconds: 1)
  }()
}
