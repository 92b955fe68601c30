/// The rows of a regression: `Float`, row after row.
///
/// `Float` because reading the rows bounds a fit (half the bytes of `Double`), and features are
/// counts and durations that carry no more than seven digits. All sums are made in `Double`.
public struct Design: Sendable {
  /// The number of rows (n).
  public private(set) var rowCount: Int
  /// The number of columns (p).
  public let columnCount: Int
  /// The values: element (row, column) is at `row * columnCount + column`.
  public private(set) var elements: [Float]

  /// A design without rows.
  public init(columnCount: Int) {
    self.columnCount = columnCount
    rowCount = 0
    elements = []
  }

  /// A design that takes over row-major `elements`.
  ///
  /// - Throws: ``LinearAlgebraError/shapeMismatch(what:expected:actual:)`` for a wrong count.
  public init(rowCount: Int, columnCount: Int, elements: [Float]) throws(LinearAlgebraError) {
    guard elements.count == rowCount * columnCount else {
      throw .shapeMismatch(
        what: "design elements", expected: rowCount * columnCount, actual: elements.count)
    }
    self.rowCount = rowCount
    self.columnCount = columnCount
    self.elements = elements
  }

  /// A design whose rows are written by `fill`, a block of rows a call, on up to `threads` threads.
  ///
  /// - Parameter fill: is given the rows and their storage, `rows.count * columnCount` zeros.
  public init(
    rowCount: Int, columnCount: Int, threads: Int,
    fill: @Sendable (Range<Int>, inout MutableSpan<Float>) -> Void
  ) {
    self.rowCount = rowCount
    self.columnCount = columnCount
    elements = unsafe [Float](unsafeUninitializedCapacity: rowCount * columnCount) { buffer, used in
      unsafe buffer.initialize(repeating: 0)
      // Blocks are disjoint, so no two threads write one element.
      nonisolated(unsafe) let target = unsafe buffer
      _ = RowBlocks(rowCount: rowCount).map(threads: threads) { rows in
        let range = (rows.lowerBound * columnCount)..<(rows.upperBound * columnCount)
        let part = unsafe UnsafeMutableBufferPointer(rebasing: target[range])
        var span = unsafe MutableSpan(_unsafeElements: part)
        fill(rows, &span)
      }
      used = rowCount * columnCount
    }
  }

  /// The rows of `parts`, one after another.
  ///
  /// - Precondition: parts of `columnCount` columns.
  /// - Complexity: O(elements) over `threads`.
  public init(joining parts: [Design], columnCount: Int, threads: Int) {
    precondition(parts.allSatisfy { $0.columnCount == columnCount }, "parts of the same columns")
    self.columnCount = columnCount
    rowCount = parts.reduce(0) { $0 + $1.rowCount }
    var starts = [0]
    for part in parts { starts.append((starts.last ?? 0) + part.elements.count) }
    let offsets = starts
    let count = rowCount * columnCount
    elements = unsafe [Float](unsafeUninitializedCapacity: count) { buffer, used in
      // Parts are disjoint, so no two threads write one element.
      nonisolated(unsafe) let target = unsafe buffer
      _ = RowBlocks(rowCount: parts.count, blockRows: 1).map(threads: threads) { block in
        let part = block.lowerBound
        let range = offsets[part]..<offsets[part + 1]
        _ = unsafe UnsafeMutableBufferPointer(rebasing: target[range])
          .initialize(fromContentsOf: parts[part].elements)
      }
      used = count
    }
  }

  /// Makes room for `rows` rows.
  public mutating func reserve(_ rows: Int) { elements.reserveCapacity(rows * columnCount) }

  /// Adds one row.
  ///
  /// - Precondition: `row.count == columnCount`.
  public mutating func append(_ row: some Collection<Float>) {
    precondition(row.count == columnCount, "one value per column")
    elements.append(contentsOf: row)
    rowCount += 1
  }

  /// Appends the rows of `other`, which has the same columns.
  ///
  /// - Complexity: O(elements of `other`).
  public mutating func append(contentsOf other: Design) {
    precondition(other.columnCount == columnCount, "rows of the same columns")
    elements.append(contentsOf: other.elements)
    rowCount += other.rowCount
  }

  /// The element in `row` and `column`, both from 0.
  public subscript(row: Int, column: Int) -> Float { elements[row * columnCount + column] }

  /// The rows named, in that order.
  public func selecting(rows: [Int]) -> Design {
    var result = Design(columnCount: columnCount)
    result.elements.reserveCapacity(rows.count * columnCount)
    for row in rows {
      result.elements.append(
        contentsOf: elements[(row * columnCount)..<((row + 1) * columnCount)])
    }
    result.rowCount = rows.count
    return result
  }

  /// The columns named, in that order.
  public func selecting(columns: [Int], threads: Int = 1) -> Design {
    let (width, source) = (columnCount, elements)
    return Design(rowCount: rowCount, columnCount: columns.count, threads: threads) { rows, part in
      for row in rows {
        let base = (row - rows.lowerBound) * columns.count
        for (index, column) in columns.enumerated() {
          part[base + index] = source[row * width + column]
        }
      }
    }
  }

  /// Where the first value stands that is not finite; nil when all are.
  public func firstNotFinite() -> (row: Int, column: Int)? {
    guard let index = elements.firstIndex(where: { !$0.isFinite }) else { return nil }
    return (index / columnCount, index % columnCount)
  }
}
