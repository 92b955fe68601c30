#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A reusable buffer of log bytes with readable zeros behind its content.
///
/// This file and `JSONDocument.swift` hold the module's unsafe code on parsed bytes. The zeros let a
/// scanner load eight bytes at any place of the content.
@safe final class ByteBlock {
  /// Readable bytes behind the content.
  static let padding = 64

  /// How many bytes the content may have before it grows.
  private(set) var capacity: Int
  /// How many bytes the content has.
  private(set) var count = 0
  private var storage: UnsafeMutablePointer<UInt8>

  init(capacity: Int) {
    self.capacity = capacity
    unsafe storage = .allocate(capacity: capacity + Self.padding)
    unsafe storage.initialize(repeating: 0, count: capacity + Self.padding)
  }

  deinit { unsafe storage.deallocate() }

  /// Makes room for `minimum` bytes of content, which stays.
  func reserve(_ minimum: Int) {
    guard minimum > capacity else { return }
    let larger = max(minimum, capacity * 2)
    let moved = UnsafeMutablePointer<UInt8>.allocate(capacity: larger + Self.padding)
    unsafe moved.initialize(repeating: 0, count: larger + Self.padding)
    unsafe moved.update(from: storage, count: count)
    unsafe storage.deallocate()
    unsafe storage = moved
    capacity = larger
  }

  /// Forgets the content.
  func removeAll() { truncate(to: 0) }

  /// Keeps the first `length` bytes.
  func truncate(to length: Int) {
    precondition(length >= 0 && length <= capacity, "the length lies within the block")
    count = length
    unsafe memset(storage + length, 0, Self.padding)
  }

  /// Appends up to `room` bytes that `read` writes; returns how many `read` says it wrote.
  func append(
    room: Int, _ read: (UnsafeMutableRawBufferPointer) -> Int
  ) -> Int {
    reserve(count + room)
    let target = unsafe UnsafeMutableRawBufferPointer(start: storage + count, count: room)
    let written = unsafe read(target)
    if written > 0 {
      precondition(written <= room, "no more than the room")
      truncate(to: count + written)
    }
    return written
  }

  /// Appends bytes.
  func append(_ bytes: [UInt8]) {
    reserve(count + bytes.count)
    unsafe bytes.withUnsafeBufferPointer { source in
      if let base = source.baseAddress {
        unsafe memcpy(storage + count, base, source.count)
      }
    }
    truncate(to: count + bytes.count)
  }

  /// Appends a copy of `block[range]`.
  func append(_ block: ByteBlock, _ range: Range<Int>) {
    precondition(range.lowerBound >= 0 && range.upperBound <= block.count, "a range of the block")
    reserve(count + range.count)
    unsafe memcpy(storage + count, block.storage + range.lowerBound, range.count)
    truncate(to: count + range.count)
  }

  /// Calls `body` with the content.
  @unsafe func withMutableContent<Result>(
    _ body: (UnsafeMutableBufferPointer<UInt8>) -> Result
  ) -> Result {
    unsafe body(UnsafeMutableBufferPointer(start: storage, count: count))
  }

  /// The place of the last newline; `nil` when there is none at or after `start`.
  func lastNewline(from start: Int = 0) -> Int? {
    var place = count - 1
    while place >= start {
      if unsafe storage[place] == 0x0A { return place }
      place -= 1
    }
    return nil
  }

  /// The content for scanning; valid while this block lives and does not change.
  var bytes: PaddedBytes {
    unsafe PaddedBytes(base: UnsafePointer(storage), count: count)
  }
}

/// The bytes of a ``ByteBlock``: every read is checked against the block's bounds.
///
/// `@safe`, since all reads go through checks against `limit`; the owner keeps the block alive.
@safe struct PaddedBytes {
  /// How many bytes the content has; `ByteBlock.padding` zeros follow.
  let count: Int
  private let base: UnsafePointer<UInt8>

  @unsafe init(base: UnsafePointer<UInt8>, count: Int) {
    unsafe self.base = unsafe base
    self.count = count
  }

  /// The byte at `index`, which may lie in the padding.
  @inline(__always) subscript(index: Int) -> UInt8 {
    precondition(UInt(bitPattern: index) <= UInt(bitPattern: count &+ 56))
    return unsafe base[index]
  }

  /// Eight bytes from `index` on, the first in the lowest bits.
  @inline(__always) func word(at index: Int) -> UInt64 {
    precondition(UInt(bitPattern: index) <= UInt(bitPattern: count &+ 56))
    return unsafe UnsafeRawPointer(base + index)
      .loadUnaligned(as: UInt64.self).littleEndian
  }

  /// Thirty-two bytes from `index` on.
  @inline(__always) func quad(at index: Int) -> SIMD4<UInt64> {
    precondition(UInt(bitPattern: index) <= UInt(bitPattern: count &+ 32))
    return unsafe UnsafeRawPointer(base + index).loadUnaligned(as: SIMD4<UInt64>.self)
  }

  /// The place of the next newline at or after `index`, else the end of the content.
  func endOfLine(from index: Int) -> Int {
    precondition(index >= 0 && index <= count, "within the content")
    guard index < count, let found = unsafe memchr(base + index, 0x0A, count - index) else {
      return count
    }
    return unsafe UnsafeRawPointer(found) - UnsafeRawPointer(base)
  }

  /// Appends `self[range]` to `target`.
  @inline(__always) func copy(_ range: Range<Int>, to target: inout [UInt8]) {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "within the content")
    unsafe target.append(
      contentsOf: UnsafeBufferPointer(start: base + range.lowerBound, count: range.count))
  }

  /// A copy of `self[range]`.
  func array(_ range: Range<Int>) -> [UInt8] {
    var copied: [UInt8] = []
    copy(range, to: &copied)
    return copied
  }

  /// Calls `body` with `self[range]`.
  @unsafe func withUnsafeBytes<Result>(
    _ range: Range<Int>, _ body: (UnsafeBufferPointer<UInt8>) -> Result
  ) -> Result {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "within the content")
    return unsafe body(UnsafeBufferPointer(start: base + range.lowerBound, count: range.count))
  }
}
