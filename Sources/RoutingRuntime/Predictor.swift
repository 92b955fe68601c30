public import CoefficientFile
internal import Glibc

/// The predicted distribution of one latency, ms.
@frozen
public struct HeadValues: Sendable, Hashable {
  /// The mean.
  public var mean: Double
  /// The median.
  public var p50: Double
  /// The 90 % quantile.
  public var p90: Double
  /// The 95 % quantile.
  public var p95: Double
  /// The 99 % quantile.
  public var p99: Double

  /// A distribution.
  public init(mean: Double, p50: Double, p90: Double, p95: Double, p99: Double) {
    self.mean = mean
    self.p50 = p50
    self.p90 = p90
    self.p95 = p95
    self.p99 = p99
  }

  /// The levels of the quantile heads, in order.
  public static let levels: [Double] = [0.5, 0.9, 0.95, 0.99]

  /// The quantile of `levels[index]`.
  public func quantile(_ index: Int) -> Double {
    switch index {
    case 0: p50
    case 1: p90
    case 2: p95
    default: p99
    }
  }

  /// The heads as a vector: mean, p50, p90, p95, p99, and three zeros.
  var vector: SIMD8<Double> { SIMD8(mean, p50, p90, p95, p99, 0, 0, 0) }

  /// A distribution of which nothing but the mean is known.
  init(onlyMean mean: Double) {
    self.init(mean: mean, p50: .nan, p90: .nan, p95: .nan, p99: .nan)
  }

  /// From a vector in that order; heads are raised to at least `floor` and to the level below.
  init(_ vector: SIMD8<Double>, floor: Double) {
    mean = max(vector[0], floor)
    p50 = max(vector[1], floor)
    p90 = max(vector[2], p50)
    p95 = max(vector[3], p90)
    p99 = max(vector[4], p95)
  }
}

/// What the runtime predicts for one request on one endpoint.
@frozen
public struct Prediction: Sendable, Hashable {
  /// Time to first token, from dispatch.
  public var ttft: HeadValues
  /// Time per output token after the first.
  public var tpot: HeadValues
  /// Whether some feature that matters lies outside what the model was fitted on.
  public var isExtrapolating: Bool

  /// A prediction made of its parts.
  public init(ttft: HeadValues, tpot: HeadValues, isExtrapolating: Bool) {
    self.ttft = ttft
    self.tpot = tpot
    self.isExtrapolating = isExtrapolating
  }
}

/// A feature that some term uses, and the values for which the model may be trusted.
struct SupportedRange: Sendable {
  var feature: Int
  var low: Double
  var high: Double
}

/// A model compiled for evaluation; immutable, so that it can be shared and swapped.
///
/// A class, so that handing it on costs one reference and not one for each array of the model.
public final class Predictor: Sendable {
  /// Why a model cannot be used by this runtime.
  public enum Refusal: Sendable, Hashable {
    /// The file's features are not this runtime's.
    case schemaMismatch(found: UInt64, expected: UInt64)
    /// A term names a feature that does not exist, heads and terms do not match, or a number is not
    /// finite.
    case malformed
  }

  /// The least latency that is ever predicted, ms.
  static let floorMilliseconds = 0.05

  /// The share of the emulated engine's own TTFT that every TTFT head is at least.
  ///
  /// Far outside the fitted range a sum of terms may say next to nothing, and would draw all traffic
  /// to an endpoint that is flooded. No prediction on the shared logs was below this; where a model of
  /// two quiet minutes meets a flood, it takes a fifth off the error.
  static let forecastShare = 0.45

  /// The model that was compiled.
  public let model: GlideModel
  let ttft: CompiledTarget
  let tpot: CompiledTarget
  private let supportedRanges: [SupportedRange]
  /// The same model, for batches.
  let lanes: LaneProgram
  /// The compiled step models of the model's engines, shared by all endpoints that run them.
  let stepModels: [StepModel]

  private init(
    model: GlideModel, ttft: CompiledTarget, tpot: CompiledTarget,
    supportedRanges: [SupportedRange]
  ) {
    self.model = model
    self.ttft = ttft
    self.tpot = tpot
    self.supportedRanges = supportedRanges
    let terms = model.ttft.terms + model.tpot.terms
    let used = Set(terms.flatMap { [$0.first.feature] + ($0.second.map { [$0.feature] } ?? []) })
    stepModels = model.engines.map { StepModel(coefficients: $0.stepCoefficients) }
    lanes = LaneProgram(
      model, ranges: supportedRanges,
      features: used.sorted().compactMap(Feature.init(rawValue:)))
  }

