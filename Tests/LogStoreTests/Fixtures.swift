import Foundation
import RequestLog

@testable import LogStore

/// A reproducible source of chance.
struct SplitMix64: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var word = state
    word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
    word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
    return word ^ (word >> 31)
  }
}

/// A folder that goes away with the test.
final class TemporaryFolder {
  let path: String

  init() throws {
    let url = FileManager.default.temporaryDirectory
      .appendingPathComponent("logstore-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    path = url.resolvingSymlinksInPath().path
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func write(_ text: String, to name: String) throws -> String {
    let file = path + "/" + name
    try Data(text.utf8).write(to: URL(fileURLWithPath: file))
    return file
  }

  func append(_ text: String, to file: String) throws {
    let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: file))
    try handle.seekToEnd()
    try handle.write(contentsOf: Data(text.utf8))
    try handle.close()
  }
}

/// Lines of a request log, each request with values of its own.
func logLines(_ numbers: Range<Int>, start: Int64 = 1_763_700_000_000_000_000) -> String {
  numbers.map { number in
    let ttft = Double(20 + number * 37 % 900) + Double(number % 1000) / 1000
    let received = start + Int64(number) * 40_000_000 - Int64(number % 3) * 50_000_000
    let blocks = (0..<number % 6).map { "\(number * 1000 + $0)" }.joined(separator: ",")
    return #"{"request_id":"r\#(number)","received_unix_ns":\#(received),"#
      + #""endpoint":"e\#(number % 3)","gateway":"gw-0","model":"llama","accelerator":"h100","#
      + #""stream":\#(number % 2 == 0),"input_tokens":\#(100 + number % 4000),"#
      + #""output_tokens":\#(2 + number % 50),"waiting":\#(number % 4),"running":3,"#
      + #""kv_usage":0.\#(1000 + number % 9000),"status":200,"prefix_block_tokens":32,"#
      + #""prefix_blocks":[\#(blocks)],"ttft_ms":\#(ttft),"e2e_ms":\#(ttft + 500.25)}"# + "\n"
  }.joined()
}

/// Opens a workspace in the folder.
func makeWorkspace(_ folder: TemporaryFolder, _ name: String = "w") throws -> Workspace {
  try Workspace(directory: folder.path + "/" + name, create: true)
}

extension Workspace {
  @discardableResult
  func ingest(_ paths: String...) throws -> IngestSummary {
    try ingest(paths, configuration: LogReader.Configuration(threads: 2))
  }

  /// All requests as native log lines, in order: equal only when every value is.
  func exported(window: ClosedRange<Int64>? = nil, batchRows: Int = 1000) throws -> [String] {
    var lines: [String] = []
    try forEachBatch(window: window, batchRows: batchRows) { batch, symbols in
      for row in batch.rows {
        var line: [UInt8] = []
        RequestLogEncoder().encode(row, of: batch, symbols: symbols, to: &line)
        lines.append(String(decoding: line, as: UTF8.self))
      }
    }
    return lines
  }
}
