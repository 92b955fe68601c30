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
///
/// A class, and its tables are not counted as held: a batch holds the predictor, which holds them.
final class LaneProgram: Sendable {
  let shared: LaneTables
  let kept: LaneTables
  let moving: LaneTables
  /// The heads' constants, calibrated.
  let ttftConstants: LaneHeads
  let tpotConstants: LaneHeads
  /// Lanes to work in: the features, then the steps' results.
  let slotCount: Int
  /// What moving terms and training ranges use.
  let needs: LaneNeeds
  /// What the terms of the means use, and of the means and medians.
  private let meanNeeds: LaneNeeds
  private let centerNeeds: LaneNeeds

  init(_ model: GlideModel, ranges: [SupportedRange], features: [Feature]) {
    ttftConstants = LaneHeads(model.ttft.heads.prefix(5).map { $0.intercept * $0.calibration })
    tpotConstants = LaneHeads(model.tpot.heads.prefix(5).map { $0.intercept * $0.calibration })
    var compiler = LaneCompiler()
    for (index, term) in model.ttft.terms.enumerated() {
      compiler.add(term, LaneTerm(model.ttft, term: index), to: \.ttft)
    }
    for (index, term) in model.tpot.terms.enumerated() {
      compiler.add(term, LaneTerm(model.tpot, term: index), to: \.tpot)
    }
    for range in ranges {
      guard let feature = Feature(rawValue: UInt16(range.feature)) else { continue }
      compiler.part(feature.pace) { $0.ranges.append(range) }
    }
    slotCount = compiler.slotCount
    needs = LaneNeeds(features)
    let means = compiler.slots(.mean)
    let centers = compiler.slots(.center)
    meanNeeds = LaneNeeds(features.filter { means.contains(Int($0.rawValue)) })
    centerNeeds = LaneNeeds(features.filter { centers.contains(Int($0.rawValue)) })
    func tables(_ part: LanePart, _ features: [Feature]) -> LaneTables {
      LaneTables(part, features: features, means: means, centers: centers)
    }
    shared = tables(compiler.shared, features.filter { $0.pace == .shared })
    kept = tables(compiler.kept, features.filter { $0.pace == .kept })
    moving = tables(compiler.moving, compiler.loadedFeatures)
  }

  deinit {
    shared.free()
    kept.free()
    moving.free()
  }

  /// What some heads need, and training ranges with all of them.
  @inline(always)
  func needs(_ need: HeadNeed) -> LaneNeeds {
    need == .all ? needs : need == .center ? centerNeeds : meanNeeds
  }
}

/// Sorts a model's terms by pace.
private struct LaneCompiler {
  var shared = LanePart()
  var kept = LanePart()
  var moving = LanePart()
  var slotCount = Feature.count
  /// Kept features that moving terms use: they are loaded for every request.
  var loadedFeatures: [Feature] = []
  /// Transformed factors that were compiled already, with the slots of their results.
  private var known: [Factor: Int] = [:]

  /// The slots that the terms of some heads are made of, features among them.
  func slots(_ need: HeadNeed) -> Set<Int> {
    let parts = [shared, kept, moving]
    let terms = parts.flatMap { $0.ttft + $0.tpot }.filter { $0.isUsed(need) }
    var slots = Set(terms.map(\.slot))
    // A step was given its slot after those whose results it uses.
    for step in parts.flatMap(\.steps).sorted(by: { $0.result > $1.result })
    where slots.contains(step.result) {
      slots.insert(step.first)
      if step.kind == .product { slots.insert(step.second) }
    }
    return slots
  }

  mutating func part(_ pace: LanePace, _ change: (inout LanePart) -> Void) {
    switch pace {
    case .shared: change(&shared)
    case .kept: change(&kept)
    case .moving: change(&moving)
    }
  }

  mutating func add(
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
}

/// A ``LanePart`` as batches read it.
struct LaneTables: Sendable {
  /// What is loaded before the steps: columns as they are, and features made of several.
  let columns: LaneTable<LaneLoad>
  let features: LaneTable<Feature>
  let ttft: LaneTerms
  let tpot: LaneTerms
  private let steps: LaneTable<LaneStep>
  private let stepsOfMeans: LaneTable<LaneStep>
  private let stepsOfCenters: LaneTable<LaneStep>
  private let ranges: LaneTable<SupportedRange>

