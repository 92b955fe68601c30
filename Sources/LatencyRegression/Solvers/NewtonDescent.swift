import LinearAlgebra

/// Newton's method on a convex loss summed over rows, inside bounds.
///
/// Each step minimizes the quadratic model exactly over the bounds. The gradient comes from fresh
/// residuals every time, so a step also refines what an ill-conditioned Hessian left inexact.
struct NewtonDescent {
  let rows: RegressionRows
  let rules: ColumnRules
  let threads: Int
  /// `Σ w x² / s²` per column, of these rows or a sample scaled up: the yardstick of damping.
  let columnSquares: [Double]

  struct State {
    var coefficients: [Double]
    /// At `coefficients`, with the penalty.
    var sums: LossSums
    var passes: Int
    var damping = NewtonDescent.smallestDamping
    var isFixed: [Bool] = []
    var method = LeastSquaresMethod.cholesky
    var conditionNumber = 1.0
    var relativeDecrease = Double.infinity
  }

  /// Keeps a step finite where a column has no curvature, and does not slow the others.
  static let smallestDamping = 1e-10

  func state<Loss: RowLoss>(at coefficients: [Double], loss: Loss) throws(SolverError) -> State {
    let sums = penalized(loss, coefficients)
    guard sums.isFinite else { throw rows.notFinite() }
    return State(coefficients: coefficients, sums: sums, passes: 1)
  }

  /// Re-evaluates the state under another loss.
  func restart<Loss: RowLoss>(_ state: inout State, loss: Loss) {
    state.sums = penalized(loss, state.coefficients)
    state.passes += 1
    state.relativeDecrease = .infinity
  }

  /// Steps until the quadratic model promises less than a share `tolerance` of the objective.
  ///
  /// - Returns: whether the tolerance was met within `limit` steps.
  func run<Loss: RowLoss>(
    _ state: inout State, loss: Loss, tolerance: Double, limit: Int
  ) throws(SolverError) -> Bool {
    for _ in 0..<limit {
      let step = try proposal(&state)
      state.relativeDecrease = step.decrease / max(state.sums.objective, .leastNormalMagnitude)
      if !(state.relativeDecrease > NewtonDescent.roundingDecrease) { return true }
      let isLast = state.relativeDecrease <= tolerance
      guard take(step, &state, loss) else {
        // No descent at any length: rounding, unless damping can still shorten the step.
        if isLast || state.damping >= 1 { return isLast }
        state.damping = max(state.damping * 1e3, 1e-6)
        continue
      }
      if isLast { return true }
    }
    return state.relativeDecrease <= tolerance
  }

  /// A decrease below this share of the objective is lost in the rounding of the sum.
  private static let roundingDecrease = 1e-15

  private struct Step {
    var change: [Double]
    /// Derivative of the objective along `change`, below 0.
    var slope: Double
    /// What the quadratic model promises, at least 0.
    var decrease: Double
  }

  private func proposal(_ state: inout State) throws(SolverError) -> Step {
    var matrix = state.sums.hessian
    let curvature = state.sums.curvatureSum / max(state.sums.weightSum, .leastNormalMagnitude)
    for column in 0..<matrix.columnCount {
      matrix[column, column] +=
        state.damping * max(curvature * columnSquares[column], matrix[column, column])
    }
    let image = matrix.product(state.coefficients)
    let linear = image.indices.map { image[$0] - state.sums.gradient[$0] }
    let quadratic = BoundedQuadratic(matrix: matrix, linear: linear, rules: rules)
    let solution = try quadratic.minimize(start: state.coefficients)
    state.isFixed = solution.isFixed
    state.method = solution.method
    state.conditionNumber = solution.conditionNumber
    let change = solution.values.indices.map { solution.values[$0] - state.coefficients[$0] }
    let bent = matrix.product(change)
    let slope = zip(state.sums.gradient, change).reduce(0) { $0 + $1.0 * $1.1 }
    let quadraticPart = zip(bent, change).reduce(0) { $0 + $1.0 * $1.1 }
    return Step(change: change, slope: slope, decrease: max(0, -slope - 0.5 * quadraticPart))
  }

  /// Goes along the step as far as the loss goes down.
  private func take<Loss: RowLoss>(_ step: Step, _ state: inout State, _ loss: Loss) -> Bool {
    var length = 1.0
    let objective = state.sums.objective
    for trial in 0..<8 {
      let coefficients = rules.projected(
        state.coefficients.indices.map { state.coefficients[$0] + length * step.change[$0] })
      let sums = penalized(loss, coefficients)
      state.passes += 1
      if sums.isFinite, sums.objective <= objective + 1e-4 * length * step.slope {
        state.coefficients = coefficients
        state.sums = sums
        state.damping =
          trial == 0
          ? max(Self.smallestDamping, state.damping * 1e-2) : max(state.damping * 10, 1e-8)
        return true
      }
      // The parabola through both values and the slope, kept within a tenth and a half.
      let excess = sums.objective - objective - length * step.slope
      let best = excess > 0 ? -0.5 * step.slope * length * length / excess : 0.5 * length
      length = min(max(best.isFinite ? best : 0, 0.1 * length), 0.5 * length)
    }
    return false
  }

  private func penalized<Loss: RowLoss>(_ loss: Loss, _ coefficients: [Double]) -> LossSums {
    var sums = LossSums.over(rows, loss: loss, coefficients: coefficients, threads: threads)
    sums.addPenalty(rules, at: coefficients)
    return sums
  }
}
