public import RoutingRuntime

/// Steps of one engine between two changes of its batch; for calibration.
public struct EngineRun: Sendable {
  /// When the first step began, ms on the engine's side of the network.
  public var start: Double
  /// When the last one ended, ms.
  public var end: Double
  /// How many steps, at least 1.
  public var steps: Int
  /// What the first one computed; each further one attends to one more token per request.
  public var first: StepComposition

  /// What all its steps computed, added to `sum`, shape ``StepFeature/count``.
  ///
  /// - Parameter weight: The share of the run that counts, 0…1.
  public func accumulate(weight: Double, into sum: inout [Double]) {
    var mean = first
    mean.contextTokens += 0.5 * Double(steps - 1) * first.decodingRequests
    StepFeature.accumulate(mean, weight: weight * Double(steps), into: &sum)
  }
}
