import Foundation

extension Gate {
  static let everything = "all requests"

  func sizeCheck(_ judged: Int) -> GateCheck {
    let bound = configuration.minimumRequests
    return GateCheck(
      name: "judged requests", slice: Self.everything, measured: Double(judged),
      bound: Double(bound), unit: "count", passed: judged >= bound, count: judged,
      sentence: judged >= bound
        ? "\(Text.count(judged)) requests were judged."
        : "Only \(judged) finished requests could be judged; at least \(bound) are needed. "
          + "Ingest more of the log.")
  }

  func finiteCheck(_ pair: ModelPair) -> GateCheck {
    let invalid = pair.challenger.columns.invalidCount
    return GateCheck(
      name: "\(pair.target.title) finite predictions", slice: Self.everything,
      measured: Double(invalid), bound: 0, unit: "count", passed: invalid == 0,
      count: pair.challenger.columns.count + invalid,
      sentence: invalid == 0
        ? "Every \(pair.target.title) prediction is a finite number."
        : "The challenger gave no finite \(pair.target.title) for \(invalid) requests.")
  }

  private func mean(_ values: [Double]) -> Double {
    values.reduce(0, +) / Double(values.count)
  }

  /// Whether the challenger is better than anything measured from outside can be.
  func plausibilityChecks(
    _ pair: ModelPair, champion: EvaluatedModel?, baseline: ConstantBaseline
  ) -> [GateCheck] {
    let title = pair.target.title
    let columns = pair.challenger.columns
    let middle = median(columns.relativeErrors(columns.levels[0]))
    let floor = configuration.implausibleMedianAPE
    var checks = [
      GateCheck(
        name: "\(title) plausibility", slice: Self.everything, measured: middle, bound: floor,
        unit: "share", passed: middle >= floor, count: columns.count,
        sentence: middle >= floor
          ? "The typical \(title) error (\(Text.percent(middle))) is one that noise allows."
          : "The typical \(title) error is \(Text.percent(middle, digits: 2)), below the "
            + "\(Text.percent(floor)) that timing noise alone makes: a logged column "
            + "probably holds the outcome itself. Check what was filled in after the response.")
    ]
    if let recorded = champion?.recorded {
      let errors = columns.relativeErrors(pair.challenger.pointHead)
      let mape = errors.reduce(0, +) / Double(errors.count)
      let now = pair.reference.columns.relativeErrors(pair.reference.pointHead)
      // A champion that a constant beats is easily left behind.
      let constant = pair.target == .ttft ? baseline.ttft.p50 : baseline.tpot.p50
      let flat = columns.relativeErrors(columns.actual.map { _ in constant })
      let known: [Double] = [recorded.mape(pair.target), mean(now), mean(flat)]
      let usual = known.filter { $0.isFinite }.min() ?? .nan
      let ratio = mape / usual
      let passed = !(ratio < configuration.implausibleRatio)
      checks.append(
        GateCheck(
          name: "\(title) improvement plausibility", slice: Self.everything, measured: ratio,
          bound: configuration.implausibleRatio, unit: "×", passed: passed,
          count: columns.count,
          sentence: passed
            ? "The \(title) MAPE is \(Text.fixed(ratio, 2)) times the champion's usual one."
            : "The \(title) MAPE fell to \(Text.fixed(ratio, 2)) of the champion's best within "
              + "one retrain: too good to be true. A logged column probably leaks the outcome."))
    }
    return checks
  }

  // MARK: Comparisons

  func overallChecks(_ pair: ModelPair, isFirst: Bool) -> [GateCheck] {
    let samples = Array(pair.challenger.columns.rows.indices)
    let comparisons = LatencyTarget.allCases.count * ModelPair.Loss.allCases.count
    let limits = ComparisonLimits(
      bound: isFirst ? 0 : configuration.overallBound, hardBound: configuration.hardBound,
      margin: isFirst ? 0 : configuration.indifference,
      probability: configuration.falseAlarmRate / Double(comparisons))
    return ModelPair.Loss.allCases.compactMap { loss in
      // A constant can look good in MAPE, so a first model is held to MAE and pinball loss.
      if isFirst, loss == .mape { return nil }
      return comparison(pair, loss, samples, limits, slice: Self.everything)
    }
  }

