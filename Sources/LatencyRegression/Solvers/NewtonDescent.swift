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
  /// An objective that counts as a perfect fit: decreases below its share do not matter.
  let smallestObjective: Double

  struct State {
    var coefficients: [Double]
    /// At `coefficients`, with the penalty.
    var sums: LossSums
    var passes: Int
    var damping = NewtonDescent.leastDamping
    /// The largest mean curvature seen: what damping is measured in where no row curves the loss.
    var referenceCurvature: Double
    var isFixed: [Bool] = []
    var relativeDecrease = Double.infinity
  }

  /// A pull towards the priors, as a share of the curvature of each column.
  ///
  /// It picks one answer among those that collinear columns leave, near the priors, and keeps the
  /// iteration from creeping along directions that are nothing but rounding. It stays above the
  /// share at which ``SymmetricSolver`` cuts a direction: one that is flat here may have a slope, and
  /// must not be taken for converged.
  private static let leastPull = 1e-11
  /// The damping of an untroubled step.
  static let leastDamping = 1e-12
  /// Above it a small step is the damping's doing and says nothing about the minimum.
  private static let largestFinalDamping = 1e-9

  /// The same descent with at least that pull, for a loss of mean curvature `curvature`.
  func pulled(curvature: Double) -> NewtonDescent {
    var rules = rules
    for column in columnSquares.indices {
      rules.penalties[column] += Self.leastPull * curvature * columnSquares[column]
    }
    return NewtonDescent(
      rows: rows, rules: rules, threads: threads, columnSquares: columnSquares,
      smallestObjective: smallestObjective)
  }

  func state<Loss: RowLoss>(at coefficients: [Double], loss: Loss) throws(SolverError) -> State {
    let sums = penalized(loss, coefficients)
    guard sums.isFinite else { throw rows.notFinite() }
    return State(
      coefficients: coefficients, sums: sums, passes: 1, referenceCurvature: sums.meanCurvature)
  }

  /// Re-evaluates the state under another loss, at a guess of its minimum if that is better.
  func restart<Loss: RowLoss>(_ state: inout State, loss: Loss, guess: [Double]? = nil) {
    state.sums = penalized(loss, state.coefficients)
    state.passes += 1
    state.relativeDecrease = .infinity
    state.damping = Self.leastDamping
    guard let guess = guess.map(rules.projected) else { return }
    let sums = penalized(loss, guess)
    state.passes += 1
    if sums.isFinite, sums.objective < state.sums.objective {
      (state.coefficients, state.sums) = (guess, sums)
    }
  }

  /// Steps until the quadratic model promises less than a share `tolerance` of the objective.
  ///
  /// - Returns: whether the tolerance was met within `limit` steps.
  func run<Loss: RowLoss>(
    _ state: inout State, loss: Loss, tolerance: Double, limit: Int
  ) throws(SolverError) -> Bool {
    for _ in 0..<limit {
      var step = try proposal(&state)
      // No loss falls below 0: a model that promises it is too flat to be true.
      while step.decrease > state.sums.objective, state.damping < 1e6 {
        state.damping = max(state.damping * 30, 1e-8)
        step = try proposal(&state)
      }
      state.relativeDecrease = step.decrease / max(state.sums.objective, smallestObjective)
      let isPlain = state.damping <= Self.largestFinalDamping
      if isPlain, !(state.relativeDecrease > Self.roundingDecrease) { return true }
      let isLast = isPlain && state.relativeDecrease <= tolerance
      if take(step, &state, loss) {
        if isLast { return true }
      } else if isLast || state.damping >= 1e6 {
        // No descent at any length: the objective is as low as its rounding lets it be seen.
        return isLast
      } else {
        state.damping = max(state.damping * 1e3, 1e-6)
      }
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
    state.referenceCurvature = max(state.referenceCurvature, state.sums.meanCurvature)
    let curvature = state.referenceCurvature
    for column in 0..<matrix.columnCount {
      matrix[column, column] +=
        state.damping * max(curvature * columnSquares[column], matrix[column, column])
    }
    let image = matrix.product(state.coefficients)
    let linear = image.indices.map { image[$0] - state.sums.gradient[$0] }
    let quadratic = BoundedQuadratic(matrix: matrix, linear: linear, rules: rules)
    let solution = try quadratic.minimize(start: state.coefficients)
    state.isFixed = solution.isFixed
    let change = solution.values.indices.map { solution.values[$0] - state.coefficients[$0] }
    let bent = matrix.product(change)
    let slope = zip(state.sums.gradient, change).reduce(0) { $0 + $1.0 * $1.1 }
    let quadraticPart = zip(bent, change).reduce(0) { $0 + $1.0 * $1.1 }
    return Step(change: change, slope: slope, decrease: max(0, -slope - 0.5 * quadraticPart))
  }

  /// Goes along the step as far as the loss goes down.
  ///
  /// Where the full step goes too far, the sign of the slope there brackets the minimum.
  private func take<Loss: RowLoss>(_ step: Step, _ state: inout State, _ loss: Loss) -> Bool {
    var length = 1.0
    let objective = state.sums.objective
    for trial in 0..<24 {
      let coefficients = rules.projected(
        state.coefficients.indices.map { state.coefficients[$0] + length * step.change[$0] })
      let sums = penalized(loss, coefficients)
      state.passes += 1
      if sums.isFinite, sums.objective <= objective + 1e-4 * length * step.slope {
        state.coefficients = coefficients
        state.sums = sums
        let factor = trial == 0 ? 0.05 : trial < 3 ? 1 : 20
        state.damping = max(trial < 3 ? Self.leastDamping : 1e-8, state.damping * factor)
        return true
      }
      // Where a straight line through both slopes is zero, kept within a tenth and a half.
      let slope = zip(sums.gradient, step.change).reduce(0) { $0 + $1.0 * $1.1 }
      let root = length * step.slope / (step.slope - slope)
      length = min(max(root.isFinite ? root : 0, 0.1 * length), 0.5 * length)
    }
    return false
  }

  private func penalized<Loss: RowLoss>(_ loss: Loss, _ coefficients: [Double]) -> LossSums {
    var sums = LossSums.over(rows, loss: loss, coefficients: coefficients, threads: threads)
    sums.addPenalty(rules, at: coefficients)
    return sums
  }
}
