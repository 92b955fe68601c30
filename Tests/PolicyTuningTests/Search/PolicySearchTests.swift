import Foundation
import Testing

@testable import PolicyTuning

@Suite struct PolicySearchTests {
  /// A function of the unit box whose minimum is 0 at `optimum`.
  struct Problem: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var dimension: Int
    var optimum: Double
    var budget: Double
    var tolerance: Double
    var value: @Sendable ([Double]) -> Double
  }

  static let problems = [
    Problem(
      testDescription: "sphere", dimension: 6, optimum: 0.3, budget: 900, tolerance: 1e-8
    ) { x in x.reduce(0) { $0 + ($1 - 0.3) * ($1 - 0.3) } },
    Problem(
      testDescription: "rotated ellipsoid", dimension: 5, optimum: 0.6, budget: 2500,
      tolerance: 1e-7
    ) { x in
      // Householder's reflection at (1, …, 1) mixes all coordinates.
      let mean = x.reduce(0) { $0 + $1 - 0.6 } / Double(x.count)
      return x.indices.reduce(0) { sum, index in
        let y = x[index] - 0.6 - 2 * mean
        return sum + pow(1000, Double(index) / Double(x.count - 1)) * y * y
      }
    },
    Problem(
      testDescription: "Rosenbrock", dimension: 4, optimum: 0.75, budget: 4000, tolerance: 1e-6
    ) { x in
      let z = x.map { 4 * $0 - 2 }
      return (0..<3).reduce(0) { sum, index in
        let (a, b) = (z[index + 1] - z[index] * z[index], 1 - z[index])
        return sum + 100 * a * a + b * b
      }
    },
  ]

  static func search(_ problem: Problem, seed: UInt64, budget: Double? = nil) -> PolicySearch {
    PolicySearch(
      start: [Double](repeating: 0.5, count: problem.dimension),
      configuration: PolicySearch.Configuration(
        budget: budget ?? problem.budget, rungs: [1], seed: seed))
  }

  static func values(
    _ problem: Problem
  ) -> ([[Double]], Double) -> [PolicySearch.Value] {
    { points, _ in points.map { PolicySearch.Value(problem.value($0)) } }
  }

  @Test(arguments: problems, [1, 2, 3] as [UInt64])
  func findsTheMinimumWithinItsBudget(problem: Problem, seed: UInt64) throws {
    var search = Self.search(problem, seed: seed)
    search.run(evaluate: Self.values(problem))
    let best = try #require(search.best)
    #expect(best.value < problem.tolerance)
    #expect(best.point.allSatisfy { abs($0 - problem.optimum) < 0.01 })
    #expect(search.spent <= problem.budget)
  }

  @Test(arguments: [1, 2, 3] as [UInt64])
  func comesCloseDespiteNoise(seed: UInt64) throws {
    var noise = SeededGenerator(seed: seed)
    var search = Self.search(Self.problems[0], seed: seed, budget: 600)
    search.run(evaluate: { points, _ in
      points.map { point in
        PolicySearch.Value(
          point.reduce(0) { $0 + ($1 - 0.3) * ($1 - 0.3) } * (1 + 0.3 * noise.normal()))
      }
    })
    let best = try #require(search.best)
    #expect(best.point.allSatisfy { abs($0 - 0.3) < 0.1 })
  }

  @Test func anOptimumAtTheBoxsFaceIsFound() throws {
    let problem = Problem(
      testDescription: "corner", dimension: 4, optimum: 1, budget: 1200, tolerance: 1e-4
    ) { x in x.reduce(0) { $0 + (1 - $1) } }
    var search = Self.search(problem, seed: 1)
    search.run(evaluate: Self.values(problem))
    #expect(try #require(search.best).value < 1e-3)
  }

  @Test func manyLocalMinimaAreLeftByRestarts() throws {
    let problem = Problem(
      testDescription: "Rastrigin", dimension: 2, optimum: 0.62, budget: 4000, tolerance: 1e-6
    ) { x in
      x.reduce(0) { sum, coordinate in
        let z = 10 * (coordinate - 0.62)
        return sum + z * z + 10 * (1 - cos(2 * Double.pi * z))
      }
    }
    var search = Self.search(problem, seed: 3)
    search.run(evaluate: Self.values(problem))
    #expect(search.restarts > 0)
    #expect(try #require(search.best).value < problem.tolerance)
  }

  @Test func theSameSeedGivesTheSameSearch() {
    var (one, two) = (
      Self.search(Self.problems[1], seed: 7), Self.search(Self.problems[1], seed: 7)
    )
    one.run(evaluate: Self.values(Self.problems[1]))
    two.run(evaluate: Self.values(Self.problems[1]))
    #expect(one == two)
    var other = Self.search(Self.problems[1], seed: 8)
    other.run(evaluate: Self.values(Self.problems[1]))
    #expect(other.best?.point != one.best?.point)
  }

  @Test func aResumedSearchEndsLikeAnUninterruptedOne() throws {
    let path = FileManager.default.temporaryDirectory
      .appendingPathComponent("search-\(UUID().uuidString).json").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    let problem = Self.problems[0]
    var whole = Self.search(problem, seed: 5, budget: 200)
    var part = whole
    whole.run(evaluate: Self.values(problem))
    for _ in 0..<9 { part.step(Self.values(problem)) }
    #expect(!part.isFinished)

    try SearchState(problem: "sphere", search: part).write(to: path)
    var resumed = try SearchState.read(path: path, problem: "sphere")
    resumed.run(evaluate: Self.values(problem))

    #expect(resumed == whole)
    #expect(throws: PolicyTuningError.self) {
      _ = try SearchState.read(path: path, problem: "another")
    }
  }

  @Test func racesSpendTheBudgetOnTheBetterHalf() {
    var fullShares = 0
    var search = PolicySearch(
      start: [0.5, 0.5],
      configuration: PolicySearch.Configuration(
        budget: 60, populationSize: 8, rungs: [0.25, 1], seed: 2))
    var worstOfKept = 0.0
    var firstRung: [Double] = []
    search.run(evaluate: { points, share in
      let values = points.map { ($0[0] - 0.2) * ($0[0] - 0.2) + $0[1] }
      if share < 1 {
        firstRung = values.sorted()
      } else if points.count > 1 {
        fullShares += points.count
        worstOfKept = max(worstOfKept, (values.max() ?? 0) - firstRung[points.count - 1])
      }
      return values.map { PolicySearch.Value($0) }
    })
    #expect(search.spent <= 60)
    #expect(search.spent > 54)
    // Only the first rung's best half was seen in full.
    #expect(worstOfKept <= 0)
    #expect(fullShares > 0 && fullShares < search.evaluations.count / 2)
  }

  @Test func valuesThatAreNotFiniteRankLast() throws {
    var search = PolicySearch(
      start: [0.5, 0.5], configuration: PolicySearch.Configuration(budget: 400, rungs: [1]))
    search.run(evaluate: { points, _ in
      points.map { PolicySearch.Value($0[0] > 0.4 ? .nan : 0.4 - $0[0]) }
    })
    #expect(try #require(search.best).value < 0.01)
  }

  @Test(arguments: [1, 2, 3, 8])
  func eigenvectorsRebuildTheMatrix(n: Int) {
    var random = SeededGenerator(seed: UInt64(n))
    var matrix = [Double](repeating: 0, count: n * n)
    for row in 0..<n {
      for column in 0...row {
        matrix[row * n + column] = random.normal()
        matrix[column * n + row] = matrix[row * n + column]
      }
    }
    let eigen = SymmetricEigen(matrix, count: n)
    for row in 0..<n {
      for column in 0..<n {
        let rebuilt = (0..<n).reduce(0) {
          $0 + eigen.vectors[row * n + $1] * eigen.values[$1] * eigen.vectors[column * n + $1]
        }
        #expect(abs(rebuilt - matrix[row * n + column]) < 1e-12)
      }
    }
  }
}
