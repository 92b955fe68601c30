import LinearAlgebra
import Testing

/// Reproducible numbers in [-1, 1).
struct SeededNumbers {
  var state: UInt64

  mutating func next() -> Double {
    state &+= 0x9E37_79B9_7F4A_7C15
    var bits = state
    bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
    bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
    return Double((bits ^ (bits >> 31)) >> 11) * 0x1p-52 - 1
  }

  mutating func design(rowCount: Int, columnCount: Int) throws -> Design {
    let elements = (0..<rowCount * columnCount).map { _ in Float(next()) }
    return try Design(rowCount: rowCount, columnCount: columnCount, elements: elements)
  }
}

@Suite struct MatrixTests {
  @Test func productsMatchTheDefinition() {
    var numbers = SeededNumbers(state: 1)
    let left = Matrix(rowCount: 5, columnCount: 3) { _, _ in numbers.next() }
    let right = Matrix(rowCount: 3, columnCount: 4) { _, _ in numbers.next() }
    let product = left.product(right)
    for row in 0..<5 {
      for column in 0..<4 {
        let expected = (0..<3).reduce(0) { $0 + left[row, $1] * right[$1, column] }
        #expect(abs(product[row, column] - expected) < 1e-15)  // three terms below 1
      }
    }
    let vector = [1.0, -2, 3]
    let image = left.product(vector)
    for row in 0..<5 {
      let expected = left[row, 0] - 2 * left[row, 1] + 3 * left[row, 2]
      #expect(abs(image[row] - expected) < 1e-14)
    }
  }

  @Test func emptyProductsAreZero() {
    #expect(Matrix(rowCount: 2, columnCount: 0).product([]) == [0, 0])
    #expect(Matrix(rowCount: 0, columnCount: 2).product([1, 2]).isEmpty)
  }

  @Test func wrongElementCountIsRefused() {
    #expect(throws: LinearAlgebraError.self) {
      try Matrix(rowCount: 2, columnCount: 2, elements: [1, 2, 3])
    }
  }

  @Test func transposeAndSubmatrixPickTheirElements() {
    let matrix = Matrix(rowCount: 3, columnCount: 2) { Double(10 * $0 + $1) }
    #expect(matrix.transposed[1, 2] == 21)
    #expect(matrix.submatrix(rows: [2, 0], columns: [1]).elements == [21, 1])
  }

  @Test func theBLASNamesItselfAndUsesOneThreadACall() {
    let identity = BLASIdentity.current
    #expect(!identity.text.isEmpty)
    #expect(identity.threadCount == 1)
    #expect(identity.isReference == !identity.text.contains("OpenBLAS "))
  }
}
