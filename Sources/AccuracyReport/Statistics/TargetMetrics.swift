/// How well one target of one model was predicted over a set of requests.
///
/// Undefined numbers (no request at all) are `nan`; JSON writes them as the string `"nan"`.
public struct TargetMetrics: Sendable, Codable, Hashable {
  /// Requests judged.
  public var count: Int
  /// Requests with an outcome for which the model gave no finite number.
  public var invalidCount: Int
  /// Mean absolute relative error of the mean head, a fraction.
  public var mapeMean: Double
  /// Mean absolute relative error of the median head, a fraction.
  public var mapeP50: Double
  /// The smaller of the two, with its time-block bootstrap interval.
  public var mape: Interval
  /// Median absolute relative error of the median head, a fraction.
  public var medianAPE: Double
  /// Mean absolute error of the median head, milliseconds.
  public var maeMilliseconds: Double
  /// Root mean squared error of the mean head, milliseconds.
  public var rmseMilliseconds: Double
  /// Share of the variance that the mean head explains; below 0 is worse than a constant.
  public var rSquared: Double
  /// Mean of predicted − actual of the mean head, milliseconds.
  public var biasMilliseconds: Double
  /// ``biasMilliseconds`` over the mean outcome, a fraction.
  public var relativeBias: Double
  /// The quantile heads, ascending by level.
  public var levels: [LevelMetrics]
  /// Continuous ranked probability score approximated from the levels, milliseconds.
  ///
  /// Twice the pinball losses, weighted by the share of 0…1 nearest to each level; the lower half
  /// of the distribution is seen only through the median.
  public var crpsMilliseconds: Double

  /// The metrics of one level; nil when that level was not judged.
  public func level(_ level: Double) -> LevelMetrics? {
    levels.first { abs($0.level - level) < 1e-9 }
  }
}

/// How well one quantile head did.
public struct LevelMetrics: Sendable, Codable, Hashable {
  /// The stated level, 0.9 means p90.
  public var level: Double
  /// Mean pinball loss, milliseconds.
  public var pinballMilliseconds: Double
  /// The share of outcomes at or below the head, with the Wilson interval.
  public var coverage: Interval
  /// The same share's interval by time-block bootstrap: wider, since neighbours err together.
  public var blockCoverage: Interval
}

extension TargetMetrics {
  /// - Parameters:
  ///   - samples: Positions in `columns`, ascending.
  init(
    _ columns: TargetColumns, samples: [Int], blocks: TimeBlocks, bootstrap: BlockBootstrap
  ) {
    let n = Double(samples.count)
    let actual = columns.actual
    func average(_ value: (Int) -> Double) -> Double {
      samples.reduce(0) { $0 + value($1) } / n
    }
    let median = columns.levels[0]
    let relativeMean = samples.map { abs(columns.mean[$0] - actual[$0]) / actual[$0] }
    let relativeMedian = samples.map { abs(median[$0] - actual[$0]) / actual[$0] }

    count = samples.count
    invalidCount = columns.invalidCount
    mapeMean = relativeMean.reduce(0, +) / n
    mapeP50 = relativeMedian.reduce(0, +) / n
    let better = mapeMean < mapeP50 ? columns.mean : median
    let ones = blocks.sums(columns, samples) { _ in 1 }
    mape = bootstrap.interval(
      blocks.sums(columns, samples) { abs(better[$0] - actual[$0]) / actual[$0] }, ones)
    medianAPE = quantile(ofSorted: relativeMedian.sorted(), 0.5)
    maeMilliseconds = average { abs(median[$0] - actual[$0]) }
    let squared = average { (columns.mean[$0] - actual[$0]) * (columns.mean[$0] - actual[$0]) }
    rmseMilliseconds = squared.squareRoot()
    let centre = average { actual[$0] }
    rSquared = 1 - squared / average { (actual[$0] - centre) * (actual[$0] - centre) }
    biasMilliseconds = average { columns.mean[$0] - actual[$0] }
    relativeBias = biasMilliseconds / centre

    var judged: [LevelMetrics] = []
    for (index, level) in HeadValues.levels.enumerated() {
      let head = columns.levels[index]
      let covered = samples.reduce(0) { $0 + (actual[$1] <= head[$1] ? 1 : 0) }
      judged.append(
        LevelMetrics(
          level: level,
          pinballMilliseconds: average {
            pinballLoss(level: level, observed: actual[$0], predicted: head[$0])
          },
          coverage: wilsonInterval(successes: covered, count: samples.count),
          blockCoverage: bootstrap.interval(
            blocks.sums(columns, samples) { actual[$0] <= head[$0] ? 1 : 0 }, ones)))
    }
    levels = judged
    crpsMilliseconds = Self.rankedProbabilityScore(judged)
  }

  private static func rankedProbabilityScore(_ levels: [LevelMetrics]) -> Double {
    var score = 0.0
    for (index, judged) in levels.enumerated() {
      let lower = index == 0 ? 0 : (levels[index - 1].level + judged.level) / 2
      let upper = index + 1 == levels.count ? 1 : (judged.level + levels[index + 1].level) / 2
      score += 2 * (upper - lower) * judged.pinballMilliseconds
    }
    return score
  }
}
