internal import LogReplay
internal import RequestLog

/// Where the pool, or one endpoint, became slower or quicker for good within a fit's window.
///
/// Coefficients of a log of two speeds fit neither. So the pace of answers is searched for steps,
/// and latencies from before a step are told at the newest speed; then all is fitted. Load and
/// chance make the pace wander too, so a step counts when it is large beside that.
struct SpeedChanges {
  /// Latencies of some rows, times a factor.
  struct Change: Sendable {
    /// Rows of the log.
    var rows: Range<Int>
    /// The endpoint; ``Symbol/none`` for all.
    var endpoint: Symbol
    /// Of the factor.
    var logarithm: Double
  }

  /// The changes that rows `range` of `log` show: of the pool, then of single endpoints.
  ///
  /// - Returns: None for most logs.
  static func find(_ log: ReplayLog, in range: Range<Int>, threads: Int) -> [Change] {
    var pace = AnswerPace(log, range: range, threads: threads)
    guard pace.fitResiduals(threads: threads) else { return [] }
    var changes: [Change] = []
    settle(&changes, &pace, search(pace.examples, of: .none, in: range), range, threads)
    let endpoints = Set(pace.examples.map(\.endpoint)).sorted { $0.index < $1.index }
    guard endpoints.count > 1, endpoints.count <= endpointLimit else { return changes }
    let found = endpoints.map { endpoint in
      search(pace.examples.filter { $0.endpoint == endpoint }, of: endpoint, in: range)
    }
    settle(&changes, &pace, found.flatMap { $0 }, range, threads)
    return changes
  }

  /// Beyond so many endpoints each is left to its group's factor and the live correction.
  private static let endpointLimit = 24
  /// In fewer examples, of the pool or of one endpoint, a turn of the load passes for a step.
  private static let fewestExamples = 2_500
  private static let binCount = 80
  /// The shortest time between two steps, as a share of all.
  private static let shortest = 0.07
  /// Steps that are smaller at first sight, half hidden in the coefficients, are not looked at.
  private static let leastSight = 0.05
  /// Smaller steps are the live correction's, and load's.
  private static let leastStep = 0.13
  /// A step's size over its standard error, from which on it counts.
  private static let leastSignificance = 5.0
  /// The same of one endpoint: there are more of them to look at.
  private static let leastOwnSignificance = 7.0
  /// One example says no more than this.
  private static let clip = 0.5
  private static let mostSteps = 3
  private static let rounds = 6

  /// Takes the sizes of `found` from coefficients that know of the steps, and drops small ones.
  private static func settle(
    _ changes: inout [Change], _ pace: inout AnswerPace, _ found: [Change], _ range: Range<Int>,
    _ threads: Int
  ) {
    guard !found.isEmpty else { return }
    var (known, settled) = (found, pace)
    settled.apply(known)
    for _ in 1..<rounds {
      guard settled.fitResiduals(threads: threads) else { return }
      var more = known
      for index in known.indices {
        let end = known.last { $0.endpoint == known[index].endpoint }?.rows.upperBound ?? 0
        let own = settled.examples.filter {
          known[index].endpoint == .none || $0.endpoint == known[index].endpoint
        }
        let newest = level(own.filter { $0.row >= end })
        more[index].logarithm = newest - level(own.filter { known[index].rows.contains($0.row) })
        known[index].logarithm += more[index].logarithm
      }
      settled.apply(more)
    }
    let large = known.filter { $0.logarithm.magnitude >= leastStep }
    guard !large.isEmpty else { return }
    changes += large
    pace.apply(large)
    _ = pace.fitResiduals(threads: threads)
  }

  private static func search(
    _ examples: [AnswerPace.Example], of endpoint: Symbol, in range: Range<Int>
  ) -> [Change] {
    guard examples.count >= (endpoint == .none ? 2 : 1) * fewestExamples else { return [] }
    let count = binCount
    let starts = (0...count).map { $0 * examples.count / count }
    let values = (0..<count).map { level(examples[starts[$0]..<starts[$0 + 1]]) }
    let partitions = Partitions(
      values, most: mostSteps + 1, shortest: max(2, Int(shortest * Double(count))))
    let noise = partitions.noise
    for number in (2...(mostSteps + 1)).reversed() {
      let cuts = partitions.cuts(number)
      let isSure = (1..<number).allSatisfy {
        significance(of: $0, cuts, values, noise)
          >= (endpoint == .none ? leastSignificance : leastOwnSignificance)
      }
      guard isSure else { continue }
      let levels = (0..<number).map { mean(values[cuts[$0]..<cuts[$0 + 1]]) }
      return (0..<(number - 1)).map { stretch in
        let first = stretch == 0 ? range.lowerBound : examples[starts[cuts[stretch]]].row
        return Change(
          rows: first..<examples[starts[cuts[stretch + 1]]].row, endpoint: endpoint,
          logarithm: levels[number - 1] - levels[stretch])
      }
    }
    return []
  }

