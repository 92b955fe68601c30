/// Hashes a prompt's leading blocks as its bytes come along, each hash covering all before it.
///
/// Two prompts share as many leading hashes as they share whole blocks. The result is the same in
/// every process, so that logs can be compared; it is no defence against made-up collisions.
struct PrefixHasher {
  /// Bytes of prompt per block: ``InferenceRequest/blockTokens`` of about four bytes.
  static let blockBytes = 4 * InferenceRequest.blockTokens
  /// Blocks after which no more are hashed: the first 131,072 tokens.
  static let maximumBlocks = 2048

  /// The hashes of the whole blocks so far.
  private(set) var blocks: [UInt64] = []
  private var state: UInt64
  private var word: UInt64 = 0
  private var count = 0

  /// A hasher whose hashes are apart from those of any other `domain`.
  init(domain: String) {
    state = 0x9e37_79b9_7f4a_7c15
    for byte in domain.utf8 { state = Self.mix(state, UInt64(byte)) }
  }

  /// Takes the prompt's next byte.
  mutating func append(_ byte: UInt8) {
    guard blocks.count < Self.maximumBlocks else { return }
    word = word >> 8 | UInt64(byte) << 56
    count += 1
    if count & 7 == 0 { takeWord() }
  }

  /// Takes the bytes of `range`, as one by one, but faster.
  mutating func append(_ bytes: Span<UInt8>, _ range: Range<Int>) {
    var index = range.lowerBound
    while index < range.upperBound, blocks.count < Self.maximumBlocks {
      if count & 7 == 0, index + 8 <= range.upperBound {
        word = JSONScanner.word(bytes, at: index)
        count += 8
        index += 8
        takeWord()
      } else {
        append(bytes[index])
        index += 1
      }
    }
  }

  private mutating func takeWord() {
    state = Self.mix(state, word)
    guard count == Self.blockBytes else { return }
    count = 0
    blocks.append(state)
  }

  /// Takes four bytes that stand for one token.
  mutating func append(token: UInt32) {
    for shift in [24, 16, 8, 0] as [UInt32] { append(UInt8(truncatingIfNeeded: token >> shift)) }
  }

  /// Folds the full product of two numbers that depend on all that came before.
  private static func mix(_ state: UInt64, _ word: UInt64) -> UInt64 {
    let product = (state ^ word).multipliedFullWidth(by: 0xa076_1d64_78bd_642f)
    return product.high ^ product.low ^ (state &<< 1 | state &>> 63)
  }
}
