public import CoefficientFile

/// Parameters of Glidepath's own policy, shipped in the coefficient file's policy section.
///
/// The cost of an endpoint, in ms, is the expected TTFT plus
/// `tpotWeight · TPOT · expected output tokens` plus `externality ·` the delay that the prompt adds
/// to the requests already there, plus what it drives out of the cache: `recomputation ·` the time
/// that computing as much takes. The least cost wins, but for affinity, exploration and headroom as
/// below.
///
/// What is expected is a mix of the model's prediction and the emulated engine's own forecast. The
/// prediction is closer on average. But some of its terms say what usually goes with a load, not
/// what sending one more request there does, and a choice by them misleads itself.
public struct PredictedCostParameters: Sendable, Hashable {
  /// Weight of the decode time against TTFT.
  public var tpotWeight: Double
  /// Which head decides: 0 mean, 0.5, 0.9, 0.95 or 0.99.
  public var quantileLevel: Double
  /// Weight of the time by which the prompt delays requests that are already there.
  public var externality: Double
  /// The same as ``recomputation`` at a fixed price, ms per 1,000 tokens, whatever the engine.
  public var displacement: Double
  /// Endpoints that match at least this share of the prompt are sticky; above 1 disables affinity.
  public var affinityThreshold: Double
  /// Affinity yields where it would cost more than this, ms.
  public var affinityPenaltyMilliseconds: Double
  /// Share of the objective kept free: only endpoints whose predictions are at most
  /// `objective · (1 − headroom)` are chosen while there are any; 0 for no such filter.
  ///
  /// It crowds a pool near its limits onto the few endpoints that still seem to meet objectives, and
  /// fewer requests meet theirs than without.
  public var headroom: Double
  /// Share of requests sent to a random endpoint among those whose cost is near the least.
  public var exploration: Double
  /// Sheddable requests are refused where the least predicted TTFT exceeds this, ms; 0 for never.
  public var shedTTFTMilliseconds: Double
  /// KV transfer from a prefill to a decode endpoint, ms per token.
  public var transferMillisecondsPerToken: Double
  /// How much of the cost comes from the emulated engine rather than from the prediction, 0…1;
  /// objectives and shedding go by the prediction alone.
  public var emulatorShare: Double
  /// Weight of the cache entries that a prompt not yet cached there would displace where the prefix
  /// index is full: times what computing as many tokens there takes.
  ///
  /// Above 1, for what is displaced is computed again beside others, who wait for it, and displaces
  /// more.
  public var recomputation: Double

  /// Untuned values that do well on most fleets.
  public init(
    tpotWeight: Double = 0.1, quantileLevel: Double = 0, externality: Double = 2,
    displacement: Double = 0, affinityThreshold: Double = 2,
    affinityPenaltyMilliseconds: Double = 0, headroom: Double = 0, exploration: Double = 0.01,
    shedTTFTMilliseconds: Double = 0, transferMillisecondsPerToken: Double = 0.002,
    emulatorShare: Double = 0.8, recomputation: Double = 8
  ) {
    self.tpotWeight = tpotWeight
    self.quantileLevel = quantileLevel
    self.externality = externality
    self.displacement = displacement
    self.affinityThreshold = affinityThreshold
    self.affinityPenaltyMilliseconds = affinityPenaltyMilliseconds
    self.headroom = headroom
    self.exploration = exploration
    self.shedTTFTMilliseconds = shedTTFTMilliseconds
    self.transferMillisecondsPerToken = transferMillisecondsPerToken
    self.emulatorShare = emulatorShare
    self.recomputation = recomputation
  }

  /// The parameters in order of their numbers in the coefficient file, with their valid ranges.
  ///
  /// The order is part of the file's schema: append, never reorder.
  public static let schema: [Parameter] = [
    Parameter("tpotWeight", 0...10), Parameter("quantileLevel", 0...0.99),
    Parameter("externality", 0...100), Parameter("displacement", 0...100),
    Parameter("affinityThreshold", 0...2), Parameter("affinityPenaltyMilliseconds", 0...100_000),
    Parameter("headroom", 0...0.9), Parameter("exploration", 0...1),
    Parameter("shedTTFTMilliseconds", 0...1_000_000),
    Parameter("transferMillisecondsPerToken", 0...10), Parameter("emulatorShare", 0...1),
    Parameter("recomputation", 0...1_000),
  ]

  /// One parameter's name and valid range.
  public struct Parameter: Sendable, Hashable {
    /// Its name, as reports and configuration write it.
    public let name: String
    /// What it may be.
    public let range: ClosedRange<Double>

    init(_ name: String, _ range: ClosedRange<Double>) {
      self.name = name
      self.range = range
    }
  }

  /// All parameters in ``schema``'s order.
  public var values: [Double] {
    [
      tpotWeight, quantileLevel, externality, displacement, affinityThreshold,
      affinityPenaltyMilliseconds, headroom, exploration, shedTTFTMilliseconds,
      transferMillisecondsPerToken, emulatorShare, recomputation,
    ]
  }

  /// From values in ``schema``'s order, each moved into its range; missing ones keep their default.
  public init(values: [Double]) {
    self.init()
    var all = self.values
    for (index, value) in values.prefix(all.count).enumerated() where value.isFinite {
      let range = Self.schema[index].range
      all[index] = min(max(value, range.lowerBound), range.upperBound)
    }
    tpotWeight = all[0]
    quantileLevel = all[1]
    externality = all[2]
    displacement = all[3]
    affinityThreshold = all[4]
    affinityPenaltyMilliseconds = all[5]
    headroom = all[6]
    exploration = all[7]
    shedTTFTMilliseconds = all[8]
    transferMillisecondsPerToken = all[9]
    emulatorShare = all[10]
    recomputation = all[11]
  }

  /// From a coefficient file's policy section; unknown numbers are ignored.
  ///
  /// Sections from before ``recomputation`` were tuned without it.
  public init(_ section: [PolicyParameter]) {
    var all = Self().values
    if !section.isEmpty, let added = Self.schema.firstIndex(where: { $0.name == "recomputation" }) {
      all[added] = 0
    }
    for parameter in section where all.indices.contains(Int(parameter.identifier)) {
      all[Int(parameter.identifier)] = parameter.value
    }
    self.init(values: all)
  }

  /// As a coefficient file's policy section.
  public var section: [PolicyParameter] {
    values.enumerated().map { PolicyParameter(identifier: UInt16($0), value: $1) }
  }
}
