/// One number by which policies are judged.
public enum TuningMetric: String, Sendable, Hashable, Codable, CaseIterable {
  case ttftMean = "ttft-mean"
  case ttftP50 = "ttft-p50"
  case ttftP90 = "ttft-p90"
  case ttftP99 = "ttft-p99"
  case tpotMean = "tpot-mean"
  case tpotP90 = "tpot-p90"
  case e2eMean = "e2e-mean"
  case e2eP90 = "e2e-p90"
  /// The share of requests within their objectives, 0…1.
  case goodput

  /// Whether more is better.
  public var isHigherBetter: Bool { self == .goodput }

  /// As reports write it.
  public var title: String {
    switch self {
    case .ttftMean: "mean TTFT"
    case .ttftP50: "P50 TTFT"
    case .ttftP90: "P90 TTFT"
    case .ttftP99: "P99 TTFT"
    case .tpotMean: "mean TPOT"
    case .tpotP90: "P90 TPOT"
    case .e2eMean: "mean E2E"
    case .e2eP90: "P90 E2E"
    case .goodput: "goodput"
    }
  }

  /// The quantile that it is; `nil` for means and shares.
  var level: Double? {
    switch self {
    case .ttftP50: 0.5
    case .ttftP90, .tpotP90, .e2eP90: 0.9
    case .ttftP99: 0.99
    default: nil
    }
  }

  /// The values that it summarizes; `nan` where a request has none.
  func values(_ observations: Observations) -> [Double] {
    switch self {
    case .ttftMean, .ttftP50, .ttftP90, .ttftP99: observations.ttft
    case .tpotMean, .tpotP90: observations.tpot
    case .e2eMean, .e2eP90: observations.e2e
    case .goodput: observations.isGood.map { $0 ? 1 : 0 }
    }
  }

  /// Its value, ms or a share; `nan` without requests.
  public func value(_ observations: Observations) -> Double {
    let finite = values(observations).filter(\.isFinite)
    guard !finite.isEmpty else { return .nan }
    guard let level else { return finite.reduce(0, +) / Double(finite.count) }
    return Quantile.of(sorted: finite.sorted(), level)
  }

  /// How much better `candidate` is than `baseline`: the share of a latency that is saved, or the
  /// difference of shares.
  public func gain(candidate: Double, baseline: Double) -> Double {
    if isHigherBetter { return candidate - baseline }
    return baseline > 0 ? 1 - candidate / baseline : .nan
  }
}

/// Quantiles.
enum Quantile {
  /// The linearly interpolated quantile of sorted values; `nan` without any.
  static func of(sorted: [Double], _ level: Double) -> Double {
    guard let last = sorted.last else { return .nan }
    let position = level * Double(sorted.count - 1)
    let lower = Int(position)
    guard lower + 1 < sorted.count else { return last }
    return sorted[lower] + (position - Double(lower)) * (sorted[lower + 1] - sorted[lower])
  }
}
