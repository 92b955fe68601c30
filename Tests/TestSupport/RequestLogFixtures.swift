import Foundation

/// Native log lines and files for tests.
public enum RequestLogFixtures {
  /// The arrival of the first line that ``line(_:_:)`` makes, Unix nanoseconds.
  public static let start: Int64 = 1_790_000_000_000_000_000

  /// The native line of request `index`, one second after the one before; `changes` replace members by
  /// other JSON, or drop them where they are empty.
  public static func line(_ index: Int, _ changes: KeyValuePairs<String, String> = [:]) -> String {
    var members: [(String, String)] = [
      ("request_id", "\"r\(index)\""),
      ("received_unix_ns", "\(start + Int64(index) * 1_000_000_000)"),
      ("endpoint", "\"e\(index % 3)\""), ("model", "\"m\""), ("input_tokens", "\(100 + index)"),
      ("output_tokens", "11"), ("cached_tokens", "32"), ("prefix_match_tokens", "32"),
      ("waiting", "1"), ("running", "2"), ("kv_usage", "0.25"), ("status", "200"),
      ("prefix_block_tokens", "32"), ("prefix_blocks", "[7,8,9]"), ("ttft_ms", "50.5"),
      ("e2e_ms", "150.5"),
    ]
    for (name, value) in changes {
      members.removeAll { $0.0 == name }
      if !value.isEmpty { members.append((name, value)) }
    }
    return "{" + members.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",") + "}"
  }

  /// A file with `bytes` in a folder of its own.
  public static func file(_ bytes: [UInt8], name: String = "log.jsonl") throws -> TemporaryFile {
    try TemporaryFile(bytes: bytes, name: name)
  }

  /// A file with `lines`, each ended by a newline.
  public static func file(lines: [String], name: String = "log.jsonl") throws -> TemporaryFile {
    try file(Array((lines.joined(separator: "\n") + "\n").utf8), name: name)
  }
}

/// A file in a folder of its own; both go when the process ends.
public struct TemporaryFile: Sendable {
  private static let base: String = {
    atexit { TemporaryFile.removeAll() }
    return NSTemporaryDirectory() + "requestlog-" + UUID().uuidString
  }()

  private static func removeAll() { try? FileManager.default.removeItem(atPath: base) }

  /// Where the folder is.
  public let folder: String
  /// Where the file is.
  public let path: String

  /// Writes `bytes` to a new file.
  public init(bytes: [UInt8], name: String) throws {
    folder = Self.base + "/" + UUID().uuidString
    path = folder + "/" + name
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try write(bytes, name: name)
  }

  /// Writes another file into the folder; returns its path.
  @discardableResult
  public func write(_ bytes: [UInt8], name: String) throws -> String {
    let path = folder + "/" + name
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    return path
  }

  /// Appends to the file.
  public func append(_ text: String) throws {
    let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
    try handle.seekToEnd()
    try handle.write(contentsOf: Data(text.utf8))
    try handle.close()
  }
}
