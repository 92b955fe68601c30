/// The Castagnoli cyclic redundancy check, which finds accidents, not attacks.
///
/// - Source: RFC 3720, appendix B.4 (iSCSI); reflected polynomial 0x82F63B78.
public struct CRC32C: Sendable {
  private static let table: [UInt32] = (0..<256).map { index in
    var value = UInt32(index)
    for _ in 0..<8 { value = value & 1 == 1 ? (value >> 1) ^ 0x82F6_3B78 : value >> 1 }
    return value
  }

  private var state: UInt32 = 0xFFFF_FFFF

  /// The check of no bytes.
  public init() {}

  /// Takes in `bytes`.
  ///
  /// - Complexity: O(*n*).
  public mutating func update(_ bytes: some Sequence<UInt8>) {
    for byte in bytes {
      state = (state >> 8) ^ Self.table[Int((state ^ UInt32(byte)) & 0xFF)]
    }
  }

  /// The check so far.
  public var value: UInt32 { ~state }

  /// The check of `bytes`.
  public static func checksum(_ bytes: some Sequence<UInt8>) -> UInt32 {
    var check = CRC32C()
    check.update(bytes)
    return check.value
  }
}
