import CoefficientFile
import TestSupport
import Testing

extension [UInt8] {
  /// Makes the header's length and the checksum those of the body, so that the fields are reached.
  mutating func fixChecksum() {
    let isSigned = count > 10 && self[10] & 1 != 0
    let end = count - 4 - (isSigned ? 64 : 0)
    guard end >= 16 else { return }
    put(UInt64(end - 16), width: 4, at: 12)
    put(UInt64(CRC32C.checksum(self[..<end])), width: 4, at: end)
  }

  /// Writes the low `width` bytes of `value`, little-endian.
  mutating func put(_ value: UInt64, width: Int, at offset: Int) {
    for index in 0..<width {
      self[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * index))
    }
  }
}

/// Damages files in the ways of disks, networks and editors, and of someone who means it.
private struct Mutator {
  var generator: SplitMix64

  mutating func mutant(of bytes: [UInt8], lengths: [LengthField]) -> [UInt8] {
    var mutant = bytes
    switch generator.integer(in: 0...5) {
    case 0:
      flipBits(of: &mutant)
    case 1:
      mutant.removeLast(generator.integer(in: 1...mutant.count))
    case 2:
      flipBits(of: &mutant)
      mutant.fixChecksum()
    case 3:
      let start = generator.integer(in: 16...(mutant.count - 5))
      mutant.removeSubrange(start..<generator.integer(in: start...(mutant.count - 4)))
      mutant.fixChecksum()
    case 4:
      let number = generator.integer(in: 0...1) == 0 ? Double.nan : Double.infinity
      let offset = generator.integer(in: 16...(mutant.count - 12))
      mutant.put(number.bitPattern, width: 8, at: offset)
      mutant.fixChecksum()
    default:
      let field = lengths[generator.integer(in: 0...(lengths.count - 1))]
      mutant.put(length(), width: field.width, at: field.offset)
      if generator.integer(in: 0...3) > 0 { mutant.fixChecksum() }
    }
    return mutant
  }

  private mutating func flipBits(of bytes: inout [UInt8]) {
    for _ in 0..<generator.integer(in: 1...4) {
      let index = generator.integer(in: 0...(bytes.count - 1))
      bytes[index] ^= UInt8(1 << generator.integer(in: 0...7))
    }
  }

  private mutating func length() -> UInt64 {
    let edges: [UInt64] = [
      0, 1, 2, 3, 8, 63, 64, 65, 127, 128, 255, 256, 0x7FFF, 0x8000, 0x8001, 0xFFFF, 0xFFFF_FFFF,
    ]
    return edges[generator.integer(in: 0...(edges.count - 1))]
  }
}

@Suite("Mutated files")
struct MutationTests {
  @Test("10,000 mutants are refused with a reason or encode again to themselves", arguments: 0..<20)
  func mutants(seed: UInt64) throws {
    var source = RandomModels(seed: 1_000 + seed)
    var mutator = Mutator(generator: SplitMix64(seed: seed))
    var refused = 0
    for _ in 0..<50 {
      let bytes = try source.model().encoded()
      let lengths = LengthField.all(in: bytes)
      for _ in 0..<10 {
        let mutant = mutator.mutant(of: bytes, lengths: lengths)
        do {
          let model = try GlideModel(decoding: mutant)
          #expect(try model.encoded() == mutant)
        } catch let error as CoefficientFileError {
          refused += 1
          #expect(!error.description.isEmpty)
        }
      }
    }
    #expect(refused > 250 && refused < 500)
  }
}
