/// A first token or an end that is still to come.
struct Outcome: Sendable {
  var time: Double
  var row: Int
  var isEnd: Bool

  /// Earlier times first; then by row; a row's first token before its end.
  static func isBefore(_ left: Outcome, _ right: Outcome) -> Bool {
    if left.time != right.time { return left.time < right.time }
    if left.row != right.row { return left.row < right.row }
    return !left.isEnd && right.isEnd
  }
}

/// Outcomes by time: a binary heap.
struct OutcomeQueue: Sendable {
  private var heap: [Outcome] = []

  /// The earliest.
  var first: Outcome? { heap.first }

  /// - Complexity: O(log *n*).
  mutating func insert(_ outcome: Outcome) {
    heap.append(outcome)
    var child = heap.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard Outcome.isBefore(heap[child], heap[parent]) else { break }
      heap.swapAt(child, parent)
      child = parent
    }
  }

  /// - Complexity: O(log *n*).
  mutating func removeFirst() {
    guard let last = heap.popLast(), !heap.isEmpty else { return }
    heap[0] = last
    var parent = 0
    while true {
      var child = 2 * parent + 1
      guard child < heap.count else { break }
      if child + 1 < heap.count, Outcome.isBefore(heap[child + 1], heap[child]) { child += 1 }
      guard Outcome.isBefore(heap[child], heap[parent]) else { break }
      heap.swapAt(child, parent)
      parent = child
    }
  }
}
