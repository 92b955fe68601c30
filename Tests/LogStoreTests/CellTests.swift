import Testing

@testable import LogStore

@Suite struct CellTests {
  private func integers(_ numbers: [Int64]) throws -> [Int64] {
    var encoder = CellEncoder(count: numbers.count, byteEstimate: 0)
    encoder.addIntegers { numbers[$0] }
    var back: [Int64] = []
    try CellDecoder.integers(stored(encoder), count: numbers.count) { back.append($1) }
    return back
  }

  private func reals(_ numbers: [Double], isSingle: Bool = false) throws -> [Double] {
    var encoder = CellEncoder(count: numbers.count, byteEstimate: 0)
    encoder.addReals(isSingle: isSingle) { numbers[$0] }
    var back: [Double] = []
    try CellDecoder.reals(stored(encoder), count: numbers.count) { back.append($1) }
    return back
  }

  private func stored(_ encoder: CellEncoder) -> StoredValue {
    switch encoder.values[0] {
    case .null: .null
    case .integer(let number): .integer(number)
    case .real(let number): .real(number)
    case .bytes(let range): .bytes(Array(encoder.bytes[range]))
    }
  }

  @Test(
    arguments: [
      [5], [0, 0], [1, -1, 12, Int64.min], [Int64.max, -Int64.max, 0], [.min, .min],
      [7, .min, 7], [9, 10, 99, 100, 101],
    ] as [[Int64]])
  func wholeNumbersComeBack(numbers: [Int64]) throws {
    #expect(try integers(numbers) == numbers)
  }

  @Test(arguments: UInt64(0)..<16)
  func wholeNumbersOfAnySizeComeBack(seed: UInt64) throws {
    var random = SplitMix64(state: seed)
    let numbers = (0..<200).map { _ in
      Int64(bitPattern: random.next()) >> Int64.random(in: 0..<64, using: &random)
    }
    #expect(try integers(numbers) == numbers)
  }

  @Test(
    arguments: [
      [0.1, 0.25, 59.997], [1, 2, 3], [-1.5, 2], [0.5], [-0.0, 0.0], [1e300, 1e-300],
      [.infinity, 1], [5e-324, 2.2250738585072014e-308], [9007199254740993, 0.5],
      [0.1 + 0.2, 1 / 3.0], [123456.123456789, 1], [90071992547409.91, 0.01],
    ] as [[Double]])
  func fractionsComeBackBitForBit(numbers: [Double]) throws {
    #expect(try reals(numbers).map(\.bitPattern) == numbers.map(\.bitPattern))
  }

  @Test(arguments: UInt64(0)..<16)
  func anyFractionsComeBackBitForBit(seed: UInt64) throws {
    var random = SplitMix64(state: seed)
    let numbers = (0..<100).map { _ in
      seed % 2 == 0
        ? Double(bitPattern: random.next()) : Double(random.next() >> 30) / 1000
    }
    for (number, back) in zip(numbers, try reals(numbers)) {
      #expect(number.isNaN ? back.isNaN : back.bitPattern == number.bitPattern)
    }
  }

  @Test(arguments: UInt64(0)..<16)
  func singlesComeBackBitForBit(seed: UInt64) throws {
    var random = SplitMix64(state: seed)
    let numbers = (0..<100).map { _ in
      seed % 2 == 0
        ? Float(bitPattern: UInt32(truncatingIfNeeded: random.next()))
        : Float.random(in: 0..<1, using: &random)
    }
    let back = try reals(numbers.map(Double.init), isSingle: true).map { Float($0) }
    for (number, back) in zip(numbers, back) {
      #expect(number.isNaN ? back.isNaN : back.bitPattern == number.bitPattern)
    }
  }

  @Test func missingFractionsStayMissing() throws {
    let back = try reals([.nan, 1.5, .nan])
    #expect(back[0].isNaN && back[1] == 1.5 && back[2].isNaN)
    #expect(try reals([.nan, .nan]).allSatisfy(\.isNaN))
  }

  @Test func cellsThatDoNotFitTheRowsAreRefused() {
    #expect(throws: ChunkFault.self) {
      try CellDecoder.integers(.bytes([0x31, 0x32, 0x33]), count: 2) { _, _ in }
    }
    #expect(throws: ChunkFault.self) {
      try CellDecoder.reals(.bytes([]), count: 2) { _, _ in }
    }
  }
}
