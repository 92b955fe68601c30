extension GlideModel {
  /// Reads and checks a coefficient file; nothing of it is used before all of it is checked.
  ///
  /// An accepted file encodes again to the same bytes, its signature aside.
  ///
  /// - Parameters:
  ///   - bytes: The whole file.
  ///   - verify: Whether the second argument is the trusted key's signature of the first; when
  ///     given, unsigned files are refused. When not, a signature is neither needed nor checked.
  /// - Throws: ``CoefficientFileError`` with the field that is wrong.
  /// - Complexity: O(bytes); no length in the file allocates more than its limit in Format.md.
  public init(
    decoding bytes: [UInt8], verify: ((_ message: [UInt8], _ signature: [UInt8]) -> Bool)? = nil
  ) throws(CoefficientFileError) {
    let end = try Self.checkFrame(bytes, verify: verify)
    var reader = ByteReader(bytes, from: GlideFormat.headerSize, to: end)
    schemaFingerprint = try reader.integer("schema fingerprint")
    engines = try EngineModel.list(&reader)
    groups = try Group.list(&reader, engineCount: engines.count)
    ttft = try TargetModel(&reader, name: "TTFT")
    tpot = try TargetModel(&reader, name: "TPOT")
    correction = CorrectionModel(
      gain: try reader.number("correction gain", in: 0...1),
      bound: try reader.number("correction bound", in: 1...1000),
      halfLifeMilliseconds: try reader.number("correction half-life", in: 1...1e12),
      conformalStep: try reader.number("conformal step", in: 0...1))
    support = try FeatureSupport.list(&reader)
    policy = try PolicyParameter.list(&reader)
    provenance = try Provenance(&reader)
    guard reader.remaining == 0 else { throw .trailingBytes(count: reader.remaining) }
    try checkAcrossSections()
  }

  /// Checks magic, version, length, checksum and signature.
  ///
  /// Returns where the body ends.
  private static func checkFrame(
    _ bytes: [UInt8], verify: (([UInt8], [UInt8]) -> Bool)?
  ) throws(CoefficientFileError) -> Int {
    guard bytes.starts(with: GlideFormat.magic) else { throw .badMagic }
    guard bytes.count <= CoefficientFile.defaultMaximumBytes else {
      throw .tooLarge(bytes: bytes.count, allowed: CoefficientFile.defaultMaximumBytes)
    }
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

  /// What no section can check alone.
  private func checkAcrossSections() throws(CoefficientFileError) {
    for group in groups {
      for (scales, terms) in [(group.ttftScales, ttft.terms), (group.tpotScales, tpot.terms)] {
        guard scales.isEmpty || scales.count == terms.count else {
          throw .outOfRange(
            field: "scales of group \(group.name)", value: Double(scales.count),
            allowed: terms.isEmpty ? "0" : "0 or \(terms.count)")
        }
      }
    }
    guard !support.isEmpty else { return }
    for factor in (ttft.terms + tpot.terms).flatMap({ [$0.first, $0.second ?? $0.first] }) {
      guard Int(factor.feature) < support.count else {
        throw .outOfRange(
          field: "feature of a term", value: Double(factor.feature),
          allowed: "0 to \(support.count - 1), for which there is support")
      }
    }
  }
}