  /// - Parameters:
  ///   - features: Those that its terms and ranges use.
  ///   - means: The slots that means are made of.
  ///   - centers: Those of means and medians.
  init(_ part: LanePart, features: [Feature], means: Set<Int>, centers: Set<Int>) {
    columns = LaneTable(features.compactMap { LaneLoad($0) })
    self.features = LaneTable(features.filter { $0.column == nil })
    ttft = LaneTerms(part.ttft)
    tpot = LaneTerms(part.tpot)
    steps = LaneTable(part.steps)
    stepsOfMeans = LaneTable(part.steps.filter { means.contains($0.result) })
    stepsOfCenters = LaneTable(part.steps.filter { centers.contains($0.result) })
    ranges = LaneTable(part.ranges)
  }

  func free() {
    columns.free()
    features.free()
    ttft.free()
    tpot.free()
    steps.free()
    stepsOfMeans.free()
    stepsOfCenters.free()
    ranges.free()
  }

  /// Loads a group's features that only events change.
  @inline(always)
  func load(_ rows: LaneRows, _ slots: LaneSlots) {
    for index in columns.indices {
      slots[columns[index].slot] = rows[number: columns[index].column]
    }
    for index in features.indices { slots.set(features[index], rows.kept(features[index])) }
  }

  /// Computes what terms are made of.
  @inline(always)
  func prepare(_ slots: LaneSlots, need: HeadNeed) {
    let steps = need == .all ? steps : need == .center ? stepsOfCenters : stepsOfMeans
    for index in steps.indices {
      let step = steps[index]
      let (x, knot) = (slots[step.first], all(step.knot))
      slots[step.result] =
        switch step.kind {
        case .capped: smaller(x, knot)
        case .hinge: larger(x, knot) - knot
        case .above: choose(x, above: step.knot, all(1), all(0))
        case .product: x * slots[step.second]
        }
    }
  }

  /// By how much features lie outside their training ranges at most; above 0 where one does.
  func excess(_ slots: LaneSlots) -> Lanes {
    var excess = all(0)
    for index in ranges.indices {
      let range = ranges[index]
      let x = slots[range.feature]
      excess = larger(larger(excess, x - range.high), range.low - x)
    }
    return excess
  }
}

/// A feature that is a column.
struct LaneLoad: Sendable {
  var slot: Int
  var column: Int

  init?(_ feature: Feature) {
    guard let column = feature.column else { return nil }
    (slot, self.column) = (Int(feature.rawValue), column.rawValue)
  }
}

/// The terms of one target and pace: with all heads, and those of the mean apart.
struct LaneTerms: Sendable {
  let all: LaneTable<LaneTerm>
  private let means: LaneTable<LaneCenterTerm>
  private let centers: LaneTable<LaneCenterTerm>

  init(_ terms: [LaneTerm]) {
    all = LaneTable(terms)
    means = LaneTable(terms.filter { $0.isUsed(.mean) }.map { LaneCenterTerm($0) })
    centers = LaneTable(terms.filter { $0.isUsed(.center) }.map { LaneCenterTerm($0) })
  }

  func free() {
    all.free()
    means.free()
    centers.free()
  }

  /// `start` and the mean's terms.
  @inline(always)
  func mean(_ slots: LaneSlots, from start: Lanes) -> Lanes {
    var sum = start
    for index in means.indices { sum += means[index].mean * slots[means[index].slot] }
    return sum
  }

  /// The same with the median's.
  @inline(always)
  func center(
    _ slots: LaneSlots, from start: (mean: Lanes, p50: Lanes)
  ) -> (mean: Lanes, p50: Lanes) {
    var (mean, p50) = start
    for index in centers.indices {
      let x = slots[centers[index].slot]
      mean += centers[index].mean * x
      p50 += centers[index].p50 * x
    }
    return (mean, p50)
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
