extension EngineModel {
  /// The engines' section: at least one engine.
  static func list(_ reader: inout ByteReader) throws(CoefficientFileError) -> [EngineModel] {
    let count = try reader.count("engines", atLeast: 1, limit: GlideFormat.engineLimit, width: 34)
    var engines: [EngineModel] = []
    for _ in 0..<count {
      let budget = try reader.number("token budget", in: 1...1e9)
      let sequences = try reader.number("maximum sequences", in: 1...1e6)
      let uplink = try reader.number("uplink", in: 0...1e5)
      let downlink = try reader.number("downlink", in: 0...1e5)
      let size = try reader.count(
        "step coefficients", limit: GlideFormat.stepFeatureLimit, width: 0)
      let coefficients = try reader.packed(
        "step coefficients", count: size, in: GlideFormat.bound)
      let halfWidths = try reader.packedSingles(
        "step half-widths", count: size, in: 0...GlideFormat.singleBound)
      engines.append(
        EngineModel(
          stepCoefficients: coefficients, stepHalfWidths: halfWidths, tokenBudget: budget,
          maximumSequences: sequences, uplinkMilliseconds: uplink, downlinkMilliseconds: downlink))
    }
    return engines
  }
}

extension Group {
  /// The groups' section; parents come before their children, and no group is named twice.
  static func list(
    _ reader: inout ByteReader, engineCount: Int
  ) throws(CoefficientFileError) -> [Group] {
    let count = try reader.count("groups", limit: GlideFormat.groupLimit, width: 20)
    var groups: [Group] = []
    var names: [Kind: Set<[UInt8]>] = [:]
    for index in 0..<count {
      let group = try Group(&reader, index: index, engineCount: engineCount)
      guard names[group.kind, default: []].insert(Array(group.name.utf8)).inserted else {
        throw .outOfRange(
          field: "group \(group.name)", value: Double(index), allowed: "one group of a name")
      }
      groups.append(group)
    }
    return groups
  }

  private init(
    _ reader: inout ByteReader, index: Int, engineCount: Int
  ) throws(CoefficientFileError) {
    let rawKind = try reader.integer("group kind", as: UInt8.self)
    guard let kind = Kind(rawValue: rawKind) else {
      throw .outOfRange(field: "group kind", value: Double(rawKind), allowed: "0 or 1")
    }
    let name = try reader.text("group name")
    let parent = Int32(bitPattern: try reader.integer("group parent"))
    guard parent >= -1, parent < index else {
      throw .outOfRange(
        field: "group parent", value: Double(parent), allowed: "-1 to \(index - 1)")
    }
    let engine = try reader.integer("group engine", as: UInt16.self)
    guard Int(engine) < engineCount else {
      throw .outOfRange(
        field: "group engine", value: Double(engine), allowed: "0 to \(engineCount - 1)")
    }
    self.init(
      kind: kind, name: name, parent: parent, engine: engine,
      sampleCount: try reader.integer("group samples"),
      ttftScales: try Self.scales(&reader, "TTFT scales"),
      tpotScales: try Self.scales(&reader, "TPOT scales"))
  }

  private static func scales(
    _ reader: inout ByteReader, _ field: String
  ) throws(CoefficientFileError) -> [Float] {
    let count = try reader.count(field, limit: GlideFormat.termLimit, width: 0)
    return try reader.packedSingles(field, count: count, in: GlideFormat.factorBound)
  }
}

extension TargetModel {
  /// A target's section: its terms, then at least the mean's head.
  init(_ reader: inout ByteReader, name: String) throws(CoefficientFileError) {
    let termCount = try reader.count("\(name) terms", limit: GlideFormat.termLimit, width: 3)
    var terms: [Term] = []
    for _ in 0..<termCount { terms.append(try Term(&reader, name: name)) }
    let headCount = try reader.count(
      "\(name) heads", atLeast: 1, limit: GlideFormat.headLimit, width: 24)
    var heads: [Head] = []
    for _ in 0..<headCount {
      heads.append(
        try Head(&reader, name: name, termCount: termCount, below: heads.last?.level))
    }
    self.init(terms: terms, heads: heads)
  }
}

extension Head {
  /// A head; the first is the mean's, and the levels of the others rise.
  fileprivate init(
    _ reader: inout ByteReader, name: String, termCount: Int, below previous: Double?
  ) throws(CoefficientFileError) {
    let level = try reader.optionalNumber("\(name) level", in: 0...1)
    let isInOrder =
      if let previous { level > 0 && level < 1 && !(previous >= level) } else { level.isNaN }
    guard isInOrder else {
      throw .outOfRange(
        field: "\(name) level", value: level,
        allowed: "none for the mean, which is first, then rising within 0 and 1")
    }
    self.init(
      level: level, intercept: try reader.number("\(name) intercept", in: GlideFormat.bound),
      coefficients: [], halfWidths: [],
      calibration: try reader.number("\(name) calibration", in: GlideFormat.factorBound))
    coefficients = try reader.packed(
      "\(name) coefficients", count: termCount, in: GlideFormat.bound)
    halfWidths = try reader.packedSingles(
      "\(name) half-widths", count: termCount + 1, in: 0...GlideFormat.singleBound)
  }
}

