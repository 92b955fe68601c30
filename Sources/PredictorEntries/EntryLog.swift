internal import Glibc
internal import Synchronization

/// The folder where posted examples are kept: JSON lines in files that only grow.
///
/// A file is named for when it was begun, so that names sort by time. Appending writes at once and
/// leaves forcing to disk to ``synchronize()``, which is called about once a second. When the files
/// exceed the limit together, the oldest are removed.
///
/// Thread-safe.
public final class EntryLog: Sendable {
  /// How the log is kept.
  public struct Configuration: Sendable, Hashable {
    /// A file that reaches this is followed by a new one, bytes.
    public var fileBytes: Int
    /// All files together, bytes; at least twice ``fileBytes``.
    public var totalBytes: Int

    /// The defaults: files of 16 MiB, 512 MiB in all, some two million entries.
    public init(fileBytes: Int = 16 << 20, totalBytes: Int = 512 << 20) {
      self.fileBytes = max(fileBytes, 4_096)
      self.totalBytes = max(totalBytes, 2 * self.fileBytes)
    }
  }

  private struct State {
    var descriptor: Int32 = -1
    var path = ""
    var fileBytes = 0
    var isDirty = false
  }

  private static let prefix = "entries-"
  private static let suffix = ".jsonl"

  /// The folder.
  public let folder: String
  private let configuration: Configuration
  private let state = Mutex(State())

  /// Opens the log in `folder`, which is made if need be; its last folder only.
  ///
  /// - Throws: ``PredictorEntriesError/inputOutput(path:operation:code:)``.
  public init(
    folder: String, configuration: Configuration = Configuration()
  ) throws(PredictorEntriesError) {
    self.folder = folder
    self.configuration = configuration
    guard unsafe mkdir(folder, 0o755) == 0 || errno == EEXIST else {
      throw .inputOutput(path: folder, operation: "creating", code: errno)
    }
  }

  deinit {
    state.withLock { state in
      if state.descriptor >= 0 {
        _ = fsync(state.descriptor)
        _ = close(state.descriptor)
      }
    }
  }

  // MARK: - Writing

  /// Appends `entries`, all or none, as received at `time` (ns since 1970).
  ///
  /// - Throws: ``PredictorEntriesError/inputOutput(path:operation:code:)``.
  public func append(
    _ entries: [PredictorEntry], receivedUnixNanoseconds time: Int64
  ) throws(PredictorEntriesError) {
    guard !entries.isEmpty else { return }
    var text: [UInt8] = []
    text.reserveCapacity(entries.count * 320)
    for entry in entries { entry.appendLine(to: &text, receivedUnixNanoseconds: time) }
    let failure = state.withLock { state -> PredictorEntriesError? in
      do throws(PredictorEntriesError) {
        if state.descriptor < 0 || state.fileBytes >= configuration.fileBytes {
          try begin(&state, at: time)
        }
        try write(text, &state)
        return nil
      } catch { return error }
    }
    if let failure { throw failure }
  }

  /// Forces what was appended to disk.
  ///
  /// - Throws: ``PredictorEntriesError/inputOutput(path:operation:code:)``.
  public func synchronize() throws(PredictorEntriesError) {
    // The descriptor is copied, so that appending need not wait for the disk.
    let copy = state.withLock { state -> (Int32, String)? in
      guard state.isDirty, state.descriptor >= 0 else { return nil }
      state.isDirty = false
      return (dup(state.descriptor), state.path)
    }
    guard let copy, copy.0 >= 0 else { return }
    defer { _ = close(copy.0) }
    guard fsync(copy.0) == 0 else {
      throw .inputOutput(path: copy.1, operation: "syncing", code: errno)
    }
  }

  private func begin(_ state: inout State, at time: Int64) throws(PredictorEntriesError) {
    if state.descriptor >= 0 {
      _ = fsync(state.descriptor)
      _ = close(state.descriptor)
      state.descriptor = -1
    }
    removeOldest()
    var stamp = max(time, 0)
    while true {
      let digits = String(stamp)
      let name = Self.prefix + String(repeating: "0", count: 20 - digits.count) + digits
      state.path = folder + "/" + name + Self.suffix
      state.descriptor = unsafe open(
        state.path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0o644)
      if state.descriptor >= 0 { break }
      guard errno == EEXIST, stamp < .max else {
        throw .inputOutput(path: state.path, operation: "creating", code: errno)
      }
      stamp += 1
    }
    state.fileBytes = 0
  }

