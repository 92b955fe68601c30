public import CoefficientFile
public import LinearAlgebra
internal import RoutingRuntime

/// Examples whose features were made elsewhere than by replaying a log, in order of time.
public struct FeatureSamples: Sendable {
  /// Shape `[count, Feature.count]`.
  public private(set) var features = Design(columnCount: Feature.count)
  /// TTFT, ms; `nan` where a sample is no example of it.
  public private(set) var ttftMilliseconds: [Double] = []
  /// TPOT, ms; `nan` where a sample is no example of it.
  public private(set) var tpotMilliseconds: [Double] = []
  /// The accelerator class or role of each sample's endpoint; empty for none.
  public private(set) var classes: [String] = []

  /// How many there are.
  public var count: Int { classes.count }

  /// No samples.
  public init() {}

  /// Appends a sample.
  ///
  /// - Parameters:
  ///   - row: Shape `[Feature.count]`, finite.
  ///   - ttftMilliseconds: `nan` for no example, as for `tpotMilliseconds`.
  public mutating func append(
    _ row: [Double], ttftMilliseconds: Double, tpotMilliseconds: Double, class name: String
  ) {
    features.append(row.lazy.map { Float($0) })
    self.ttftMilliseconds.append(ttftMilliseconds)
    self.tpotMilliseconds.append(tpotMilliseconds)
    classes.append(name)
  }
}

/// Learns a ``GlideModel`` from samples, with the regressions of ``ModelFitter`` and without an
/// engine to emulate.
///
/// Terms are chosen from the features that vary, with knots at their quantiles and products of
/// pairs; then come the heads, one factor per class, and the levels' calibration on the newest
/// share.
public struct SampleFitter: Sendable {
  /// What may be a term of one target.
  public struct Candidates: Sendable {
    /// Features that never lower the latency; terms wherever they vary.
    public var base: [UInt16]
    /// Features that are tried, whole and above knots.
    public var tried: [UInt16]
    /// Products that are tried.
    public var products: [(UInt16, UInt16)]

    /// Candidates by the features' numbers.
    public init(base: [UInt16], tried: [UInt16], products: [(UInt16, UInt16)]) {
      self.base = base
      self.tried = tried
      self.products = products
    }
  }

  /// The terms to choose from, of TTFT and of TPOT.
  public let candidates: (ttft: Candidates, tpot: Candidates)
  private let threads: Int

  /// The newest share of the samples, kept for calibrating the levels.
  private static let calibrationShare = 0.15
  /// The fewest samples of one class for a factor of its own.
  private static let fewestOfClass = 50
  /// Samples at which a class's own word counts as much as the pool's.
  private static let shrinkage = 150.0

  /// A fitter; no result depends on `threads`.
  public init(ttft: Candidates, tpot: Candidates, threads: Int = 4) {
    candidates = (ttft, tpot)
    self.threads = threads
  }

  /// Fits samples `range`.
  ///
  /// - Throws: ``FitError``.
  public func fit(
    _ samples: FeatureSamples, range: Range<Int>, provenance: Provenance
  ) throws(FitError) -> FittedModel {
    let table = FeatureTable(samples)
    let calibration = Int(Self.calibrationShare * Double(range.count))
    let fitted = range.lowerBound..<(range.upperBound - calibration)
    var report = FitReport()
    report.sampleCount = fitted.count
    report.calibrationCount = calibration
    let ttft = try target(.ttft, candidates.ttft, table, fitted, &report)
    let tpot = try target(.tpot, candidates.tpot, table, fitted, &report)
    var model = GlideModel(
      schemaFingerprint: Feature.schemaFingerprint, engines: [Self.noEngine], groups: [],
      ttft: ttft, tpot: tpot,
      correction: CorrectionModel(
        gain: 0, bound: 1, halfLifeMilliseconds: 600_000, conformalStep: 0),
      support: Self.support(table, fitted), policy: [], provenance: provenance)
    model.groups = groups(model, samples, fitted)
    calibrate(&model, samples, fitted.upperBound..<range.upperBound)
    return FittedModel(model: model, report: report)
  }

  /// Nothing is emulated.
  private static let noEngine = EngineModel(
    stepCoefficients: [1] + [Double](repeating: 0, count: StepFeature.count - 1),
    stepHalfWidths: [Float](repeating: 0, count: StepFeature.count), tokenBudget: 2048,
    maximumSequences: 256, uplinkMilliseconds: 0, downlinkMilliseconds: 0)

  // MARK: - Terms

  private func target(
    _ target: TargetFitter.Target, _ candidates: Candidates, _ table: FeatureTable,
    _ range: Range<Int>, _ report: inout FitReport
  ) throws(FitError) -> TargetModel {
    do {
      let fitter = TargetFitter(target: target, table: table, threads: threads)
      let library = Self.library(candidates, table, fitter.examples(range))
      let fitted = try fitter.fit(range, library: library)
      report.methods.append(fitted.method.rawValue)
      report.conditionNumbers.append(fitted.conditionNumber)
      return fitted.model
    } catch {
      throw .solver(target: target.rawValue, error)
    }
  }

