internal import Glibc

/// What the log's random decisions say about policies without any simulation.
///
/// Importance weighting takes requests for independent of each other. They are not: to send all to
/// the endpoint that is quickest now looks good, one request at a time. So these estimates audit a
/// ranking and never make one.
///
/// - Source: Dudík, Langford and Li (2011), arXiv:1103.4601; Swaminathan and Joachims (2015),
///   "The self-normalized estimator for counterfactual learning".
public struct OffPolicyAudit: Sendable, Hashable, Codable {
  /// An estimate and its 95 % interval, ms or a share.
  public struct Estimate: Sendable, Hashable, Codable {
    /// The estimate.
    public var value: Double
    /// The lower end.
    public var lower: Double
    /// The upper end.
    public var upper: Double
  }

  /// What is estimated of one policy.
  public struct PolicyEstimate: Sendable, Hashable, Codable {
    /// Which policy.
    public var policy: String
    /// Random decisions that it agrees with.
    public var agreements: Int
    /// What those are worth as a sample: (Σw)² / Σw².
    public var effectiveSampleSize: Double
    /// The largest weight.
    public var largestWeight: Double
    /// Mean TTFT by self-normalized importance weighting, ms.
    public var weighted: Estimate
    /// Mean TTFT by the model alone, ms.
    public var modelled: Estimate
    /// Mean TTFT, doubly robust, ms.
    public var doublyRobust: Estimate
    /// The share of requests slower than ``OffPolicyAudit/thresholdMilliseconds``, self-normalized.
    public var slowShare: Estimate
  }

  /// The first policy against the second, by the doubly robust estimate.
  public struct Difference: Sendable, Hashable, Codable {
    /// The share of mean TTFT that the first saves, with its 95 % interval.
    public var gain: Estimate
  }

  /// Random decisions in the log.
  public var randomDecisions: Int
  /// Requests in the log.
  public var requestCount: Int
  /// The logged P90 TTFT of the random decisions, ms.
  public var thresholdMilliseconds: Double
  /// Per policy.
  public var estimates: [PolicyEstimate]
  /// The first policy against the second; `nil` when refused.
  public var difference: Difference?
  /// Why there is no estimate; `nil` when there is one.
  public var refusal: String?

  /// Effective requests below which nothing is said.
  public static let fewestEffective = 100.0
  private static let blockCount = 20

  /// Estimates for the policies that were asked at `decisions`.
  ///
  /// - Complexity: O(replicates × (blocks + decisions)).
  public init(_ decisions: LoggedDecisions, replicates: Int = 1000, seed: UInt64 = 1) {
    let rows = decisions.rows
    randomDecisions = rows.count
    requestCount = decisions.requestCount
    estimates = []
    let outcomes = rows.map(\.outcome).sorted()
    thresholdMilliseconds = Quantile.of(sorted: outcomes, 0.9)
    guard Double(rows.count) >= Self.fewestEffective else {
      refusal =
        "The log's judged part has \(rows.count) decisions that were random with a known "
        + "propensity; an off-policy estimate needs \(Int(Self.fewestEffective)) of them at least. "
        + "Let the gateway explore 1 % of requests and log `propensity`."
      return
    }
    let sums = decisions.policies.indices.map {
      BlockSums(rows, policy: $0, threshold: thresholdMilliseconds, blockCount: Self.blockCount)
    }
    let draws = Self.draws(replicates, seed: seed)
    for (named, sums) in zip(decisions.policies, sums) {
      let whole = sums.total([Int](repeating: 1, count: Self.blockCount))
      let replicated = draws.map { sums.total($0) }
      func estimate(_ value: (BlockSums.Total) -> Double) -> Estimate {
        Self.estimate(value(whole), replicated.map(value))
      }
      estimates.append(
        PolicyEstimate(
          policy: named.name, agreements: sums.agreements,
          effectiveSampleSize: whole.squaredWeights > 0
            ? whole.weights * whole.weights / whole.squaredWeights : 0,
          largestWeight: sums.largestWeight, weighted: estimate(\.weighted),
          modelled: estimate(\.modelled), doublyRobust: estimate(\.doublyRobust),
          slowShare: estimate(\.slowShare)))
    }
    if let poor = estimates.first(where: { $0.effectiveSampleSize < Self.fewestEffective }) {
      refusal =
        "Only \(poor.agreements) of \(rows.count) random decisions are those that "
        + "\"\(poor.policy)\" makes, worth \(Format.number(poor.effectiveSampleSize)) requests; "
        + "that does not support an estimate."
    } else if sums.count >= 2 {
      let gains = draws.map { Self.gain(sums[0].total($0), sums[1].total($0)) }
      let ones = [Int](repeating: 1, count: Self.blockCount)
      difference = Difference(
        gain: Self.estimate(Self.gain(sums[0].total(ones), sums[1].total(ones)), gains))
    }
  }

