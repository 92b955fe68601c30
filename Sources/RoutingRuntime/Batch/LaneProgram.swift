internal import CoefficientFile

/// How often a feature changes.
enum LanePace: Int, CaseIterable {
  /// Once a batch: all endpoints share it.
  case shared
  /// Only when something happens on the endpoint.
  case kept
  /// With the request or the time.
  case moving
}

/// A model compiled for batches: what is shared is computed once a batch, what only events change
/// once an event, and the rest for each request and endpoint.
struct LaneProgram: Sendable {
  private(set) var shared = LanePart()
  private(set) var kept = LanePart()
  private(set) var moving = LanePart()
  /// The heads' constants, calibrated.
  let ttftConstants: LaneHeads
  let tpotConstants: LaneHeads
  /// Lanes to work in: the features, then the steps' results.
  private(set) var slotCount = Feature.count
  /// The features that are used, by pace.
  let sharedFeatures: [Feature]
  let keptFeatures: [Feature]
  /// Kept features that moving terms use: they are loaded for every request.
  private(set) var loadedFeatures: [Feature] = []
  /// What moving terms and training ranges use.
  let needs: LaneNeeds
  /// Transformed factors that were compiled already, with the slots of their results.
  private var known: [Factor: Int] = [:]

  init(_ model: GlideModel, ranges: [SupportedRange], features: [Feature]) {
    ttftConstants = LaneHeads(model.ttft.heads.prefix(5).map { $0.intercept * $0.calibration })
    tpotConstants = LaneHeads(model.tpot.heads.prefix(5).map { $0.intercept * $0.calibration })
    sharedFeatures = features.filter { $0.pace == .shared }
    keptFeatures = features.filter { $0.pace == .kept }
    needs = LaneNeeds(features)
    for (index, term) in model.ttft.terms.enumerated() {
      add(term, LaneTerm(model.ttft, term: index), to: \.ttft)
    }
    for (index, term) in model.tpot.terms.enumerated() {
      add(term, LaneTerm(model.tpot, term: index), to: \.tpot)
    }
    for range in ranges {
      guard let feature = Feature(rawValue: UInt16(range.feature)) else { continue }
      part(feature.pace) { $0.ranges.append(range) }
    }
    known = [:]
  }

  // MARK: - Compiling

  private mutating func part(_ pace: LanePace, _ change: (inout LanePart) -> Void) {
    switch pace {
    case .shared: change(&shared)
    case .kept: change(&kept)
    case .moving: change(&moving)
    }
  }

  private mutating func add(
    _ term: Term, _ compiled: LaneTerm?,
    to target: WritableKeyPath<LanePart, [LaneTerm]>
  ) {
    guard var compiled, let first = Feature(rawValue: term.first.feature) else { return }
    var pace = first.pace
    if let factor = term.second, let second = Feature(rawValue: factor.feature),
      second.pace != pace
    {
      pace = .moving
    }
    var slot = slot(term.first, first, pace)
    if let factor = term.second, let second = Feature(rawValue: factor.feature) {
      let other = self.slot(factor, second, pace)
      slot = step(LaneStep(kind: .product, first: slot, second: other, knot: 0), pace)
    }
    compiled.slot = slot
    part(pace) { $0[keyPath: target].append(compiled) }
  }

  /// Where a factor's value is found.
  private mutating func slot(_ factor: Factor, _ feature: Feature, _ pace: LanePace) -> Int {
    if pace == .moving, feature.pace == .kept, !loadedFeatures.contains(feature) {
      loadedFeatures.append(feature)
    }
    guard let kind = LaneStep.Kind(factor.transform) else { return Int(factor.feature) }
    if let slot = known[factor], feature.pace != .kept { return slot }
    let slot = step(
      LaneStep(kind: kind, first: Int(factor.feature), second: 0, knot: factor.knot),
      feature.pace == .shared ? .shared : pace)
    known[factor] = slot
    return slot
  }

  private mutating func step(_ step: LaneStep, _ pace: LanePace) -> Int {
    var step = step
    step.result = slotCount
    slotCount += 1
    part(pace) { $0.steps.append(step) }
    return step.result
  }
}

/// The terms of one pace.
struct LanePart: Sendable {
  var steps: [LaneStep] = []
  var ttft: [LaneTerm] = []
  var tpot: [LaneTerm] = []
  /// The training ranges of this pace's features.
  var ranges: [SupportedRange] = []

  /// Computes what terms are made of.
  @inline(always)
  func prepare(_ slots: inout MutableSpan<Lanes>) {
    let steps = steps.span
    for index in steps.indices {
      let x = slots[steps[index].first]
      let knot = all(steps[index].knot)
      slots[steps[index].result] =
        switch steps[index].kind {
        case .capped: smaller(x, knot)
        case .hinge: larger(x, knot) - knot
        case .above: choose(x, above: steps[index].knot, all(1), all(0))
        case .product: x * slots[steps[index].second]
        }
    }
  }

  /// By how much features lie outside their training ranges at most; above 0 where one does.
  func excess(_ slots: Span<Lanes>) -> Lanes {
    let ranges = ranges.span
    var excess = all(0)
    for index in ranges.indices {
      let x = slots[ranges[index].feature]
      excess = larger(larger(excess, x - ranges[index].high), ranges[index].low - x)
    }
    return excess
  }
}

/// One step on the way from features to terms.
struct LaneStep: Sendable {
  enum Kind: Sendable {
    case capped, hinge, above, product

    /// `nil` for the feature as it is.
    init?(_ transform: Factor.Transform) {
      switch transform {
      case .identity: return nil
      case .capped: self = .capped
      case .hinge: self = .hinge
      case .above: self = .above
      }
    }
  }

  var kind: Kind
  var first: Int
  var second: Int
  var result = 0
  var knot: Double
}

extension Feature {
  /// How often it changes.
  var pace: LanePace {
    switch self {
    case .promptTokens, .maximumTokens, .isMaximumKnown, .poolArrivalWork, .poolArrivalWorkFast,
      .poolRecentExcess, .poolDecodingPerEndpoint, .poolQueuedPerEndpoint:
      .shared
    case .decodingAfter, .queuedRequests, .queuedTokens, .decodingRequests, .slowness,
      .recentTPOT, .recentTTFTRatio, .recentExcess, .recentOutputTokens,
      .expectedRemainingTokens, .averageBatch, .snapshotWaiting, .snapshotRunning,
      .snapshotUsage, .foreignRequests:
      .kept
    default: .moving
    }
  }
}
