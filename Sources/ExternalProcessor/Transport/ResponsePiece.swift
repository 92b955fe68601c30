internal import NIOCore

/// A piece of a response's body: found in Envoy's message, and sent back, without decoding the rest.
///
/// A streamed answer is hundreds of such messages, each of which repeats the request's metadata. The
/// numbers are those of the fields in `external_processing.proto`.
struct ResponsePiece {
  /// Where the bytes are in the message.
  let bytes: Range<Int>
  /// Whether the response ends with it.
  let endsStream: Bool

  /// Finds the piece in a `ProcessingRequest`; `nil` for any message that is not just that.
  ///
  /// - Complexity: O(fields), no allocation.
  init?(_ message: Span<UInt8>) {
    var wire = WireReader(position: 0, end: message.count)
    var body: Range<Int>?
    while wire.position < wire.end {
      switch wire.number(message) {
      case 5 << 3 | 2 where body == nil: body = wire.range(message)
      case 8 << 3 | 2: if wire.range(message) == nil { return nil }
      default: return nil
      }
      if wire.isBroken { return nil }
    }
    guard let body else { return nil }
    wire = WireReader(position: body.lowerBound, end: body.upperBound)
    var bytes = body.lowerBound..<body.lowerBound
    var endsStream = false
    while wire.position < wire.end {
      guard let tag = wire.number(message) else { return nil }
      switch (tag, tag & 7) {
      case (1 << 3 | 2, _): bytes = wire.range(message) ?? bytes
      case (2 << 3, _): endsStream = wire.number(message) ?? 0 != 0
      case (_, 0): _ = wire.number(message)
      case (_, 2): _ = wire.range(message)
      default: return nil
      }
      if wire.isBroken { return nil }
    }
    self.bytes = bytes
    self.endsStream = endsStream
  }

  /// Writes the gRPC message that sends the piece on as it is.
  ///
  /// That is a `ProcessingResponse` whose only content is the response body's streamed mutation.
  func writeEcho(of message: ByteBuffer, to buffer: inout ByteBuffer) {
    let content =
      (bytes.isEmpty ? 0 : 1 + Self.length(bytes.count) + bytes.count) + (endsStream ? 2 : 0)
    // From the inside: streamed_response, body_mutation, response, response_body.
    var lengths = [content]
    for _ in 0..<3 {
      let inner = lengths[lengths.count - 1]
      lengths.append(1 + Self.length(inner) + inner)
    }
    let whole = 1 + Self.length(lengths[3]) + lengths[3]
    buffer.reserveCapacity(minimumWritableBytes: 5 + whole)
    buffer.writeInteger(0, as: UInt8.self)
    buffer.writeInteger(UInt32(whole))
    for (tag, length) in zip([4, 1, 3, 3] as [UInt8], lengths.reversed()) {
      buffer.writeInteger(tag << 3 | 2)
      Self.write(length, to: &buffer)
    }
    if !bytes.isEmpty {
      buffer.writeInteger(1 << 3 | 2 as UInt8)
      Self.write(bytes.count, to: &buffer)
      buffer.writeBytes(message.readableBytesView[offset: bytes])
    }
    if endsStream {
      buffer.writeInteger(2 << 3 as UInt8)
      buffer.writeInteger(1 as UInt8)
    }
  }

  /// How many bytes `value` takes, seven bits in each.
  private static func length(_ value: Int) -> Int {
    var (rest, length) = (value >> 7, 1)
    while rest > 0 { (rest, length) = (rest >> 7, length + 1) }
    return length
  }

  private static func write(_ value: Int, to buffer: inout ByteBuffer) {
    var rest = value
    while rest > 0x7f {
      buffer.writeInteger(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    buffer.writeInteger(UInt8(truncatingIfNeeded: rest))
  }
}

extension ByteBufferView {
  /// The bytes at these distances from the first.
  fileprivate subscript(offset range: Range<Int>) -> ByteBufferView {
    self[startIndex + range.lowerBound..<startIndex + range.upperBound]
  }
}

/// Reads Protocol Buffers' numbers and lengths; after a failure it is broken for good.
private struct WireReader {
  var position: Int
  let end: Int
  private(set) var isBroken = false

  init(position: Int, end: Int) {
    self.position = position
    self.end = end
  }

  /// The next number below 2³⁵.
  mutating func number(_ message: Span<UInt8>) -> Int? {
    var (value, shift) = (0, 0)
    while position < end, shift < 35 {
      let byte = message[position]
      position += 1
      value |= Int(byte & 0x7f) << shift
      if byte < 0x80 { return value }
      shift += 7
    }
    isBroken = true
    return nil
  }

  /// Where the next field of a length is.
  mutating func range(_ message: Span<UInt8>) -> Range<Int>? {
    guard let length = number(message), length <= end - position else {
      isBroken = true
      return nil
    }
    defer { position += length }
    return position..<position + length
  }
}