extension Term {
  fileprivate init(_ reader: inout ByteReader, name: String) throws(CoefficientFileError) {
    let flags = try reader.integer("\(name) term flags", as: UInt8.self)
    let hasSecond = flags & TermFlags.hasSecond != 0
    let ofSecond = TermFlags.secondHasKnot | 3 << TermFlags.secondTransformShift
    guard hasSecond || flags & ofSecond == 0 else {
      throw .outOfRange(
        field: "\(name) term flags", value: Double(flags),
        allowed: "no second factor's bits without a second factor")
    }
    let first = try Factor(
      &reader, name: name, transform: flags >> TermFlags.firstTransformShift & 3,
      hasKnot: flags & TermFlags.firstHasKnot != 0)
    let second =
      hasSecond
      ? try Factor(
        &reader, name: name, transform: flags >> TermFlags.secondTransformShift,
        hasKnot: flags & TermFlags.secondHasKnot != 0) : nil
    self.init(first, second, isNonNegative: flags & TermFlags.isNonNegative != 0)
  }
}

extension Factor {
  fileprivate init(
    _ reader: inout ByteReader, name: String, transform raw: UInt8, hasKnot: Bool
  ) throws(CoefficientFileError) {
    guard let transform = Transform(rawValue: raw) else {
      throw .outOfRange(field: "\(name) transform", value: Double(raw), allowed: "0 to 3")
    }
    let feature = try reader.integer("\(name) feature", as: UInt16.self)
    guard Int(feature) < GlideFormat.featureLimit else {
      throw .outOfRange(
        field: "\(name) feature", value: Double(feature),
        allowed: "0 to \(GlideFormat.featureLimit - 1)")
    }
    let knot = hasKnot ? try reader.number("\(name) knot", in: GlideFormat.bound) : 0
    guard !hasKnot || knot.bitPattern != 0 else {
      throw .outOfRange(field: "\(name) knot", value: 0, allowed: "other than 0 where it is stored")
    }
    self.init(feature: feature, transform: transform, knot: knot)
  }
}

extension FeatureSupport {
  /// The support's section: all lower ends, then all upper ends.
  static func list(_ reader: inout ByteReader) throws(CoefficientFileError) -> [FeatureSupport] {
    let bound = -GlideFormat.singleBound...GlideFormat.singleBound
    let count = try reader.count("support", limit: GlideFormat.featureLimit, width: 0)
    let lows = try reader.packedSingles("support lower ends", count: count, in: bound)
    let highs = try reader.packedSingles("support upper ends", count: count, in: bound)
    var support: [FeatureSupport] = []
    for (index, (low, high)) in zip(lows, highs).enumerated() {
      guard low <= high else {
        throw .outOfRange(
          field: "support upper ends[\(index)]", value: Double(high), allowed: "at least \(low)")
      }
      support.append(FeatureSupport(low: low, high: high))
    }
    return support
  }
}

extension PolicyParameter {
  /// The policy's section, by rising number.
  static func list(_ reader: inout ByteReader) throws(CoefficientFileError) -> [PolicyParameter] {
    let count = try reader.count("policy", limit: GlideFormat.policyLimit, width: 10)
    var policy: [PolicyParameter] = []
    for _ in 0..<count {
      let identifier = try reader.integer("policy parameter", as: UInt16.self)
      if let previous = policy.last?.identifier, identifier <= previous {
        throw .outOfRange(
          field: "policy parameter", value: Double(identifier), allowed: "more than \(previous)")
      }
      let value = try reader.number("policy value", in: GlideFormat.bound)
      policy.append(PolicyParameter(identifier: identifier, value: value))
    }
    return policy
  }
}

extension Provenance {
  /// The provenance's section.
  init(_ reader: inout ByteReader) throws(CoefficientFileError) {
    self.init(
      datasetFingerprint: try reader.integer("dataset fingerprint"),
      sampleCount: try reader.integer("sample count"),
      firstReceivedNanoseconds: Int64(bitPattern: try reader.integer("first arrival")),
      lastReceivedNanoseconds: Int64(bitPattern: try reader.integer("last arrival")),
      toolVersion: try reader.text("tool version"), servedModel: try reader.text("served model"),
      validationTTFTError: try reader.optionalNumber("validation TTFT error", in: 0...1e12),
      validationTPOTError: try reader.optionalNumber("validation TPOT error", in: 0...1e12))
  }
}
