public import CoefficientFile
internal import RoutingRuntime

/// The model that answers until a first one has been fitted.
///
/// It only has to rank endpoints sensibly: prompts cost 0.05 ms a token (20,000 tokens a second)
/// behind those that are in flight already, a running request adds 0.3 ms to a token's 10 ms, a
/// waiting one 20 ms to the first. Levels lie at 1, 2, 2.5 and 4 times the median. It is no claim
/// about any accelerator, and the API says that no fitted model is there.
public enum EntryPrior {
  /// The prior.
  public static let model: GlideModel = {
    func term(_ feature: Feature) -> Term {
      Term(Factor(feature: feature.rawValue), isNonNegative: true)
    }
    let spread = [1.2, 1, 2, 2.5, 4]
    let levels = [.nan, 0.5, 0.9, 0.95, 0.99]
    func target(_ terms: [Term], _ intercept: Double, _ coefficients: [Double]) -> TargetModel {
      TargetModel(
        terms: terms,
        heads: levels.indices.map { index in
          Head(
            level: levels[index], intercept: intercept * spread[index],
            coefficients: coefficients.map { $0 * spread[index] },
            halfWidths: [Float](repeating: 0, count: coefficients.count + 1), calibration: 1)
        })
    }
    return GlideModel(
      schemaFingerprint: Feature.schemaFingerprint, engines: [neutralEngine], groups: [],
      ttft: target(
        [
          term(.newTokens), term(.queuedTokens), term(.decodingRequests), term(.snapshotWaiting),
        ], 20, [0.05, 0.05, 1, 20]),
      tpot: target([term(.decodingRequests)], 10, [0.3]),
      correction: CorrectionModel(
        gain: 0, bound: 1, halfLifeMilliseconds: 600_000, conformalStep: 0),
      support: [], policy: [], provenance: Provenance(servedModel: "prior"))
  }()

  /// An engine that is not used: models of entries emulate none.
  public static let neutralEngine = EngineModel(
    stepCoefficients: [1], stepHalfWidths: [0], tokenBudget: 2048, maximumSequences: 256,
    uplinkMilliseconds: 0, downlinkMilliseconds: 0)
}
