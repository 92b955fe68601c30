/// Cuts one input into blocks of whole lines, whatever it is packed in.
///
/// Blocks depend on the bytes alone, not on threads, so that everything after them is the same for any
/// number of threads.
final class LineSource {
  /// Bytes of a block; it ends at the last newline before.
  static let defaultBlockSize = 1 << 22
  /// The longest line that is believed to be one.
  static let maximumLine = 1 << 26

  /// How the file is packed, by its magic bytes.
  enum Packing { case plain, gzip, zstd }

  let path: String
  let packing: Packing
  private let raw: FileStream
  private let stream: any ByteStream
  private let blockSize: Int
  private var rest = ByteBlock(capacity: 1 << 16)
  private var isAtEnd = false
  /// Uncompressed bytes handed out.
  private(set) var offset: Int64 = 0
  /// Whether records may have newlines in quotes.
  var isCSV = false
  /// Whether a last line without newline is left for the next read, unseen.
  var leavesPartialLine = false

  /// Opens `path`; "-" is standard input.
  init(
    _ path: String, blockSize: Int = LineSource.defaultBlockSize
  ) throws(RequestLogError) {
    self.path = path
    self.blockSize = blockSize
    raw = FileStream(path == "-" ? SystemFile() : try SystemFile(reading: path))
    let magic = try raw.peek()
    if magic.starts(with: [0x1F, 0x8B]) {
      packing = .gzip
      stream = try GzipStream(raw)
    } else if magic.starts(with: [0x28, 0xB5, 0x2F, 0xFD]) {
      packing = .zstd
      stream = try ZstdStream(raw)
    } else if let format = ForeignFormat(magic: magic) {
      throw .foreignFormat(path: path, format: format)
    } else {
      packing = .plain
      stream = raw
    }
  }

  /// The packed size; `nil` for a pipe.
  var packedSize: Int64? { raw.file.size }
  /// Packed bytes read so far.
  var packedPosition: Int64 { raw.position }

  /// Goes to an uncompressed offset, before anything else was read.
  func seek(to target: Int64) throws(RequestLogError) {
    guard target > offset else { return }
    if packing == .plain, raw.file.size != nil {
      try raw.seek(to: target)
      rest.removeAll()
    } else {
      let discard = ByteBlock(capacity: 1 << 16)
      var left = target - offset - Int64(rest.count)
      rest.removeAll()
      while left > 0 {
        discard.removeAll()
        let count = try stream.read(into: discard, room: Int(min(left, 1 << 16)))
        if count == 0 { break }
        left -= Int64(count)
      }
    }
    offset = target
  }

  /// The first record, CSV's header, without its newline; the blocks follow it.
  func header() throws(RequestLogError) -> (bytes: [UInt8], lines: Int64) {
    while true {
      if let end = CSVRecord.end(rest.bytes, 0, isLast: isAtEnd), rest.count > 0 {
        let bytes = rest.bytes
        let hasNewline = bytes[end - 1] == 0x0A
        let record = bytes.array(0..<(hasNewline ? end - 1 : end))
        let tail = ByteBlock(capacity: max(rest.count - end, 1))
        tail.append(rest, end..<rest.count)
        rest = tail
        offset += Int64(end)
        return (record, 1 + Int64(record.count { $0 == 0x0A }))
      }
      if isAtEnd { return ([], 0) }
      if try stream.read(into: rest, room: 1 << 16) == 0 { isAtEnd = true }
    }
  }

  /// Fills `block` with whole lines; `false` when there are no more.
  func next(into block: ByteBlock) throws(RequestLogError) -> Bool {
    block.removeAll()
    block.append(rest, 0..<rest.count)
    rest.removeAll()
    var searched = 0
    while true {
      while !isAtEnd, block.count < blockSize + searched {
        let room = blockSize + searched - block.count
        if try stream.read(into: block, room: room) == 0 { isAtEnd = true }
      }
      if isAtEnd {
        if leavesPartialLine { block.truncate(to: cut(block, from: 0) ?? 0) }
        offset += Int64(block.count)
        return block.count > 0
      }
      if let end = cut(block, from: searched) {
        rest.append(block, end..<block.count)
        block.truncate(to: end)
        offset += Int64(end)
        return true
      }
      searched = block.count
      guard searched < Self.maximumLine else {
        throw .lineTooLong(path: path, offset: offset, limit: Self.maximumLine)
      }
    }
  }

  /// The place behind the last whole line.
  private func cut(_ block: ByteBlock, from start: Int) -> Int? {
    guard isCSV else { return block.lastNewline(from: start).map { $0 + 1 } }
    let bytes = block.bytes
    var place = 0
    while place < bytes.count, let end = CSVRecord.end(bytes, place, isLast: false) { place = end }
    return place > 0 ? place : nil
  }
}
