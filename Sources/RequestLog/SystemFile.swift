#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

extension RequestLogError {
  static func systemMessage(_ code: Int32) -> String {
    guard let text = unsafe strerror(code) else { return "error \(code)" }
    return unsafe String(cString: text)
  }
}

/// An open file, closed with its last reference.
final class SystemFile {
  let path: String
  private let descriptor: Int32
  private let owned: Bool

  /// Standard input.
  init() {
    path = "-"
    descriptor = 0
    owned = false
  }

  /// Opens `path` for reading.
  init(reading path: String) throws(RequestLogError) {
    self.path = path
    descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    owned = true
    if descriptor < 0 {
      throw errno == ENOENT ? .noSuchInput(path) : .inputOutput(path: path, errno: errno)
    }
  }

  /// Opens `path` for appending, made where it is not there.
  init(appending path: String) throws(RequestLogError) {
    self.path = path
    descriptor = unsafe open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o644)
    owned = true
    if descriptor < 0 { throw .inputOutput(path: path, errno: errno) }
  }

  deinit { if owned, descriptor >= 0 { close(descriptor) } }

  /// The size in bytes; `nil` for what is no regular file.
  var size: Int64? {
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      return nil
    }
    return Int64(status.st_size)
  }

  /// Moves to `offset` bytes from the start.
  func seek(to offset: Int64) throws(RequestLogError) {
    if lseek(descriptor, off_t(offset), SEEK_SET) < 0 {
      throw .inputOutput(path: path, errno: errno)
    }
  }

  /// Appends up to `room` bytes to `block`; 0 at the end.
  func read(into block: ByteBlock, room: Int) throws(RequestLogError) -> Int {
    while true {
      let count = unsafe block.append(room: room) { target in
        unsafe Glibc.read(descriptor, target.baseAddress, target.count)
      }
      if count >= 0 { return count }
      if errno != EINTR { throw .inputOutput(path: path, errno: errno) }
    }
  }

  /// Writes all of `bytes`.
  func write(_ bytes: [UInt8]) throws(RequestLogError) {
    var written = 0
    while written < bytes.count {
      let count = unsafe bytes.withUnsafeBytes { source in
        unsafe Glibc.write(
          descriptor, source.baseAddress?.advanced(by: written), source.count - written)
      }
      if count < 0 {
        if errno == EINTR { continue }
        throw .inputOutput(path: path, errno: errno)
      }
      written += count
    }
  }

  /// Waits until what was written is on the disk.
  func synchronize() throws(RequestLogError) {
    if fsync(descriptor) != 0 { throw .inputOutput(path: path, errno: errno) }
  }
}

/// The files that `pattern` names, in order of name; a plain path names itself.
func expandInput(_ pattern: String) throws(RequestLogError) -> [String] {
  if pattern == "-" { return ["-"] }
  var status = stat()
  if unsafe stat(pattern, &status) == 0 {
    if status.st_mode & S_IFMT == S_IFDIR {
      throw .inputOutput(path: pattern, errno: EISDIR)
    }
    return [pattern]
  }
  guard pattern.contains(where: { "*?[{".contains($0) }) else { throw .noSuchInput(pattern) }
  var matches = unsafe glob_t()
  defer { unsafe globfree(&matches) }
  guard unsafe glob(pattern, GLOB_BRACE, nil, &matches) == 0 else { throw .noSuchInput(pattern) }
  var paths: [String] = []
  for index in 0..<Int(unsafe matches.gl_pathc) {
    if let path = unsafe matches.gl_pathv[index] { unsafe paths.append(String(cString: path)) }
  }
  return paths
}
