extension GlideModel {
  /// The bytes of the coefficient file; a reader gets back exactly this model.
  ///
  /// The model is checked as a reader checks it, and nothing is rounded. One model has one encoding.
  ///
  /// - Parameter sign: Makes the 64-byte Ed25519 signature of the bytes it is given; `nil` leaves
  ///   the file unsigned.
  /// - Throws: ``CoefficientFileError`` when the model does not fit the format, and
  ///   ``CoefficientFileError/signatureInvalid`` when `sign` gives anything but 64 bytes.
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
    body.put(packed: support.map(\.low))
    body.put(packed: support.map(\.high))
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
      body.put(packed: engine.stepCoefficients)
      body.put(packed: engine.stepHalfWidths)
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
      body.put(UInt16(clamping: group.ttftScales.count))
      body.put(packed: group.ttftScales)
      body.put(UInt16(clamping: group.tpotScales.count))
      body.put(packed: group.tpotScales)
    }
  }

  private static func put(
    target: TargetModel, name: String, into body: inout ByteWriter
  ) throws(CoefficientFileError) {
    body.put(UInt16(clamping: target.terms.count))
    for term in target.terms { put(term, into: &body) }
    body.put(UInt16(clamping: target.heads.count))
    for head in target.heads {
      guard head.coefficients.count == target.terms.count,
        head.halfWidths.count == target.terms.count + 1
      else {
        throw .outOfRange(
          field: "\(name) coefficients", value: Double(head.coefficients.count),
          allowed: "one per term and one half-width more")
      }
      body.put(head.level)
      body.put(head.intercept)
      body.put(head.calibration)
      body.put(packed: head.coefficients)
      body.put(packed: head.halfWidths)
    }
  }

  private static func put(_ term: Term, into body: inout ByteWriter) {
    let first = term.first
    var flags = first.transform.rawValue << TermFlags.firstTransformShift
    if term.isNonNegative { flags |= TermFlags.isNonNegative }
    if hasKnot(first) { flags |= TermFlags.firstHasKnot }
    if let second = term.second {
      flags |= TermFlags.hasSecond
      flags |= second.transform.rawValue << TermFlags.secondTransformShift
      if hasKnot(second) { flags |= TermFlags.secondHasKnot }
    }
    body.put(flags)
    put(first, into: &body)
    if let second = term.second { put(second, into: &body) }
  }

  private static func put(_ factor: Factor, into body: inout ByteWriter) {
    body.put(factor.feature)
    if hasKnot(factor) { body.put(factor.knot) }
  }

  private static func hasKnot(_ factor: Factor) -> Bool { factor.knot.bitPattern != 0 }

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
