internal import CoefficientFile
internal import LinearAlgebra

/// Forward selection of terms by cross-validation over stretches of time.
///
/// Time is cut into blocks; each block is judged by coefficients fitted on the others. Since the
/// loss is a weighted sum of squares (Huber's weights are taken from a pilot fit of all terms),
/// every subset is judged from the blocks' normal matrices alone: no pass over the rows.
struct TermSelection {
  /// Blocks of time.
  static let blockCount = 5
  /// Rows left out between blocks, on either side: a request's neighbours share its fate.
  static let embargoShare = 0.004
  /// The share of the error that a further term must save.
  static let leastGain = 0.0012
  /// The most terms.
  static let termLimit = 26
  private static let ridge = 1e-6

  /// One normal matrix per block over all terms and the intercept, which comes last.
  let blocks: [NormalMatrix]
  /// Always used.
  let base: [Int]
  /// Tried.
  let candidates: [Int]
  /// The most terms.
  let limit: Int

  private var intercept: Int { blocks.first.map { $0.columnCount - 1 } ?? 0 }

  /// The chosen columns, in ascending order, without the intercept; and their error.
  func run(threads: Int) -> (columns: [Int], error: Double) {
    var chosen = base
    var error = self.error(chosen)
    var open = candidates
    while chosen.count < limit, !open.isEmpty {
      let trials = open
      let current = chosen
      let errors = RowBlocks(rowCount: trials.count, blockRows: 4).map(threads: threads) { rows in
        rows.map { self.error(current + [trials[$0]]) }
      }.flatMap { $0 }
      var best = 0
      for index in errors.indices where errors[index] < errors[best] { best = index }
      guard errors[best] < error * (1 - Self.leastGain) else { break }
      error = errors[best]
      chosen.append(trials[best])
      open.remove(at: best)
    }
    return (chosen.sorted(), error)
  }

  /// The mean weighted square error of `columns` on blocks that did not fit them.
  func error(_ columns: [Int]) -> Double {
    let used = columns + [intercept]
    let parts = blocks.map { $0.selecting(columns: used) }
    var (squares, weight) = (0.0, 0.0)
    for held in parts.indices {
      var fit = NormalMatrix(columnCount: used.count)
      for index in parts.indices where index != held { fit.merge(parts[index]) }
      var gram = fit.gram
      for index in 0..<gram.columnCount { gram[index, index] *= 1 + Self.ridge }
      guard let solver = try? SymmetricSolver(gram) else { return .infinity }
      squares += parts[held].residualSquares(solver.solve(fit.moment))
      weight += Double(parts[held].rowCount)
    }
    return weight > 0 ? squares / weight : .infinity
  }
}
