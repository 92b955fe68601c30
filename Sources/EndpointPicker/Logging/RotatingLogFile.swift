internal import Glibc

/// The log's current file, and what becomes of it when it is large or old enough.
///
/// The current file is `requests-GATEWAY-TIME-COUNT.jsonl`. A finished one is compressed under a
/// hidden name, synchronized and renamed to `….jsonl.zst`, and only then is the plain one removed: at
/// every moment each line is under a visible name at least once. What a crash leaves is finished by
/// the next start.
final class RotatingLogFile {
  struct Limits: Sendable {
    var bytes: Int
    var milliseconds: Double
    var isCompressed: Bool
    var totalBytes: Int
  }

  private let folder: String
  private let prefix: String
  private let limits: Limits
  private var descriptor: Int32 = -1
  private var path = ""
  private var bytes = 0
  private var openedAt = 0.0
  private var count = 0
  private let finisher: LogFinisher

  init(folder: String, gateway: String, limits: Limits, finisher: LogFinisher) {
    self.folder = folder
    self.limits = limits
    self.finisher = finisher
    let safe = gateway.utf8.map { byte -> UInt8 in
      Self.isNameByte(byte) ? byte : UInt8(ascii: "_")
    }
    prefix = "requests-" + String(decoding: safe.prefix(64), as: UTF8.self) + "-"
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "."), UInt8(ascii: "-"),
      UInt8(ascii: "_"):
      true
    default: false
    }
  }

  /// Makes the folder and finishes the files that an earlier process left.
  func prepare() throws(EndpointPickerError) {
    if unsafe mkdir(folder, 0o750) != 0, errno != EEXIST {
      throw .inputOutput(path: folder, errno: errno)
    }
    finisher.adopt(folder: folder, prefix: prefix, limits: limits)
  }

  /// Writes whole lines, beginning a new file first where the limits ask for it.
  func write(
    _ lines: [UInt8], unixNanoseconds: Int64, at time: Double
  ) throws(EndpointPickerError) {
    try rotate(adding: lines.count, at: time)
    if descriptor < 0 { try open(unixNanoseconds: unixNanoseconds, at: time) }
    do {
      try SystemCall.write(lines[...], to: descriptor, path: path)
    } catch {
      // Half a line may stand there; a file that cannot even be cut back is given up.
      if ftruncate(descriptor, off_t(bytes)) != 0 { abandon() }
      throw error
    }
    bytes += lines.count
  }

  /// Finishes the current file if it is old or large enough.
  func rotate(adding count: Int = 0, at time: Double) throws(EndpointPickerError) {
    guard descriptor >= 0, bytes > 0 else { return }
    if bytes + count > limits.bytes || time - openedAt >= limits.milliseconds { try finish() }
  }

  /// Synchronizes and closes the current file and hands it to the finisher.
  func finish() throws(EndpointPickerError) {
    guard descriptor >= 0 else { return }
    let failure = fsync(descriptor) == 0 ? nil : errno
    close(descriptor)
    descriptor = -1
    let finished = path
    if let failure { throw .inputOutput(path: finished, errno: failure) }
    finisher.finish(finished, folder: folder, prefix: prefix, limits: limits)
  }

  private func abandon() {
    close(descriptor)
    descriptor = -1
  }

  private func open(unixNanoseconds: Int64, at time: Double) throws(EndpointPickerError) {
    let stamp = Self.stamp(unixNanoseconds)
    // In a container every process may have the same number.
    repeat {
      count += 1
      path = "\(folder)/\(prefix)\(stamp)-\(getpid())-\(count).jsonl"
      descriptor = unsafe Glibc.open(
        path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0o640)
    } while descriptor < 0 && errno == EEXIST
    guard descriptor >= 0 else { throw .inputOutput(path: path, errno: errno) }
    // Tells other processes that this file is not a leftover.
    flock(descriptor, LOCK_EX | LOCK_NB)
    bytes = 0
    openedAt = time
    try? SystemCall.synchronize(folder)
  }

  /// `20261123T055500Z`: sorts as time does.
  static func stamp(_ unixNanoseconds: Int64) -> String {
    var seconds = time_t(unixNanoseconds / 1_000_000_000)
    var parts = unsafe tm()
    unsafe gmtime_r(&seconds, &parts)
    func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
    let (year, month, day) = unsafe (parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday)
    let (hour, minute, second) = unsafe (parts.tm_hour, parts.tm_min, parts.tm_sec)
    return "\(year)\(two(month))\(two(day))T\(two(hour))\(two(minute))\(two(second))Z"
  }
}