  private func write(_ text: [UInt8], _ state: inout State) throws(PredictorEntriesError) {
    var done = 0
    while done < text.count {
      let count = unsafe text.withUnsafeBytes { buffer in
        unsafe Glibc.write(
          state.descriptor, buffer.baseAddress?.advanced(by: done), buffer.count - done)
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else {
        let code = errno
        // Half a batch would be taken twice when its sender tries again.
        _ = ftruncate(state.descriptor, off_t(state.fileBytes))
        throw .inputOutput(path: state.path, operation: "writing", code: code)
      }
      done += count
    }
    state.fileBytes += text.count
    state.isDirty = true
  }

  private func removeOldest() {
    var files = Self.files(in: folder)
    var total = files.reduce(0) { $0 + $1.bytes }
    while total > configuration.totalBytes - configuration.fileBytes, let oldest = files.first {
      _ = unsafe unlink(oldest.path)
      total -= oldest.bytes
      files.removeFirst()
    }
  }

  // MARK: - Reading

  /// What a folder's files hold.
  public struct Contents: Sendable {
    /// The entries in the order of their coming.
    public var entries: [PredictorEntry] = []
    /// Lines that are no entries, such as one that a power cut left half written.
    public var badLineCount = 0
  }

  /// The newest entries of `folder`, at most `limit`, oldest first.
  ///
  /// - Throws: ``PredictorEntriesError/inputOutput(path:operation:code:)``; a folder that is not
  ///   there is empty.
  public static func read(
    folder: String, limit: Int = 1_000_000
  ) throws(PredictorEntriesError) -> Contents {
    var contents = Contents()
    var parts: [[PredictorEntry]] = []
    var count = 0
    for file in files(in: folder).reversed() where count < limit {
      var part: [PredictorEntry] = []
      contents.badLineCount += parse(try bytes(of: file.path), into: &part)
      count += part.count
      parts.append(part)
    }
    contents.entries = Array(parts.reversed().joined().suffix(limit))
    return contents
  }

  /// Reads lines; returns how many are no entries.
  static func parse(_ bytes: [UInt8], into entries: inout [PredictorEntry]) -> Int {
    let parser = EntryParser(.training)
    let span = bytes.span
    var (bad, start) = (0, 0)
    while start < span.count {
      var end = start
      while end < span.count, span[end] != 0x0a { end += 1 }
      if end > start {
        if let entry = try? parser.parseOne(span.extracting(start..<end)) {
          entries.append(entry)
        } else {
          bad += 1
        }
      }
      start = end + 1
    }
    return bad
  }

  fileprivate static func files(in folder: String) -> [(path: String, bytes: Int)] {
    guard let stream = unsafe opendir(folder) else { return [] }
    defer { unsafe closedir(stream) }
    var files: [(path: String, bytes: Int)] = []
    while let item = unsafe readdir(stream) {
      let name = unsafe withUnsafePointer(to: &item.pointee.d_name) { pointer in
        unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) {
          unsafe String(cString: $0)
        }
      }
      guard name.hasPrefix(prefix), name.hasSuffix(suffix) else { continue }
      var status = stat()
      let path = folder + "/" + name
      guard unsafe stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { continue }
      files.append((path, Int(status.st_size)))
    }
    return files.sorted { $0.path < $1.path }
  }

  private static func bytes(of path: String) throws(PredictorEntriesError) -> [UInt8] {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .inputOutput(path: path, operation: "opening", code: errno) }
    defer { _ = close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 20)
    while true {
      let count = unsafe chunk.withUnsafeMutableBytes { buffer in
        unsafe Glibc.read(descriptor, buffer.baseAddress, buffer.count)
      }
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else {
        throw .inputOutput(path: path, operation: "reading", code: errno)
      }
      if count == 0 { return bytes }
      bytes += chunk[..<count]
    }
  }
}

extension PredictorEntry {
  /// Appends the entry as a line of JSON.
  func appendLine(to text: inout [UInt8], receivedUnixNanoseconds: Int64) {
    text += Array("{\"received_unix_ns\":\(receivedUnixNanoseconds)".utf8)
    for field in Field.allCases where field != .receivedUnixNanoseconds && has(field) {
      let value = self[field]
      let number = field.isInteger ? "\(Int64(value))" : "\(value)"
      text += Array(",\"\(field.wireName)\":\(number)".utf8)
    }
    if !podType.isEmpty { text += Array(",\"pod_type\":\"\(podType)\"".utf8) }
    text += Array("}\n".utf8)
  }
}

extension EntryLog {
  /// Whether `folder` holds any entries.
  public static func isAnyKept(in folder: String) -> Bool {
    files(in: folder).contains { $0.bytes > 0 }
  }
}