  /// Compiles `model`, or says why it cannot be used.
  public static func compile(_ model: GlideModel) -> Result<Predictor, RefusalError> {
    guard
      model.schemaFingerprint == Feature.schemaFingerprint
        || Feature.earlierFingerprints.contains(model.schemaFingerprint)
    else {
      return .failure(
        RefusalError(
          .schemaMismatch(found: model.schemaFingerprint, expected: Feature.schemaFingerprint)))
    }
    guard isWellFormed(model.ttft), isWellFormed(model.tpot), !model.engines.isEmpty,
      model.engines.allSatisfy(isFinite), isFinite(model.correction),
      model.groups.allSatisfy({ model.engines.indices.contains(Int($0.engine)) })
    else { return .failure(RefusalError(.malformed)) }
    let terms = model.ttft.terms + model.tpot.terms
    let used = Set(terms.flatMap { [$0.first.feature] + ($0.second.map { [$0.feature] } ?? []) })
    return .success(
      Predictor(
        model: model,
        ttft: CompiledTarget(model.ttft, groupScales: [[]] + model.groups.map(\.ttftScales)),
        tpot: CompiledTarget(model.tpot, groupScales: [[]] + model.groups.map(\.tpotScales)),
        supportedRanges: used.sorted().map(Int.init).filter { $0 < model.support.count }
          .map { range(of: $0, model.support[$0]) }))
  }

  /// The training range, widened by a tenth at both ends.
  private static func range(of feature: Int, _ support: FeatureSupport) -> SupportedRange {
    let margin = 0.1 * Double(support.high - support.low)
    return SupportedRange(
      feature: feature, low: Double(support.low) - margin, high: Double(support.high) + margin)
  }

  /// A step whose length is not a number would never end.
  private static func isFinite(_ engine: EngineModel) -> Bool {
    engine.stepCoefficients.allSatisfy(\.isFinite)
      && engine.tokenBudget.isFinite && engine.maximumSequences.isFinite
      && engine.uplinkMilliseconds.isFinite && engine.downlinkMilliseconds.isFinite
  }

  private static func isFinite(_ correction: CorrectionModel) -> Bool {
    correction.gain.isFinite && correction.bound.isFinite
      && correction.halfLifeMilliseconds.isFinite && correction.conformalStep.isFinite
  }

  private static func isWellFormed(_ target: TargetModel) -> Bool {
    target.heads.count == 5
      && target.heads.allSatisfy { head in
        head.coefficients.count == target.terms.count && head.coefficients.allSatisfy(\.isFinite)
          && head.intercept.isFinite && head.calibration.isFinite
      }
      && target.terms.allSatisfy { term in
        Int(term.first.feature) < Feature.count
          && Int(term.second?.feature ?? 0) < Feature.count
      }
  }

  /// The group of an endpoint: its own, else its accelerator's, else 0, the whole pool's.
  ///
  /// - Returns: The index for prediction (0 is the pool) and the engine that it runs.
  public func group(endpoint: String, accelerator: String) -> (group: Int, engine: Int) {
    var best = (group: 0, engine: 0)
    for (index, group) in model.groups.enumerated() {
      if group.kind == .endpoint, group.name == endpoint {
        return (index + 1, Int(group.engine))
      }
      if group.kind == .accelerator, group.name == accelerator {
        best = (index + 1, Int(group.engine))
      }
    }
    return best
  }

  /// Whether a feature used by the model lies outside its training range by over a tenth.
  @inline(always)
  func isExtrapolating(_ row: [Double], from start: Int) -> Bool {
    let supported = supportedRanges
    let ranges = supported.span
    for index in ranges.indices {
      let x = row[start + ranges[index].feature]
      if x > ranges[index].high || x < ranges[index].low { return true }
    }
    return false
  }

  /// The uncorrected medians of the whole pool's model, ms.
  public func medians(_ row: [Double]) -> (ttft: Double, tpot: Double) {
    (
      max(ttft.heads(row, from: 0, group: 0)[1], Self.floorMilliseconds),
      max(tpot.heads(row, from: 0, group: 0)[1], Self.floorMilliseconds)
    )
  }

  /// Each TTFT and TPOT term's contribution to `head` (0 is the mean), ms; intercepts last.
  public func contributions(
    _ row: [Double], group: Int, head: Int
  ) -> (ttft: [Double], tpot: [Double]) {
    (
      ttft.contributions(row, group: group, head: head),
      tpot.contributions(row, group: group, head: head)
    )
  }
}

/// A ``Predictor/Refusal`` as an error.
public struct RefusalError: Error, Sendable, Hashable {
  /// The reason.
  public let refusal: Predictor.Refusal

  init(_ refusal: Predictor.Refusal) { self.refusal = refusal }
}
