import Foundation
import TestSupport
import Testing

@testable import PredictorEntries

private func withFolder(_ body: (String) throws -> Void) throws {
  let folder = NSTemporaryDirectory() + "entry-log-" + UUID().uuidString
  defer { try? FileManager.default.removeItem(atPath: folder) }
  try body(folder)
}

/// An entry with an outcome, determined by `number`.
func entry(_ number: Int) -> PredictorEntry {
  var entry = PredictorEntry()
  entry[.kvCacheUsage] = 0.25
  entry[.inputTokens] = Double(number)
  entry[.waitingRequests] = 0
  entry[.runningRequests] = 3
  entry[.generatedTokens] = 0
  entry[.prefixMatchFraction] = 0.1 + 0.2
  entry[.actualTTFT] = 12.5
  entry[.actualTPOT] = 0
  entry.podType = "prefill"
  return entry
}

@Suite struct EntryLogTests {
  @Test func whatIsAppendedIsReadBackAfterARestart() throws {
    try withFolder { folder in
      try EntryLog(folder: folder).append((0..<5).map(entry), receivedUnixNanoseconds: 1_000)
      let second = try EntryLog(folder: folder)
      try second.append((5..<9).map(entry), receivedUnixNanoseconds: 1_000)
      try second.synchronize()
      let contents = try EntryLog.read(folder: folder)
      #expect(contents.entries.map { Int($0[.inputTokens]) } == Array(0..<9))
      #expect(contents.badLineCount == 0)
      var first = try #require(contents.entries.first)
      #expect(first[.receivedUnixNanoseconds] == 1_000)
      first.values[PredictorEntry.Field.receivedUnixNanoseconds.rawValue] = 0
      var expected = entry(0)
      expected[.receivedUnixNanoseconds] = 0
      for field in PredictorEntry.Field.allCases { #expect(first[field] == expected[field]) }
      #expect(first.podType == expected.podType)
    }
  }

  @Test func aHalfWrittenLineIsCountedAndTheRestIsRead() throws {
    try withFolder { folder in
      try EntryLog(folder: folder).append([entry(1)], receivedUnixNanoseconds: 7)
      let name = try #require(try FileManager.default.contentsOfDirectory(atPath: folder).first)
      let handle = try #require(FileHandle(forWritingAtPath: folder + "/" + name))
      try handle.seekToEnd()
      try handle.write(contentsOf: Data("{\"received_unix_ns\":8,\"kv_cac".utf8))
      try handle.close()
      try EntryLog(folder: folder).append([entry(2)], receivedUnixNanoseconds: 9)
      let contents = try EntryLog.read(folder: folder)
      #expect(contents.entries.map { Int($0[.inputTokens]) } == [1, 2])
      #expect(contents.badLineCount == 1)
    }
  }

  @Test func theOldestFilesLeaveWhenThereAreTooMany() throws {
    try withFolder { folder in
      let log = try EntryLog(
        folder: folder,
        configuration: EntryLog.Configuration(fileBytes: 4_096, totalBytes: 12_288))
      for batch in 0..<40 {
        try log.append(
          (0..<10).map { entry(batch * 10 + $0) }, receivedUnixNanoseconds: Int64(batch))
      }
      let kept = try EntryLog.read(folder: folder).entries.map { Int($0[.inputTokens]) }
      #expect(kept.last == 399)
      #expect(kept == Array((400 - kept.count)..<400))
      #expect(kept.count < 400)
      let sizes = try FileManager.default.contentsOfDirectory(atPath: folder).map {
        try FileManager.default.attributesOfItem(atPath: folder + "/" + $0)[.size] as? Int ?? 0
      }
      #expect(sizes.reduce(0, +) <= 12_288 + 4_096)
      #expect(try EntryLog.read(folder: folder, limit: 7).entries.count == 7)
    }
  }

  @Test func aFolderThatCannotBeMadeIsAnError() {
    #expect(throws: PredictorEntriesError.self) { try EntryLog(folder: "/proc/none/entries") }
  }
}
