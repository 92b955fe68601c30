// Batches read and write a few hundred lanes a request. Views of memory without checks are a third
// quicker there; each is made in one place, for the time of one batch.

/// What a batch knows of a group: one element a ``LaneColumn``.
@safe
struct LaneRows {
  private let start: UnsafeMutablePointer<Lanes>

  /// - Parameter start: Of ``LaneColumn/count`` elements that outlive the view.
  @unsafe
  @inline(always)
  init(_ start: UnsafeMutablePointer<Lanes>) { unsafe self.start = start }

  /// A column of the endpoints' rows.
  @inline(always)
  subscript(column: LaneColumn) -> Lanes {
    get { unsafe start[column.rawValue] }
    nonmutating set { unsafe start[column.rawValue] = newValue }
  }

  /// A column by its number, one of ``LaneColumn/count``.
  @inline(always)
  subscript(number number: Int) -> Lanes { unsafe start[number] }

  /// The column that stands so many after another.
  @inline(always)
  subscript(first: LaneColumn, offset: Int) -> Lanes {
    get { unsafe start[first.rawValue + offset] }
    nonmutating set { unsafe start[first.rawValue + offset] = newValue }
  }

  /// One endpoint's row.
  @inline(always)
  func row(_ lane: Int) -> LaneRow {
    precondition(lane >= 0 && lane < laneCount)
    return unsafe LaneRow(
      UnsafeMutableRawPointer(start).assumingMemoryBound(to: Double.self) + lane)
  }
}

/// One endpoint's values of a group's columns.
@safe
struct LaneRow {
  private let start: UnsafeMutablePointer<Double>

  @unsafe
  @inline(always)
  fileprivate init(_ start: UnsafeMutablePointer<Double>) { unsafe self.start = start }

  @inline(always)
  subscript(column: LaneColumn) -> Double { unsafe start[laneCount * column.rawValue] }

  /// Writes the value of a column.
  @inline(always)
  func set(_ column: LaneColumn, _ value: Double) {
    unsafe start[laneCount * column.rawValue] = value
  }
}

/// The groups' rows, one after the other.
@safe
struct LaneSheet {
  private let values: UnsafeMutableBufferPointer<Lanes>

  @unsafe
  @inline(always)
  init(_ values: UnsafeMutableBufferPointer<Lanes>) { unsafe self.values = values }

  /// The rows of a group; there must be one of this number.
  @inline(always)
  func rows(_ group: Int) -> LaneRows {
    let first = group * LaneColumn.count
    unsafe precondition(group >= 0 && first + LaneColumn.count <= values.count)
    guard let start = unsafe values.baseAddress else { preconditionFailure("no group") }
    return unsafe LaneRows(start + first)
  }
}

/// What a batch works in: a group's features, then the results of a ``LaneProgram``'s steps.
@safe
struct LaneSlots {
  private let start: UnsafeMutablePointer<Lanes>

  /// - Parameter slots: As many as the program that will be run in them has.
  @unsafe
  @inline(always)
  init(_ slots: UnsafeMutableBufferPointer<Lanes>, of program: LaneProgram) {
    guard let start = slots.baseAddress, slots.count >= program.slotCount else {
      preconditionFailure("too few slots")
    }
    unsafe self.start = start
  }

  /// A slot of the program.
  @inline(always)
  subscript(slot: Int) -> Lanes {
    get { unsafe start[slot] }
    nonmutating set { unsafe start[slot] = newValue }
  }

  /// Writes a feature of all endpoints.
  @inline(always)
  func set(_ feature: Feature, _ value: Lanes) { unsafe start[Int(feature.rawValue)] = value }
}

/// Elements that never change and are read without being counted as held.
///
/// Nothing is written after the initializer, so that any thread may read.
@safe
struct LaneTable<Element: BitwiseCopyable & Sendable>: @unchecked Sendable {
  private let elements: UnsafeMutableBufferPointer<Element>

  /// A copy of `source`, to be given back by ``free()``.
  init(_ source: [Element]) {
    unsafe elements = UnsafeMutableBufferPointer.allocate(capacity: source.count)
    unsafe _ = elements.initialize(from: source)
  }

  func free() { unsafe elements.deallocate() }

  var indices: Range<Int> { @inline(always) get { unsafe 0..<elements.count } }

  /// An element; no index but one of ``indices`` may be asked for.
  @inline(always)
  subscript(index: Int) -> Element { unsafe elements[index] }
}
