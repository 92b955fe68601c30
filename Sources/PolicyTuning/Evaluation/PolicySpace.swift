internal import Glibc
public import RoutingRuntime

/// The policies among which a search chooses: a box of parameters, each mapped to 0…1.
public struct PolicySpace: Sendable, Hashable {
  /// Whose policy is tuned.
  public enum Family: String, Sendable, Hashable, Codable, CaseIterable {
    /// Glidepath's own: least predicted cost.
    case predictedCost = "glidepath"
    /// The weights of llm-d's scorers.
    case scorerWeights = "llm-d"
    /// llm-d's prefix affinity with its load gate.
    case affinity = "llm-d-affinity"
  }

  /// One searched parameter.
  public struct Dimension: Sendable, Hashable {
    /// Its name, as reports and configuration write it.
    public let name: String
    /// What it may be.
    public let range: ClosedRange<Double>
    /// Values near this and below are spaced evenly, those above it logarithmically; 0 for even
    /// spacing throughout.
    public let knee: Double
    /// The only values allowed, rising; empty for all.
    public let choices: [Double]

    init(_ name: String, _ range: ClosedRange<Double>, knee: Double = 0, choices: [Double] = []) {
      self.name = name
      self.range = range
      self.knee = knee
      self.choices = choices
    }

    /// The value at a position of 0…1.
    public func value(_ position: Double) -> Double {
      let share = min(max(position, 0), 1)
      if !choices.isEmpty {
        return choices[min(Int(share * Double(choices.count)), choices.count - 1)]
      }
      let width = range.upperBound - range.lowerBound
      guard knee > 0 else { return range.lowerBound + share * width }
      let value = range.lowerBound + knee * expm1(share * log1p(width / knee))
      return min(max(value, range.lowerBound), range.upperBound)
    }

    /// The position of a value; those out of range go to the nearer end.
    public func position(_ value: Double) -> Double {
      if !choices.isEmpty {
        let nearest =
          choices.indices.min { abs(choices[$0] - value) < abs(choices[$1] - value) } ?? 0
        return (Double(nearest) + 0.5) / Double(choices.count)
      }
      let clamped = min(max(value, range.lowerBound), range.upperBound) - range.lowerBound
      let width = range.upperBound - range.lowerBound
      return knee > 0 ? log1p(clamped / knee) / log1p(width / knee) : clamped / width
    }
  }

  /// Whose policy is tuned.
  public let family: Family
  /// What is searched.
  public let dimensions: [Dimension]
  /// Where the search begins; what is not searched stays so.
  public let base: RoutingPolicy
  private let indices: [Int]

  /// The searched parameters of `family`, and its untuned values.
  ///
  /// - Parameter hasObjectives: Whether requests carry objectives, so that headroom matters.
  public init(_ family: Family, hasObjectives: Bool = false) {
    self.family = family
    switch family {
    case .predictedCost:
      base = .predictedCost(PredictedCostParameters())
      let searched = Self.predictedCostDimensions(hasObjectives: hasObjectives)
      dimensions = searched
      indices = searched.map { dimension in
        PredictedCostParameters.schema.firstIndex { $0.name == dimension.name } ?? 0
      }
    case .scorerWeights:
      base = .weightedScorers(ScorerWeights())
      let searched =
        ["queue", "kvCache", "prefix", "loadAware", "tokenLoad", "activeRequests"].map {
          Dimension($0, 0...10)
        } + [Dimension("tokenLoadThreshold", 1_000...8_000_000, knee: 1_000)]
      dimensions = searched
      indices = Array(searched.indices)
    case .affinity:
      base = .affinity(AffinityParameters())
      dimensions = [
        Dimension("affinityThreshold", 0...1),
        Dimension("maximumTTFTPenaltyMilliseconds", 1...60_000, knee: 20),
        Dimension("peakPrefillThroughput", 100...500_000, knee: 1_000),
      ]
      indices = [0, 2, 3]
    }
  }

  private static func predictedCostDimensions(hasObjectives: Bool) -> [Dimension] {
    var dimensions = [
      Dimension("tpotWeight", 0...2, knee: 0.02),
      Dimension("quantileLevel", 0...0.99, choices: [0, 0.5, 0.9, 0.95]),
      Dimension("externality", 0...20, knee: 0.5),
      Dimension("recomputation", 0...200, knee: 2),
      // Above 1 there is no affinity.
      Dimension("affinityThreshold", 0.2...2),
      Dimension("affinityPenaltyMilliseconds", 0...20_000, knee: 20),
      Dimension("emulatorShare", 0...1),
    ]
    if hasObjectives { dimensions.append(Dimension("headroom", 0...0.6)) }
    return dimensions
  }

  /// Where the search begins, in the unit box.
  public var start: [Double] { position(of: base) ?? dimensions.map { _ in 0.5 } }

  /// The policy at a point of the unit box.
  public func policy(at point: [Double]) -> RoutingPolicy {
    var all = Self.values(base)
    for (dimension, (index, position)) in zip(dimensions, zip(indices, point)) {
      all[index] = dimension.value(position)
    }
    switch family {
    case .predictedCost: return .predictedCost(PredictedCostParameters(values: all))
    case .scorerWeights:
      return .weightedScorers(
        ScorerWeights(
          queue: all[0], kvCache: all[1], prefix: all[2], loadAware: all[3], tokenLoad: all[4],
          activeRequests: all[5], tokenLoadThreshold: all[6]))
    case .affinity:
      return .affinity(
        AffinityParameters(
          affinityThreshold: all[0], explorationProbability: all[1],
          maximumTTFTPenaltyMilliseconds: all[2], peakPrefillThroughput: all[3]))
    }
  }

  /// Where a policy of this family lies in the unit box; `nil` for others.
  public func position(of policy: RoutingPolicy) -> [Double]? {
    let values = Self.values(policy)
    switch (family, policy) {
    case (.predictedCost, .predictedCost), (.scorerWeights, .weightedScorers),
      (.affinity, .affinity):
      return zip(dimensions, indices).map { $0.position(values[$1]) }
    default: return nil
    }
  }

  /// The searched parameters' values at a point.
  public func values(at point: [Double]) -> [Double] {
    zip(dimensions, point).map { $0.value($1) }
  }

  private static func values(_ policy: RoutingPolicy) -> [Double] {
    switch policy {
    case .predictedCost(let parameters): parameters.values
    case .weightedScorers(let weights):
      [
        weights.queue, weights.kvCache, weights.prefix, weights.loadAware, weights.tokenLoad,
        weights.activeRequests, weights.tokenLoadThreshold,
      ]
    case .affinity(let parameters):
      [
        parameters.affinityThreshold, parameters.explorationProbability,
        parameters.maximumTTFTPenaltyMilliseconds, parameters.peakPrefillThroughput,
      ]
    default: []
    }
  }
}
