import LinearAlgebra
import Testing

@Suite struct RowBlocksTests {
  @Test(arguments: [0, 1, 15, 16, 17, 1_000, 100_000])
  func blocksCoverEveryRowOnce(rowCount: Int) {
    let blocks = RowBlocks(rowCount: rowCount, blockRows: 16, blockLimit: 50)
    var next = 0
    for block in 0..<blocks.count {
      let rows = blocks.rows(of: block)
      #expect(rows.lowerBound == next)
      #expect(!rows.isEmpty)
      next = rows.upperBound
    }
    #expect(next == rowCount)
    #expect(blocks.count <= 50)
  }

  @Test(arguments: 1...6)
  func resultsComeInBlockOrder(threads: Int) {
    let blocks = RowBlocks(rowCount: 1_000, blockRows: 7)
    let starts = blocks.map(threads: threads) { $0.lowerBound }
    #expect(starts == (0..<blocks.count).map { $0 * 7 })
  }

  @Test(arguments: 1...6)
  func foldKeepsTheOrderOfASum(threads: Int) {
    let blocks = RowBlocks(rowCount: 10_000, blockRows: 9)
    let sum = blocks.reduce(threads: threads) { rows in
      rows.reduce(0.0) { $0 + 1 / Double($1 + 1) }
    } merge: {
      $0 += $1
    }
    var expected = 0.0
    for block in 0..<blocks.count {
      expected += blocks.rows(of: block).reduce(0.0) { $0 + 1 / Double($1 + 1) }
    }
    #expect(sum == expected)
  }

  @Test func noRowsGiveNothing() {
    let none = RowBlocks(rowCount: 0).reduce(threads: 4) { _ in
      1
    } merge: {
      $0 += $1
    }
    #expect(none == nil)
  }

  @Test func designIsFilledByEveryThreadCountAlike() {
    let made = (1...4).map { threads in
      Design(rowCount: 40_000, columnCount: 2, threads: threads) { rows, part in
        for row in rows {
          part[2 * (row - rows.lowerBound)] = Float(row)
          part[2 * (row - rows.lowerBound) + 1] = -Float(row)
        }
      }.elements
    }
    #expect(made[0][2 * 39_999] == 39_999)
    #expect(made.allSatisfy { $0 == made[0] })
  }
}
