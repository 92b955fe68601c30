internal import Glibc

/// One run of CMA-ES, minimizing; asks for points and is told their ranking.
///
/// Points lie in the unit box: beyond its faces the search space is mirrored, so that the strategy
/// itself is unbounded.
///
/// - Source: Hansen (2016), "The CMA Evolution Strategy: A Tutorial", arXiv:1604.00772.
struct EvolutionStrategy: Sendable, Hashable, Codable {
  let dimension: Int
  /// Points per generation (λ).
  let populationSize: Int
  private(set) var generation = 0
  /// The step size (σ), in units of the box.
  private(set) var stepSize: Double
  /// Where points are drawn around; may lie in a mirror image of the box.
  private(set) var mean: [Double]
  /// Shape `[n, n]`, row-major.
  private var covariance: [Double]
  private var stepPath: [Double]
  private var covariancePath: [Double]
  /// The points that were asked for and not told, unmirrored.
  private var asked: [[Double]] = []

  /// A run around `start`, in the unit box.
  init(start: [Double], stepSize: Double, populationSize: Int) {
    dimension = start.count
    self.populationSize = max(populationSize, 4)
    self.stepSize = stepSize
    mean = start
    covariance = [Double](repeating: 0, count: start.count * start.count)
    for index in start.indices { covariance[index * start.count + index] = 1 }
    stepPath = [Double](repeating: 0, count: start.count)
    covariancePath = stepPath
  }

  /// Hansen's default λ.
  static func defaultPopulation(dimension: Int) -> Int {
    4 + Int(3 * log(Double(max(dimension, 1))))
  }

  /// Moves a coordinate into 0…1 by mirroring at both ends.
  static func mirrored(_ value: Double) -> Double {
    guard value.isFinite else { return 0.5 }
    let phase = abs(value).truncatingRemainder(dividingBy: 2)
    return phase <= 1 ? phase : 2 - phase
  }

  /// The next generation's points in the box.
  mutating func ask(_ random: inout SeededGenerator) -> [[Double]] {
    let n = dimension
    let eigen = SymmetricEigen(covariance, count: n)
    let scales = eigen.values.map { max($0, 1e-20).squareRoot() }
    asked = (0..<populationSize).map { _ in
      let z = (0..<n).map { scales[$0] * random.normal() }
      return (0..<n).map { row in
        var sum = 0.0
        for k in 0..<n { sum += eigen.vectors[row * n + k] * z[k] }
        return mean[row] + stepSize * sum
      }
    }
    return asked.map { $0.map(Self.mirrored) }
  }

  /// Moves on.
  ///
  /// - Parameter ranking: Indices of the points asked for, best first.
  mutating func tell(ranking: [Int]) {
    let n = dimension
    guard asked.count == populationSize, ranking.count == populationSize, n > 0 else { return }
    let constants = Constants(dimension: n, populationSize: populationSize)
    let eigen = SymmetricEigen(covariance, count: n)
    let previous = mean
    let chosen = ranking.prefix(constants.weights.count).map { asked[$0] }
    for row in 0..<n {
      mean[row] = 0
      for (weight, point) in zip(constants.weights, chosen) { mean[row] += weight * point[row] }
    }
    let shift = (0..<n).map { (mean[$0] - previous[$0]) / stepSize }
    updatePaths(shift, eigen: eigen, constants)
    updateCovariance(chosen, around: previous, constants)
    let length = stepPath.reduce(0) { $0 + $1 * $1 }.squareRoot()
    let growth = constants.stepRate / constants.damping * (length / constants.expectedLength - 1)
    stepSize = min(stepSize * exp(min(growth, 1)), 2)
    generation += 1
    asked = []
  }

