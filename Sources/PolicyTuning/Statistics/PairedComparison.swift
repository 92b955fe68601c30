/// How much better one policy is than another on the same requests with the same seeds.
///
/// The interval is a block bootstrap over time blocks and over seeds: requests of one block share
/// queues and cannot count as independent.
///
/// - Source: Künsch (1989), doi:10.1214/aos/1176347265.
public struct PairedComparison: Sendable, Hashable, Codable {
  /// What is compared.
  public var metric: TuningMetric
  /// With the baseline, ms or a share.
  public var baseline: Double
  /// With the candidate, ms or a share.
  public var candidate: Double
  /// See ``TuningMetric/gain(candidate:baseline:)``; more is better.
  public var gain: Double
  /// The lower end of the gain's 95 % interval.
  public var lower: Double
  /// The upper end.
  public var upper: Double
  /// Time blocks behind it.
  public var blockCount: Int
  /// Seeds behind it.
  public var seedCount: Int

  /// What may be said.
  public enum Verdict: String, Sendable, Hashable, Codable {
    /// Better, surely and by enough to matter.
    case win
    /// Neither.
    case undecided
    /// Surely worse.
    case loss
  }

  /// A gain below this is not worth a change.
  public static let smallestGain = 0.01

  /// What may be said.
  public var verdict: Verdict { verdict(smallestGain: Self.smallestGain) }

  /// What may be said, when gains below `smallestGain` do not matter.
  public func verdict(smallestGain: Double) -> Verdict {
    if lower > 0, gain >= smallestGain { return .win }
    return upper < 0 ? .loss : .undecided
  }

  /// Compares runs: one per seed, of the same requests in the same order in both arms.
  ///
  /// - Parameters:
  ///   - replicates: Of the bootstrap.
  ///   - seed: Of the bootstrap.
  /// - Complexity: O(replicates × requests).
  public init(
    _ metric: TuningMetric, candidate: [Observations], baseline: [Observations],
    replicates: Int = 1000, seed: UInt64 = 1
  ) {
    self.metric = metric
    seedCount = min(candidate.count, baseline.count)
    let runs = candidate.prefix(seedCount) + baseline.prefix(seedCount)
    blockCount = Int(runs.flatMap(\.blocks).max() ?? -1) + 1
    let first = Self.Sample(metric, candidate.prefix(seedCount), blockCount: blockCount)
    let second = Self.Sample(metric, baseline.prefix(seedCount), blockCount: blockCount)
    let whole = [Int](repeating: 1, count: max(seedCount * blockCount, 1))
    self.candidate = first.value(whole)
    self.baseline = second.value(whole)
    gain = metric.gain(candidate: self.candidate, baseline: self.baseline)
    (lower, upper) = (-.infinity, .infinity)
    guard blockCount >= Self.fewestBlocks, gain.isFinite else { return }
    var random = SeededGenerator(seed: seed)
    var gains: [Double] = []
    gains.reserveCapacity(replicates)
    for _ in 0..<replicates {
      let weights = Self.draw(seeds: seedCount, blocks: blockCount, &random)
      let drawn = metric.gain(candidate: first.value(weights), baseline: second.value(weights))
      if drawn.isFinite { gains.append(drawn) }
    }
    gains.sort()
    // Few blocks scatter less in a bootstrap than in truth: Student's t against the normal.
    let widening = 1 + 1.9 / Double(blockCount - 1)
    lower = gain - widening * max(0, gain - Quantile.of(sorted: gains, 0.025))
    upper = gain + widening * max(0, Quantile.of(sorted: gains, 0.975) - gain)
  }

  private static let fewestBlocks = 4

  /// How often each cell of seed and block is drawn.
  private static func draw(
    seeds: Int, blocks: Int, _ random: inout SeededGenerator
  ) -> [Int] {
    var (seedTimes, blockTimes) = (
      [Int](repeating: 0, count: seeds), [Int](repeating: 0, count: blocks)
    )
    for _ in 0..<seeds { seedTimes[random.index(below: seeds)] += 1 }
    for _ in 0..<blocks { blockTimes[random.index(below: blocks)] += 1 }
    var weights: [Int] = []
    weights.reserveCapacity(seeds * blocks)
    for times in seedTimes { for block in blockTimes { weights.append(times * block) } }
    return weights
  }

  /// A metric's values, ready to be weighted by cell.
  private struct Sample {
    let level: Double?
    /// Sorted when a quantile is wanted.
    var values: [Double] = []
    var cells: [Int32] = []
    var sums: [Double]
    var counts: [Int]

    init(_ metric: TuningMetric, _ runs: ArraySlice<Observations>, blockCount: Int) {
      level = metric.level
      let size = max(runs.count * blockCount, 1)
      sums = [Double](repeating: 0, count: size)
      counts = [Int](repeating: 0, count: size)
      var pairs: [(value: Double, cell: Int32)] = []
      for (seed, run) in runs.enumerated() {
        for (value, block) in zip(metric.values(run), run.blocks) where value.isFinite {
          let cell = seed * blockCount + Int(block)
          sums[cell] += value
          counts[cell] += 1
          if level != nil { pairs.append((value, Int32(cell))) }
        }
      }
      pairs.sort { $0.value < $1.value }
      values = pairs.map(\.value)
      cells = pairs.map(\.cell)
    }

    func value(_ weights: [Int]) -> Double {
      var total = 0
      for (cell, count) in counts.enumerated() { total += weights[cell] * count }
      guard total > 0 else { return .nan }
      guard let level else {
        var sum = 0.0
        for (cell, cellSum) in sums.enumerated() { sum += Double(weights[cell]) * cellSum }
        return sum / Double(total)
      }
      let rank = level * Double(total - 1)
      var seen = 0
      for index in values.indices {
        seen += weights[Int(cells[index])]
        if Double(seen) > rank { return values[index] }
      }
      return values.last ?? .nan
    }
  }
}
