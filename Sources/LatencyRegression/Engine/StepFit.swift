internal import CoefficientFile
internal import LinearAlgebra
internal import RoutingRuntime

/// Step coefficients of one class, shrunk towards the pool's.
///
/// The pool's equations count as ``priorRows`` rows of the class's own, at the class's own speeds: a
/// class of 50 requests keeps the pool's shape and learns its speeds, of decoding and of prefill; one
/// of thousands its own shape.
struct StepFit {
  let pooled: NormalMatrix
  let own: NormalMatrix

  /// How many of a class's own rows the pool's shape is worth to a class without any.
  private static let priorRows = 3000.0
  /// The own rows at which that worth has halved; beyond, it falls off quickly: who has data needs
  /// no prior.
  private static let halvingRows = 1500.0
  /// How many rows the belief is worth that both parts run at one speed.
  private static let speedPull = 3.0
  /// A single batch size deviates from knots and jumps by about this share of a step.
  private static let bumpSize = 0.02
  /// By less than these shares of a step does a request, a jump or a prompt token bend the length.
  ///
  /// A batch that hardly exceeds a knot would else leave the slope beyond it to chance.
  private static let (bendSize, jumpSize, tokenBendSize) = (0.25, 1.0, 0.05)
  /// Equations are at least so far off, in their scales.
  private static let leastNoise = 0.03
  /// Relative to each column's scale: collinear step features share their effect.
  private static let ridge = 1e-6

  /// What came out, shape `[StepFeature.count]` each.
  struct Solution {
    var coefficients: [Double]
    /// 95 % half-widths; 0 where nothing was fitted.
    var halfWidths: [Float]
  }

  /// Fits `columns`; `previous` where the class has no rows.
  ///
  /// The half-widths take rows for independent. First tokens, gaps and answers of one time share
  /// steps, so they are rather too narrow. What a class borrows of the pool's shape widens them.
  func solution(
    columns: [Int], previous: EngineModel
  ) throws(LinearAlgebraError) -> Solution {
    let mine = own.selecting(columns: columns)
    guard mine.rowCount > 0 else {
      return Solution(
        coefficients: previous.stepCoefficients, halfWidths: previous.stepHalfWidths)
    }
    let step = max(previous.stepCoefficients.first ?? 0, 1)
    let isWholePool = own.rowCount == pooled.rowCount
    let all = pooled.selecting(columns: columns)
    var (gram, moment) = (all.gram, all.moment)
    var borrowed = 0.0
    if !isWholePool {
      // The class's speeds: what the pool would take, scaled to fit the class's own equations.
      let image = all.gram.product(
        try speeds(
          mine, try solve(gram, moment, columns, step: step, noise: Self.leastNoise).values, columns
        ))
      let relative = Double(mine.rowCount) / Self.halvingRows
      let worth = Self.priorRows / (1 + relative * relative)
      borrowed = worth / (worth + Double(mine.rowCount))
      let share = worth / Double(max(all.rowCount, 1))
      gram = mine.gram
      for index in gram.elements.indices {
        gram.elements[index] += share * all.gram.elements[index]
      }
      moment = mine.moment.indices.map { mine.moment[$0] + share * image[$0] }
    }
    // How noisy equations are says how far single batch sizes can be told from chance.
    let rough = try solve(gram, moment, columns, step: step, noise: Self.leastNoise).values
    let noise = max(Self.leastNoise, Self.variance(mine, rough).squareRoot())
    let (values, inverse) = try solve(gram, moment, columns, step: step, noise: noise)
    let variance = Self.variance(mine, values)
    var result = Solution(
      coefficients: [Double](repeating: 0, count: StepFeature.count),
      halfWidths: [Float](repeating: 0, count: StepFeature.count))
    for (index, column) in columns.enumerated() {
      result.coefficients[column] = values[index]
      let own = Self.normalQuantile * max(0, variance * inverse[index, index]).squareRoot()
      result.halfWidths[column] = Float(
        own + Self.shapeDifference * borrowed * abs(values[index]))
    }
    result.coefficients = Self.physical(result.coefficients)
    return result
  }

