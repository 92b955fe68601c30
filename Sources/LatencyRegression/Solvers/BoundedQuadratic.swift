import LinearAlgebra

/// Minimizes `½ xᵀHx − cᵀx` where some coordinates must be at least 0 and some are held.
///
/// Active set: coordinates leave their bound one at a time, the steepest first, and go back when
/// the unconstrained minimum of the rest would push them below it.
///
/// - Source: Lawson and Hanson (1974), doi:10.1137/1.9781611971217, chapter 23; on the normal matrix
///   as in Bro and De Jong (1997).
struct BoundedQuadratic {
  let matrix: Matrix
  let linear: [Double]
  let rules: ColumnRules

  struct Solution {
    var values: [Double]
    /// Coordinates on their bound, held, or without curvature.
    var isFixed: [Bool]
    var method: LeastSquaresMethod
    var conditionNumber: Double
    /// The largest violation of the optimality conditions, relative to the terms of the gradient.
    var residual: Double
    var steps: Int
  }

  /// - Parameter start: values that the bounds allow.
  /// - Throws: what the linear algebra throws.
  func minimize(start: [Double]) throws(SolverError) -> Solution {
    let size = linear.count
    var solution = Solution(
      values: start, isFixed: initiallyFixed(start), method: .cholesky, conditionNumber: 1,
      residual: 0, steps: 0)
    var rejected = Set<Int>()
    let limit = 10 * size + 10
    while solution.steps < limit {
      try descend(&solution, limit: limit)
      let (gradient, sizes) = gradient(at: solution.values)
      var entering: (column: Int, slope: Double)?
      for column in 0..<size where solution.isFixed[column] && rules.bounds[column] == .nonNegative
      {
        guard matrix[column, column] > 0, !rejected.contains(column) else { continue }
        let slope = gradient[column] / matrix[column, column].squareRoot()
        guard -gradient[column] > 1e-11 * sizes[column] else { continue }
        if slope < (entering?.slope ?? 0) { entering = (column, slope) }
      }
      guard let column = entering?.column else { break }
      solution.isFixed[column] = false
      try descend(&solution, limit: limit)
      // Rounding alone made it look worth leaving its bound: not again.
      if solution.isFixed[column] { rejected.insert(column) }
    }
    solution.residual = optimalityResidual(solution)
    return solution
  }

  private func initiallyFixed(_ start: [Double]) -> [Bool] {
    start.indices.map { column in
      guard matrix[column, column] > 0 else { return true }
      switch rules.bounds[column] {
      case .free: return false
      case .nonNegative: return start[column] <= 0
      case .held: return true
      }
    }
  }

  /// Moves to the minimum over the coordinates that are not fixed, fixing those that hit 0.
  private func descend(_ solution: inout Solution, limit: Int) throws(SolverError) {
    while solution.steps < limit {
      let moving = linear.indices.filter { !solution.isFixed[$0] }
      guard !moving.isEmpty else { return }
      solution.steps += 1
      let target = try unconstrained(moving, &solution)
      var share = 1.0
      for (index, column) in moving.enumerated() where rules.bounds[column] == .nonNegative {
        guard target[index] <= 0 else { continue }
        let value = solution.values[column]
        share = min(share, value > 0 ? value / (value - target[index]) : 0)
      }
      var hasFixed = false
      for (index, column) in moving.enumerated() {
        let value = solution.values[column]
        let next = value + share * (target[index] - value)
        solution.values[column] = share == 1 ? target[index] : next
        guard rules.bounds[column] == .nonNegative, target[index] <= 0 else { continue }
        let reach = value > 0 ? value / (value - target[index]) : 0
        if reach <= share {
          solution.values[column] = 0
          solution.isFixed[column] = true
          hasFixed = true
        }
      }
      if !hasFixed { return }
    }
  }

  private func unconstrained(
    _ moving: [Int], _ solution: inout Solution
  ) throws(SolverError) -> [Double] {
    let fixed = linear.indices.filter { solution.isFixed[$0] && solution.values[$0] != 0 }
    let right = moving.map { row in
      fixed.reduce(linear[row]) { $0 - matrix[row, $1] * solution.values[$1] }
    }
    do {
      let solver = try SymmetricSolver(matrix.submatrix(rows: moving, columns: moving))
      solution.method = solver.method
      solution.conditionNumber = solver.conditionNumber
      return solver.solve(right)
    } catch {
      throw .linearAlgebra(error)
    }
  }

  /// `Hx − c` and the sum of the sizes of its terms.
  private func gradient(at values: [Double]) -> (gradient: [Double], sizes: [Double]) {
    var gradient = linear.map { -$0 }
    var sizes = linear.map { abs($0) }
    for column in values.indices where values[column] != 0 {
      for row in values.indices {
        let term = matrix[row, column] * values[column]
        gradient[row] += term
        sizes[row] += abs(term)
      }
    }
    return (gradient, sizes)
  }

  /// Zero gradient where a coordinate moves, no downhill way in where it rests on its bound.
  private func optimalityResidual(_ solution: Solution) -> Double {
    let (gradient, sizes) = gradient(at: solution.values)
    var worst = 0.0
    for column in linear.indices where sizes[column] > 0 && matrix[column, column] > 0 {
      switch (rules.bounds[column], solution.isFixed[column]) {
      case (.held, _): continue
      case (.nonNegative, true): worst = max(worst, -gradient[column] / sizes[column])
      default: worst = max(worst, abs(gradient[column]) / sizes[column])
      }
    }
    return worst
  }
}
