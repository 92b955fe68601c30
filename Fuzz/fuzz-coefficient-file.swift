// Feeds bytes to the coefficient-file reader: nothing may crash, every refusal has a reason, and
// what is accepted encodes again to the same bytes. `make fuzz` builds it with libFuzzer and the
// address sanitizer.

import CoefficientFile

/// `bytes` framed as an unsigned file, so that mutations get past the checksum to the fields.
private func framed(_ body: [UInt8]) -> [UInt8] {
  var file = Array("GLIDE\r\n".utf8) + [0x1A, 1, 0, 0, 0]
  for shift in stride(from: 0, to: 32, by: 8) { file.append(UInt8(body.count >> shift & 0xFF)) }
  file += body
  let check = CRC32C.checksum(file)
  for shift in stride(from: UInt32(0), to: 32, by: 8) { file.append(UInt8(check >> shift & 0xFF)) }
  return file
}

private func read(_ bytes: [UInt8], isSigned: Bool) {
  do {
    let model = try GlideModel(decoding: bytes)
    let again = try model.encoded()
    precondition(isSigned || again == bytes, "an accepted file does not encode to itself")
  } catch {
    precondition(!error.description.isEmpty, "a refusal without a reason")
  }
}

/// libFuzzer's entry.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzCoefficientFile(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
  read(bytes, isSigned: count > 10 && bytes[10] & 1 != 0)
  // Seeds are whole files; a mutant of one is tried again with length and checksum mended.
  let isWhole = count >= 20 && bytes.starts(with: Array("GLIDE".utf8))
  read(framed(isWhole ? Array(bytes[16..<(count - 4)]) : bytes), isSigned: false)
  return 0
}
