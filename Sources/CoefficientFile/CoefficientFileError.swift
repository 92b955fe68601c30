/// Why a coefficient file was refused.
public enum CoefficientFileError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The file does not begin as a coefficient file does.
  case badMagic
  /// The file is of a format that this reader does not know.
  case unsupportedVersion(found: UInt16, supported: UInt16)
  /// The file ends inside a field.
  case truncated(field: String, offset: Int)
  /// The bytes are not those that were written.
  case checksumMismatch(found: UInt32, expected: UInt32)
  /// There are bytes behind the end.
  case trailingBytes(count: Int)
  /// A number is NaN or infinite.
  case notFinite(field: String)
  /// A number is outside what the format allows.
  case outOfRange(field: String, value: Double, allowed: String)
  /// A name is not UTF-8 or too long.
  case badText(field: String)
  /// A key is required and the file has no signature.
  case signatureMissing
  /// The signature was not made by the required key over these bytes.
  case signatureInvalid
  /// The file is larger than allowed.
  case tooLarge(bytes: Int, allowed: Int)
  /// The file system refused.
  case inputOutput(path: String, operation: String, code: Int32)

  /// What is wrong and what to do.
  public var description: String {
    switch self {
    case .badMagic:
      "not a coefficient file: it does not begin with GLIDE; export one with `glidepath fit`"
    case .unsupportedVersion(let found, let supported):
      "format version \(found), and this reader knows \(supported); export it again with a "
        + "matching glidepath"
    case .truncated(let field, let offset):
      "the file ends inside \(field) at byte \(offset); copy it again, whole"
    case .checksumMismatch(let found, let expected):
      "checksum \(found) instead of \(expected): the bytes were damaged; copy the file again"
    case .trailingBytes(let count):
      "\(count) bytes stand behind the end; the file was not written by glidepath"
    case .notFinite(let field): "\(field) is not a finite number; refit the model"
    case .outOfRange(let field, let value, let allowed):
      "\(field) is \(value), allowed is \(allowed); refit the model"
    case .badText(let field):
      "\(field) is not UTF-8 of at most \(GlideFormat.textLimit) bytes; shorten the name in the log"
    case .signatureMissing:
      "a signing key is required and the file is not signed; export it with a signing key"
    case .signatureInvalid:
      "the signature is not the required key's over these bytes; sign with the key whose public "
        + "half is given, and do not use this file"
    case .tooLarge(let bytes, let allowed):
      "\(bytes) bytes, allowed are \(allowed); a coefficient file has a few kilobytes"
    case .inputOutput(let path, let operation, let code):
      "\(operation) of \(path) failed: \(CoefficientFile.message(code: code)); check the path, its "
        + "rights and the disk"
    }
  }
}
