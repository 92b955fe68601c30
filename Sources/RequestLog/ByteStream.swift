import CCompression

/// Bytes in order; 0 at the end.
protocol ByteStream: AnyObject {
  /// Appends up to `room` bytes to `block`.
  func read(into block: ByteBlock, room: Int) throws(RequestLogError) -> Int
}

/// The raw bytes of a file, of which the first were read to look at them.
final class FileStream: ByteStream {
  let file: SystemFile
  /// Bytes taken off the file so far.
  private(set) var position: Int64 = 0
  private var head: ByteBlock?

  init(_ file: SystemFile) { self.file = file }

  /// The first four bytes, or fewer; they will be read again.
  func peek() throws(RequestLogError) -> [UInt8] {
    let block = ByteBlock(capacity: 1 << 16)
    while block.count < 4 {
      let count = try file.read(into: block, room: 1 << 16)
      position += Int64(count)
      if count == 0 { break }
    }
    head = block
    return block.bytes.array(0..<min(4, block.count))
  }

  /// Starts at `offset` instead.
  func seek(to offset: Int64) throws(RequestLogError) {
    try file.seek(to: offset)
    position = offset
    head = nil
  }

  func read(into block: ByteBlock, room: Int) throws(RequestLogError) -> Int {
    if let content = head {
      let count = min(room, content.count)
      block.append(content, 0..<count)
      if count < content.count {
        let rest = ByteBlock(capacity: content.count - count)
        rest.append(content, count..<content.count)
        head = rest
      } else {
        head = nil
      }
      if count > 0 { return count }
    }
    let count = try file.read(into: block, room: room)
    position += Int64(count)
    return count
  }
}

/// Inflates gzip (RFC 1952), all members of it.
@safe final class GzipStream: ByteStream {
  private let source: FileStream
  private let input = ByteBlock(capacity: 1 << 18)
  private let state: UnsafeMutablePointer<z_stream>
  private var produced: Int64 = 0
  private var isMemberOpen = false

  init(_ source: FileStream) throws(RequestLogError) {
    self.source = source
    unsafe state = .allocate(capacity: 1)
    unsafe state.initialize(to: z_stream())
    guard unsafe gp_inflate_init_gzip(state) == Z_OK else {
      throw .damagedCompression(path: source.file.path, offset: 0, detail: "out of memory")
    }
  }

  deinit {
    unsafe inflateEnd(state)
    unsafe state.deallocate()
  }

  func read(into block: ByteBlock, room: Int) throws(RequestLogError) -> Int {
    while true {
      if unsafe state.pointee.avail_in == 0, try refill() == 0 {
        if isMemberOpen { throw damaged("it ends too early") }
        return 0
      }
      var status = Z_OK
      let count = unsafe block.append(room: room) { target in
        unsafe state.pointee.next_out = target.baseAddress?.assumingMemoryBound(to: UInt8.self)
        unsafe state.pointee.avail_out = UInt32(target.count)
        isMemberOpen = true
        status = unsafe inflate(state, Z_NO_FLUSH)
        return target.count - Int(unsafe state.pointee.avail_out)
      }
      produced += Int64(count)
      switch status {
      case Z_OK, Z_BUF_ERROR: break
      case Z_STREAM_END:
        isMemberOpen = false
        unsafe inflateReset(state)
      default: throw damaged("zlib error \(status)")
      }
      if count > 0 { return count }
    }
  }

  private func refill() throws(RequestLogError) -> Int {
    input.removeAll()
    let count = try source.read(into: input, room: 1 << 18)
    unsafe input.withMutableContent { content in
      unsafe state.pointee.next_in = content.baseAddress
      unsafe state.pointee.avail_in = UInt32(content.count)
    }
    return count
  }

  private func damaged(_ detail: String) -> RequestLogError {
    .damagedCompression(path: source.file.path, offset: produced, detail: detail)
  }
}

/// Inflates zstd, all frames of it.
@safe final class ZstdStream: ByteStream {
  private let source: FileStream
  private let input = ByteBlock(capacity: 1 << 18)
  private let state: OpaquePointer
  private var consumed = 0
  private var produced: Int64 = 0
  private var isFrameOpen = false

  init(_ source: FileStream) throws(RequestLogError) {
    self.source = source
    guard let state = unsafe ZSTD_createDStream() else {
      throw .damagedCompression(path: source.file.path, offset: 0, detail: "out of memory")
    }
    unsafe self.state = unsafe state
  }

  deinit { unsafe ZSTD_freeDStream(state) }

  func read(into block: ByteBlock, room: Int) throws(RequestLogError) -> Int {
    while true {
      // A call without input may still hold output of the call before.
      var status = 0
      let count = inflate(into: block, room: room, &status)
      produced += Int64(count)
      if ZSTD_isError(status) != 0 {
        let name = unsafe ZSTD_getErrorName(status).map { unsafe String(cString: $0) }
        throw damaged(name ?? "zstd error")
      }
      if count > 0 { return count }
      if consumed < input.count { continue }
      input.removeAll()
      consumed = 0
      if try source.read(into: input, room: 1 << 18) == 0 {
        if isFrameOpen { throw damaged("it ends too early") }
        return 0
      }
    }
  }

  private func inflate(into block: ByteBlock, room: Int, _ status: inout Int) -> Int {
    if consumed == input.count, !isFrameOpen { return 0 }
    var outcome = 0
    let count = unsafe block.append(room: room) { target in
      unsafe input.withMutableContent { content in
        var source = unsafe ZSTD_inBuffer(
          src: content.baseAddress, size: content.count, pos: consumed)
        var sink = unsafe ZSTD_outBuffer(dst: target.baseAddress, size: target.count, pos: 0)
        outcome = unsafe ZSTD_decompressStream(state, &sink, &source)
        unsafe consumed = source.pos
        return unsafe sink.pos
      }
    }
    status = outcome
    isFrameOpen = outcome != 0
    return count
  }

  private func damaged(_ detail: String) -> RequestLogError {
    .damagedCompression(path: source.file.path, offset: produced, detail: detail)
  }
}