  private static func library(
    _ candidates: Candidates, _ table: FeatureTable, _ rows: [Int]
  ) -> TermLibrary {
    // A feature that does not vary is the intercept's.
    var quantiles: [UInt16: [Double]] = [:]
    for feature in Set(candidates.base + candidates.tried) {
      quantiles[feature] = knots(feature, table, rows)
    }
    let varies = { (feature: UInt16) in quantiles[feature] != nil }
    let base = candidates.base.filter(varies).map {
      Term(Factor(feature: $0), isNonNegative: true)
    }
    var tried = candidates.tried.filter { varies($0) && !candidates.base.contains($0) }
      .map { Term(Factor(feature: $0)) }
    for feature in candidates.tried {
      for knot in quantiles[feature] ?? [] {
        tried.append(Term(Factor(feature: feature, transform: .hinge, knot: knot)))
      }
      if varies(feature) {
        tried.append(Term(Factor(feature: feature, transform: .above, knot: 0)))
      }
    }
    for (left, right) in candidates.products where varies(left) && varies(right) {
      tried.append(Term(Factor(feature: left), Factor(feature: right)))
    }
    return TermLibrary(base: base, candidates: tried)
  }

  /// Three quantiles of the values above zero; `nil` when the feature does not vary.
  private static func knots(
    _ feature: UInt16, _ table: FeatureTable, _ rows: [Int]
  ) -> [Double]? {
    let step = max(1, rows.count / 20_000)
    let values = stride(from: 0, to: rows.count, by: step).map {
      Double(table.features[rows[$0], Int(feature)])
    }
    guard let low = values.min(), let high = values.max(), high > low else { return nil }
    let positive = values.filter { $0 > 0 }.sorted()
    guard positive.count >= 100 else { return [] }
    var knots: [Double] = []
    for share in [0.25, 0.5, 0.85] {
      let knot = positive[Int(share * Double(positive.count - 1))]
      if knot < high, knots.last != knot { knots.append(knot) }
    }
    return knots
  }

  private static func support(_ table: FeatureTable, _ range: Range<Int>) -> [FeatureSupport] {
    let step = max(1, range.count / 20_000)
    return (0..<Feature.count).map { feature in
      let values = stride(from: range.lowerBound, to: range.upperBound, by: step).map {
        table.features[$0, feature]
      }
      return FeatureSupport(low: values.min() ?? 0, high: values.max() ?? 0)
    }
  }

  // MARK: - Classes and levels

  private func groups(
    _ model: GlideModel, _ samples: FeatureSamples, _ range: Range<Int>
  ) -> [Group] {
    guard case .success(let predictor) = Predictor.compile(model) else { return [] }
    var logs: [String: (ttft: [Double], tpot: [Double])] = [:]
    for index in range where !samples.classes[index].isEmpty {
      let medians = predictor.medians(Self.row(samples, index))
      let ttft = Exponential.logarithm(samples.ttftMilliseconds[index] / medians.ttft)
      let tpot = Exponential.logarithm(samples.tpotMilliseconds[index] / medians.tpot)
      if ttft.isFinite { logs[samples.classes[index], default: ([], [])].ttft.append(ttft) }
      if tpot.isFinite { logs[samples.classes[index], default: ([], [])].tpot.append(tpot) }
    }
    return logs.keys.sorted().compactMap { name -> Group? in
      guard let (ttft, tpot) = logs[name], ttft.count + tpot.count >= Self.fewestOfClass else {
        return nil
      }
      return Group(
        kind: .accelerator, name: name, parent: -1, engine: 0,
        sampleCount: UInt64(ttft.count + tpot.count),
        ttftScales: [Float](repeating: Self.factor(ttft), count: model.ttft.terms.count),
        tpotScales: [Float](repeating: Self.factor(tpot), count: model.tpot.terms.count))
    }
  }

  /// The shrunken mean of log ratios, each bounded, as a factor.
  private static func factor(_ logs: [Double]) -> Float {
    let sum = logs.reduce(0) { $0 + min(max($1, -0.3), 0.3) }
    return Float(Exponential.value(sum / (Double(logs.count) + shrinkage)))
  }

  private func calibrate(
    _ model: inout GlideModel, _ samples: FeatureSamples, _ range: Range<Int>
  ) {
    guard case .success(let predictor) = Predictor.compile(model) else { return }
    var scores = [[Double]](repeating: [], count: 2 * HeadLevels.all.count)
    for index in range {
      let row = Self.row(samples, index)
      let group = predictor.group(endpoint: "", accelerator: samples.classes[index]).group
      for level in HeadLevels.all.indices {
        let parts = predictor.contributions(row, group: group, head: level + 1)
        let ttft = samples.ttftMilliseconds[index] / parts.ttft.reduce(0, +)
        let tpot = samples.tpotMilliseconds[index] / parts.tpot.reduce(0, +)
        if ttft.isFinite, ttft > 0 { scores[2 * level].append(ttft) }
        if tpot.isFinite, tpot > 0 { scores[2 * level + 1].append(tpot) }
      }
    }
    for (index, level) in HeadLevels.all.enumerated() {
      if let factor = LevelCalibration.factor(scores[2 * index], level) {
        model.ttft.heads[index + 1].calibration = factor
      }
      if let factor = LevelCalibration.factor(scores[2 * index + 1], level) {
        model.tpot.heads[index + 1].calibration = factor
      }
    }
  }

  private static func row(_ samples: FeatureSamples, _ index: Int) -> [Double] {
    (0..<Feature.count).map { Double(samples.features[index, $0]) }
  }
}