  /// A step's size over its standard error; 0 when it is too small to count.
  private static func significance(
    of step: Int, _ cuts: [Int], _ values: [Double], _ noise: Double
  ) -> Double {
    let (left, right) = (cuts[step - 1]..<cuts[step], cuts[step]..<cuts[step + 1])
    let size = (mean(values[right]) - mean(values[left])).magnitude
    guard size >= leastSight else { return 0 }
    return size / max(noise * (1 / Double(left.count) + 1 / Double(right.count)).squareRoot(), 1e-9)
  }

  private static func mean(_ values: some Collection<Double>) -> Double {
    values.reduce(0, +) / Double(max(values.count, 1))
  }

  private static func level(_ examples: some Collection<AnswerPace.Example>) -> Double {
    examples.reduce(0) { $0 + min(max($1.residual, -clip), clip) }
      / Double(max(examples.count, 1))
  }
}

extension [SpeedChanges.Change] {
  /// Of the factor by which the latencies of a row are told; 0 for unchanged.
  func logarithm(row: Int, endpoint: Symbol) -> Double {
    reduce(0) { sum, change in
      let isConcerned =
        change.rows.contains(row) && (change.endpoint == .none || change.endpoint == endpoint)
      return isConcerned ? sum + change.logarithm : sum
    }
  }
}

/// The best cuts of a series into stretches of one level each, by least squares.
private struct Partitions {
  private let values: [Double]
  private let most: Int
  /// By number of stretches less one, then by end: where the last stretch starts.
  private var starts: [[Int]] = []

  /// - Complexity: O(*n²* `most`).
  init(_ values: [Double], most: Int, shortest: Int) {
    self.values = values
    self.most = most
    var (sums, squares) = ([0.0], [0.0])
    for value in values {
      sums.append(sums[sums.count - 1] + value)
      squares.append(squares[squares.count - 1] + value * value)
    }
    func loss(_ first: Int, _ end: Int) -> Double {
      let sum = sums[end] - sums[first]
      return squares[end] - squares[first] - sum * sum / Double(max(end - first, 1))
    }
    var least = (0...values.count).map { $0 >= shortest ? loss(0, $0) : .infinity }
    starts = [[Int](repeating: 0, count: values.count + 1)]
    for _ in 1..<most {
      var next = [Double](repeating: .infinity, count: values.count + 1)
      var from = [Int](repeating: 0, count: values.count + 1)
      for end in shortest...values.count {
        for first in 0...(end - shortest) where least[first] + loss(first, end) < next[end] {
          next[end] = least[first] + loss(first, end)
          from[end] = first
        }
      }
      least = next
      starts.append(from)
    }
  }

  /// Where the `number` stretches start, and the end.
  func cuts(_ number: Int) -> [Int] {
    var cuts = [values.count]
    for index in (0..<number).reversed() { cuts.append(starts[index][cuts[cuts.count - 1]]) }
    return cuts.reversed()
  }

  /// The standard deviation of a value about its stretch's level, as if values were independent,
  /// in the finest partition: neighbours that wander together count as fewer.
  var noise: Double {
    let cuts = cuts(most)
    var left: [Double] = []
    for (first, end) in zip(cuts, cuts.dropFirst()) {
      let level = values[first..<end].reduce(0, +) / Double(max(end - first, 1))
      left += values[first..<end].map { $0 - level }
    }
    let square = left.reduce(0) { $0 + $1 * $1 }
    let product = zip(left, left.dropFirst()).reduce(0) { $0 + $1.0 * $1.1 }
    let correlation = min(max(product / max(square, 1e-12), 0), 0.9)
    let freedom = Double(max(left.count - most, 1))
    return (square / freedom * (1 + correlation) / (1 - correlation)).squareRoot()
  }
}
