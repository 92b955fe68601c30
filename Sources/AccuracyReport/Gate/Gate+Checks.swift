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

  /// Whether the challenger is better than anything measured from outside can be.
  func plausibilityChecks(_ pair: ModelPair, champion: EvaluatedModel?) -> [GateCheck] {
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
      let usual = min(recorded.mape(pair.target), now.reduce(0, +) / Double(now.count))
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

  func overallChecks(_ pair: ModelPair, isFirst: Bool) -> [GateCheck] {
    let samples = Array(pair.challenger.columns.rows.indices)
    let comparisons = LatencyTarget.allCases.count * ModelPair.Loss.allCases.count
    let z = normalScore(upperTail: configuration.falseAlarmRate / Double(comparisons))
    return ModelPair.Loss.allCases.compactMap { loss in
      // A constant can look good in MAPE, so a first model is held to MAE and pinball loss.
      if isFirst, loss == .mape { return nil }
      let ratio = pair.ratio(loss, samples: samples)
      // The upper level of a nearly unpredictable latency is a constant's to hold: there a first
      // model must only not be worse.
      let mustGain = isFirst && loss == .mae
      let bound =
        mustGain
        ? 1 - configuration.minimumGainOverConstant
        : isFirst ? 1 : 1 + configuration.overallBound
      let surelyWorse = log(ratio.estimate) - z * ratio.logStandardError > 0
      let passed =
        ratio.estimate <= bound
        || (!mustGain && !surelyWorse && ratio.estimate <= 1 + configuration.hardBound)
      return comparison(
        pair, loss, ratio.estimate, bound, passed, slice: Self.everything, count: samples.count)
    }
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
    let z = normalScore(upperTail: configuration.falseAlarmRate / Double(comparisons))
    let bound = 1 + configuration.sliceBound
    return slices.flatMap { name, samples in
      losses.map { loss in
        let ratio = pair.ratio(loss, samples: samples)
        let surely = log(ratio.estimate) - z * ratio.logStandardError
        let hard = 1 + configuration.sliceHardBound
        let failed = surely > log(bound) || (ratio.estimate > hard && surely > 0)
        return comparison(
          pair, loss, ratio.estimate, bound, !failed, slice: name, count: samples.count)
      }
    }
  }

  func coverageChecks(_ pair: ModelPair, isFirst: Bool) -> [GateCheck] {
    let samples = Array(pair.challenger.columns.rows.indices)
    let z = normalScore(upperTail: configuration.falseAlarmRate / 8)
    let bootstrap = pair.challenger.bootstrap
    let ones = pair.challenger.blocks.sums(pair.challenger.columns, samples) { _ in 1 }
    return HeadValues.levels.indices.map { index in
      let level = HeadValues.levels[index]
      func covered(_ model: SliceAnalysis) -> [Double] {
        model.blocks.sums(model.columns, samples) {
          model.columns.actual[$0] <= model.columns.levels[index][$0] ? 1 : 0
        }
      }
      let sums = covered(pair.challenger)
      let share = sums.reduce(0, +) / Double(samples.count)
      let referenceMiss = abs(
        covered(pair.reference).reduce(0, +) / Double(samples.count) - level)
      let stated =
        index < configuration.coverageTolerances.count
        ? configuration.coverageTolerances[index] : 0.03
      let tolerance =
        isFirst
        ? max(stated * configuration.firstRunCoverageFactor, referenceMiss)
        : max(stated, referenceMiss)
      let bound = tolerance + z * bootstrap.standardError(sums, ones)
      let name = "\(pair.target.title) p\(Int((level * 100).rounded())) coverage"
      // An upper tail that promises too much is an SLO broken; one that promises too little is
      // headroom, which pinball loss already charges for.
      let isKept = abs(share - level) <= bound || (level > 0.9 && share > level)
      let said = "\(Text.percent(share)) of outcomes fell at or below the \(name.dropLast(9))"
      return GateCheck(
        name: name, slice: Self.everything, measured: share, bound: bound, unit: "share ±",
        passed: isKept, count: samples.count,
        sentence: isKept
          ? "\(said), as stated (±\(Text.percent(bound)))."
          : "\(said), which promises \(Text.percent(level, digits: 0)); "
            + "±\(Text.percent(bound)) is allowed.")
    }
  }

  private func comparison(
    _ pair: ModelPair, _ loss: ModelPair.Loss, _ ratio: Double, _ bound: Double,
    _ passed: Bool, slice: String, count: Int
  ) -> GateCheck {
    let name = "\(pair.target.title) \(loss.rawValue)"
    let change = Text.percent(abs(ratio - 1))
    let direction = ratio > 1 ? "\(change) higher than" : "\(change) lower than"
    let allowed =
      bound >= 1
      ? "\(Text.percent(bound - 1, digits: 0)) higher is allowed"
      : "at least \(Text.percent(1 - bound, digits: 0)) lower is required"
    let place = slice == Self.everything ? "" : " for \(slice)"
    let end = passed ? "." : "; \(allowed)."
    return GateCheck(
      name: name, slice: slice, measured: ratio, bound: bound, unit: "×", passed: passed,
      count: count,
      sentence: "\(name)\(place) is \(direction) \(pair.referencePhrase) "
        + "(\(Text.count(count)) requests)\(end)")
  }
}