  private mutating func updatePaths(
    _ shift: [Double], eigen: SymmetricEigen, _ constants: Constants
  ) {
    let n = dimension
    // C^(-1/2) · shift.
    var rotated = [Double](repeating: 0, count: n)
    for k in 0..<n {
      var sum = 0.0
      for row in 0..<n { sum += eigen.vectors[row * n + k] * shift[row] }
      rotated[k] = sum / max(eigen.values[k], 1e-20).squareRoot()
    }
    let pace = (constants.stepRate * (2 - constants.stepRate) * constants.mass).squareRoot()
    for row in 0..<n {
      var sum = 0.0
      for k in 0..<n { sum += eigen.vectors[row * n + k] * rotated[k] }
      stepPath[row] = (1 - constants.stepRate) * stepPath[row] + pace * sum
    }
    let stall: Double = isStepLong(constants) ? 0 : 1
    let rate = constants.pathRate
    let factor = stall * (rate * (2 - rate) * constants.mass).squareRoot()
    for row in 0..<n {
      covariancePath[row] = (1 - rate) * covariancePath[row] + factor * shift[row]
    }
  }

  private func isStepLong(_ constants: Constants) -> Bool {
    let n = Double(dimension)
    let squared = stepPath.reduce(0) { $0 + $1 * $1 }
    let seen = 1 - pow(1 - constants.stepRate, 2 * Double(generation + 1))
    return (squared / seen).squareRoot() >= (1.4 + 2 / (n + 1)) * constants.expectedLength
  }

  private mutating func updateCovariance(
    _ chosen: [[Double]], around previous: [Double], _ constants: Constants
  ) {
    let n = dimension
    let (one, many) = (constants.rankOneRate, constants.rankManyRate)
    let deviations = chosen.map { point in (0..<n).map { (point[$0] - previous[$0]) / stepSize } }
    for row in 0..<n {
      for column in 0...row {
        var sum = 0.0
        for (weight, y) in zip(constants.weights, deviations) { sum += weight * y[row] * y[column] }
        let updated =
          (1 - one - many) * covariance[row * n + column]
          + one * covariancePath[row] * covariancePath[column] + many * sum
        covariance[row * n + column] = updated
        covariance[column * n + row] = updated
      }
    }
  }

  /// Whether nothing more is to be expected: the distribution has shrunk to a point, or is
  /// degenerate.
  var isConverged: Bool {
    let widest = (0..<dimension).map { covariance[$0 * dimension + $0] }.max() ?? 0
    let width = stepSize * max(widest, 0).squareRoot()
    return !(width > Self.narrowest) || !width.isFinite
  }

  /// Finer steps change no policy: a share of a parameter's range.
  private static let narrowest = 1e-9

  /// What depends on the sizes alone.
  private struct Constants {
    var weights: [Double]
    /// The variance-effective number of chosen points (μ_eff).
    var mass: Double
    var stepRate: Double
    var damping: Double
    var pathRate: Double
    var rankOneRate: Double
    var rankManyRate: Double
    /// E‖N(0, I)‖.
    var expectedLength: Double

    init(dimension: Int, populationSize: Int) {
      let n = Double(dimension)
      let half = Double(populationSize) / 2
      let raw = (0..<(populationSize / 2)).map { log(half + 0.5) - log(Double($0 + 1)) }
      let sum = raw.reduce(0, +)
      weights = raw.map { $0 / sum }
      mass = 1 / weights.reduce(0) { $0 + $1 * $1 }
      stepRate = (mass + 2) / (n + mass + 5)
      damping = 1 + 2 * max(0, ((mass - 1) / (n + 1)).squareRoot() - 1) + stepRate
      pathRate = (4 + mass / n) / (n + 4 + 2 * mass / n)
      rankOneRate = 2 / ((n + 1.3) * (n + 1.3) + mass)
      rankManyRate = min(
        1 - rankOneRate, 2 * (mass - 2 + 1 / mass) / ((n + 2) * (n + 2) + mass))
      expectedLength = n.squareRoot() * (1 - 1 / (4 * n) + 1 / (21 * n * n))
    }
  }
}
