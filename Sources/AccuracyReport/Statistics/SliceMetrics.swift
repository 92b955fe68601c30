/// How well one target was predicted in one slice of the judged block.
public struct SliceMetrics: Sendable, Codable, Hashable {
  /// What the block was cut by; two names joined by `×` for cohorts.
  public var dimension: String
  /// Which slice, for example `pod-0` or `1.2k–2.4k`.
  public var label: String
  /// Requests of the slice that have an outcome.
  public var count: Int
  /// Those requests as a share of the block, 0…1.
  public var share: Double
  /// Mean absolute relative error with its interval, a fraction.
  public var mape: Interval
  /// Median absolute relative error of the median head, a fraction.
  public var medianAPE: Double
  /// Mean absolute error of the median head, milliseconds.
  public var maeMilliseconds: Double
  /// Mean of predicted − actual of the mean head over the mean outcome, a fraction.
  public var relativeBias: Double
  /// Pinball loss of the p90 head, milliseconds.
  public var p90PinballMilliseconds: Double
  /// Share of outcomes at or below the p90 head, 0…1.
  public var p90Coverage: Double
  /// Mean outcome, milliseconds.
  public var meanActualMilliseconds: Double
}

/// Cuts one target of one model into slices and finds where it errs most.
struct SliceAnalysis {
  let columns: TargetColumns
  let blocks: TimeBlocks
  let bootstrap: BlockBootstrap
  /// The head that MAPE is taken on: the mean head or the median head, whichever is better.
  let pointHead: [Double]

  init(columns: TargetColumns, blocks: TimeBlocks, bootstrap: BlockBootstrap) {
    self.columns = columns
    self.blocks = blocks
    self.bootstrap = bootstrap
    let ofMean = columns.relativeErrors(columns.mean).reduce(0, +)
    let ofMedian = columns.relativeErrors(columns.levels[0]).reduce(0, +)
    pointHead = ofMean < ofMedian ? columns.mean : columns.levels[0]
  }

  /// The samples of every slice, in label order.
  func members(_ slicing: Slicing) -> [[Int]] {
    var members = [[Int]](repeating: [], count: slicing.labels.count)
    for (sample, row) in columns.rows.enumerated() {
      if let slice = slicing.sliceOfRow[row] { members[slice].append(sample) }
    }
    return members
  }

  /// Every slice with at least one judged request.
  func metrics(_ slicing: Slicing) -> [SliceMetrics] {
    zip(slicing.labels, members(slicing)).compactMap { label, samples in
      samples.isEmpty
        ? nil : metrics(slicing.dimension.title, label, samples)
    }
  }

  func metrics(_ dimension: String, _ label: String, _ samples: [Int]) -> SliceMetrics {
    let n = Double(samples.count)
    let actual = columns.actual
    let (median, p90) = (columns.levels[0], columns.levels[1])
    func total(_ value: (Int) -> Double) -> Double { samples.reduce(0) { $0 + value($1) } }
    let outcome = total { actual[$0] }
    return SliceMetrics(
      dimension: dimension, label: label, count: samples.count,
      share: n / Double(max(columns.count, 1)),
      mape: bootstrap.interval(
        blocks.sums(columns, samples) { abs(pointHead[$0] - actual[$0]) / actual[$0] },
        blocks.sums(columns, samples) { _ in 1 }),
      medianAPE: quantile(
        ofSorted: samples.map { abs(median[$0] - actual[$0]) / actual[$0] }.sorted(), 0.5),
      maeMilliseconds: total { abs(median[$0] - actual[$0]) } / n,
      relativeBias: total { columns.mean[$0] - actual[$0] } / outcome,
      p90PinballMilliseconds: total {
        pinballLoss(level: 0.9, observed: actual[$0], predicted: p90[$0])
      } / n,
      p90Coverage: total { actual[$0] <= p90[$0] ? 1 : 0 } / n,
      meanActualMilliseconds: outcome / n)
  }

  /// The pairs of slices whose error is certainly high: ordered by the interval's lower end.
  ///
  /// - Parameters:
  ///   - slicings: Coarse cuts; every pair of them is crossed.
  ///   - minimumCount: Smaller cohorts are noise and are left out.
  ///   - limit: How many to return.
  func worstCohorts(_ slicings: [Slicing], minimumCount: Int, limit: Int) -> [SliceMetrics] {
    var cohorts: [SliceMetrics] = []
    for first in slicings.indices {
      for second in slicings.indices where second > first {
        cohorts += crossed(slicings[first], slicings[second], minimumCount)
      }
    }
    cohorts.sort { ($0.mape.lower, $0.label) > ($1.mape.lower, $1.label) }
    return Array(cohorts.prefix(limit))
  }

  private func crossed(_ first: Slicing, _ second: Slicing, _ minimum: Int) -> [SliceMetrics] {
    var members = [[Int]](repeating: [], count: first.labels.count * second.labels.count)
    for (sample, row) in columns.rows.enumerated() {
      if let a = first.sliceOfRow[row], let b = second.sliceOfRow[row] {
        members[a * second.labels.count + b].append(sample)
      }
    }
    return members.indices.compactMap { cell in
      guard members[cell].count >= minimum, !second.labels.isEmpty else { return nil }
      let (a, b) = cell.quotientAndRemainder(dividingBy: second.labels.count)
      return metrics(
        "\(first.dimension.title) × \(second.dimension.title)",
        "\(Self.described(first, a)), \(Self.described(second, b))", members[cell])
    }
  }

  private static func described(_ slicing: Slicing, _ slice: Int) -> String {
    let unit = slicing.dimension.unit
    return unit.isEmpty
      ? slicing.labels[slice]
      : "\(slicing.dimension.title) \(slicing.labels[slice]) \(unit)"
  }
}
