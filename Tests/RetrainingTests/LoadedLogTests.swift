import Foundation
import RequestLog
import Testing

@testable import LogReplay
@testable import Retraining

/// What is kept of a log that is longer than memory allows.
@Suite struct LoadedLogTests {
  private static let rows = 40

  private func read(
    _ range: Range<Int>, rowLimit: Int? = nil, chunkLimit: Int = LoadedLog.chunkLimit
  ) throws -> LoadedLog {
    let lines = range.map { row in
      // The first chunk comes too soon to be noted; each row has other times.
      let offsets = "5,\(30 + row),\(80 + row),\(130 + 2 * row)"
      return """
        {"request_id":"r\(row)","received_unix_ns":\(1_790_000_000_000_000_000 + row * 1_000_000),\
        "endpoint":"e","status":200,"input_tokens":10,"output_tokens":9,"ttft_ms":20,"e2e_ms":900,\
        "chunk_offsets_ms":[\(row % 3 == 0 ? "" : offsets)]}
        """
    }
    let path = FileManager.default.temporaryDirectory.appending(path: "\(UUID()).jsonl").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try (lines.joined(separator: "\n") + "\n").write(
      toFile: path, atomically: true, encoding: .utf8)
    return try LoadedLog.read(
      [path], configuration: LogReader.Configuration(), rowLimit: rowLimit, chunkLimit: chunkLimit)
  }

  /// The positions and times, from the first token on, of each row's chunks that a replay sees.
  private func chunks(_ log: LoadedLog) -> [String: [Double]] {
    var result: [String: [Double]] = [:]
    for row in log.replay.rows.indices {
      var (position, times) = (-1, [Double]())
      while let next = log.replay.chunk(of: row, after: position) {
        position = next.position
        times.append(next.time - (log.replay.firstTokenTime(row) ?? 0))
      }
      result[log.requestID(row)] = times
    }
    return result
  }

  @Test func chunksTooNearToTheLastAreNotKept() throws {
    let kept = chunks(try read(0..<Self.rows))
    #expect(kept["r1"] == [31, 81, 132])
    #expect(kept["r2"] == [32, 82, 134])
    #expect(kept["r3"] == [])
  }

  @Test(arguments: [1, 7, 31]) func theNewestRowsKeepTheirChunks(limit: Int) throws {
    let trimmed = chunks(try read(0..<Self.rows, rowLimit: limit))
    #expect(trimmed == chunks(try read(Self.rows - limit..<Self.rows)))
    #expect(trimmed.count == limit)
  }

  @Test func beyondTheLimitTheOlderHalfLosesItsChunks() throws {
    let all = chunks(try read(0..<Self.rows))
    let kept = chunks(try read(0..<Self.rows, chunkLimit: 50))
    for row in 0..<Self.rows {
      #expect(kept["r\(row)"] == (row < Self.rows / 2 ? [] : all["r\(row)"]))
    }
  }
}
