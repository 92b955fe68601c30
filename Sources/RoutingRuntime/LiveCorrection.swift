internal import CoefficientFile
internal import Glibc

/// What outcomes say about one target since the model was fitted.
///
/// Two things move. Each endpoint has a factor that follows its recent residuals, for a GPU that
/// runs slower than it did. Each quantile level has an offset that moves up when an outcome exceeds
/// the prediction and down, by less, when it does not, so that the stated share stays true under
/// drift.
///
/// - Source: for the levels, Gibbs and Candès (2021), arXiv:2106.00170, on the log scale.
struct LiveCorrection: Sendable {
  private struct EndpointFactor: Sendable {
    var logarithm = 0.0
    var time = 0.0
    /// What is not applied of it.
    var deadZone = LiveCorrection.widestDeadZone
  }

  private let model: CorrectionModel
  private let logBound: Double
  private var factors: [EndpointFactor] = []
  /// Per load regime, the offsets of p50, p90, p95 and p99 on the log scale.
  private var offsets: [SIMD4<Double>]
  /// Per load regime, what the offsets multiply the heads by: 1 for the mean, then their powers of e.
  private var levelFactors: [SIMD8<Double>]

  init(_ model: CorrectionModel) {
    self.model = model
    logBound = log(max(model.bound, 1))
    offsets = [SIMD4<Double>](repeating: SIMD4(repeating: 0), count: Self.regimeCount)
    levelFactors = [SIMD8<Double>](repeating: SIMD8(repeating: 1), count: Self.regimeCount)
  }

  /// Adds an endpoint.
  ///
  /// - Parameter doubt: How much of its engine is borrowed of other types, 0…1: then what lies within
  ///   the dead zone is rather the type's nature than load and chance.
  mutating func addEndpoint(doubt: Double = 0) {
    factors.append(EndpointFactor(deadZone: Self.widestDeadZone * (1 - doubt)))
  }

  /// What is not applied of an endpoint's factor, on the log scale.
  func deadZone(_ endpoint: Int) -> Double { factors[endpoint].deadZone }

  /// How loaded an endpoint with `pendingRequests` ahead is: outcomes scatter differently when a
  /// queue stands than when none does, so each regime has levels of its own.
  static func regime(pendingRequests: Double) -> Int {
    pendingRequests < 1 ? 0 : pendingRequests < 5 ? 1 : 2
  }

  private static let regimeCount = 3

  /// The factor of `endpoint` at `time`: 1 for none.
  @inline(always)
  func factor(_ endpoint: Int, at time: Double) -> Double {
    applied(endpoint, at: time)
  }

  @inline(always)
  private func logarithm(_ endpoint: Int, at time: Double) -> Double {
    let state = factors[endpoint]
    guard state.logarithm != 0 else { return 0 }
    let age = max(0, time - state.time)
    return state.logarithm * exp2(-age / max(model.halfLifeMilliseconds, 1))
  }

  /// What is applied of a factor: nothing within the dead zone, where residuals are load and chance.
  @inline(always)
  private func applied(_ endpoint: Int, at time: Double) -> Double {
    let logarithm = logarithm(endpoint, at: time)
    let deadZone = factors[endpoint].deadZone
    if logarithm > deadZone { return exp(logarithm - deadZone) }
    if logarithm < -deadZone { return exp(logarithm + deadZone) }
    return 1
  }

  /// `heads` times the endpoint's factor and the levels' offsets.
  @inline(always)
  func corrected(
    _ heads: SIMD8<Double>, endpoint: Int, regime: Int, at time: Double
  ) -> SIMD8<Double> {
    // Levels that cross are raised first: no factor lifts what is not above the level below.
    var raised = heads
    raised[2] = max(raised[2], raised[1])
    raised[3] = max(raised[3], raised[2])
    raised[4] = max(raised[4], raised[3])
    return raised * factor(endpoint, at: time) * levelFactors[regime]
  }

  /// The mean times the endpoint's factor, raised to the least that is ever predicted.
  @inline(always)
  func corrected(mean: Double, endpoint: Int, at time: Double) -> Double {
    max(mean * factor(endpoint, at: time), Predictor.floorMilliseconds)
  }

