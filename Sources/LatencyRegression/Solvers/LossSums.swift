import LinearAlgebra

/// One pass over the rows: a loss, its gradient and its Hessian at some coefficients.
struct LossSums: Sendable {
  /// `Σ w L(u)`.
  var objective = 0.0
  /// Derivative of the objective, shape `[p]`.
  var gradient: [Double]
  /// `Σ w L''(u) / s² · x xᵀ`.
  var hessian: Matrix
  /// `Σ w² L'(u)² / s² · x xᵀ`; without elements unless asked for.
  var scores: Matrix
  /// `Σ w L''(u)` and `Σ w`: their ratio is the mean curvature.
  var curvatureSum = 0.0
  var weightSum = 0.0
  /// The weight of rows with curvature.
  var windowWeight = 0.0

  /// What a pass collects besides objective and gradient.
  enum Extent { case hessian, hessianAndScores }

  init(columnCount: Int, extent: Extent) {
    gradient = [Double](repeating: 0, count: columnCount)
    hessian = Matrix(rowCount: columnCount, columnCount: columnCount)
    let scoreCount = extent == .hessianAndScores ? columnCount : 0
    scores = Matrix(rowCount: scoreCount, columnCount: scoreCount)
  }

  /// The sums over all rows; the same bits for any number of threads.
  static func over<Loss: RowLoss>(
    _ rows: RegressionRows, loss: Loss, coefficients: [Double], threads: Int,
    extent: Extent = .hessian
  ) -> LossSums {
    let total = RowBlocks(rowCount: rows.rowCount).reduce(threads: threads) { range in
      var part = LossSums(columnCount: rows.columnCount, extent: extent)
      var workspace = Workspace(columnCount: rows.columnCount)
      var start = range.lowerBound
      while start < range.upperBound {
        let end = min(start + workspace.capacity, range.upperBound)
        part.addTile(start..<end, rows, loss, coefficients, &workspace)
        start = end
      }
      return part
    } merge: {
      $0.merge($1)
    }
    var sums = total ?? LossSums(columnCount: rows.columnCount, extent: extent)
    sums.hessian.mirrorLower()
    sums.scores.mirrorLower()
    return sums
  }

  private struct Workspace {
    let capacity: Int
    var tile: DesignTile
    var predictions: [Double]
    var slopes: [Double]
    var curvatures: [Double]

    init(columnCount: Int) {
      capacity = DesignTile.capacity(columnCount: columnCount)
      tile = DesignTile(columnCount: columnCount)
      predictions = [Double](repeating: 0, count: capacity)
      slopes = predictions
      curvatures = predictions
    }
  }

  private mutating func addTile<Loss: RowLoss>(
    _ range: Range<Int>, _ rows: RegressionRows, _ loss: Loss, _ coefficients: [Double],
    _ work: inout Workspace
  ) {
    work.tile.load(rows.design, rows: range)
    work.tile.predict(coefficients, into: &work.predictions)
    for row in range {
      let index = row - range.lowerBound
      let inverse = rows.inverseScales?[row] ?? 1
      let weight = rows.weights?[row] ?? 1
      let (value, slope, curvature) = loss.evaluate(
        (rows.targets[row] - work.predictions[index]) * inverse)
      objective += weight * value
      weightSum += weight
      curvatureSum += weight * curvature
      if curvature > 0 { windowWeight += weight }
      work.slopes[index] = -weight * slope * inverse
      work.curvatures[index] = weight * curvature * inverse * inverse
    }
    work.tile.addProduct(work.slopes, to: &gradient)
    work.tile.addGram(work.curvatures, to: &hessian)
    guard scores.columnCount > 0 else { return }
    for index in 0..<range.count {
      work.curvatures[index] = work.slopes[index] * work.slopes[index]
    }
    work.tile.addGram(work.curvatures, to: &scores)
  }

  private mutating func merge(_ other: LossSums) {
    objective += other.objective
    curvatureSum += other.curvatureSum
    weightSum += other.weightSum
    windowWeight += other.windowWeight
    for index in gradient.indices { gradient[index] += other.gradient[index] }
    hessian.add(other.hessian)
    scores.add(other.scores)
  }

  /// Adds the pull towards the priors.
  mutating func addPenalty(_ rules: ColumnRules, at coefficients: [Double]) {
    for column in coefficients.indices where rules.penalties[column] > 0 {
      let distance = coefficients[column] - rules.priors[column]
      objective += 0.5 * rules.penalties[column] * distance * distance
      gradient[column] += rules.penalties[column] * distance
      hessian[column, column] += rules.penalties[column]
    }
  }

  /// The mean of `L''(u)` over the weight.
  var meanCurvature: Double { curvatureSum / max(weightSum, .leastNormalMagnitude) }

  var isFinite: Bool {
    objective.isFinite && gradient.allSatisfy(\.isFinite)
      && hessian.elements.allSatisfy(\.isFinite)
  }
}

extension Matrix {
  fileprivate mutating func add(_ other: Matrix) {
    for index in elements.indices { elements[index] += other.elements[index] }
  }

  fileprivate mutating func mirrorLower() {
    for column in 0..<columnCount {
      for row in 0..<column { self[row, column] = self[column, row] }
    }
  }
}
