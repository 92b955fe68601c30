import Foundation
import LogStore
import RequestLog
import Retraining

/// Two nights cut from the bundled fleet log; two in a hundred requests time out.
struct Nights {
  typealias Row = [String: Any]

  let first: [Row]
  let second: [Row]

  static let datasets = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("datasets")

  init(rows: Int = 6000, file: String = "fleet-agentic.jsonl.zst") throws {
    let all = try Self.read(file, rows: rows)
    first = Array(all[..<(rows / 2)])
    second = Array(all[(rows / 2)...])
  }

  static func read(_ file: String, rows: Int) throws -> [Row] {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["zstd", "-dcq", datasets.appendingPathComponent(file).path]
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    var parsed: [Row] = []
    for line in data.split(separator: UInt8(ascii: "\n")).prefix(rows) {
      guard var row = try JSONSerialization.jsonObject(with: line) as? Row else { continue }
      // The outcome of a timeout is kept: what matters here is its status.
      if parsed.count % 50 == 7 { row["status"] = 504 }
      parsed.append(row)
    }
    return parsed.sorted { Self.received($0) < Self.received($1) }
  }

  static func received(_ row: Row) -> Int64 {
    (row["received_unix_ns"] as? NSNumber)?.int64Value ?? 0
  }

  static func number(_ row: Row, _ field: String) -> Double {
    (row[field] as? NSNumber)?.doubleValue ?? .nan
  }

  /// Writes `rows` as a log; `text` may spoil a line.
  static func write(
    _ rows: [Row], to url: URL, text: (Int, String) -> String = { $1 }
  ) throws {
    var lines = ""
    for (index, row) in rows.enumerated() {
      let data = try JSONSerialization.data(withJSONObject: row, options: [.sortedKeys])
      lines += text(index, String(decoding: data, as: UTF8.self)) + "\n"
    }
    try Data(lines.utf8).write(to: url)
  }
}

/// A workspace in a temporary folder that goes when the value does.
final class TemporaryFolder {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory.appendingPathComponent(
      "glidepath-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  func file(_ name: String) -> URL { url.appendingPathComponent(name) }
}
