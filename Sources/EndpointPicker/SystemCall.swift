internal import CDispatch
internal import Glibc

/// The few calls of the operating system that the picker makes itself.
enum SystemCall {
  /// What an error number means.
  static func message(_ code: Int32) -> String {
    guard let text = unsafe strerror(code) else { return "error \(code)" }
    return unsafe String(cString: text)
  }

  /// The bytes of a file of at most `limit` bytes.
  static func read(_ path: String, limit: Int) throws(EndpointPickerError) -> [UInt8] {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw .inputOutput(path: path, errno: errno) }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while bytes.count <= limit {
      let count = unsafe chunk.withUnsafeMutableBytes { target in
        unsafe Glibc.read(descriptor, target.baseAddress, target.count)
      }
      if count == 0 { return bytes }
      if count < 0 {
        if errno == EINTR { continue }
        throw .inputOutput(path: path, errno: errno)
      }
      bytes.append(contentsOf: chunk[..<count])
    }
    throw .badDocument(name: path, problem: "larger than \(limit) bytes")
  }

  /// Writes all of `bytes`.
  static func write(
    _ bytes: ArraySlice<UInt8>, to descriptor: Int32, path: String
  ) throws(EndpointPickerError) {
    var left = bytes
    while !left.isEmpty {
      let count = unsafe left.withUnsafeBytes { source in
        unsafe Glibc.write(descriptor, source.baseAddress, source.count)
      }
      if count < 0 {
        if errno == EINTR { continue }
        throw .inputOutput(path: path, errno: errno)
      }
      left = left.dropFirst(count)
    }
  }

  /// Waits until the disk has what was written to a file or folder.
  static func synchronize(_ path: String) throws(EndpointPickerError) {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .inputOutput(path: path, errno: errno) }
    defer { close(descriptor) }
    if fsync(descriptor) != 0 { throw .inputOutput(path: path, errno: errno) }
  }

  /// This machine's name.
  static var hostName: String {
    var buffer = [CChar](repeating: 0, count: 256)
    guard unsafe gethostname(&buffer, buffer.count - 1) == 0 else { return "gateway" }
    let bytes = buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// What tells one state of a file from another; `nil` without a file.
  static func identity(_ path: String) -> FileState? {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { return nil }
    return FileState(
      device: UInt64(status.st_dev), inode: UInt64(status.st_ino), size: Int64(status.st_size),
      seconds: Int64(status.st_mtim.tv_sec), nanoseconds: Int64(status.st_mtim.tv_nsec))
  }

  /// A clock reading, ns.
  static func nanoseconds(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    unsafe clock_gettime(clock, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }
}

/// A file as the file system describes it.
struct FileState: Sendable, Hashable {
  var device: UInt64
  var inode: UInt64
  var size: Int64
  var seconds: Int64
  var nanoseconds: Int64
}

/// Where the picker reads the time.
public struct PickerClock: Sendable {
  /// Monotonic, ms; what the routing runtime lives by.
  public var milliseconds: @Sendable () -> Double
  /// Unix time, ns; what logs are written in.
  public var unixNanoseconds: @Sendable () -> Int64

  /// A clock of these two readings.
  public init(
    milliseconds: @escaping @Sendable () -> Double,
    unixNanoseconds: @escaping @Sendable () -> Int64
  ) {
    self.milliseconds = milliseconds
    self.unixNanoseconds = unixNanoseconds
  }

  /// The machine's clocks.
  public static let system = PickerClock(
    milliseconds: { Double(SystemCall.nanoseconds(CLOCK_MONOTONIC)) * 1e-6 },
    unixNanoseconds: { SystemCall.nanoseconds(CLOCK_REALTIME) })
}
