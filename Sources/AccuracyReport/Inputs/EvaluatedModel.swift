/// A model together with what it predicted for the judged block.
public struct EvaluatedModel: Sendable {
  /// How people know it, for example its version.
  public var name: String
  /// One prediction per request of the judged block, in the same order.
  public var predictions: [Prediction]
  /// The coefficient file's size.
  public var fileSizeBytes: Int
  /// Where it comes from: dataset fingerprint, time range, tool version, and so on.
  public var provenance: [ProvenanceItem]
  /// Its terms, for the readable table; empty when not known.
  public var terms: [TermRow]
  /// The errors recorded when this model was promoted; they tell drift from a leak.
  public var recorded: RecordedAccuracy?

  /// A model made of its parts.
  public init(
    name: String, predictions: [Prediction], fileSizeBytes: Int = 0,
    provenance: [ProvenanceItem] = [], terms: [TermRow] = [], recorded: RecordedAccuracy? = nil
  ) {
    self.name = name
    self.predictions = predictions
    self.fileSizeBytes = fileSizeBytes
    self.provenance = provenance
    self.terms = terms
    self.recorded = recorded
  }
}

/// The relative errors that a model showed when it was promoted, as fractions.
public struct RecordedAccuracy: Sendable, Codable, Hashable {
  /// TTFT MAPE of the better of the mean and median heads, 0.1 means 10 %.
  public var ttftMAPE: Double
  /// TPOT MAPE of the better of the mean and median heads.
  public var tpotMAPE: Double

  /// Fractions, not percent.
  public init(ttftMAPE: Double, tpotMAPE: Double) {
    self.ttftMAPE = ttftMAPE
    self.tpotMAPE = tpotMAPE
  }

  func mape(_ target: LatencyTarget) -> Double { target == .ttft ? ttftMAPE : tpotMAPE }
}

/// One named fact about where a model comes from.
public struct ProvenanceItem: Sendable, Codable, Hashable {
  /// What the fact is about.
  public var name: String
  /// The fact, as text.
  public var value: String

  /// A fact.
  public init(_ name: String, _ value: String) {
    self.name = name
    self.value = value
  }
}

/// One term of a model as a person reads it.
public struct TermRow: Sendable, Codable, Hashable {
  /// Which latency the term adds to.
  public var target: LatencyTarget
  /// What the term multiplies, for example `new tokens × decode batch`.
  public var name: String
  /// The coefficient's unit, for example `ms per token`.
  public var unit: String
  /// The fitted coefficient, in ``unit``.
  public var coefficient: Double
  /// The lower end of its 95 % confidence interval.
  public var lower: Double
  /// The upper end of its 95 % confidence interval.
  public var upper: Double
  /// Whether the fit forced the coefficient to be at least zero.
  public var isNonNegative: Bool
  /// The smallest feature value in training.
  public var supportMinimum: Double
  /// The largest feature value in training.
  public var supportMaximum: Double
  /// The term's part of the mean prediction over the judged block, 0…1.
  public var shareOfPrediction: Double

  /// A row made of its parts.
  public init(
    target: LatencyTarget, name: String, unit: String, coefficient: Double, lower: Double,
    upper: Double, isNonNegative: Bool, supportMinimum: Double, supportMaximum: Double,
    shareOfPrediction: Double
  ) {
    self.target = target
    self.name = name
    self.unit = unit
    self.coefficient = coefficient
    self.lower = lower
    self.upper = upper
    self.isNonNegative = isNonNegative
    self.supportMinimum = supportMinimum
    self.supportMaximum = supportMaximum
    self.shareOfPrediction = shareOfPrediction
  }
}

/// The predictor that knows nothing: the same heads for every request.
public struct ConstantBaseline: Sendable, Codable, Hashable {
  /// Time to first token, milliseconds.
  public var ttft: HeadValues
  /// Time per output token, milliseconds.
  public var tpot: HeadValues

  /// Heads computed elsewhere.
  public init(ttft: HeadValues, tpot: HeadValues) {
    self.ttft = ttft
    self.tpot = tpot
  }

  /// The median and quantiles of a training block; values that are not finite are left out.
  ///
  /// - Parameters: outcomes in milliseconds, any order.
  public init(trainingTTFTMilliseconds: [Double], trainingTPOTMilliseconds: [Double]) {
    ttft = Self.heads(trainingTTFTMilliseconds)
    tpot = Self.heads(trainingTPOTMilliseconds)
  }

  /// The same prediction `count` times.
  public func model(count: Int) -> EvaluatedModel {
    EvaluatedModel(
      name: "constant predictor",
      predictions: Array(repeating: Prediction(ttft: ttft, tpot: tpot), count: count))
  }

  private static func heads(_ values: [Double]) -> HeadValues {
    let sorted = values.filter(\.isFinite).sorted()
    let mean = sorted.reduce(0, +) / Double(max(sorted.count, 1))
    return HeadValues(
      mean: mean, p50: quantile(ofSorted: sorted, 0.5), p90: quantile(ofSorted: sorted, 0.9),
      p95: quantile(ofSorted: sorted, 0.95), p99: quantile(ofSorted: sorted, 0.99))
  }
}