  /// Whether a first model is worth having: clearly better than a constant for one latency at least.
  ///
  /// A latency that hardly varies is a constant's to predict, so not both must gain.
  func gainCheck(_ pairs: [ModelPair]) -> GateCheck {
    let bound = 1 - configuration.minimumGainOverConstant
    let ratios = pairs.map { pair in
      (pair, pair.ratio(.mae, samples: Array(pair.challenger.columns.rows.indices)).estimate)
    }
    let best = ratios.min { $0.1 < $1.1 }
    let measured = best?.1 ?? .nan
    let change = Text.percent(abs(measured - 1))
    return GateCheck(
      name: "gain over a constant", slice: Self.everything, measured: measured, bound: bound,
      unit: "×", passed: measured <= bound, count: best?.0.challenger.columns.count ?? 0,
      sentence: "The \(best?.0.target.title ?? "") MAE is \(change) "
        + "\(measured > 1 ? "higher" : "lower") than the constant predictor's"
        + (measured <= bound
          ? "."
          : "; at least \(Text.percent(1 - bound, digits: 0)) lower is required for one of the two "
            + "latencies."))
  }

  func sliceChecks(_ pair: ModelPair, requests: [EvaluatedRequest]) -> [GateCheck] {
    let columns = pair.challenger.columns
    var slices: [(String, [Int])] = []
    for dimension in SliceDimension.allCases {
      let slicing = Slicing(dimension, requests: requests)
      guard slicing.labels.count > 1 else { continue }
      for (label, samples) in zip(slicing.labels, pair.challenger.members(slicing))
      where samples.count >= configuration.minimumSliceCount
        && Double(samples.count) >= configuration.minimumSliceShare * Double(columns.count)
      {
        let unit = dimension.unit.isEmpty ? "" : " \(dimension.unit)"
        slices.append(("\(dimension.title) \(label)\(unit)", samples))
      }
    }
    let losses: [ModelPair.Loss] = [.mape, .p90Pinball]
    let comparisons = max(1, slices.count * losses.count * LatencyTarget.allCases.count)
    let limits = ComparisonLimits(
      bound: configuration.sliceBound, hardBound: configuration.sliceHardBound,
      margin: configuration.indifference,
      probability: configuration.falseAlarmRate / Double(comparisons))
    return slices.flatMap { name, samples in
      losses.map { comparison(pair, $0, samples, limits, slice: name) }
    }
  }

  func coverageChecks(_ pair: ModelPair, isFirst: Bool) -> [GateCheck] {
    HeadValues.levels.indices.map { index in
      let level = HeadValues.levels[index]
      let own = LevelCoverage(pair.challenger, index)
      let reference = LevelCoverage(pair.reference, index)
      let stated =
        index < configuration.coverageTolerances.count
        ? configuration.coverageTolerances[index] : 0.03
      // A night on which the champion misses too says more about the night than about either.
      let tolerance = max(
        isFirst ? stated * configuration.firstRunCoverageFactor : stated,
        abs(reference.share - level))
      let bound =
        tolerance + own.chance.allowance(probability: configuration.falseAlarmRate / 8)
      let name = "\(pair.target.title) p\(Int((level * 100).rounded())) coverage"
      // An upper tail that promises too much is an SLO broken; one that promises too little is
      // headroom, which pinball loss already charges for.
      let isKept =
        abs(own.share - level) <= bound || (level >= 0.9 && own.share > level)
        || own.isReached(within: configuration.indifference, bound: bound)
      let said = "\(Text.percent(own.share)) of outcomes fell at or below the \(name.dropLast(9))"
      return GateCheck(
        name: name, slice: Self.everything, measured: own.share, bound: bound, unit: "share ±",
        passed: isKept, count: pair.challenger.columns.count,
        sentence: isKept
          ? "\(said), as stated (±\(Text.percent(bound)))."
          : "\(said), which promises \(Text.percent(level, digits: 0)); "
            + "±\(Text.percent(bound)) is allowed.")
    }
  }

