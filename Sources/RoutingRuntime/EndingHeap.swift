/// When requests end, in steps from now: a binary heap, the earliest first.
struct EndingHeap: Sendable {
  private var endings: [Double] = []
  /// The earliest; infinity without any.
  private(set) var earliest = Double.infinity

  /// How many there are.
  var count: Int { endings.count }

  /// Makes room for `capacity` of them, so that none allocates.
  mutating func reserve(_ capacity: Int) { endings.reserveCapacity(capacity) }

  /// Forgets all, but not their room.
  @inline(always)
  mutating func removeAll() {
    if !endings.isEmpty { endings.removeAll(keepingCapacity: true) }
    earliest = .infinity
  }

  /// - Complexity: O(log count), O(1) on average.
  mutating func add(_ ending: Double) {
    endings.append(ending)
    var heap = endings.mutableSpan
    var index = heap.count - 1
    while index > 0 {
      let parent = (index - 1) / 2
      guard heap[parent] > ending else { break }
      heap[index] = heap[parent]
      index = parent
    }
    heap[index] = ending
    earliest = heap[0]
  }

  /// Forgets those that end by then.
  ///
  /// - Returns: How many there were.
  /// - Complexity: O(log count) for each.
  @inline(always)
  mutating func drop(by steps: Double) -> Double {
    guard !(earliest > steps) else { return 0 }
    var dropped = 0.0
    while !(earliest > steps), !endings.isEmpty {
      dropEarliest()
      dropped += 1
    }
    return dropped
  }

  /// Takes the root: the last moves to where it belongs.
  private mutating func dropEarliest() {
    let last = endings.removeLast()
    let count = endings.count
    guard count > 0 else {
      earliest = .infinity
      return
    }
    var heap = endings.mutableSpan
    var index = 0
    while true {
      var child = 2 * index + 1
      guard child < count else { break }
      if child + 1 < count, heap[child + 1] < heap[child] { child += 1 }
      guard heap[child] < last else { break }
      heap[index] = heap[child]
      index = child
    }
    heap[index] = last
    earliest = heap[0]
  }
}
