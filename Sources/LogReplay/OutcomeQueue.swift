/// A first token, a later chunk or an end that is still to come.
struct Outcome: Sendable {
  /// What comes back, in the order in which it does.
  enum Kind: Sendable, Equatable {
    case firstToken
    /// The chunk at this index of the row's logged ones.
    case chunk(Int32)
    case end

    /// First tokens first, ends last.
    var rank: Int32 {
      switch self {
      case .firstToken: -1
      case .chunk(let index): index
      case .end: .max
      }
    }
  }

  var time: Double
  var row: Int
  var kind: Kind

  /// Earlier times first; then by row; what a row brings in its order.
  static func isBefore(_ left: Outcome, _ right: Outcome) -> Bool {
    if left.time != right.time { return left.time < right.time }
    if left.row != right.row { return left.row < right.row }
    return left.kind.rank < right.kind.rank
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
    var span = heap.mutableSpan
    var child = span.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard Outcome.isBefore(outcome, span[parent]) else { break }
      span[child] = span[parent]
      child = parent
    }
    span[child] = outcome
  }

  /// - Complexity: O(log *n*).
  mutating func removeFirst() {
    guard let last = heap.popLast(), !heap.isEmpty else { return }
    var span = heap.mutableSpan
    let count = span.count
    var parent = 0
    while true {
      var child = 2 * parent + 1
      guard child < count else { break }
      if child + 1 < count, Outcome.isBefore(span[child + 1], span[child]) { child += 1 }
      guard Outcome.isBefore(span[child], last) else { break }
      span[parent] = span[child]
      parent = child
    }
    span[parent] = last
  }
}
