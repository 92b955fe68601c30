import CoefficientFile
import Testing

@Suite("Frame")
struct FrameTests {
  let bytes: [UInt8]

  init() throws { bytes = try SampleModels.worked().encoded() }

  @Test("another version, older or newer, is refused with both numbers", arguments: [0, 2, 65_535])
  func version(_ version: UInt16) {
    var other = bytes
    other[8] = UInt8(truncatingIfNeeded: version)
    other[9] = UInt8(truncatingIfNeeded: version >> 8)
    other.fixChecksum()
    #expect(refusal(of: other) == .unsupportedVersion(found: version, supported: 1))
  }

  @Test("a file that lost its carriage return or begins otherwise is not a coefficient file")
  func magic() {
    #expect(refusal(of: []) == .badMagic)
    #expect(refusal(of: Array("{\"ttft\":1}".utf8)) == .badMagic)
    var unix = bytes
    unix.remove(at: 5)
    #expect(refusal(of: unix) == .badMagic)
  }

  @Test("every shorter file is refused")
  func truncation() {
    for count in bytes.indices { #expect(refusal(of: Array(bytes.prefix(count))) != nil) }
  }

  @Test("bytes behind the end are refused with their number")
  func trailing() {
    #expect(refusal(of: bytes + [0, 0, 0]) == .trailingBytes(count: 3))
  }

  @Test("every single flipped bit is refused")
  func bitFlips() {
    for index in bytes.indices {
      for bit in 0..<8 {
        var flipped = bytes
        flipped[index] ^= 1 << UInt8(bit)
        #expect(refusal(of: flipped) != nil, "byte \(index), bit \(bit)")
      }
    }
  }

  @Test("unknown flags are refused")
  func flags() {
    var other = bytes
    other[10] = 2
    other.fixChecksum()
    #expect(refusal(of: other) == .outOfRange(field: "flags", value: 2, allowed: "0 or 1"))
  }
}

@Suite("Signature")
struct SignatureTests {
  /// Stands in for Ed25519: the format only carries 64 bytes.
  private static func signer(_ key: UInt8) -> ([UInt8]) -> [UInt8]? {
    { message in
      // Not CRC32C: the message ends in its own, which would make every check the same.
      let hash = message.reduce(UInt64(key)) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
      return (0..<64).map { UInt8(truncatingIfNeeded: hash >> UInt64($0 % 8 * 8)) }
    }
  }

  private static func verifier(_ key: UInt8) -> ([UInt8], [UInt8]) -> Bool {
    { message, signature in signer(key)(message) == signature }
  }

  @Test("a file signed by the required key is accepted")
  func signed() throws {
    let model = SampleModels.worked()
    let bytes = try model.encoded(sign: Self.signer(1))
    let decoded = try GlideModel(decoding: bytes, verify: Self.verifier(1))
    #expect(decoded.comparable == model.comparable)
    #expect(try bytes.count == model.encoded().count + 64)
  }

  @Test("an unsigned file is refused where a key is required")
  func missing() throws {
    let bytes = try SampleModels.worked().encoded()
    #expect(refusal(of: bytes, verify: Self.verifier(1)) == .signatureMissing)
  }

  @Test("another key's signature is refused")
  func wrongKey() throws {
    let bytes = try SampleModels.worked().encoded(sign: Self.signer(2))
    #expect(refusal(of: bytes, verify: Self.verifier(1)) == .signatureInvalid)
  }

  @Test("a signed file changed together with its checksum is refused")
  func changed() throws {
    var bytes = try SampleModels.worked().encoded(sign: Self.signer(1))
    bytes[16] ^= 1
    bytes.fixChecksum()
    #expect(refusal(of: bytes) == nil)
    #expect(refusal(of: bytes, verify: Self.verifier(1)) == .signatureInvalid)
  }

  @Test("taking the signature off a signed file does not get past a required key")
  func stripped() throws {
    var bytes = try SampleModels.worked().encoded(sign: Self.signer(1))
    bytes.removeLast(64)
    bytes[10] = 0
    bytes.fixChecksum()
    #expect(refusal(of: bytes, verify: Self.verifier(1)) == .signatureMissing)
  }

  @Test("a signer that fails or gives another length leaves no file", arguments: [nil, 0, 63, 65])
  func badSigner(count: Int?) {
    #expect(throws: CoefficientFileError.signatureInvalid) {
      try SampleModels.worked().encoded { _ in count.map { [UInt8](repeating: 0, count: $0) } }
    }
  }
}

@Suite("Models that do not fit")
struct UnencodableTests {
  @Test("a number that is not finite is refused by name", arguments: [Double.nan, .infinity])
  func notFinite(value: Double) {
    var model = SampleModels.worked()
    model.ttft.heads[0].intercept = value
    #expect(refusal(of: model) == .notFinite(field: "TTFT intercept"))
  }

  @Test("numbers outside the limits are refused")
  func outOfRange() {
    let edits: [(String, (inout GlideModel) -> Void)] = [
      ("no engine", { $0.engines = [] }),
      ("budget", { $0.engines[0].tokenBudget = 0 }),
      ("uplink", { $0.engines[0].uplinkMilliseconds = -1 }),
      ("negative half-width", { $0.engines[0].stepHalfWidths = [-1] }),
      ("missing half-width", { $0.engines[0].stepHalfWidths = [] }),
      ("own parent", { $0.groups[0].parent = 0 }),
      ("no such engine", { $0.groups[0].engine = 1 }),
      ("scale", { $0.groups[0].ttftScales = [0] }),
      ("more scales than terms", { $0.groups[0].tpotScales = [1] }),
      ("feature", { $0.ttft.terms[0].first.feature = 256 }),
      ("knot", { $0.ttft.terms[0].first.knot = 1e13 }),
      ("level", { $0.tpot.heads[0].level = 1 }),
      ("calibration", { $0.tpot.heads[0].calibration = 0 }),
      ("coefficient of no term", { $0.tpot.heads[0].coefficients = [1] }),
      ("gain", { $0.correction.gain = 1.5 }),
      ("bound", { $0.correction.bound = 0.5 }),
      ("half-life", { $0.correction.halfLifeMilliseconds = 0 }),
      ("reversed support", { $0.support = .init(repeating: .init(low: 2, high: 1), count: 256) }),
      ("policy", { $0.policy[0].value = 1e13 }),
      ("257 features", { $0.support = .init(repeating: .init(low: 0, high: 1), count: 257) }),
      ("65 terms", { $0.tpot.terms = .init(repeating: $0.ttft.terms[0], count: 65) }),
      ("513 groups", { $0.groups = .init(repeating: $0.groups[0], count: 513) }),
      ("70,000 engines", { $0.engines = .init(repeating: $0.engines[0], count: 70_000) }),
      ("32,769 scales", { $0.groups[0].ttftScales = .init(repeating: 1, count: 32_769) }),
    ]
    for (name, edit) in edits {
      var model = SampleModels.worked()
      edit(&model)
      #expect(refusal(of: model) != nil, "\(name)")
    }
  }

  @Test("a name of 255 bytes fits, one of 256 does not")
  func names() {
    var model = SampleModels.worked()
    model.groups[0].name = String(repeating: "n", count: 255)
    #expect(refusal(of: model) == nil)
    model.groups[0].name += "n"
    #expect(refusal(of: model) == .badText(field: "group name"))
  }
}