  private static let normalQuantile = 1.96
  /// By what share the shapes of two types may differ once their speeds are allowed for.
  private static let shapeDifference = 0.2

  /// `prior` with its decode part and its prefill part each at the class's own speed.
  ///
  /// Decoding is bound by the accelerator's memory and prefill by its arithmetic, so types differ by
  /// two factors rather than one; both lean towards their common one.
  private func speeds(
    _ mine: NormalMatrix, _ prior: [Double], _ columns: [Int]
  ) throws(LinearAlgebraError) -> [Double] {
    let parts = [false, true].map { isPrefill in
      columns.indices.map { StepFeature.isPrefill(columns[$0]) == isPrefill ? prior[$0] : 0 }
    }
    let images = parts.map { mine.gram.product($0) }
    func dot(_ left: [Double], _ right: [Double]) -> Double {
      left.indices.reduce(0) { $0 + left[$1] * right[$1] }
    }
    var gram = Matrix(rowCount: 2, columnCount: 2)
    for row in 0..<2 {
      for column in 0..<2 { gram[row, column] = dot(parts[row], images[column]) }
    }
    let moment = parts.map { dot($0, mine.moment) }
    let total = gram[0, 0] + 2 * gram[0, 1] + gram[1, 1]
    let common = total > 0 ? (moment[0] + moment[1]) / total : 1
    let pull = Self.speedPull / Double(max(mine.rowCount, 1))
    let ridge = [gram[0, 0], gram[1, 1]].map { pull * $0 }
    for index in 0..<2 { gram[index, index] += ridge[index] }
    let speeds = try SymmetricSolver(gram, tolerance: 1e-10).solve(
      [0, 1].map { moment[$0] + ridge[$0] * common })
    return columns.indices.map {
      let speed = min(max(StepFeature.isPrefill(columns[$0]) ? speeds[1] : speeds[0], 0.05), 20)
      return speed * prior[$0]
    }
  }

  /// The mean square of what `values` leave of `rows`, in the rows' scales.
  private static func variance(_ rows: NormalMatrix, _ values: [Double]) -> Double {
    max(0, rows.residualSquares(values)) / Double(max(1, rows.rowCount - values.count))
  }

  /// - Parameters:
  ///   - step: An engine's step without a batch, ms.
  ///   - noise: How far an equation is off, in its scale.
  private func solve(
    _ gram: Matrix, _ moment: [Double], _ columns: [Int], step: Double, noise: Double
  ) throws(LinearAlgebraError) -> (values: [Double], inverse: Matrix) {
    var regular = gram
    for (index, column) in columns.enumerated() {
      regular[index, index] *= 1 + Self.ridge
      // Without any data a column stays out: its coefficient is 0 and knows it.
      guard gram[index, index] > 0, let size = Self.believedSize(column) else { continue }
      let precision = noise / (size * step)
      regular[index, index] += precision * precision
    }
    let solver = try SymmetricSolver(regular, tolerance: 1e-10)
    return (solver.solve(moment), solver.inverse())
  }

  /// How large a coefficient may be, of a step; `nil` for those that every log tells about.
  private static func believedSize(_ column: Int) -> Double? {
    switch column {
    case 8..<15: bendSize
    case 15..<18: jumpSize
    case 18..<24: tokenBendSize
    case StepFeature.bumps: bumpSize
    default: nil
    }
  }

  /// Beyond the last knot, where data are thin, more work never takes less time.
  private static func physical(_ given: [Double]) -> [Double] {
    var result = given
    result[2] = max(result[2], 0)
    flatten(&result, slope: 1, knots: 8..<15)
    flatten(&result, slope: 3, knots: 18..<24)
    flatten(&result, slope: 4, knots: 24..<25)
    return result
  }

  /// Raises the last hinge in use until the slope behind it is not negative.
  private static func flatten(_ result: inout [Double], slope: Int, knots: Range<Int>) {
    let total = knots.reduce(result[slope]) { $0 + result[$1] }
    guard total < 0 else { return }
    let last = knots.last { result[$0] != 0 } ?? slope
    result[last] -= total
  }
}
