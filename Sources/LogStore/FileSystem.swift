#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The few system calls that the store needs: nearly all unsafe code of the module is here.
enum FileSystem {
  /// The system's words for an error number.
  static func message(_ code: Int32) -> String {
    guard let text = unsafe strerror(code) else { return "error \(code)" }
    return unsafe String(cString: text)
  }

  /// Makes a folder and those above it; one that exists is fine.
  static func makeFolder(_ path: String) throws(LogStoreError) {
    var partial = path.hasPrefix("/") ? "/" : ""
    for part in path.split(separator: "/") {
      partial += (partial.isEmpty || partial.hasSuffix("/") ? "" : "/") + part
      if unsafe mkdir(partial, 0o777) != 0, errno != EEXIST {
        throw .inputOutput(path: partial, errno: errno)
      }
    }
  }

  /// The size in bytes; `nil` when there is nothing.
  static func size(_ path: String) -> Int64? {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { return nil }
    return Int64(status.st_size)
  }

  /// Whether it is a plain file, which can be read again, rather than a pipe.
  static func isPlainFile(_ path: String) -> Bool {
    var status = stat()
    return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
  }

  /// The path without links and dots; the path itself when there is nothing.
  static func resolved(_ path: String) -> String {
    guard let text = unsafe realpath(path, nil) else { return path }
    defer { unsafe free(text) }
    return unsafe String(cString: text)
  }

  /// A lock on a file, held until it is released or the process ends.
  struct Lock {
    fileprivate let file: Int32
    /// Whether somebody else holds it.
    let isElsewhere: Bool

    func release() {
      if file >= 0 { close(file) }
    }
  }

  /// Tries to lock the file at `path`, which is made if need be.
  static func lock(_ path: String) -> Lock {
    let file = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard file >= 0 else { return Lock(file: -1, isElsewhere: false) }
    let isHeld = flock(file, LOCK_EX | LOCK_NB) == 0
    return Lock(file: file, isElsewhere: !isHeld && errno == EWOULDBLOCK)
  }

  /// Up to `count` bytes from `offset` on.
  static func read(
    _ path: String, offset: Int64 = 0, count: Int
  ) throws(LogStoreError) -> [UInt8] {
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw .inputOutput(path: path, errno: errno) }
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: count)
    var done = 0
    while done < count {
      let got = unsafe bytes.withUnsafeMutableBytes { buffer in
        let place = unsafe buffer.baseAddress.map { unsafe $0 + done }
        return unsafe pread(file, place, count - done, off_t(offset) + done)
      }
      if got < 0 {
        if errno == EINTR { continue }
        throw .inputOutput(path: path, errno: errno)
      }
      if got == 0 { break }
      done += got
    }
    bytes.removeSubrange(done...)
    return bytes
  }

  /// Puts `bytes` at `path` as a whole or not at all: temporary file, fsync, rename, fsync of the
  /// folder.
  static func replace(_ folder: String, _ name: String, with bytes: [UInt8]) throws(LogStoreError) {
    let temporary = "\(folder)/.\(name).\(getpid()).tmp"
    let file = unsafe open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw .inputOutput(path: temporary, errno: errno) }
    var done = 0
    while done < bytes.count {
      let put = unsafe bytes.withUnsafeBytes { buffer in
        unsafe write(file, buffer.baseAddress.map { unsafe $0 + done }, bytes.count - done)
      }
      if put < 0, errno == EINTR { continue }
      if put < 0 { throw abandon(file, temporary) }
      done += put
    }
    if fsync(file) != 0 { throw abandon(file, temporary) }
    close(file)
    try rename(temporary, to: "\(folder)/\(name)")
    try synchronizeFolder(folder)
  }

  private static func abandon(_ file: Int32, _ temporary: String) -> LogStoreError {
    let code = errno
    close(file)
    unsafe unlink(temporary)
    return code == ENOSPC || code == EDQUOT
      ? .diskFull(path: temporary) : .inputOutput(path: temporary, errno: code)
  }

  /// Points the link `name` at `target` in one step.
  static func relink(_ folder: String, _ name: String, to target: String) throws(LogStoreError) {
    let temporary = "\(folder)/.\(name).\(getpid()).tmp"
    unsafe unlink(temporary)
    guard unsafe symlink(target, temporary) == 0 else {
      throw .inputOutput(path: temporary, errno: errno)
    }
    try rename(temporary, to: "\(folder)/\(name)")
    try synchronizeFolder(folder)
  }

  /// Removes a file or link, if it is there.
  static func remove(_ path: String) { _ = unsafe unlink(path) }

  /// Where the link points; `nil` when there is no link.
  static func linkTarget(_ path: String) -> String? {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = unsafe buffer.withUnsafeMutableBytes { bytes in
      let text = unsafe bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
      return unsafe text.map { unsafe readlink(path, $0, bytes.count) } ?? 0
    }
    return count > 0 ? String(decoding: buffer.prefix(count), as: UTF8.self) : nil
  }

  private static func rename(_ source: String, to target: String) throws(LogStoreError) {
    if unsafe Glibc.rename(source, target) != 0 {
      throw .inputOutput(path: target, errno: errno)
    }
  }

  private static func synchronizeFolder(_ path: String) throws(LogStoreError) {
    let folder = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folder >= 0 else { throw .inputOutput(path: path, errno: errno) }
    defer { close(folder) }
    if fsync(folder) != 0 { throw .inputOutput(path: path, errno: errno) }
  }

  /// The names in a folder, in order.
  static func names(in folder: String) -> [String] {
    guard let stream = unsafe opendir(folder) else { return [] }
    defer { unsafe closedir(stream) }
    var names: [String] = []
    while let entry = unsafe readdir(stream) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { text in
          unsafe String(cString: text)
        }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// The files that `pattern` names, in order of name; a plain path names itself, whatever is
  /// there.
  static func expand(_ pattern: String) -> [String] {
    guard pattern != "-", size(pattern) == nil else { return [pattern] }
    var matches = unsafe glob_t()
    defer { unsafe globfree(&matches) }
    guard unsafe glob(pattern, GLOB_BRACE, nil, &matches) == 0 else { return [pattern] }
    return (0..<Int(unsafe matches.gl_pathc)).compactMap { index in
      unsafe matches.gl_pathv[index].map { unsafe String(cString: $0) }
    }
  }
  /// Gives memory that was freed back to the system, where the allocator keeps it for later.
  ///
  /// glibc's `malloc_trim` is in no header that Swift sees; other C libraries do without.
  static func returnFreedMemory() {
    guard let symbol = unsafe dlsym(nil, "malloc_trim") else { return }
    let trim = unsafe unsafeBitCast(symbol, to: (@convention(c) (Int) -> CInt).self)
    _ = trim(0)
  }
}
