/// The format's constants; Format.md is the layout.
enum GlideFormat {
  static let magic: [UInt8] = Array("GLIDE\r\n".utf8) + [0x1A]
  static let version: UInt16 = 1
  /// Magic, version, flags, length of the body.
  static let headerSize = 16
  static let checksumSize = 4
  static let signatureSize = 64
  static let isSigned: UInt16 = 1

  static let engineLimit = 64
  static let groupLimit = 512
  static let termLimit = 64
  static let headLimit = 8
  static let stepFeatureLimit = 64
  static let featureLimit = 256
  static let policyLimit = 256
  /// No coefficient, knot or latency of sense is larger.
  static let bound = 1e12
}

extension GlideModel {
  /// The bytes of the coefficient file.
  ///
  /// - Parameter sign: Makes the 64-byte Ed25519 signature of the bytes it is given; `nil` leaves
  ///   the file unsigned.
  /// - Throws: ``CoefficientFileError`` when the model does not fit the format.
  public func encoded(
    sign: (([UInt8]) -> [UInt8]?)? = nil
  ) throws(CoefficientFileError) -> [UInt8] {
    var body = ByteWriter()
    body.put(schemaFingerprint)
    try put(engines: engines, into: &body)
    try put(groups: groups, into: &body)
    try Self.put(target: ttft, name: "TTFT", into: &body)
    try Self.put(target: tpot, name: "TPOT", into: &body)
    body.put(correction.gain)
    body.put(correction.bound)
    body.put(correction.halfLifeMilliseconds)
    body.put(correction.conformalStep)
    body.put(UInt16(clamping: support.count))
    for range in support {
      body.put(range.low)
      body.put(range.high)
    }
    body.put(UInt16(clamping: policy.count))
    for parameter in policy {
      body.put(parameter.identifier)
      body.put(parameter.value)
    }
    try put(provenance, into: &body)

    var file = ByteWriter()
    file.put(raw: GlideFormat.magic)
    file.put(GlideFormat.version)
    file.put(sign == nil ? UInt16(0) : GlideFormat.isSigned)
    file.put(UInt32(clamping: body.bytes.count))
    file.put(raw: body.bytes)
    file.put(CRC32C.checksum(file.bytes))
    if let sign {
      guard let signature = sign(file.bytes), signature.count == GlideFormat.signatureSize else {
        throw .signatureInvalid
      }
      file.put(raw: signature)
    }
    // What was written is what a reader accepts, or it is not written.
    _ = try GlideModel(decoding: file.bytes)
    return file.bytes
  }

  private func put(
    engines: [EngineModel], into body: inout ByteWriter
  ) throws(CoefficientFileError) {
    body.put(UInt16(clamping: engines.count))
    for engine in engines {
      guard engine.stepHalfWidths.count == engine.stepCoefficients.count else {
        throw .outOfRange(
          field: "engine half-widths", value: Double(engine.stepHalfWidths.count),
          allowed: "\(engine.stepCoefficients.count)")
      }
      body.put(engine.tokenBudget)
      body.put(engine.maximumSequences)
      body.put(engine.uplinkMilliseconds)
      body.put(engine.downlinkMilliseconds)
      body.put(UInt16(clamping: engine.stepCoefficients.count))
      for value in engine.stepCoefficients { body.put(value) }
      for value in engine.stepHalfWidths { body.put(value) }
    }
  }

  private func put(
    groups: [Group], into body: inout ByteWriter
  ) throws(CoefficientFileError) {
    body.put(UInt16(clamping: groups.count))
    for group in groups {
      body.put(group.kind.rawValue)
      try body.put(text: group.name, field: "group name")
      body.put(UInt32(bitPattern: group.parent))
      body.put(group.engine)
      body.put(group.sampleCount)
      Self.put(scales: group.ttftScales, into: &body)
      Self.put(scales: group.tpotScales, into: &body)
    }
  }

  /// Scales that are all equal take one value: a count with the top bit set.
  private static func put(scales: [Float], into body: inout ByteWriter) {
    if let first = scales.first, scales.allSatisfy({ $0 == first }) {
      body.put(UInt16(clamping: scales.count) | 0x8000)
      body.put(first)
    } else {
      body.put(UInt16(clamping: scales.count))
      for scale in scales { body.put(scale) }
    }
  }

  private static func put(
    target: TargetModel, name: String, into body: inout ByteWriter
  ) throws(CoefficientFileError) {
    body.put(UInt16(clamping: target.terms.count))
    for term in target.terms {
      body.put(UInt8(term.isNonNegative ? 1 : 0) | UInt8(term.second == nil ? 0 : 2))
      put(term.first, into: &body)
      if let second = term.second { put(second, into: &body) }
    }
    body.put(UInt16(clamping: target.heads.count))
    for head in target.heads {
      guard head.coefficients.count == target.terms.count,
        head.halfWidths.count == target.terms.count + 1
      else {
        throw .outOfRange(
          field: "\(name) coefficients", value: Double(head.coefficients.count),
          allowed: "one per term")
      }
      body.put(head.level)
      body.put(head.intercept)
      body.put(head.calibration)
      for value in head.coefficients { body.put(value) }
      for value in head.halfWidths { body.put(value) }
    }
  }

  private static func put(_ factor: Factor, into body: inout ByteWriter) {
    body.put(factor.feature)
    body.put(factor.transform.rawValue)
    body.put(factor.knot)
  }

  private func put(
    _ provenance: Provenance, into body: inout ByteWriter
  ) throws(CoefficientFileError) {
    body.put(provenance.datasetFingerprint)
    body.put(provenance.sampleCount)
    body.put(UInt64(bitPattern: provenance.firstReceivedNanoseconds))
    body.put(UInt64(bitPattern: provenance.lastReceivedNanoseconds))
    try body.put(text: provenance.toolVersion, field: "tool version")
    try body.put(text: provenance.servedModel, field: "served model")
    body.put(provenance.validationTTFTError)
    body.put(provenance.validationTPOTError)
  }
}
