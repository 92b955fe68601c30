import CoefficientFile
import TestSupport

/// Models to encode.
enum SampleModels {
  /// The smallest model that uses every section once; Format.md's worked example.
  static func worked() -> GlideModel {
    GlideModel(
      schemaFingerprint: 0x0123_4567_89AB_CDEF,
      engines: [
        EngineModel(
          stepCoefficients: [2], stepHalfWidths: [0.5], tokenBudget: 2_048, maximumSequences: 256,
          uplinkMilliseconds: 1, downlinkMilliseconds: 2)
      ],
      groups: [
        Group(
          kind: .accelerator, name: "H100", parent: -1, engine: 0, sampleCount: 1_000,
          ttftScales: [1.5], tpotScales: [])
      ],
      ttft: TargetModel(
        terms: [Term(Factor(feature: 3, transform: .hinge, knot: 512), isNonNegative: true)],
        heads: [
          Head(
            level: .nan, intercept: 10, coefficients: [0.25], halfWidths: [1, 0.125], calibration: 1
          )
        ]),
      tpot: TargetModel(
        terms: [],
        heads: [
          Head(level: .nan, intercept: 20, coefficients: [], halfWidths: [2], calibration: 1)
        ]),
      correction: CorrectionModel(
        gain: 0.25, bound: 4, halfLifeMilliseconds: 60_000, conformalStep: 0.5),
      support: [],
      policy: [PolicyParameter(identifier: 7, value: 0.75)],
      provenance: Provenance(
        datasetFingerprint: 0xFEED, sampleCount: 1_000, firstReceivedNanoseconds: 1,
        lastReceivedNanoseconds: 2, toolVersion: "1", servedModel: "m", validationTTFTError: 0.5,
        validationTPOTError: 0.25))
  }

  /// A model as large as a fit makes them: 2 targets × 30 terms × 5 heads, 3 engines × 24 step
  /// coefficients, 8 groups.
  static func fullSize() -> GlideModel {
    var source = RandomModels(seed: 1)
    var model = source.model()
    model.engines = (0..<3).map { _ in source.engine(stepFeatures: 24) }
    model.ttft = source.target(terms: 30, heads: 5)
    model.tpot = source.target(terms: 30, heads: 5)
    model.support = (0..<256).map { _ in source.range() }
    model.policy = []
    model.groups = (0..<8).map { index in
      let scale = Float(source.generator.uniform(in: 0.5...2))
      return Group(
        kind: index < 2 ? .accelerator : .endpoint, name: "vllm-qwen-7f9c5d-\(index)",
        parent: index < 2 ? -1 : Int32(index % 2), engine: UInt16(index % 3), sampleCount: 25_000,
        ttftScales: [Float](repeating: scale, count: 30),
        tpotScales: [Float](repeating: scale, count: 30))
    }
    model.provenance.servedModel = "Qwen/Qwen3-30B-A3B-Instruct-2507"
    model.provenance.toolVersion = "1.0.0"
    return model
  }
}

extension GlideModel {
  /// This model with its NaNs replaced, so that it equals itself.
  var comparable: GlideModel {
    func plain(_ value: Double) -> Double { value.isNaN ? -1 : value }
    var model = self
    for index in ttft.heads.indices {
      model.ttft.heads[index].level = plain(ttft.heads[index].level)
    }
    for index in tpot.heads.indices {
      model.tpot.heads[index].level = plain(tpot.heads[index].level)
    }
    model.provenance.validationTTFTError = plain(provenance.validationTTFTError)
    model.provenance.validationTPOTError = plain(provenance.validationTPOTError)
    return model
  }
}

/// Valid models of every shape, from a seed.
struct RandomModels {
  var generator: SplitMix64

  init(seed: UInt64) { generator = SplitMix64(seed: seed) }