  private static func gain(_ first: BlockSums.Total, _ second: BlockSums.Total) -> Double {
    1 - first.doublyRobust / second.doublyRobust
  }

  private static func estimate(_ value: Double, _ replicates: [Double]) -> Estimate {
    let sorted = replicates.filter(\.isFinite).sorted()
    return Estimate(
      value: value, lower: Quantile.of(sorted: sorted, 0.025),
      upper: Quantile.of(sorted: sorted, 0.975))
  }

  private static func draws(_ count: Int, seed: UInt64) -> [[Int]] {
    var random = SeededGenerator(seed: seed)
    return (0..<count).map { _ in
      var times = [Int](repeating: 0, count: blockCount)
      for _ in 0..<blockCount { times[random.index(below: blockCount)] += 1 }
      return times
    }
  }

  /// Whether the audit contradicts a gain that the replay promises: the first policy is surely
  /// worse than the second.
  public var contradictsGain: Bool { difference.map { $0.gain.upper < 0 } ?? false }
}

/// Sums over the random decisions of each time block.
private struct BlockSums {
  struct Total {
    var count = 0.0
    var weights = 0.0
    var squaredWeights = 0.0
    var weightedOutcomes = 0.0
    var weightedSlow = 0.0
    var models = 0.0
    var corrections = 0.0

    var weighted: Double { weights > 0 ? weightedOutcomes / weights : .nan }
    var slowShare: Double { weights > 0 ? weightedSlow / weights : .nan }
    var modelled: Double { count > 0 ? models / count : .nan }
    var doublyRobust: Double { count > 0 ? (models + corrections) / count : .nan }
  }

  private var blocks: [Total]
  var agreements = 0
  var largestWeight = 0.0

  init(_ rows: [LoggedDecisions.Row], policy: Int, threshold: Double, blockCount: Int) {
    blocks = [Total](repeating: Total(), count: blockCount)
    let start = rows.first?.time ?? 0
    let width = max((rows.last?.time ?? 0) - start, 1e-9)
    for row in rows {
      let block = min(Int((row.time - start) / width * Double(blockCount)), blockCount - 1)
      let weight = row.agrees[policy] ? 1 / row.propensity : 0
      agreements += row.agrees[policy] ? 1 : 0
      largestWeight = max(largestWeight, weight)
      blocks[block].count += 1
      blocks[block].weights += weight
      blocks[block].squaredWeights += weight * weight
      blocks[block].weightedOutcomes += weight * row.outcome
      blocks[block].weightedSlow += row.outcome > threshold ? weight : 0
      let there = row.predictedThere[policy]
      blocks[block].models += there.isFinite ? there : 0
      if row.predicted.isFinite {
        blocks[block].corrections += weight * (row.outcome - row.predicted)
      }
    }
  }

  func total(_ times: [Int]) -> Total {
    var total = Total()
    for (block, count) in zip(blocks, times) {
      let times = Double(count)
      total.count += times * block.count
      total.weights += times * block.weights
      total.squaredWeights += times * block.squaredWeights
      total.weightedOutcomes += times * block.weightedOutcomes
      total.weightedSlow += times * block.weightedSlow
      total.models += times * block.models
      total.corrections += times * block.corrections
    }
    return total
  }
}
