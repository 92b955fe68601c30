extension GlideModel {
  /// Reads and checks a coefficient file; nothing of it is used before all of it is checked.
  ///
  /// - Parameters:
  ///   - bytes: The whole file.
  ///   - verify: Whether the second argument is the trusted key's signature of the first; when
  ///     given, unsigned files are refused.
  /// - Throws: ``CoefficientFileError`` with the field that is wrong.
  /// - Complexity: O(bytes); allocates no more than the file's own size times a small factor.
  public init(
    decoding bytes: [UInt8], verify: ((_ message: [UInt8], _ signature: [UInt8]) -> Bool)? = nil
  ) throws(CoefficientFileError) {
    let end = try Self.checkFrame(bytes, verify: verify)
    var reader = ByteReader(bytes, from: GlideFormat.headerSize, to: end)
    schemaFingerprint = try reader.integer("schema fingerprint")
    engines = try Self.engines(&reader)
    groups = try Self.groups(&reader, engineCount: engines.count)
    ttft = try Self.target(&reader, name: "TTFT")
    tpot = try Self.target(&reader, name: "TPOT")
    correction = try Self.correction(&reader)
    support = []
    for _ in 0..<(try reader.count("support", limit: GlideFormat.featureLimit, width: 8)) {
      let low = try reader.single("support low", in: -1e30...1e30)
      support.append(
        FeatureSupport(low: low, high: try reader.single("support high", in: low...1e30)))
    }
    policy = []
    for _ in 0..<(try reader.count("policy", limit: GlideFormat.policyLimit, width: 10)) {
      let identifier = try reader.integer("policy parameter", as: UInt16.self)
      policy.append(
        PolicyParameter(
          identifier: identifier,
          value: try reader.number("policy value", in: -GlideFormat.bound...GlideFormat.bound)))
    }
    provenance = try Self.provenance(&reader)
    guard reader.remaining == 0 else { throw .trailingBytes(count: reader.remaining) }
    for group in groups {
      try Self.check(scales: group.ttftScales, terms: ttft.terms.count)
      try Self.check(scales: group.tpotScales, terms: tpot.terms.count)
    }
  }

  /// Checks magic, version, length, checksum and signature. Returns where the body ends.
  private static func checkFrame(
    _ bytes: [UInt8], verify: (([UInt8], [UInt8]) -> Bool)?
  ) throws(CoefficientFileError) -> Int {
    guard bytes.count >= GlideFormat.magic.count,
      Array(bytes.prefix(GlideFormat.magic.count)) == GlideFormat.magic
    else { throw .badMagic }
    var header = ByteReader(bytes, from: GlideFormat.magic.count, to: bytes.count)
    let version = try header.integer("version", as: UInt16.self)
    guard version == GlideFormat.version else {
      throw .unsupportedVersion(found: version, supported: GlideFormat.version)
    }
    let flags = try header.integer("flags", as: UInt16.self)
    guard flags & ~GlideFormat.isSigned == 0 else {
      throw .outOfRange(field: "flags", value: Double(flags), allowed: "0 or 1")
    }
    let length = Int(try header.integer("body length", as: UInt32.self))
    let isSigned = flags & GlideFormat.isSigned != 0
    let end = GlideFormat.headerSize + length
    let size = end + GlideFormat.checksumSize + (isSigned ? GlideFormat.signatureSize : 0)
    guard bytes.count >= size else { throw .truncated(field: "body", offset: bytes.count) }
    guard bytes.count == size else { throw .trailingBytes(count: bytes.count - size) }
    var trailer = ByteReader(bytes, from: end, to: bytes.count)
    let found = try trailer.integer("checksum", as: UInt32.self)
    let expected = CRC32C.checksum(bytes[..<end])
    guard found == expected else { throw .checksumMismatch(found: found, expected: expected) }
    if let verify {
      guard isSigned else { throw .signatureMissing }
      let message = Array(bytes[..<(end + GlideFormat.checksumSize)])
      guard verify(message, Array(bytes.suffix(GlideFormat.signatureSize))) else {
        throw .signatureInvalid
      }
    }
    return end
  }

  private static func engines(
    _ reader: inout ByteReader
  ) throws(CoefficientFileError) -> [EngineModel] {
    let count = try reader.count("engines", limit: GlideFormat.engineLimit, width: 34)
    guard count > 0 else { throw .outOfRange(field: "engines", value: 0, allowed: "at least 1") }
    var engines: [EngineModel] = []
    for _ in 0..<count {
      let budget = try reader.number("token budget", in: 1...1e9)
      let sequences = try reader.number("maximum sequences", in: 1...1e6)
      let uplink = try reader.number("uplink", in: 0...1e5)
      let downlink = try reader.number("downlink", in: 0...1e5)
      let size = try reader.count(
        "step coefficients", limit: GlideFormat.stepFeatureLimit, width: 12)
      var coefficients: [Double] = []
      for _ in 0..<size {
        coefficients.append(
          try reader.number("step coefficient", in: -GlideFormat.bound...GlideFormat.bound))
      }
      var halfWidths: [Float] = []
      for _ in 0..<size {
        halfWidths.append(try reader.single("step half-width", in: 0...1e30))
      }
      engines.append(
        EngineModel(
          stepCoefficients: coefficients, stepHalfWidths: halfWidths, tokenBudget: budget,
          maximumSequences: sequences, uplinkMilliseconds: uplink, downlinkMilliseconds: downlink))
    }
    return engines
  }

  private static func groups(
    _ reader: inout ByteReader, engineCount: Int
  ) throws(CoefficientFileError) -> [Group] {
    let count = try reader.count("groups", limit: GlideFormat.groupLimit, width: 20)
    var groups: [Group] = []
    for _ in 0..<count {
      let rawKind = try reader.integer("group kind", as: UInt8.self)
      guard let kind = Group.Kind(rawValue: rawKind) else {
        throw .outOfRange(field: "group kind", value: Double(rawKind), allowed: "0 or 1")
      }
      let name = try reader.text("group name")
      let parent = Int32(bitPattern: try reader.integer("group parent"))
      guard parent >= -1, parent < Int32(groups.count) else {
        throw .outOfRange(
          field: "group parent", value: Double(parent), allowed: "-1 to \(groups.count - 1)")
      }
      let engine = try reader.integer("group engine", as: UInt16.self)
      guard Int(engine) < engineCount else {
        throw .outOfRange(
          field: "group engine", value: Double(engine), allowed: "0 to \(engineCount - 1)")
      }
      groups.append(
        Group(
          kind: kind, name: name, parent: parent, engine: engine,
          sampleCount: try reader.integer("group samples"), ttftScales: try scales(&reader),
          tpotScales: try scales(&reader)))
    }
    return groups
  }

  private static func scales(
    _ reader: inout ByteReader
  ) throws(CoefficientFileError) -> [Float] {
    let raw = try reader.integer("scales", as: UInt16.self)
    let count = Int(raw & 0x7FFF)
    guard count <= GlideFormat.termLimit else {
      throw .outOfRange(field: "scales", value: Double(count), allowed: "0 to 64")
    }
    if raw & 0x8000 != 0 {
      return [Float](repeating: try reader.single("scale", in: 0.001...1000), count: count)
    }
    var scales: [Float] = []
    for _ in 0..<count { scales.append(try reader.single("scale", in: 0.001...1000)) }
    return scales
  }

  private static func check(scales: [Float], terms: Int) throws(CoefficientFileError) {
    guard scales.isEmpty || scales.count == terms else {
      throw .outOfRange(
        field: "group scales", value: Double(scales.count), allowed: "0 or \(terms)")
    }
  }

  private static func target(
    _ reader: inout ByteReader, name: String
  ) throws(CoefficientFileError) -> TargetModel {
    let bound = GlideFormat.bound
    let termCount = try reader.count("\(name) terms", limit: GlideFormat.termLimit, width: 12)
    var terms: [Term] = []
    for _ in 0..<termCount {
      let flags = try reader.integer("\(name) term flags", as: UInt8.self)
      guard flags < 4 else {
        throw .outOfRange(field: "\(name) term flags", value: Double(flags), allowed: "0 to 3")
      }
      let first = try factor(&reader, name: name)
      let second = flags & 2 != 0 ? try factor(&reader, name: name) : nil
      terms.append(Term(first, second, isNonNegative: flags & 1 != 0))
    }
    let headCount = try reader.count("\(name) heads", limit: GlideFormat.headLimit, width: 24)
    var heads: [Head] = []
    for _ in 0..<headCount {
      let level = try reader.number("\(name) level")
      guard level.isNaN || (level > 0 && level < 1) else {
        throw .outOfRange(field: "\(name) level", value: level, allowed: "0 to 1, or NaN")
      }
      let intercept = try reader.number("\(name) intercept", in: -bound...bound)
      let calibration = try reader.number("\(name) calibration", in: 0.001...1000)
      var coefficients: [Double] = []
      for _ in 0..<termCount {
        coefficients.append(try reader.number("\(name) coefficient", in: -bound...bound))
      }
      var halfWidths: [Float] = []
      for _ in 0...termCount {
        halfWidths.append(try reader.single("\(name) half-width", in: 0...1e30))
      }
      heads.append(
        Head(
          level: level, intercept: intercept, coefficients: coefficients, halfWidths: halfWidths,
          calibration: calibration))
    }
    return TargetModel(terms: terms, heads: heads)
  }

  private static func factor(
    _ reader: inout ByteReader, name: String
  ) throws(CoefficientFileError) -> Factor {
    let feature = try reader.integer("\(name) feature", as: UInt16.self)
    guard Int(feature) < GlideFormat.featureLimit else {
      throw .outOfRange(field: "\(name) feature", value: Double(feature), allowed: "0 to 255")
    }
    let raw = try reader.integer("\(name) transform", as: UInt8.self)
    guard let transform = Factor.Transform(rawValue: raw) else {
      throw .outOfRange(field: "\(name) transform", value: Double(raw), allowed: "0 to 3")
    }
    let knot = try reader.number("\(name) knot", in: -GlideFormat.bound...GlideFormat.bound)
    return Factor(feature: feature, transform: transform, knot: knot)
  }

  private static func correction(
    _ reader: inout ByteReader
  ) throws(CoefficientFileError) -> CorrectionModel {
    CorrectionModel(
      gain: try reader.number("correction gain", in: 0...1),
      bound: try reader.number("correction bound", in: 1...1000),
      halfLifeMilliseconds: try reader.number("correction half-life", in: 1...1e12),
      conformalStep: try reader.number("conformal step", in: 0...1))
  }

  private static func provenance(
    _ reader: inout ByteReader
  ) throws(CoefficientFileError) -> Provenance {
    Provenance(
      datasetFingerprint: try reader.integer("dataset fingerprint"),
      sampleCount: try reader.integer("sample count"),
      firstReceivedNanoseconds: Int64(bitPattern: try reader.integer("first arrival")),
      lastReceivedNanoseconds: Int64(bitPattern: try reader.integer("last arrival")),
      toolVersion: try reader.text("tool version"), servedModel: try reader.text("served model"),
      validationTTFTError: try reader.number("validation TTFT error"),
      validationTPOTError: try reader.number("validation TPOT error"))
  }
}
