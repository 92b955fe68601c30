import CoefficientFile
import Testing

@Suite struct RoundTripTests {
  @Test(arguments: UInt64(0)..<120)
  func whatWasEncodedIsReadBackBitForBit(seed: UInt64) throws {
    let model = Models.random(seed: seed)
    let bytes = try model.encoded()
    let read = try GlideModel(decoding: bytes)
    #expect(read.fields == model.fields)
    #expect(try read.encoded() == bytes)
  }

  @Test func aModelHasOneEncoding() throws {
    let model = Models.random(seed: 7)
    #expect(try model.encoded() == (try model.encoded()))
  }

  @Test(arguments: UInt64(0)..<4)
  func theLargestStatedModelFitsIn8192BytesAsItIs(seed: UInt64) throws {
    let count = try Models.large(seed: seed, scalesVary: false).encoded().count
    #expect(count <= 8192)
  }

  @Test(arguments: UInt64(0)..<4)
  func withAFactorPerGroupAndTermItFitsIn8192BytesRounded(seed: UInt64) throws {
    let model = Models.large(seed: seed, scalesVary: true)
    let count = try model.rounded().encoded().count
    #expect(count <= 8192)
    #expect(count < (try model.encoded().count))
  }

  @Test func roundingMovesCoefficientsWithinBinary32AndOnlyWidensHalfWidths() {
    let model = Models.large(seed: 3, scalesVary: true)
    let rounded = model.rounded()
    for (target, other) in [(model.ttft, rounded.ttft), (model.tpot, rounded.tpot)] {
      for (head, coarse) in zip(target.heads, other.heads) {
        for (value, near) in zip(head.coefficients, coarse.coefficients) {
          #expect(abs(near - value) <= 0x1p-24 * abs(value))
        }
        for (width, wide) in zip(head.halfWidths, coarse.halfWidths) {
          #expect(wide >= width && wide <= width * (1 + 0x1p-7))
        }
      }
    }
    #expect(rounded.rounded().fields == rounded.fields)
  }

  @Test func rangesReachFromBoundToBound() throws {
    var model = Models.tiny
    let bound = Float(1e30)
    model.support = [FeatureSupport(low: -bound, high: bound)]
    model.ttft.terms[0].first.feature = 0
    model.ttft.heads[0].intercept = -1e12
    model.ttft.heads[0].calibration = 0.001
    model.groups[0].ttftScales = [1000]
    #expect(try GlideModel(decoding: model.encoded()).fields == model.fields)
  }
}

@Suite struct CRC32CTests {
  /// - Source: RFC 3720, appendix B.4; "123456789" is the customary check value.
  @Test(
    arguments: [
      (Array("123456789".utf8), 0xE306_9283), ([], 0),
      ([UInt8](repeating: 0, count: 32), 0x8A91_36AA),
      ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43), (Array(0..<32), 0x46DD_794E),
      ((0..<32).reversed(), 0x113F_DB5C),
    ] as [([UInt8], UInt32)])
  func publishedValuesComeOut(bytes: [UInt8], expected: UInt32) {
    #expect(CRC32C.checksum(bytes) == expected)
  }

  @Test func piecesGiveTheCheckOfTheWhole() {
    let bytes = [UInt8](0...255)
    for cut in [0, 1, 100, 256] {
      var check = CRC32C()
      check.update(bytes[..<cut])
      check.update(bytes[cut...])
      #expect(check.value == CRC32C.checksum(bytes))
    }
  }
}
