/// The heads of one target for one request, milliseconds.
public struct HeadValues: Sendable, Codable, Hashable {
  /// The mean head.
  public var mean: Double
  /// The median head.
  public var p50: Double
  /// The 0.90 level.
  public var p90: Double
  /// The 0.95 level.
  public var p95: Double
  /// The 0.99 level.
  public var p99: Double

  /// The quantile levels, in the order of ``levelValues``.
  public static let levels = [0.5, 0.9, 0.95, 0.99]

  /// Values in milliseconds.
  public init(mean: Double, p50: Double, p90: Double, p95: Double, p99: Double) {
    self.mean = mean
    self.p50 = p50
    self.p90 = p90
    self.p95 = p95
    self.p99 = p99
  }

  /// The quantile heads in the order of ``levels``.
  public var levelValues: [Double] { [p50, p90, p95, p99] }

  var isFinite: Bool {
    mean.isFinite && p50.isFinite && p90.isFinite && p95.isFinite && p99.isFinite
  }
}

/// What one model said about one request at its dispatch.
public struct Prediction: Sendable, Hashable {
  /// Time to first token, milliseconds.
  public var ttft: HeadValues
  /// Time per output token, milliseconds.
  public var tpot: HeadValues
  /// Whether a feature lay outside the range that the model was fitted on.
  public var isExtrapolating: Bool

  /// A prediction made of its parts.
  public init(ttft: HeadValues, tpot: HeadValues, isExtrapolating: Bool = false) {
    self.ttft = ttft
    self.tpot = tpot
    self.isExtrapolating = isExtrapolating
  }

  func heads(_ target: LatencyTarget) -> HeadValues {
    switch target {
    case .ttft: ttft
    case .tpot: tpot
    }
  }
}
