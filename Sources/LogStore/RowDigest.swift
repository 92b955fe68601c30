import RequestLog

/// A 128-bit digest of requests that does not depend on their order.
///
/// Each request's values are hashed on their own; the digest of many is the sum of theirs modulo
/// 2¹²⁸, so that chunks add up and a row taken out can be subtracted.
struct RowDigest: Sendable, Equatable {
  private(set) var high: UInt64 = 0
  private(set) var low: UInt64 = 0

  init() {}

  /// From the 16 bytes of ``bytes``; `nil` for any other count.
  init?(_ bytes: some Collection<UInt8>) {
    guard bytes.count == 16 else { return nil }
    for (index, byte) in bytes.enumerated() {
      if index < 8 { high = high << 8 | UInt64(byte) } else { low = low << 8 | UInt64(byte) }
    }
  }

  /// Big-endian.
  var bytes: [UInt8] {
    (0..<16).map { index in
      UInt8(truncatingIfNeeded: (index < 8 ? high : low) >> UInt64(8 * (7 - index & 7)))
    }
  }

  /// 32 hexadecimal digits.
  var hexadecimal: String {
    bytes.map { byte in
      let digits = String(byte, radix: 16)
      return byte < 16 ? "0" + digits : digits
    }.joined()
  }

  static func += (left: inout RowDigest, right: RowDigest) {
    let (low, overflow) = left.low.addingReportingOverflow(right.low)
    left.low = low
    left.high = left.high &+ right.high &+ (overflow ? 1 : 0)
  }

  /// Adds one request; `names` has the ``nameHash(_:)`` of every symbol of its batch.
  mutating func add(_ row: LoggedRequest, _ batch: RequestBatch, names: [UInt64]) {
    var mixer = WordMixer()
    mixer.mix(row.identityHigh)
    mixer.mix(row.identityLow)
    func mixName(_ symbol: Symbol) {
      mixer.mix(symbol.index >= 0 ? names[Int(symbol.index)] : 0)
    }
    mixName(row.endpoint)
    mixName(row.prefillEndpoint)
    mixName(row.gateway)
    mixName(row.pool)
    mixName(row.model)
    mixName(row.adapter)
    mixName(row.accelerator)
    mixName(row.role)
    mixName(row.policy)
    mixer.mix(UInt64(bitPattern: row.receivedNanoseconds))
    mixer.mix(UInt64(bitPattern: row.dispatchedNanoseconds))
    mixer.mix(row.inputTokens, row.maxTokens)
    mixer.mix(row.prefixMatchTokens, row.waitingRequests)
    mixer.mix(row.runningRequests, row.outputTokens)
    mixer.mix(row.cachedTokens, row.prefixBlockTokens)
    mixer.mix(Self.bits(row.kvCacheUsage), Self.bits(row.snapshotAgeMilliseconds))
    mixer.mix(Self.bits(row.propensity), Self.bits(row.targetTTFTMilliseconds))
    mixer.mix(
      Self.bits(row.targetTPOTMilliseconds),
      Int32(row.priority) << 16 | Int32(UInt16(bitPattern: row.status)))
    mixer.mix(Int32(row.stream), row.prefixBlocks.count)
    mixer.mix(row.chunkOffsets.count, row.candidates.count)
    mixer.mix(row.ttftMilliseconds.isNaN ? 0 : ~row.ttftMilliseconds.bitPattern)
    mixer.mix(row.e2eMilliseconds.isNaN ? 0 : ~row.e2eMilliseconds.bitPattern)
    for index in row.prefixBlocks.indices { mixer.mix(batch.blocks[index]) }
    for index in row.chunkOffsets.indices {
      mixer.mix(Self.bits(batch.chunkOffsets[index]), 0)
    }
    for index in row.candidates.indices { mixer.mix(UInt64(batch.text[index])) }
    var one = RowDigest()
    (one.high, one.low) = (mixer.first, mixer.second)
    self += one
  }

  private static func bits(_ value: Float) -> Int32 {
    value.isNaN ? 0 : ~Int32(bitPattern: value.bitPattern)
  }

  /// The hash of a name that the digest uses: never 0, so that no name is something else.
  static func nameHash(_ name: String) -> UInt64 {
    var mixer = WordMixer()
    for byte in name.utf8 { mixer.mix(UInt64(byte)) }
    return mixer.first | 1
  }
}

/// Two lanes of multiply-and-fold over 64-bit words; its values are stored, so it never changes.
private struct WordMixer {
  var first: UInt64 = 0x2545_F491_4F6C_DD1D
  var second: UInt64 = 0x9E6C_63D0_876A_9A47

  @inline(__always) mutating func mix(_ word: UInt64) {
    first = Self.fold(first ^ word, 0xA076_1D64_78BD_642F) &+ word
    second = Self.fold(second &+ word, 0xE703_7ED1_A0B4_28DB) ^ (second &<< 1)
  }

  @inline(__always) mutating func mix(_ high: Int32, _ low: Int32) {
    mix(UInt64(UInt32(bitPattern: high)) << 32 | UInt64(UInt32(bitPattern: low)))
  }

  @inline(__always) private static func fold(_ left: UInt64, _ right: UInt64) -> UInt64 {
    let product = left.multipliedFullWidth(by: right)
    return product.high ^ product.low
  }
}
