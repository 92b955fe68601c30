internal import LinearAlgebra
internal import RoutingRuntime

/// Step coefficients of one class, shrunk towards the pool's.
///
/// The pool's equations count as ``priorRows`` rows of the class's own, at the class's own speed: a
/// class of 50 requests keeps the pool's shape and learns its speed; one of thousands its own shape.
struct StepFit {
  let pooled: NormalMatrix
  let own: NormalMatrix

  /// How many of a class's own rows the pool's shape is worth to a class without any.
  private static let priorRows = 800.0
  /// The own rows at which that worth has halved: who has data needs no prior.
  private static let halvingRows = 300.0
  /// Relative to each column's scale: collinear step features share their effect.
  private static let ridge = 1e-6

  func coefficients(
    columns: [Int], previous: [Double]
  ) throws(LinearAlgebraError) -> [Double] {
    let mine = own.selecting(columns: columns)
    guard mine.rowCount > 0 else { return previous }
    let isWholePool = own.rowCount == pooled.rowCount
    let all = pooled.selecting(columns: columns)
    let prior = try solve(all.gram, all.moment)
    var solution = prior
    if !isWholePool {
      let image = all.gram.product(prior)
      // The class's speed: its targets against what the pool would take, least squares.
      let mineImage = mine.gram.product(prior)
      var (numerator, denominator) = (0.0, 0.0)
      for index in prior.indices {
        numerator += prior[index] * mine.moment[index]
        denominator += prior[index] * mineImage[index]
      }
      let speed = denominator > 0 ? min(max(numerator / denominator, 0.05), 20) : 1
      let worth = Self.priorRows / (1 + Double(mine.rowCount) / Self.halvingRows)
      let share = worth / Double(max(all.rowCount, 1))
      var gram = mine.gram
      for index in gram.elements.indices {
        gram.elements[index] += share * all.gram.elements[index]
      }
      let moment = mine.moment.indices.map { mine.moment[$0] + share * speed * image[$0] }
      solution = try solve(gram, moment)
    }
    var result = [Double](repeating: 0, count: StepFeature.count)
    for (index, column) in columns.enumerated() { result[column] = solution[index] }
    return Self.physical(result)
  }

  private func solve(_ gram: Matrix, _ moment: [Double]) throws(LinearAlgebraError) -> [Double] {
    var regular = gram
    for index in 0..<gram.columnCount { regular[index, index] *= 1 + Self.ridge }
    return try SymmetricSolver(regular, tolerance: 1e-10).solve(moment)
  }

  /// Beyond the last knot, where data are thin, more work never takes less time.
  private static func physical(_ given: [Double]) -> [Double] {
    var result = given
    result[2] = max(result[2], 0)
    flatten(&result, slope: 1, knots: 8..<15)
    flatten(&result, slope: 3, knots: 18..<24)
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
