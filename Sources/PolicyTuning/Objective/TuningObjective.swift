internal import Glibc

/// What a policy is tuned for, relative to a baseline on the same requests.
///
/// The cost is `Σ weight · log(metric ÷ baseline)` over latencies, plus
/// `weight · (baseline − metric)` for goodput, plus a penalty for every violated constraint that no
/// gain makes up for.
public struct TuningObjective: Sendable, Hashable, Codable {
  /// One metric and how much it counts.
  public struct Term: Sendable, Hashable, Codable {
    /// What counts.
    public var metric: TuningMetric
    /// How much, at least 0.
    public var weight: Double

    /// `metric`, counting `weight`.
    public init(_ metric: TuningMetric, weight: Double = 1) {
      self.metric = metric
      self.weight = weight
    }
  }

  /// A bound on one metric.
  public struct Constraint: Sendable, Hashable, Codable {
    /// What is bounded.
    public var metric: TuningMetric
    /// Latencies may be at most this many times the baseline's; goodput at least this share of it.
    public var ratio: Double

    /// `metric` within `ratio` of the baseline's.
    public init(_ metric: TuningMetric, ratio: Double) {
      self.metric = metric
      self.ratio = ratio
    }
  }

  /// What counts.
  public var terms: [Term]
  /// What may not get worse, or by how much.
  public var constraints: [Constraint]

  /// An objective of these parts.
  public init(terms: [Term], constraints: [Constraint] = []) {
    self.terms = terms
    self.constraints = constraints
  }

  /// The names that ``named(_:)`` knows besides those of the metrics.
  public static let mixName = "mix"

  /// A metric's name alone, `mix`, or `METRIC:WEIGHT,METRIC:WEIGHT…`; P90 TPOT and P90 TTFT may
  /// then cost at most a quarter more than the baseline where they are not the aim.
  ///
  /// - Throws: ``PolicyTuningError/unknownName(_:known:)``.
  public static func named(_ text: String) throws(PolicyTuningError) -> TuningObjective {
    let text = text == mixName ? "ttft-p90:1,tpot-p90:0.5,e2e-mean:0.5" : text
    var terms: [Term] = []
    for part in text.split(separator: ",") {
      let pieces = part.split(separator: ":", maxSplits: 1)
      let weight = pieces.count > 1 ? Double(pieces[1]) : 1
      guard let metric = TuningMetric(rawValue: String(pieces[0])), let weight, weight >= 0,
        weight.isFinite
      else {
        throw .unknownName(
          String(part), known: TuningMetric.allCases.map(\.rawValue) + [mixName])
      }
      terms.append(Term(metric, weight: weight))
    }
    guard !terms.isEmpty else {
      throw .unknownName(text, known: TuningMetric.allCases.map(\.rawValue) + [mixName])
    }
    let aims = terms.map(\.metric)
    let guarded: [TuningMetric] = [.tpotP90, .ttftP90].filter { !aims.contains($0) }
    return TuningObjective(
      terms: terms, constraints: guarded.map { Constraint($0, ratio: Self.guardRatio) })
  }

  private static let guardRatio = 1.25

  /// All metrics that it looks at.
  public var metrics: [TuningMetric] { terms.map(\.metric) + constraints.map(\.metric) }

  /// The cost of what was seen; less is better, 0 is as good as the baseline.
  public func cost(_ candidate: Observations, baseline: Observations) -> Double {
    let costs = terms.map { term in
      term.weight
        * Self.cost(
          term.metric, term.metric.value(candidate), term.metric.value(baseline))
    }
    let violations = constraints.map { constraint in
      let (value, reference) = (
        constraint.metric.value(candidate), constraint.metric.value(baseline)
      )
      guard value.isFinite, reference.isFinite, reference > 0 else { return 0.0 }
      let excess =
        constraint.metric.isHigherBetter
        ? constraint.ratio - value / reference : value / reference - constraint.ratio
      return excess > 0 ? Self.violationCost + 10 * excess : 0
    }
    return costs.reduce(0, +) + violations.reduce(0, +)
  }

  /// More than any gain: a hundredfold latency.
  private static let violationCost = 5.0

  private static func cost(_ metric: TuningMetric, _ value: Double, _ reference: Double) -> Double {
    if metric.isHigherBetter { return reference - value }
    guard value.isFinite, reference > 0 else { return value.isFinite ? 0 : violationCost }
    return log(max(value, 1e-6) / reference)
  }

  /// The constraints that `candidate` violates, as sentences.
  public func violations(_ candidate: Observations, baseline: Observations) -> [String] {
    constraints.compactMap { constraint in
      let (value, reference) = (
        constraint.metric.value(candidate), constraint.metric.value(baseline)
      )
      guard value.isFinite, reference > 0 else { return nil }
      let ratio = value / reference
      let isKept =
        constraint.metric.isHigherBetter ? ratio >= constraint.ratio : ratio <= constraint.ratio
      return isKept
        ? nil
        : "\(constraint.metric.title) is \(Format.number(ratio)) times the baseline's; "
          + "allowed are \(Format.number(constraint.ratio))."
    }
  }
}

/// Points of which no other is better in both coordinates.
public enum ParetoFront {
  /// The indices of the points on the front, by rising first coordinate; both are to be small.
  ///
  /// - Complexity: O(*n* log *n*).
  public static func indices(_ points: [(first: Double, second: Double)]) -> [Int] {
    let order = points.indices
      .filter { points[$0].first.isFinite && points[$0].second.isFinite }
      .sorted {
        (points[$0].first, points[$0].second, $0) < (points[$1].first, points[$1].second, $1)
      }
    var lowest = Double.infinity
    return order.filter { index in
      guard points[index].second < lowest else { return false }
      lowest = points[index].second
      return true
    }
  }
}
