import LinearAlgebra
import Testing

@Suite struct NormalMatrixTests {
  @Test func sumsMatchTheDefinition() throws {
    let design = try Design(rowCount: 3, columnCount: 2, elements: [1, 2, 3, 4, 5, 6])
    let normal = try NormalMatrix(design, targets: [1, -1, 2], weights: [1, 0, 4])
    // Small integers and the exact root of 4: no rounding.
    #expect(normal.gram.elements == [101, 122, 122, 148])
    #expect(normal.moment == [41, 50])
    #expect(normal.targetSquares == 17)
    #expect(normal.weightSum == 5)
    #expect(normal.rowCount == 3)
    #expect(normal.residualSquares([0, 0]) == 17)
  }

  @Test func mergedPartsEqualTheWhole() throws {
    var numbers = SeededNumbers(state: 11)
    let design = try numbers.design(rowCount: 300, columnCount: 4)
    let targets = (0..<300).map { _ in numbers.next() }
    let whole = try NormalMatrix(design, targets: targets)
    var merged = try NormalMatrix(
      design.selecting(rows: Array(0..<100)), targets: Array(targets[0..<100]))
    merged.merge(
      try NormalMatrix(
        design.selecting(rows: Array(100..<300)), targets: Array(targets[100..<300])))
    #expect(merged.rowCount == whole.rowCount)
    for (first, second) in zip(merged.gram.elements, whole.gram.elements) {
      #expect(abs(first - second) < 1e-12)  // another order of 300 terms below 1
    }
  }

  @Test func chosenColumnsEqualTheSumsOfAChosenDesign() throws {
    var numbers = SeededNumbers(state: 12)
    let design = try numbers.design(rowCount: 50, columnCount: 4)
    let targets = (0..<50).map { _ in numbers.next() }
    let all = try NormalMatrix(design, targets: targets).selecting(columns: [3, 1])
    let direct = try NormalMatrix(design.selecting(columns: [3, 1]), targets: targets)
    for (first, second) in zip(all.gram.elements, direct.gram.elements) {
      #expect(abs(first - second) < 1e-13)
    }
    #expect(all.moment.count == 2)
  }

  @Test(arguments: [2, 3, 4])
  func anyNumberOfThreadsGivesTheSameBits(threads: Int) throws {
    var numbers = SeededNumbers(state: 13)
    let design = try numbers.design(rowCount: 70_000, columnCount: 3)
    let targets = (0..<70_000).map { _ in numbers.next() }
    let alone = try NormalMatrix(design, targets: targets, threads: 1)
    #expect(try NormalMatrix(design, targets: targets, threads: threads) == alone)
    let triangle = try TriangularFactor(design, targets: targets, threads: 1).triangle
    #expect(
      try TriangularFactor(design, targets: targets, threads: threads).triangle == triangle)
  }

  @Test func triangleSquaredIsTheNormalMatrix() throws {
    var numbers = SeededNumbers(state: 14)
    let design = try numbers.design(rowCount: 3_000, columnCount: 3)
    let targets = (0..<3_000).map { _ in numbers.next() }
    let normal = try NormalMatrix(design, targets: targets)
    let triangle = try TriangularFactor(design, targets: targets).triangle
    let square = triangle.transposed.product(triangle)
    for row in 0..<3 {
      for column in 0..<3 {
        #expect(abs(square[row, column] - normal.gram[row, column]) < 1e-10)  // sums near 1000
      }
      #expect(abs(square[row, 3] - normal.moment[row]) < 1e-10)
    }
    #expect(abs(square[3, 3] - normal.targetSquares) < 1e-10)
  }
}
