public import CoefficientFile
internal import RoutingRuntime
internal import TestSupport

/// Models with plausible coefficients that a seed determines; no log is needed to make them.
public enum SyntheticModel {
  /// An engine whose decode step takes some 8 ms and that prefills about 10 tokens per ms.
  ///
  /// - Parameter speed: Divides every step's length.
  public static func engine(
    speed: Double = 1, maximumSequences: Double = 64, tokenBudget: Double = 2048
  ) -> EngineModel {
    var coefficients = [Double](repeating: 0, count: StepFeature.count)
    coefficients[0] = 7.5 / speed
    coefficients[1] = 0.06 / speed
    coefficients[2] = 4e-5 / speed
    coefficients[3] = 0.09 / speed
    coefficients[4] = 0.02 / speed
    coefficients[5] = 1.5 / speed
    coefficients[7] = 0.01 / speed
    return EngineModel(
      stepCoefficients: coefficients,
      stepHalfWidths: [Float](repeating: 0, count: coefficients.count), tokenBudget: tokenBudget,
      maximumSequences: maximumSequences, uplinkMilliseconds: 0.8, downlinkMilliseconds: 1.1)
  }

  /// The same engine, all borrowed of other types: it learns its steps while it serves.
  public static func borrowed(_ engine: EngineModel) -> EngineModel {
    var engine = engine
    engine.stepHalfWidths = engine.stepCoefficients.map { Float(0.2 * abs($0)) }
    return engine
  }

  /// A model with `termCount` terms a target, two accelerator classes and one known endpoint.
  ///
  /// - Parameter borrows: Whether the faster class learns its steps while it serves.
  public static func model(
    seed: UInt64, termCount: Int = 20, borrows: Bool = false
  ) -> GlideModel {
    var random = SplitMix64(seed: seed)
    let support = Feature.allCases.map { _ in FeatureSupport(low: 0, high: 1e6) }
    return GlideModel(
      schemaFingerprint: Feature.schemaFingerprint,
      engines: [engine(), borrows ? borrowed(engine(speed: 1.6)) : engine(speed: 1.6)],
      groups: [
        Group(
          kind: .accelerator, name: "fast", parent: -1, engine: 1, sampleCount: 5_000,
          ttftScales: [Float](repeating: 0.9, count: termCount), tpotScales: []),
        Group(
          kind: .endpoint, name: "e1", parent: -1, engine: 0, sampleCount: 700,
          ttftScales: [], tpotScales: [Float](repeating: 1.1, count: termCount)),
      ],
      ttft: target(
        base: [.queueMilliseconds, .prefillMilliseconds, .missMilliseconds], count: termCount,
        using: &random),
      tpot: target(
        base: [.decodeStepMilliseconds, .interferenceMilliseconds], count: termCount,
        using: &random),
      correction: CorrectionModel(
        gain: 0.05, bound: 2, halfLifeMilliseconds: 30_000, conformalStep: 0.01),
      support: support, policy: [],
      provenance: Provenance(datasetFingerprint: seed, sampleCount: 10_000))
  }

  /// A model whose every head predicts `milliseconds` for both targets, whatever the features.
  public static func constant(_ milliseconds: Double) -> GlideModel {
    var constant = model(seed: 1, termCount: 1)
    let head = Head(
      level: .nan, intercept: milliseconds, coefficients: [0], halfWidths: [0, 0], calibration: 1)
    let levels = [Double.nan, 0.5, 0.9, 0.95, 0.99]
    let heads = levels.map { level in
      var copy = head
      copy.level = level
      return copy
    }
    constant.ttft.heads = heads
    constant.tpot.heads = heads
    constant.correction = CorrectionModel(
      gain: 0, bound: 1, halfLifeMilliseconds: 1, conformalStep: 0)
    return constant
  }

  private static func target(
    base: [Feature], count: Int, using random: inout SplitMix64
  ) -> TargetModel {
    var terms = base.prefix(count).map { Term(Factor(feature: $0.rawValue), isNonNegative: true) }
    let small: [Feature] = [
      .decodingRequests, .queuedRequests, .arrivalWork, .arrivalWorkFast, .poolArrivalWork,
      .recentTTFTRatio, .recentTPOT, .latestTPOT, .otherDecodingRequests, .averageBatch,
      .snapshotWaiting, .foreignRequests, .poolRecentExcess, .overdueMilliseconds,
    ]
    let transforms: [Factor.Transform] = [.identity, .capped, .hinge, .above]
    while terms.count < count {
      let feature = small[random.integer(in: 0...small.count - 1)]
      let first = Factor(
        feature: feature.rawValue, transform: transforms[random.integer(in: 0...3)],
        knot: random.uniform(in: 1...10))
      let second =
        terms.count % 4 == 0 ? Factor(feature: Feature.prefillMilliseconds.rawValue) : nil
      terms.append(Term(first, second))
    }
    let levels = [Double.nan, 0.5, 0.9, 0.95, 0.99]
    let heads = levels.enumerated().map { rank, level in
      Head(
        level: level, intercept: 1 + Double(rank),
        coefficients: terms.indices.map { index in
          index < base.count ? 1 + 0.1 * Double(rank) : random.uniform(in: 0...0.05)
        },
        halfWidths: [Float](repeating: 0.01, count: count + 1), calibration: 1 + 0.01 * Double(rank)
      )
    }
    return TargetModel(terms: Array(terms), heads: heads)
  }
}
