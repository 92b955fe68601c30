import CoefficientFile
import TestSupport

/// Models for these tests; a seed determines each.
enum Models {
  static let levels = [Double.nan, 0.5, 0.9, 0.95, 0.99]

  /// The smallest model that the format allows, apart from one term with a knot.
  static var tiny: GlideModel {
    let head = Head(
      level: .nan, intercept: 12.5, coefficients: [0.1], halfWidths: [0.5, 0.5], calibration: 1)
    return GlideModel(
      schemaFingerprint: 0x0123_4567_89AB_CDEF,
      engines: [
        EngineModel(
          stepCoefficients: [], stepHalfWidths: [], tokenBudget: 2048, maximumSequences: 64,
          uplinkMilliseconds: 0, downlinkMilliseconds: 0)
      ],
      groups: [
        Group(
          kind: .accelerator, name: "H100", parent: -1, engine: 0, sampleCount: 7,
          ttftScales: [0.75],
          tpotScales: [])
      ],
      ttft: TargetModel(
        terms: [Term(Factor(feature: 2, transform: .hinge, knot: 3), isNonNegative: true)],
        heads: [head]),
      tpot: TargetModel(
        terms: [],
        heads: [
          Head(level: .nan, intercept: 9, coefficients: [], halfWidths: [0.25], calibration: 1)
        ]),
      correction: CorrectionModel(
        gain: 0.02, bound: 3, halfLifeMilliseconds: 600_000, conformalStep: 0.005),
      support: [], policy: [PolicyParameter(identifier: 1, value: 0.9)],
      provenance: Provenance(datasetFingerprint: 1, sampleCount: 7, toolVersion: "1"))
  }

  /// A model of random shape, whose numbers need every width and reach the bounds.
  static func random(seed: UInt64, largest: Int = 12) -> GlideModel {
    var random = SplitMix64(seed: seed)
    let engines = (0...random.integer(in: 0...2)).map { _ in engine(&random, largest) }
    let ttft = target(&random, termCount: random.integer(in: 0...largest))
    let tpot = target(&random, termCount: random.integer(in: 0...largest))
    var groups: [Group] = []
    for index in 0..<random.integer(in: 0...5) {
      groups.append(
        Group(
          kind: random.integer(in: 0...1) == 0 ? .accelerator : .endpoint,
          name: ["", "H100", "ärger-☂", "10.0.0.7:8000"][index % 4] + "\(index)",
          parent: Int32(random.integer(in: -1...index - 1)),
          engine: UInt16(random.integer(in: 0...engines.count - 1)), sampleCount: random.next(),
          ttftScales: scales(&random, ttft.terms.count),
          tpotScales: scales(&random, tpot.terms.count)))
    }
    return GlideModel(
      schemaFingerprint: random.next(), engines: engines, groups: groups, ttft: ttft, tpot: tpot,
      correction: CorrectionModel(
        gain: random.uniform(), bound: random.uniform(in: 1...1000),
        halfLifeMilliseconds: random.uniform(in: 1...1e12), conformalStep: random.uniform()),
      support: random.integer(in: 0...3) == 0 ? [] : support(&random),
      policy: (0..<random.integer(in: 0...4)).map {
        PolicyParameter(identifier: UInt16($0 * 3), value: number(&random))
      },
      provenance: Provenance(
        datasetFingerprint: random.next(), sampleCount: random.next(),
        firstReceivedNanoseconds: Int64(bitPattern: random.next()),
        lastReceivedNanoseconds: Int64(bitPattern: random.next()), toolVersion: "0.1.0",
        servedModel: "m/\(seed)", validationTTFTError: random.integer(in: 0...1) == 0 ? .nan : 0.1))
  }

  /// The largest model that the size limit is stated for.
  ///
  /// - Parameter scalesVary: Whether a group scales every term by another factor.
  static func large(seed: UInt64, scalesVary: Bool) -> GlideModel {
    var random = SplitMix64(seed: seed)
    func target() -> TargetModel {
      let terms = (0..<40).map { index in
        let feature = UInt16(random.integer(in: 0...47))
        return index % 4 == 0
          ? Term(Factor(feature: feature), Factor(feature: 5))
          : Term(Factor(feature: feature, transform: .hinge, knot: random.uniform(in: 1...1e4)))
      }
      let heads = levels.map { level in
        Head(
          level: level, intercept: random.uniform(),
          coefficients: terms.map { _ in random.uniform(in: -1...1) },
          halfWidths: (0...40).map { _ in Float(random.uniform()) }, calibration: random.uniform())
      }
      return TargetModel(terms: terms, heads: heads)
    }
    var model = tiny
    model.engines = (0..<3).map { _ in
      EngineModel(
        stepCoefficients: (0..<24).map { _ in random.uniform() },
        stepHalfWidths: (0..<24).map { _ in Float(random.uniform()) }, tokenBudget: 2048,
        maximumSequences: 256, uplinkMilliseconds: 0.3, downlinkMilliseconds: 0.4)
    }
    model.ttft = target()
    model.tpot = target()
    model.groups = (0..<8).map { index in
      let scale = Float(random.uniform(in: 0.5...2))
      let scales = (0..<40).map { _ in scalesVary ? Float(random.uniform(in: 0.5...2)) : scale }
      return Group(
        kind: .endpoint, name: "10.12.0.\(index):8000", parent: -1, engine: UInt16(index % 3),
        sampleCount: 5000, ttftScales: scales, tpotScales: scales)
    }
    model.support = (0..<48).map { _ in
      let low = Float(random.uniform())
      return FeatureSupport(low: low, high: low + Float(random.uniform(in: 1...1e4)))
    }
    model.policy = (0..<12).map { PolicyParameter(identifier: $0, value: random.uniform()) }
    return model
  }

