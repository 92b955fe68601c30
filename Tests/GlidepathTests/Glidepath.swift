import Foundation
import Testing

/// All end-to-end tests, one at a time: each runs whole processes that use every core.
@Suite(.serialized) enum EndToEnd {}

/// How a process ended and what it printed.
struct Outcome {
  var status: Int32
  var output: String
  var errors: String

  /// The single JSON document on standard output.
  func json() throws -> [String: Any] {
    try #require(JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any])
  }
}

/// The built executable, run as a person would.
enum Glidepath {
  /// `$GLIDEPATH`, or the executable beside this test's own.
  static let executable: URL = {
    if let path = ProcessInfo.processInfo.environment["GLIDEPATH"] {
      return URL(fileURLWithPath: path)
    }
    return URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
      .deletingLastPathComponent().appendingPathComponent("glidepath")
  }()

  static let repository = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// Runs `glidepath` in `folder`.
  static func run(_ arguments: String..., in folder: Folder) throws -> Outcome {
    try start(executable, arguments, in: folder).wait()
  }

  /// Runs a bash script in `folder`, with `glidepath` in PATH and the bundled logs in `$DATASETS`.
  static func bash(_ script: String, in folder: Folder) throws -> Outcome {
    let shell = URL(fileURLWithPath: "/bin/bash")
    return try start(shell, ["-euo", "pipefail", "-c", script], in: folder).wait()
  }

  /// Starts a process that the caller ends or waits for.
  static func start(
    _ program: URL, _ arguments: [String], in folder: Folder
  ) throws -> RunningProcess {
    try RunningProcess(program, arguments, in: folder)
  }
}

/// A process whose output goes to files, so that it never waits for a reader.
final class RunningProcess {
  private let process = Process()
  private let outputFile: URL
  private let errorFile: URL

  init(_ program: URL, _ arguments: [String], in folder: Folder) throws {
    outputFile = try folder.emptyFile()
    errorFile = try folder.emptyFile()
    process.executableURL = program
    process.arguments = arguments
    process.currentDirectoryURL = folder.url
    var environment = ProcessInfo.processInfo.environment
    let tools = Glidepath.executable.deletingLastPathComponent().path
    environment["PATH"] = tools + ":" + (environment["PATH"] ?? "/usr/bin:/bin")
    environment["DATASETS"] = Glidepath.repository.appendingPathComponent("datasets").path
    process.environment = environment
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = try FileHandle(forWritingTo: outputFile)
    process.standardError = try FileHandle(forWritingTo: errorFile)
    try process.run()
  }

  /// What it has printed so far.
  var output: String { Self.text(outputFile) }

  /// Waits for the end.
  func wait() -> Outcome {
    process.waitUntilExit()
    return Outcome(
      status: process.terminationStatus, output: output, errors: Self.text(errorFile))
  }

  /// Waits until the output contains `text`; false after 30 s.
  func awaitOutput(_ text: String) -> Bool {
    for _ in 0..<300 {
      if output.contains(text) { return true }
      Thread.sleep(forTimeInterval: 0.1)
    }
    return false
  }

  /// Ends it, by SIGKILL: a test's thread blocks SIGTERM, and its children inherit that.
  func end() {
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }

  private static func text(_ file: URL) -> String {
    (try? Data(contentsOf: file)).map { String(decoding: $0, as: UTF8.self) } ?? ""
  }
}

/// A temporary folder that goes with its last user.
final class Folder {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory
      .appendingPathComponent("glidepath-tests-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  /// The path of `name` in the folder.
  func path(_ name: String) -> String { url.appendingPathComponent(name).path }

  func bytes(_ name: String) throws -> Data {
    try Data(contentsOf: url.appendingPathComponent(name))
  }

  func write(_ text: String, to name: String) throws {
    try Data(text.utf8).write(to: url.appendingPathComponent(name))
  }

  /// A new empty file that `ls` does not show.
  func emptyFile() throws -> URL {
    let file = url.appendingPathComponent(".output-\(UUID().uuidString)")
    try Data().write(to: file)
    return file
  }
}

/// A night that went well, made once: `gateway.jsonl` has 8,000 requests, `workspace` a champion.
enum GoodNight {
  private nonisolated(unsafe) static let made: Result<(Folder, Outcome), any Error> = Result {
    let folder = try Folder()
    let outcome = try Glidepath.bash(
      """
      zstd -dcq "$DATASETS/vllm-agentic.jsonl.zst" > all.jsonl
      sed -n '1,8000p' all.jsonl > gateway.jsonl
      glidepath retrain --workspace workspace --json gateway.jsonl
      """, in: folder)
    return (folder, outcome)
  }

  /// How the retrain ended.
  static func outcome() throws -> Outcome { try unsafe made.get().1 }

  /// A copy of the night's folder.
  static func copy() throws -> Folder {
    let folder = try Folder()
    let source = try unsafe made.get().0.url
    for name in ["all.jsonl", "gateway.jsonl", "workspace"] {
      try FileManager.default.copyItem(
        at: source.appendingPathComponent(name), to: folder.url.appendingPathComponent(name))
    }
    return folder
  }
}
