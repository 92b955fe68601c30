import Foundation

/// Counts positive values in bins that grow by a factor of 2^(1/16), about 4 %.
///
/// - Complexity: O(1) a value; about 6 KB.
struct LogSketch {
  private static let binsPerOctave = 16.0
  private static let lowestOctave = -14.0
  private static let binCount = 768

  private var bins = [Int](repeating: 0, count: LogSketch.binCount)
  private var zeroCount = 0
  private(set) var count = 0
  private var total = 0.0
  /// The twenty largest values, ascending, with their arrival in nanoseconds.
  private var largest: [(value: Double, time: Int64)] = []

  mutating func add(_ value: Double, at time: Int64 = 0) {
    guard value.isFinite, value >= 0 else { return }
    count += 1
    total += value
    keepLargest(value, time)
    guard value > 0 else {
      zeroCount += 1
      return
    }
    let position = (log2(value) - Self.lowestOctave) * Self.binsPerOctave
    bins[Int(min(max(position, 0), Double(Self.binCount - 1)))] += 1
  }

  private mutating func keepLargest(_ value: Double, _ time: Int64) {
    if largest.count == 20 {
      guard value > largest[0].value else { return }
      largest.removeFirst()
    }
    let place = largest.firstIndex { $0.value > value } ?? largest.count
    largest.insert((value, time), at: place)
  }

  func quantile(_ level: Double) -> Double {
    let rank = level * Double(count - 1)
    var seen = Double(zeroCount)
    if rank < seen { return 0 }
    for (bin, held) in bins.enumerated() where held > 0 {
      seen += Double(held)
      if rank < seen {
        return exp2((Double(bin) + 0.5) / Self.binsPerOctave + Self.lowestOctave)
      }
    }
    return largest.last?.value ?? .nan
  }

  var summary: ColumnSummary? {
    guard count > 0, let maximum = largest.last?.value, let smallest = largest.first?.value
    else { return nil }
    let times = largest.map(\.time)
    return ColumnSummary(
      count: count, mean: total / Double(count),
      quantiles: [0.01, 0.1, 0.5, 0.9, 0.99].map(quantile), maximum: maximum,
      tailRatio: largest.count == 20 && smallest > 0 ? maximum / smallest : .nan,
      tailSeconds: (Double(times.max() ?? 0) - Double(times.min() ?? 0)) / 1e9)
  }
}

/// Sums that give means, spreads and a correlation.
struct PairMoments {
  private(set) var count = 0
  private var x = 0.0
  private var y = 0.0
  private var xx = 0.0
  private var yy = 0.0
  private var xy = 0.0

  /// Updates means and centred sums (Welford), so that large offsets lose nothing.
  mutating func add(_ a: Double, _ b: Double) {
    guard a.isFinite, b.isFinite else { return }
    count += 1
    let (dx, dy, n) = (a - x, b - y, Double(count))
    x += dx / n
    y += dy / n
    xx += dx * (a - x)
    yy += dy * (b - y)
    xy += dx * (b - y)
  }

  /// 0 when either side is constant.
  var correlation: Double {
    let scale = (xx * yy).squareRoot()
    return scale > 0 ? xy / scale : 0
  }

  var meanDifference: Double { count > 0 ? x - y : .nan }
}

/// How far ratios scatter, in bins of half a per cent.
struct RatioSketch {
  private var sketch = LogSketch()

  /// A ratio's eighth power fills the sketch's range eight times as finely.
  private static let power = 8.0

  mutating func add(_ ratio: Double) { sketch.add(pow(ratio, Self.power)) }

  /// The standard deviation of a normal variable with the same 5th and 95th percentiles as the
  /// logarithm of the ratios; `nan` for fewer than two.
  var logSpread: Double {
    guard sketch.count > 1 else { return .nan }
    return log(sketch.quantile(0.95) / sketch.quantile(0.05)) / (2 * 1.644854 * Self.power)
  }
}

/// Finds repeated rows in bounded memory: only hashes whose low bits are zero are kept, so a row
/// and its copy are either both kept or both not.
struct RepeatCounter {
  private var seen: Set<UInt64> = []
  private var mask: UInt64 = 0
  private var kept = 0
  private var repeated = 0
  private let capacity: Int

  init(capacity: Int = 1 << 19) { self.capacity = capacity }

  mutating func add(_ hash: UInt64) {
    guard hash & mask == 0 else { return }
    kept += 1
    if !seen.insert(hash).inserted { repeated += 1 }
    if seen.count > capacity {
      mask = mask << 1 | 1
      seen = seen.filter { $0 & mask == 0 }
      kept /= 2
      repeated /= 2
    }
  }

  var share: Double { kept > 0 ? Double(repeated) / Double(kept) : 0 }
}

/// A hash that is the same in every process.
struct StableHash {
  private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

  mutating func combine(_ bits: UInt64) {
    var mixed = SplitMix64(seed: value ^ bits)
    value = mixed.next()
  }

  mutating func combine(_ number: Double) { combine(number.bitPattern) }

  mutating func combine(_ text: String) {
    for byte in text.utf8 { value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
  }
}
