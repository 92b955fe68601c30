import LinearAlgebra
import Testing

@Suite struct SideBySideTests {
  @Test(arguments: [1, 4]) func bothAnswersComeBackInTheirPlaces(threads: Int) {
    let (sum, text) = SideBySide.run(threads: threads) {
      RowBlocks(rowCount: 100, blockRows: 1).map(threads: threads, \.lowerBound).reduce(0, +)
    } _: {
      SideBySide.run(threads: threads) {
        "a"
      } _: {
        "b"
      }
    }
    #expect(sum == 4_950)
    #expect(text == ("a", "b"))
  }
}
