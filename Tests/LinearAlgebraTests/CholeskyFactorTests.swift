import LinearAlgebra
import Testing

@Suite struct CholeskyFactorTests {
  /// A well-conditioned positive definite matrix whose columns differ in scale by up to 1e12.
  private func matrix(size: Int, seed: UInt64) -> Matrix {
    var numbers = SeededNumbers(state: seed)
    let base = Matrix(rowCount: size + 3, columnCount: size) { row, column in
      (numbers.next() + (row == column ? 3 : 0)) * (column.isMultiple(of: 2) ? 1 : 1e6)
    }
    return base.transposed.product(base)
  }

  @Test(arguments: UInt64(0)..<8)
  func solutionSatisfiesTheSystem(seed: UInt64) throws {
    let matrix = matrix(size: 6, seed: seed)
    let factor = try CholeskyFactor(matrix)
    let right = (0..<6).map { Double($0) - 2.5 }
    let solution = factor.solve(right)
    let image = matrix.product(solution)
    for row in 0..<6 {
      let size = (0..<6).reduce(abs(right[row])) { $0 + abs(matrix[row, $1] * solution[$1]) }
      // Backward stable: the residual is the rounding of its terms, some 6² of them.
      #expect(abs(image[row] - right[row]) < 1e-14 * size)
    }
  }

  @Test(arguments: UInt64(0)..<8)
  func inverseTimesMatrixIsIdentity(seed: UInt64) throws {
    let matrix = matrix(size: 5, seed: seed)
    let factor = try CholeskyFactor(matrix)
    let product = factor.inverse().product(matrix)
    let scales = (0..<5).map { matrix[$0, $0].squareRoot() }
    for row in 0..<5 {
      for column in 0..<5 {
        let value = product[row, column] * scales[row] / scales[column]
        #expect(abs(value - (row == column ? 1 : 0)) < 1e-12)  // condition below 100
      }
    }
    #expect(factor.inverseDiagonal() == (0..<5).map { factor.inverse()[$0, $0] })
  }

  @Test func conditionDoesNotDependOnUnits() throws {
    let plain = Matrix(rowCount: 2, columnCount: 2) { $0 == $1 ? 2 : 1 }
    var scaled = plain
    scaled[0, 0] *= 1e16
    scaled[0, 1] *= 1e8
    scaled[1, 0] *= 1e8
    let (first, second) = (try CholeskyFactor(plain), try CholeskyFactor(scaled))
    #expect(abs(first.reciprocalCondition - second.reciprocalCondition) < 1e-12)
    // [[1, ½], [½, 1]]: 1-norms 3/2 and 2.
    #expect(abs(first.reciprocalCondition - 1.0 / 3) < 1e-12)
  }

  @Test func indefiniteAndBrokenMatricesAreRefused() {
    let indefinite = Matrix(rowCount: 2, columnCount: 2) { $0 == $1 ? 1 : 2 }
    #expect(throws: LinearAlgebraError.notPositiveDefinite(column: 1)) {
      try CholeskyFactor(indefinite)
    }
    #expect(throws: LinearAlgebraError.notPositiveDefinite(column: 0)) {
      try CholeskyFactor(Matrix(rowCount: 2, columnCount: 2))
    }
    let broken = Matrix(rowCount: 2, columnCount: 2) { $0 == 1 && $1 == 0 ? .nan : 1 }
    #expect(throws: LinearAlgebraError.notFinite(what: "matrix", row: 1, column: 0)) {
      try CholeskyFactor(broken)
    }
    #expect(throws: LinearAlgebraError.empty(what: "matrix")) {
      try CholeskyFactor(Matrix(rowCount: 0, columnCount: 0))
    }
  }

  @Test func singularSystemsGetTheMinimumNormSolution() throws {
    let ones = Matrix(rowCount: 2, columnCount: 2) { _, _ in 1 }
    let solver = try SymmetricSolver(ones)
    #expect(solver.method == .svd)
    #expect(solver.rank == 1)
    for value in solver.solve([4, 4]) { #expect(abs(value - 2) < 1e-12) }
  }
}
