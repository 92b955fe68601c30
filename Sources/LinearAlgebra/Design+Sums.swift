extension Design {
  /// `x · coefficients` of every row, shape `[n]`.
  ///
  /// - Precondition: `coefficients.count == columnCount`.
  /// - Complexity: O(*n p*) over `threads`.
  public func product(_ coefficients: [Double], threads: Int = 1) -> [Double] {
    let parts = RowBlocks(rowCount: rowCount).map(threads: threads) { rows -> [Double] in
      var result: [Double] = []
      result.reserveCapacity(rows.count)
      forEachTile(rows) { tile, _ in
        var predictions = [Double](repeating: 0, count: tile.rowCount)
        tile.predict(coefficients, into: &predictions)
        result += predictions
      }
      return result
    }
    return parts.flatMap { $0 }
  }

  /// `Σ (x / scale)²` of every column, shape `[p]`.
  ///
  /// - Parameter scales: Shape `[n]`, not 0.
  /// - Complexity: O(*n p*) over `threads`, whose number does not change the result.
  public func columnSquares(scales: [Double], threads: Int = 1) -> [Double] {
    precondition(scales.count == rowCount, "one scale per row")
    let total = RowBlocks(rowCount: rowCount).reduce(threads: threads) { rows -> [Double] in
      var sums = [Double](repeating: 0, count: columnCount)
      forEachTile(rows) { tile, range in
        tile.addSquares(range.map { 1 / (scales[$0] * scales[$0]) }, to: &sums)
      }
      return sums
    } merge: { sums, part in
      for column in sums.indices { sums[column] += part[column] }
    }
    return total ?? [Double](repeating: 0, count: columnCount)
  }

  private func forEachTile(
    _ rows: Range<Int>, _ body: (borrowing DesignTile, Range<Int>) -> Void
  ) {
    var tile = DesignTile(columnCount: columnCount)
    let capacity = DesignTile.capacity(columnCount: columnCount)
    for start in stride(from: rows.lowerBound, to: rows.upperBound, by: capacity) {
      let range = start..<min(start + capacity, rows.upperBound)
      tile.load(self, rows: range)
      body(tile, range)
    }
  }
}
