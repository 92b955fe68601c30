internal import Glibc

/// Coefficient files on disk.
public enum CoefficientFile {
  /// The format's limit: no file of sense is larger.
  public static let defaultMaximumBytes = 65_536

  /// The bytes of the file at `path`, read but not checked.
  ///
  /// - Throws: ``CoefficientFileError/tooLarge(bytes:allowed:)`` without reading the rest, and
  ///   ``CoefficientFileError/inputOutput(path:operation:code:)``.
  public static func bytes(
    at path: String, maximumBytes: Int = defaultMaximumBytes
  ) throws(CoefficientFileError) -> [UInt8] {
    guard !path.utf8.contains(0) else {
      throw .inputOutput(path: path, operation: "opening", code: EINVAL)
    }
    // Opening a pipe without a writer would wait for one.
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw .inputOutput(path: path, operation: "opening", code: errno) }
    defer { _ = close(descriptor) }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else {
      throw .inputOutput(path: path, operation: "examining", code: errno)
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      let code = status.st_mode & S_IFMT == S_IFDIR ? EISDIR : ENXIO
      throw .inputOutput(path: path, operation: "reading", code: code)
    }
    guard status.st_size <= maximumBytes else {
      throw .tooLarge(bytes: Int(status.st_size), allowed: maximumBytes)
    }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16_384)
    while true {
      let count = unsafe chunk.withUnsafeMutableBytes { buffer in
        unsafe Glibc.read(descriptor, buffer.baseAddress, buffer.count)
      }
      if count < 0 {
        if errno == EINTR { continue }
        throw .inputOutput(path: path, operation: "reading", code: errno)
      }
      if count == 0 { return bytes }
      bytes += chunk[..<count]
      guard bytes.count <= maximumBytes else {
        throw .tooLarge(bytes: bytes.count, allowed: maximumBytes)
      }
    }
  }

  /// Reads and checks the model at `path`.
  ///
  /// - Parameter verify: See ``GlideModel/init(decoding:verify:)``.
  public static func read(
    path: String, maximumBytes: Int = defaultMaximumBytes,
    verify: ((_ message: [UInt8], _ signature: [UInt8]) -> Bool)? = nil
  ) throws(CoefficientFileError) -> GlideModel {
    try GlideModel(decoding: try bytes(at: path, maximumBytes: maximumBytes), verify: verify)
  }

  /// Replaces the file at `path` with `bytes`, so that a reader sees the old or the new, never half.
  ///
  /// A temporary file beside it is written, forced to disk and renamed; then the folder is forced.
  /// A symbolic link at `path` is replaced, not followed.
  ///
  /// - Throws: ``CoefficientFileError/inputOutput(path:operation:code:)``. The old file stands,
  ///   unless `operation` is "syncing" of the folder: then the new one may not survive a power cut.
  public static func write(_ bytes: [UInt8], to path: String) throws(CoefficientFileError) {
    guard !path.utf8.contains(0) else {
      throw .inputOutput(path: path, operation: "creating", code: EINVAL)
    }
    let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    // Writers of one path never share a temporary file, and what a killed one left is in nobody's way.
    let temporary = "\(path).\(String(UInt64.random(in: 0...UInt64.max), radix: 36)).tmp"
    let descriptor = unsafe open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      throw .inputOutput(path: temporary, operation: "creating", code: errno)
    }
    do {
      try writeAll(bytes, to: descriptor, path: temporary)
    } catch {
      _ = close(descriptor)
      _ = unsafe unlink(temporary)
      throw error
    }
    _ = close(descriptor)
    guard unsafe rename(temporary, path) == 0 else {
      let code = errno
      _ = unsafe unlink(temporary)
      throw .inputOutput(path: path, operation: "renaming", code: code)
    }
    let parent = unsafe open(folder.isEmpty ? "/" : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard parent >= 0 else { throw .inputOutput(path: folder, operation: "opening", code: errno) }
    defer { _ = close(parent) }
    guard fsync(parent) == 0 else {
      throw .inputOutput(path: folder, operation: "syncing", code: errno)
    }
  }

  /// The system's words for an `errno`.
  static func message(code: Int32) -> String {
    guard let text = unsafe strerror(code) else { return "error \(code)" }
    return unsafe String(cString: text)
  }

  private static func writeAll(
    _ bytes: [UInt8], to descriptor: Int32, path: String
  ) throws(CoefficientFileError) {
    var done = 0
    while done < bytes.count {
      let count = unsafe bytes.withUnsafeBytes { buffer in
        unsafe Glibc.write(
          descriptor, buffer.baseAddress?.advanced(by: done), buffer.count - done)
      }
      if count < 0 {
        if errno == EINTR { continue }
        throw .inputOutput(path: path, operation: "writing", code: errno)
      }
      done += count
    }
    guard fsync(descriptor) == 0 else {
      throw .inputOutput(path: path, operation: "syncing", code: errno)
    }
  }
}