  private static func number(_ random: inout SplitMix64) -> Double {
    switch random.integer(in: 0...7) {
    case 0: return -0.0
    case 1: return 1e12
    case 2: return .leastNonzeroMagnitude
    case 3: return Double(Float(random.uniform(in: -1e6...1e6)))
    case 4: return Double(random.integer(in: -100...100))
    default: return random.uniform(in: -1e3...1e3)
    }
  }

  private static func numbers(_ random: inout SplitMix64, _ count: Int) -> [Double] {
    let isRun = random.integer(in: 0...4) == 0
    let isNarrow = random.integer(in: 0...2) == 0
    let one = number(&random)
    return (0..<count).map { _ in
      isRun ? one : isNarrow ? Double(random.integer(in: -9...9)) / 4 : number(&random)
    }
  }

  private static func halfWidths(_ random: inout SplitMix64, _ count: Int) -> [Float] {
    numbers(&random, count).map { Float(abs($0)) }
  }

  private static func scales(_ random: inout SplitMix64, _ count: Int) -> [Float] {
    switch random.integer(in: 0...2) {
    case 0: []
    case 1: [Float](repeating: Float(random.uniform(in: 0.5...2)), count: count)
    default: (0..<count).map { _ in Float(random.uniform(in: 0.001...1000)) }
    }
  }

  private static func engine(_ random: inout SplitMix64, _ largest: Int) -> EngineModel {
    let count = random.integer(in: 0...largest)
    return EngineModel(
      stepCoefficients: numbers(&random, count), stepHalfWidths: halfWidths(&random, count),
      tokenBudget: random.uniform(in: 1...1e9), maximumSequences: random.uniform(in: 1...1e6),
      uplinkMilliseconds: random.uniform(in: 0...1e5),
      downlinkMilliseconds: random.uniform(in: 0...1e5))
  }

  private static func support(_ random: inout SplitMix64) -> [FeatureSupport] {
    (0..<random.integer(in: 20...30)).map { _ in
      let low = Float(number(&random))
      return FeatureSupport(low: low, high: low + Float(random.uniform(in: 0...1e6)))
    }
  }

  private static func factor(_ random: inout SplitMix64) -> Factor {
    Factor(
      feature: UInt16(random.integer(in: 0...19)),
      transform: [.identity, .capped, .hinge, .above][random.integer(in: 0...3)],
      knot: random.integer(in: 0...1) == 0 ? 0 : number(&random))
  }

  private static func target(_ random: inout SplitMix64, termCount: Int) -> TargetModel {
    let terms = (0..<termCount).map { _ in
      let first = factor(&random)
      let second = random.integer(in: 0...1) == 0 ? nil : factor(&random)
      return Term(first, second, isNonNegative: random.integer(in: 0...1) == 0)
    }
    let heads = levels.prefix(random.integer(in: 1...5)).map { level in
      Head(
        level: level, intercept: number(&random), coefficients: numbers(&random, termCount),
        halfWidths: halfWidths(&random, termCount + 1),
        calibration: random.uniform(in: 0.001...1000))
    }
    return TargetModel(terms: terms, heads: heads)
  }
}

extension GlideModel {
  /// Every field, NaN and −0 told apart; `==` never holds for a model with a mean.
  var fields: String { String(reflecting: self) }
}

/// A signature of sorts: 64 bytes that depend on the key and on every byte.
struct FakeKey {
  let key: UInt64

  func sign(_ message: [UInt8]) -> [UInt8] {
    var random = SplitMix64(
      seed: message.reduce(key) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 })
    return (0..<64).map { _ in UInt8(truncatingIfNeeded: random.next()) }
  }

  func verify(_ message: [UInt8], _ signature: [UInt8]) -> Bool { sign(message) == signature }
}
