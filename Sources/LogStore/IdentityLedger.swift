/// The identities of stored requests by day of arrival: how a request is told to be here already.
///
/// A request is the same when its id and its day of arrival (UTC) are. The days that an ingest
/// touches are loaded when first met: 8 bytes times at most 2.9 slots a request. Two different ids
/// are taken for one with a probability of about *n*²/2⁶⁵ for *n* requests a day: 3·10⁻⁶ at ten
/// million.
struct IdentityLedger {
  static let dayNanoseconds: Int64 = 86_400_000_000_000

  private var days: [Int64: IdentityTable] = [:]
  private var latestDay = Int64.min
  private var latest = IdentityTable()

  /// Adds a request; `false` when it was there.
  ///
  /// - Parameter load: Gives the stored identities of a day, by its number since 1970.
  @inline(__always)
  mutating func insert(
    _ identity: UInt64, received: Int64, load: (Int64) throws -> IdentityTable
  ) rethrows -> Bool {
    let day = received / Self.dayNanoseconds
    if day != latestDay {
      let next = try days.removeValue(forKey: day) ?? load(day)
      if latestDay != .min { days[latestDay] = latest }
      latest = next
      latestDay = day
    }
    return latest.insert(identity)
  }

  /// Forgets days, the earliest first, while more than `limit` identities are held; not the latest
  /// one met.
  mutating func trim(above limit: Int) {
    var held = days.values.reduce(latest.count) { $0 + $1.count }
    while held > limit, let day = days.keys.min() {
      held -= days.removeValue(forKey: day)?.count ?? 0
    }
  }
}

/// A set of 64-bit identities with open addressing.
struct IdentityTable {
  private var slots: [UInt64] = Array(repeating: 0, count: 1 << 10)
  private(set) var count = 0

  init() {}

  /// Adds `identity`; `false` when it was there.
  @inline(__always)
  mutating func insert(_ identity: UInt64) -> Bool {
    if count &* 10 >= slots.count &* 7 { grow() }
    return place(identity == 0 ? 1 : identity)
  }

  @inline(__always)
  private mutating func place(_ identity: UInt64) -> Bool {
    let mask = slots.count - 1
    var slot = Int(truncatingIfNeeded: identity) & mask
    while slots[slot] != 0 {
      if slots[slot] == identity { return false }
      slot = (slot + 1) & mask
    }
    slots[slot] = identity
    count += 1
    return true
  }

  private mutating func grow() {
    let old = slots
    slots = Array(repeating: 0, count: old.count * 2)
    count = 0
    for identity in old where identity != 0 { _ = place(identity) }
  }
}