  // MARK: - Batches

  /// Whether factors fade slowly enough to be scaled to a common epoch.
  var supportsLanes: Bool { model.halfLifeMilliseconds >= EndpointLoad.latestHalfLife }

  /// The logarithm of an endpoint's factor as it would be at `epoch`, had it faded backwards.
  @inline(always)
  func scaledLogarithm(_ endpoint: Int, epoch: Double) -> Double {
    let state = factors[endpoint]
    guard state.logarithm != 0 else { return 0 }
    return state.logarithm * exp2((state.time - epoch) / model.halfLifeMilliseconds)
  }

  /// How much logarithms have faded from `epoch` to `time`.
  func fade(from epoch: Double, to time: Double) -> Double {
    exp2((epoch - time) / max(model.halfLifeMilliseconds, 1))
  }

  /// What multiplies the levels of a group, by load regime.
  var laneLevels: LaneLevels { LaneLevels(levelFactors) }

  /// The factors of a group's endpoints; `nil` where all are 1.
  ///
  /// - Parameters:
  ///   - logarithms: Of the factors, now.
  ///   - deadZones: What is not applied of each.
  @inline(always)
  static func factors(logarithms: Lanes, deadZones deadZone: Lanes) -> Lanes? {
    let outside =
      larger(logarithms - deadZone, all(0)) + smaller(logarithms + deadZone, all(0))
    guard largest(larger(outside, 0 - outside)) > 0 else { return nil }
    return exponential(outside)
  }

  /// Learns from an outcome.
  ///
  /// - Parameters:
  ///   - raw: The heads before correction, as predicted at dispatch; only the median counts.
  ///   - corrected: What was predicted at dispatch; `nil` to leave the levels alone.
  ///   - actual: ms, above 0.
  ///   - underway: Requests of the pool whose outcomes are still to come.
  mutating func observe(
    raw: SIMD8<Double>, corrected: HeadValues?, actual: Double, endpoint: Int, regime: Int,
    underway: Double, at time: Double
  ) {
    guard actual > 0, actual.isFinite else { return }
    let current = logarithm(endpoint, at: time)
    let residual = log(actual / max(raw[1], Predictor.floorMilliseconds)) - current
    let bounded = min(max(residual, -Self.clip), Self.clip)
    factors[endpoint].logarithm = min(max(current + model.gain * bounded, -logBound), logBound)
    factors[endpoint].time = time
    guard let corrected else { return }
    var (offset, factor) = (offsets[regime], levelFactors[regime])
    let step = model.conformalStep * min(1, Self.steadyOutcomes / max(underway, 1))
    for level in 0..<4 {
      let exceeded = actual > corrected.quantile(level) ? 1.0 : 0.0
      let moved = offset[level] + step * Self.steps[level] * (exceeded - Self.shares[level])
      offset[level] = min(max(moved, -Self.offsetBound), Self.offsetBound)
      factor[level + 1] = exp(offset[level])
    }
    (offsets[regime], levelFactors[regime]) = (offset, factor)
  }

  /// One outcome, however odd, says no more than this about the factor.
  private static let clip = 0.2
  private static let widestDeadZone = 0.1
  private static let offsetBound = 1.5
  /// With more outcomes under way than this, levels move in smaller steps.
  ///
  /// An outcome says whether the level of its dispatch was exceeded. With a thousand requests under
  /// way a level would have moved a thousand times before the first says that it was enough, and
  /// would swing between far too low and far too high.
  private static let steadyOutcomes = 300.0
  /// The shares of outcomes that exceed the levels: 1 less each.
  private static let shares = SIMD4<Double>(1 - 0.5, 1 - 0.9, 1 - 0.95, 1 - 0.99)
  /// Higher levels are exceeded rarely, so each exceedance says more.
  private static let steps = SIMD4<Double>(0.4, 1, 1.8, 6)
}

extension CorrectionModel {
  /// A correction that never moves.
  static let none = CorrectionModel(
    gain: 0, bound: 1, halfLifeMilliseconds: 1, conformalStep: 0)
}