  mutating func model() -> GlideModel {
    let ttft = target(terms: count(0...9), heads: count(1...6))
    let tpot = target(terms: count(0...9), heads: count(1...6))
    let engines = (0..<count(1...3)).map { _ in engine(stepFeatures: count(0...8)) }
    var groups: [Group] = []
    for index in 0..<count(0...4) {
      groups.append(
        Group(
          kind: generator.next() & 1 == 0 ? .accelerator : .endpoint, name: "\(index)" + text(),
          parent: Int32(count(0...index)) - 1,
          engine: UInt16(count(0...(engines.count - 1))), sampleCount: generator.next(),
          ttftScales: scales(terms: ttft.terms.count),
          tpotScales: scales(terms: tpot.terms.count)))
    }
    return GlideModel(
      schemaFingerprint: generator.next(), engines: engines, groups: groups, ttft: ttft, tpot: tpot,
      correction: CorrectionModel(
        gain: generator.uniform(), bound: generator.uniform(in: 1...1_000),
        halfLifeMilliseconds: generator.uniform(in: 1...1e12), conformalStep: generator.uniform()),
      support: (0..<(generator.next() & 1 == 0 ? 0 : 256)).map { _ in range() },
      policy: (0..<count(0...5)).map { index in
        PolicyParameter(
          identifier: UInt16(index * 10_000 + count(0...9_999)), value: coefficient())
      },
      provenance: Provenance(
        datasetFingerprint: generator.next(), sampleCount: generator.next(),
        firstReceivedNanoseconds: Int64(bitPattern: generator.next()),
        lastReceivedNanoseconds: Int64(bitPattern: generator.next()), toolVersion: text(),
        servedModel: text(), validationTTFTError: generator.uniform(),
        validationTPOTError: generator.uniform()))
  }

  mutating func engine(stepFeatures: Int) -> EngineModel {
    EngineModel(
      stepCoefficients: (0..<stepFeatures).map { _ in coefficient() },
      stepHalfWidths: (0..<stepFeatures).map { _ in halfWidth() },
      tokenBudget: generator.uniform(in: 1...1e9),
      maximumSequences: generator.uniform(in: 1...1e6),
      uplinkMilliseconds: generator.uniform(in: 0...1e5),
      downlinkMilliseconds: generator.uniform(in: 0...1e5))
  }

  /// A target of the mean's head and then of rising levels.
  mutating func target(terms: Int, heads: Int) -> TargetModel {
    TargetModel(
      terms: (0..<terms).map { _ in
        Term(
          factor(), generator.next() & 1 == 0 ? factor() : nil,
          isNonNegative: generator.next() & 1 == 0)
      },
      heads: (0..<heads).map { index in
        Head(
          level: [.nan, 0.5, 0.9, 0.95, 0.99, 0.999][index % 6], intercept: coefficient(),
          coefficients: (0..<terms).map { _ in coefficient() },
          halfWidths: (0...terms).map { _ in halfWidth() },
          calibration: generator.uniform(in: 0.001...1_000))
      })
  }

  mutating func range() -> FeatureSupport {
    let low = Float(generator.uniform(in: -1e6...1e6))
    return FeatureSupport(low: low, high: low + Float(generator.uniform(in: 0...1e6)))
  }

  private mutating func factor() -> Factor {
    Factor(
      feature: UInt16(count(0...255)),
      transform: Factor.Transform(rawValue: UInt8(count(0...3))) ?? .identity, knot: coefficient())
  }

  /// Empty, all equal or all different: the three ways of writing them.
  private mutating func scales(terms: Int) -> [Float] {
    switch count(0...2) {
    case 0: []
    case 1: [Float](repeating: scale(), count: terms)
    default: (0..<terms).map { _ in scale() }
    }
  }

  private mutating func scale() -> Float { Float(generator.uniform(in: 0.01...100)) }
  private mutating func halfWidth() -> Float { Float(generator.uniform(in: 0...1e6)) }

  /// Numbers of all magnitudes that the format allows, both signs and zero.
  private mutating func coefficient() -> Double {
    let magnitude = [0, 1e-300, 1e-9, 1e-3, 1, 1e6, 1e12][count(0...6)]
    return generator.uniform(in: -1...1) * magnitude
  }

  private mutating func text() -> String {
    let pieces = [
      "", "H100", "vllm-0", "Größe", "東京", "a/b", "🚄", String(repeating: "x", count: 200),
    ]
    return pieces[count(0...(pieces.count - 1))]
  }

  private mutating func count(_ range: ClosedRange<Int>) -> Int { generator.integer(in: range) }
}
