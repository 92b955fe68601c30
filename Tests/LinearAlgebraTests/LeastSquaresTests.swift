import LinearAlgebra
import Testing

@Suite struct LeastSquaresTests {
  @Test(arguments: UInt64(0)..<8)
  func residualIsOrthogonalToEveryColumn(seed: UInt64) throws {
    var numbers = SeededNumbers(state: seed)
    let design = try numbers.design(rowCount: 40, columnCount: 3)
    let targets = (0..<40).map { _ in numbers.next() }
    let fit = try leastSquares(design, targets: targets)
    #expect(fit.method == .cholesky)
    #expect(fit.rank == 3)
    let residual = residual(design, targets, fit.coefficients)
    for column in 0..<3 {
      let product = residual.indices.reduce(0) { $0 + Double(design[$1, column]) * residual[$1] }
      #expect(abs(product) < 1e-12)  // about 100 n ulp
    }
    let squares = residual.reduce(0) { $0 + $1 * $1 }
    #expect(abs(squares - fit.residualSquares) < 1e-12)
  }

  @Test func nearlyCollinearColumnsGoToQR() throws {
    var numbers = SeededNumbers(state: 3)
    var design = Design(columnCount: 3)
    for _ in 0..<200 {
      let (first, second) = (Float(numbers.next()), Float(numbers.next()))
      design.append([first, second, first + 1e-5 * Float(numbers.next())])
    }
    let targets = (0..<200).map { Double(design[$0, 0]) - Double(design[$0, 2]) }
    let fit = try leastSquares(design, targets: targets)
    #expect(fit.method == .qr)
    #expect(fit.conditionNumber > 1e4)
    // The condition is about 1e5: 1e-16 becomes 1e-11.
    #expect(abs(fit.coefficients[0] - 1) < 1e-9)
    #expect(abs(fit.coefficients[1]) < 1e-9)
    #expect(abs(fit.coefficients[2] + 1) < 1e-9)
  }

  @Test func copiedColumnShareTheirCoefficient() throws {
    var numbers = SeededNumbers(state: 4)
    var design = Design(columnCount: 2)
    for _ in 0..<50 {
      let value = Float(numbers.next())
      design.append([value, value])
    }
    let targets = (0..<50).map { 3 * Double(design[$0, 0]) }
    let fit = try leastSquares(design, targets: targets)
    #expect(fit.method == .svd)
    #expect(fit.rank == 1)
    for value in fit.coefficients { #expect(abs(value - 1.5) < 1e-12) }
    #expect(fit.residualSquares < 1e-20)
  }

  @Test func zeroColumnGetsZero() throws {
    let design = try Design(rowCount: 3, columnCount: 2, elements: [1, 0, 2, 0, 3, 0])
    let fit = try leastSquares(design, targets: [2, 4, 6])
    #expect(abs(fit.coefficients[0] - 2) < 1e-12)
    #expect(fit.coefficients[1] == 0)
  }

  @Test func fewerRowsThanColumnsGiveTheMinimumNorm() throws {
    let design = try Design(rowCount: 1, columnCount: 2, elements: [3, 4])
    let fit = try leastSquares(design, targets: [10])
    #expect(fit.rank == 1)
    // Minimum norm in columns of unit length: both carry half of the target.
    #expect(abs(fit.coefficients[0] - 5.0 / 3) < 1e-12)
    #expect(abs(fit.coefficients[1] - 1.25) < 1e-12)
  }

  @Test func weightTwoIsARowTwice() throws {
    var numbers = SeededNumbers(state: 5)
    let once = try numbers.design(rowCount: 20, columnCount: 2)
    let targets = (0..<20).map { _ in numbers.next() }
    let order = Array(0..<20) + Array(0..<20)
    let weighted = try leastSquares(
      once, targets: targets, weights: [Double](repeating: 2, count: 20))
    let twice = try leastSquares(
      once.selecting(rows: order), targets: order.map { targets[$0] })
    for column in 0..<2 {
      #expect(abs(weighted.coefficients[column] - twice.coefficients[column]) < 1e-13)
    }
    #expect(abs(weighted.residualSquares - twice.residualSquares) < 1e-12)
  }

  @Test func badInputIsRefusedWithItsPlace() throws {
    let broken = try Design(rowCount: 2, columnCount: 2, elements: [1, 2, .nan, 4])
    #expect(throws: LinearAlgebraError.notFinite(what: "design", row: 1, column: 0)) {
      try leastSquares(broken, targets: [1, 2])
    }
    let sound = try Design(rowCount: 2, columnCount: 1, elements: [1, 2])
    #expect(throws: LinearAlgebraError.notFinite(what: "targets", row: 1, column: 0)) {
      try leastSquares(sound, targets: [1, .infinity])
    }
    #expect(throws: LinearAlgebraError.negativeWeight(row: 0)) {
      try leastSquares(sound, targets: [1, 2], weights: [-1, 1])
    }
    #expect(throws: LinearAlgebraError.shapeMismatch(what: "targets", expected: 2, actual: 1)) {
      try leastSquares(sound, targets: [1])
    }
    #expect(throws: LinearAlgebraError.empty(what: "the list of rows")) {
      try leastSquares(Design(columnCount: 1), targets: [])
    }
  }

  private func residual(
    _ design: Design, _ targets: [Double], _ coefficients: [Double]
  ) -> [Double] {
    targets.indices.map { row in
      coefficients.indices.reduce(targets[row]) {
        $0 - Double(design[row, $1]) * coefficients[$1]
      }
    }
  }
}
