/// A convex loss of one residual, with its slope and its curvature.
protocol RowLoss: Sendable {
  /// The loss, its derivative, and the weight that a Newton step gives to the row.
  func evaluate(_ residual: Double) -> (value: Double, slope: Double, curvature: Double)
}

/// `½ u²`.
struct SquaredLoss: RowLoss {
  func evaluate(_ residual: Double) -> (value: Double, slope: Double, curvature: Double) {
    (0.5 * residual * residual, residual, 1)
  }
}

/// `½ u²` up to `threshold`, linear beyond.
///
/// - Source: Huber (1964), doi:10.1214/aoms/1177703732.
struct HuberLoss: RowLoss {
  let threshold: Double
  /// Curvature `min(1, threshold / |u|)` (reweighted least squares: every step goes down) or the
  /// loss's own, 1 or 0 (a Newton step: fast near the end).
  let isMajorizing: Bool

  func evaluate(_ residual: Double) -> (value: Double, slope: Double, curvature: Double) {
    let size = abs(residual)
    if size <= threshold { return (0.5 * residual * residual, residual, 1) }
    let slope = residual < 0 ? -threshold : threshold
    return (threshold * (size - 0.5 * threshold), slope, isMajorizing ? threshold / size : 0)
  }
}

/// The pinball loss, smoothed by an Epanechnikov kernel of half width `bandwidth`.
///
/// With kernel noise Z, it is `(level − ½) u + ½ E|u + bandwidth · Z|`; rows beyond the bandwidth have
/// no curvature, so that a Newton step costs little more than its residuals.
///
/// - Source: Fernandes, Guerre, Horta (2021), doi:10.1080/07350015.2019.1660177; He, Pan, Tan, Zhou
///   (2023), doi:10.1016/j.jeconom.2021.07.010.
struct SmoothedPinball: RowLoss {
  let level: Double
  let bandwidth: Double
  private let inverseBandwidth: Double

  init(level: Double, bandwidth: Double) {
    self.level = level
    self.bandwidth = bandwidth
    inverseBandwidth = 1 / bandwidth
  }

  func evaluate(_ residual: Double) -> (value: Double, slope: Double, curvature: Double) {
    let t = residual * inverseBandwidth
    if t >= 1 { return (level * residual, level, 0) }
    if t <= -1 { return ((level - 1) * residual, level - 1, 0) }
    let square = t * t
    let smoothed = 0.375 + square * (0.75 - 0.125 * square)
    return (
      (level - 0.5) * residual + 0.5 * bandwidth * smoothed,
      level - 0.5 + t * (0.75 - 0.25 * square),
      0.75 * (1 - square) * inverseBandwidth
    )
  }

  /// How much smoothing adds to the pinball loss of a residual of 0, the most it adds anywhere.
  var largestExcess: Double { 0.1875 * bandwidth }
}

/// The pinball loss itself, with the kernel's curvature: what a standard error needs.
struct PinballScores: RowLoss {
  let smoothed: SmoothedPinball

  func evaluate(_ residual: Double) -> (value: Double, slope: Double, curvature: Double) {
    let slope = residual >= 0 ? smoothed.level : smoothed.level - 1
    return (slope * residual, slope, smoothed.evaluate(residual).curvature)
  }
}
