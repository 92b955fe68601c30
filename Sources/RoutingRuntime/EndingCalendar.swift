/// When requests end, in whole steps from now: how many do in each, and the earliest.
///
/// A calendar queue: a bit per step says whether any request ends there, so that the next one is
/// found at once, and adding one compares it with no other.
struct EndingCalendar: Sendable {
  /// A bit per step, then the numbers of requests, two steps a word.
  private var words: [UInt64]
  /// The steps that it has room for.
  private var span: Int
  /// How many there are.
  private(set) var count = 0
  /// The earliest; infinity without any.
  private(set) var earliest = Double.infinity

  /// Steps that a new calendar has room for; longer answers make it grow.
  private static let firstSpan = 1_024
  /// Requests that end after more steps than these are taken to end then.
  private static let longestSpan = 1 << 20

  /// A calendar without requests.
  init() {
    span = Self.firstSpan
    words = [UInt64](repeating: 0, count: Self.wordCount(Self.firstSpan))
  }

  private static func wordCount(_ span: Int) -> Int { span / 64 + span / 2 }

  /// Forgets all.
  @inline(always)
  mutating func removeAll() {
    if count > 0 { clear() }
  }

  /// Notes a request that ends after so many steps, rounded up.
  ///
  /// - Complexity: O(1), no allocation but for the first of so many steps.
  @inline(always)
  mutating func add(_ ending: Double) {
    // What is no number ends last, too.
    if !(ending <= Double(span - 1)) { grow(for: ending) }
    let last = Double(span - 1)
    let bounded = ending < last ? (ending > 0 ? ending : 0) : last
    let whole = Int(bounded)
    let step = whole &+ (Double(whole) < bounded ? 1 : 0)
    let place = span &>> 6 &+ step &>> 1
    var cells = words.mutableSpan
    cells[step &>> 6] |= 1 &<< UInt64(truncatingIfNeeded: step & 63)
    cells[place] &+= 1 &<< Self.shift(step)
    count &+= 1
    if Double(step) < earliest { earliest = Double(step) }
  }

  /// Forgets those that end by then.
  ///
  /// - Returns: How many there were.
  /// - Complexity: O(1) for each step in which one ends, and for 64 in which none does.
  @inline(always)
  mutating func drop(by steps: Double) -> Double {
    earliest > steps ? 0 : dropAll(by: steps)
  }

  private mutating func dropAll(by steps: Double) -> Double {
    let wordCount = span &>> 6
    var (next, dropped) = (earliest, 0)
    var cells = words.mutableSpan
    while next <= steps, next < .infinity {
      let step = Int(next)
      let place = wordCount &+ step &>> 1
      dropped += Int(cells[place] &>> Self.shift(step) & 0xffff_ffff)
      cells[place] &= ~(0xffff_ffff &<< Self.shift(step))
      var word = step &>> 6
      // No earlier step has a bit.
      cells[word] &= cells[word] &- 1
      while word < wordCount, cells[word] == 0 { word += 1 }
      next =
        word < wordCount
        ? Double(word &<< 6 &+ cells[word].trailingZeroBitCount) : .infinity
    }
    earliest = next
    count -= dropped
    return Double(dropped)
  }

  private mutating func clear() {
    let wordCount = span &>> 6
    var cells = words.mutableSpan
    for word in 0..<wordCount where cells[word] != 0 {
      // A word of bits stands for 32 words of numbers.
      let first = wordCount &+ word &<< 5
      for place in first..<first &+ 32 { cells[place] = 0 }
      cells[word] = 0
    }
    count = 0
    earliest = .infinity
  }

  private mutating func grow(for ending: Double) {
    var wider = span
    while wider < Self.longestSpan, !(ending <= Double(wider - 1)) { wider *= 2 }
    guard wider > span else { return }
    let numbers = words[(span / 64)...]
    words = words[..<(span / 64)] + [UInt64](repeating: 0, count: (wider - span) / 64) + numbers
    words += [UInt64](repeating: 0, count: Self.wordCount(wider) - words.count)
    span = wider
  }

  @inline(always)
  private static func shift(_ step: Int) -> UInt64 { UInt64(truncatingIfNeeded: step & 1) &<< 5 }
}
