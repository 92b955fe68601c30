import CoefficientFile

/// Why `bytes` are refused; `nil` when they are accepted.
func refusal(
  of bytes: [UInt8], verify: (([UInt8], [UInt8]) -> Bool)? = nil
) -> CoefficientFileError? {
  do {
    _ = try GlideModel(decoding: bytes, verify: verify)
    return nil
  } catch { return error }
}

/// Why `model` is not encoded; `nil` when it is.
func refusal(of model: GlideModel) -> CoefficientFileError? {
  do {
    _ = try model.encoded()
    return nil
  } catch { return error }
}

/// An unsigned file around `body`, with the length and the checksum that it needs.
func framed(body: [UInt8], version: UInt8 = 1, flags: UInt8 = 0) -> [UInt8] {
  var bytes = Array("GLIDE\r\n".utf8) + [0x1A, version, 0, flags, 0]
  bytes += littleEndian(UInt32(body.count)) + body
  return bytes + littleEndian(CRC32C.checksum(bytes))
}

/// The body of an unsigned file.
func body(of bytes: [UInt8]) -> [UInt8] { Array(bytes[16..<(bytes.count - 4)]) }

/// The bytes of `value`, least significant first.
func littleEndian<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
  (0..<(Value.bitWidth / 8)).map { UInt8(truncatingIfNeeded: value >> Value(8 * $0)) }
}
