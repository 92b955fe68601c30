import LinearAlgebra
import Testing

@Suite struct DesignTests {
  @Test(arguments: [1, 3]) func joinedPartsStandOneAfterAnother(threads: Int) throws {
    let parts = try [[1, 2], [], [3, 4, 5, 6]].map { (elements: [Float]) in
      try Design(rowCount: elements.count / 2, columnCount: 2, elements: elements)
    }
    let joined = Design(joining: parts, columnCount: 2, threads: threads)
    #expect(joined.rowCount == 3)
    #expect(joined.elements == [1, 2, 3, 4, 5, 6])
    #expect(Design(joining: [], columnCount: 2, threads: threads).rowCount == 0)
  }

  @Test func productsAreTheRowsTimesTheCoefficients() throws {
    var numbers = SeededNumbers(state: 31)
    // More rows than a tile and than a block of rows hold, and columns that fill no vector.
    let design = try numbers.design(rowCount: 17_000, columnCount: 5)
    let coefficients = (0..<5).map { _ in numbers.next() }
    let product = design.product(coefficients, threads: 3)
    #expect(product.count == 17_000)
    for row in [0, 1, 6_553, 6_554, 16_383, 16_384, 16_999] {
      let direct = (0..<5).reduce(0) { $0 + Double(design[row, $1]) * coefficients[$1] }
      #expect(abs(product[row] - direct) < 1e-14, "row \(row)")  // five products below 1
    }
    #expect(product == design.product(coefficients, threads: 1))
  }

  @Test func columnSquaresAreInUnitsOfTheScales() throws {
    let design = try Design(rowCount: 2, columnCount: 3, elements: [1, 2, 3, 4, 5, 6])
    // Powers of two: no rounding.
    #expect(design.columnSquares(scales: [0.5, 2]) == [8, 22.25, 45])
    #expect(Design(columnCount: 3).columnSquares(scales: []) == [0, 0, 0])
  }
}
