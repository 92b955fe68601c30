internal import NIOCore

/// Cuts a gRPC stream's bytes into messages: each has a flag, its length in four bytes, its content.
struct MessageReader {
  /// Why a stream cannot be read on.
  enum Failure: Error {
    /// Compressed messages are not understood.
    case compressed
    /// A message is larger than is accepted.
    case tooLarge
  }

  /// The largest message, bytes: Envoy's pieces of a body are far smaller.
  static let maximumBytes = 20 << 20

  private var unread = ByteBuffer()

  /// Takes the stream's next bytes.
  mutating func append(_ bytes: inout ByteBuffer) {
    if unread.readableBytes == 0 {
      unread = bytes
    } else {
      unread.discardReadBytes()
      unread.writeBuffer(&bytes)
    }
  }

  /// The next whole message, if it has arrived; shares the stream's memory.
  mutating func next() throws(Failure) -> ByteBuffer? {
    let start = unread.readerIndex
    guard let flag = unread.getInteger(at: start, as: UInt8.self),
      let length = unread.getInteger(at: start + 1, as: UInt32.self)
    else { return nil }
    guard flag == 0 else { throw .compressed }
    guard length <= Self.maximumBytes else { throw .tooLarge }
    guard let message = unread.getSlice(at: start + 5, length: Int(length)) else { return nil }
    unread.moveReaderIndex(forwardBy: 5 + Int(length))
    return message
  }
}

extension ByteBuffer {
  /// Appends a message with its prefix.
  mutating func writeMessage(_ message: [UInt8]) {
    reserveCapacity(minimumWritableBytes: 5 + message.count)
    writeInteger(0, as: UInt8.self)
    writeInteger(UInt32(message.count))
    writeBytes(message)
  }
}
