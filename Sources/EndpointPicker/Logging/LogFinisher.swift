internal import CCompression
internal import Dispatch
internal import Glibc
internal import Logging

/// Compresses finished log files and deletes the oldest, on a queue of its own.
final class LogFinisher: Sendable {
  private let queue = DispatchQueue(label: "request-log-finisher", qos: .background)
  private let logger: Logger

  init(logger: Logger) { self.logger = logger }

  /// Takes a file that nobody writes any more.
  func finish(_ path: String, folder: String, prefix: String, limits: RotatingLogFile.Limits) {
    queue.async { [logger] in
      do throws(EndpointPickerError) {
        if limits.isCompressed { try Self.compress(path) }
        try Self.prune(folder: folder, prefix: prefix, totalBytes: limits.totalBytes)
      } catch {
        logger.error("a request log was not finished", metadata: ["reason": "\(error)"])
      }
    }
  }

  /// Removes half-written compressions that an earlier process left and finishes its plain files.
  func adopt(folder: String, prefix: String, limits: RotatingLogFile.Limits) {
    for name in Self.names(in: folder) {
      if name.hasPrefix("." + prefix), name.hasSuffix(".partial") {
        unsafe unlink(folder + "/" + name)
      } else if name.hasPrefix(prefix), name.hasSuffix(".jsonl"),
        Self.isAbandoned(folder + "/" + name)
      {
        finish(folder + "/" + name, folder: folder, prefix: prefix, limits: limits)
      }
    }
  }

  /// Whether no process holds the file's lock any more.
  private static func isAbandoned(_ path: String) -> Bool {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    return flock(descriptor, LOCK_EX | LOCK_NB) == 0
  }

  /// Waits until all that was handed over is done.
  func wait() { queue.sync {} }

  // MARK: - Files

  static func names(in folder: String) -> [String] {
    guard let directory = unsafe opendir(folder) else { return [] }
    defer { unsafe closedir(directory) }
    var names: [String] = []
    while let entry = unsafe readdir(directory) {
      let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) { bytes in
        unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      names.append(name)
    }
    return names.sorted()
  }

  /// Replaces `path` by `path.zst`, whose content is on the disk before it is seen.
  static func compress(_ path: String) throws(EndpointPickerError) {
    let slash = path.lastIndex(of: "/") ?? path.startIndex
    let folder = String(path[..<slash])
    let hidden = folder + "/." + path[path.index(after: slash)...] + ".zst.partial"
    do throws(EndpointPickerError) {
      try writeCompressed(from: path, to: hidden)
    } catch {
      unsafe unlink(hidden)
      throw error
    }
    guard unsafe rename(hidden, path + ".zst") == 0 else {
      throw .inputOutput(path: path + ".zst", errno: errno)
    }
    try SystemCall.synchronize(folder)
    unsafe unlink(path)
  }

  private static func writeCompressed(
    from source: String, to target: String
  ) throws(EndpointPickerError) {
    let input = unsafe open(source, O_RDONLY | O_CLOEXEC)
    guard input >= 0 else { throw .inputOutput(path: source, errno: errno) }
    defer { close(input) }
    let output = unsafe open(target, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o640)
    guard output >= 0 else { throw .inputOutput(path: target, errno: errno) }
    defer { close(output) }
    guard let stream = unsafe ZSTD_createCStream() else {
      throw .inputOutput(path: target, errno: ENOMEM)
    }
    defer { unsafe ZSTD_freeCStream(stream) }
    unsafe ZSTD_CCtx_setParameter(stream, ZSTD_c_compressionLevel, 3)
    unsafe ZSTD_CCtx_setParameter(stream, ZSTD_c_checksumFlag, 1)
    var chunk = [UInt8](repeating: 0, count: 1 << 17)
    var packed = [UInt8](repeating: 0, count: ZSTD_CStreamOutSize())
    var isLast = false
    while !isLast {
      let count = unsafe chunk.withUnsafeMutableBytes { bytes in
        unsafe read(input, bytes.baseAddress, bytes.count)
      }
      if count < 0 {
        if errno == EINTR { continue }
        throw .inputOutput(path: source, errno: errno)
      }
      isLast = count == 0
      try unsafe feed(
        stream, chunk[..<count], isLast: isLast, through: &packed, to: output, path: target)
    }
    if fsync(output) != 0 { throw .inputOutput(path: target, errno: errno) }
  }

  private static func feed(
    _ stream: OpaquePointer, _ bytes: ArraySlice<UInt8>, isLast: Bool,
    through packed: inout [UInt8], to output: Int32, path: String
  ) throws(EndpointPickerError) {
    var consumed = 0
    var left = 1
    while left > 0 {
      let step = unsafe bytes.withUnsafeBytes { source in
        unsafe packed.withUnsafeMutableBytes { target in
          var input = unsafe ZSTD_inBuffer(
            src: source.baseAddress, size: source.count, pos: consumed)
          var result = unsafe ZSTD_outBuffer(dst: target.baseAddress, size: target.count, pos: 0)
          let code = unsafe ZSTD_compressStream2(
            stream, &result, &input, isLast ? ZSTD_e_end : ZSTD_e_continue)
          return unsafe (consumed: input.pos, produced: result.pos, code: code)
        }
      }
      guard ZSTD_isError(step.code) == 0 else { throw .inputOutput(path: path, errno: EIO) }
      consumed = step.consumed
      try SystemCall.write(packed[..<step.produced], to: output, path: path)
      left = isLast ? step.code : bytes.count - consumed
    }
  }

  /// Deletes the oldest finished files until all of them are within `totalBytes`; 0 for no bound.
  static func prune(
    folder: String, prefix: String, totalBytes: Int
  ) throws(EndpointPickerError) {
    guard totalBytes > 0 else { return }
    let finished = names(in: folder).filter { $0.hasPrefix(prefix) && $0.hasSuffix(".jsonl.zst") }
    var sizes = finished.map { Int(SystemCall.identity(folder + "/" + $0)?.size ?? 0) }
    for (index, name) in finished.enumerated() where sizes.reduce(0, +) > totalBytes {
      unsafe unlink(folder + "/" + name)
      sizes[index] = 0
    }
  }
}