  private func comparison(
    _ pair: ModelPair, _ loss: ModelPair.Loss, _ samples: [Int], _ limits: ComparisonLimits,
    slice: String
  ) -> GateCheck {
    let sums = pair.sums(loss, samples: samples)
    let ratio = sums.ratio
    let surplus = limits.margin * loss.share * sums.scale / sums.reference.reduce(0, +)
    let bound = 1 + limits.bound + (surplus.isFinite ? surplus : 0)
    let isOver =
      sums.excess(over: 1 + limits.bound, margin: limits.margin * loss.share)
      .isSure(probability: limits.probability)
    let isFarOver =
      ratio > limits.hardBound + 1
      && sums.excess(over: 1, margin: limits.margin * loss.share)
        .isSure(probability: limits.probability)
    let passed = ratio.isFinite && !isOver && !isFarOver
    let name = "\(pair.target.title) \(loss.rawValue)"
    let place = slice == Self.everything ? "" : " for \(slice)"
    let change = Text.percent(abs(ratio - 1))
    let direction = ratio > 1 ? "\(change) higher than" : "\(change) lower than"
    let allowed = "\(Text.percent(bound - 1, digits: 0)) higher is allowed"
    let end =
      !passed
      ? "; \(allowed), and chance does not explain more."
      : ratio > bound
        ? ": above the \(Text.percent(bound - 1, digits: 0)) allowed, yet within what chance explains "
          + "on so few separate stretches of time."
        : "."
    return GateCheck(
      name: name, slice: slice, measured: ratio, bound: bound, unit: "×", passed: passed,
      count: samples.count,
      sentence: "\(name)\(place) is \(direction) \(pair.referencePhrase) "
        + "(\(Text.count(samples.count)) requests)\(end)")
  }
}

/// What a comparison of two losses must keep to.
struct ComparisonLimits {
  /// Allowed relative increase.
  var bound: Double
  /// An increase that fails when there is surely any.
  var hardBound: Double
  /// What is never worth a rejection, as a share of the mean latency.
  var margin: Double
  /// The chance of a false alarm of this one comparison.
  var probability: Double
}

/// How many outcomes lay at or below one quantile head.
struct LevelCoverage {
  /// The share of outcomes, 0…1.
  let share: Double
  /// The share's distance from the level, with its scatter over time.
  let chance: PairedExcess
  private let actual: [Double]
  private let head: [Double]
  private let level: Double

  /// - Parameter index: Of the level in ``HeadValues/levels``.
  init(_ model: SliceAnalysis, _ index: Int) {
    let columns = model.columns
    (actual, head, level) = (columns.actual, columns.levels[index], HeadValues.levels[index])
    let samples = Array(columns.rows.indices)
    let ones = model.blocks.sums(columns, samples) { _ in 1 }
    let covered = model.blocks.sums(columns, samples) {
      columns.actual[$0] <= columns.levels[index][$0] ? 1 : 0
    }
    share = covered.reduce(0, +) / Double(max(samples.count, 1))
    chance = PairedExcess(
      losses: covered, allowances: ones.map { $0 * HeadValues.levels[index] }, weights: ones)
  }

  /// Whether a head larger or smaller by `margin` of itself would keep the promise: latencies that hardly
  /// vary lie all on one side of a head that is right to a hair.
  func isReached(within margin: Double, bound: Double) -> Bool {
    let factor = share < level ? 1 + margin : 1 - margin
    let moved = zip(actual, head).count { $0 <= $1 * factor }
    let share = Double(moved) / Double(max(actual.count, 1))
    return abs(share - level) <= bound || (share < level) != (self.share < level)
  }
}
