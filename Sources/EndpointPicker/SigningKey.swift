internal import Crypto
internal import Foundation

/// The public key that models must be signed with: Ed25519, 64 hexadecimal digits in a file.
enum SigningKey {
  /// Judges signatures by the key in a file.
  static func verifier(
    path: String
  ) throws(EndpointPickerError) -> @Sendable ([UInt8], [UInt8]) -> Bool {
    let text = try SystemCall.read(path, limit: 1_024)
    let digits = String(decoding: text, as: UTF8.self)
      .trimmingCharacters(in: .whitespacesAndNewlines)
    var bytes: [UInt8] = []
    var rest = Substring(digits)
    while rest.count >= 2, let byte = UInt8(rest.prefix(2), radix: 16) {
      bytes.append(byte)
      rest = rest.dropFirst(2)
    }
    guard rest.isEmpty, bytes.count == 32,
      let key = try? Curve25519.Signing.PublicKey(rawRepresentation: bytes)
    else {
      throw .badField(
        "model.publicKeyFile", problem: "\(path) is no public key",
        remedy: "write its 32 bytes as 64 hexadecimal digits")
    }
    return { message, signature in key.isValidSignature(signature, for: message) }
  }
}
