import Foundation
import Logging
import RequestLog
import Synchronization
import Testing

@testable import EndpointPicker

@Suite struct RequestLogTests {
  private let folder: TemporaryFolder
  private let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  init() throws { folder = try TemporaryFolder() }

  private func configuration(
    _ change: (inout PickerConfiguration.RequestLogging) -> Void = { _ in }
  ) -> PickerConfiguration.RequestLogging {
    var configuration = PickerConfiguration.RequestLogging()
    configuration.folder = folder.path + "/log"
    change(&configuration)
    return configuration
  }

  private func record(_ index: Int) -> RequestRecord {
    var record = RequestRecord()
    record.identifier = "r\"\(index)"
    record.receivedUnixNanoseconds = TestClock.start + Int64(index) * 1_000_000_000
    record.dispatchedUnixNanoseconds = record.receivedUnixNanoseconds + 2_000_000
    record.endpoint = "e\(index % 3)"
    record.accelerator = "H100"
    record.model = "m"
    record.policy = "predictedCost"
    record.propensity = 0.25
    record.isStreaming = true
    record.inputTokens = 300
    record.outputTokens = 12
    record.maximumTokens = 64
    record.cachedTokens = 128
    record.prefixMatchTokens = 192
    record.waitingRequests = 1
    record.runningRequests = 2
    record.kvCacheUsage = 0.5
    record.snapshotAgeMilliseconds = 12.5
    record.ttftObjectiveMilliseconds = 500
    record.ttftMilliseconds = 50.125
    record.e2eMilliseconds = 150.5
    record.prefixBlocks = [7, .max, 9]
    record.chunkOffsets = [10, 20.5]
    return record
  }

  /// All rows of the log, and the lines that were refused.
  private func read() throws -> (rows: [(LoggedRequest, RequestBatch)], rejected: Int64) {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path + "/log")) ?? []
    var rows: [(LoggedRequest, RequestBatch)] = []
    var rejected: Int64 = 0
    for name in names.sorted() where !name.hasPrefix(".") {
      var reader = LogReader(try LogReader.Configuration(threads: 1, maximumBadShare: 1))
      let contents = try reader.readAll([folder.path + "/log/" + name])
      for row in contents.batch.rows { rows.append((row, contents.batch)) }
      rejected += contents.summary.rejected
    }
    return (rows, rejected)
  }

  @Test func readerFindsEveryField() throws {
    let log = try RequestLogQueue(
      configuration(), gateway: "gw", pool: "p", logger: quiet)
    log.append(record(0))
    log.stop()
    let (rows, rejected) = try read()
    #expect(rejected == 0)
    let (row, batch) = try #require(rows.first)
    #expect(rows.count == 1)
    #expect(batch.requestID(row) == "r\"0")
    #expect(row.receivedNanoseconds == TestClock.start)
    #expect(row.dispatchedNanoseconds == TestClock.start + 2_000_000)
    #expect((row.inputTokens, row.outputTokens, row.maxTokens) == (300, 12, 64))
    #expect((row.cachedTokens, row.prefixMatchTokens) == (128, 192))
    #expect((row.waitingRequests, row.runningRequests) == (1, 2))
    #expect((row.kvCacheUsage, row.snapshotAgeMilliseconds) == (0.5, 12.5))
    #expect((row.ttftMilliseconds, row.e2eMilliseconds) == (50.125, 150.5))
    #expect((row.propensity, row.targetTTFTMilliseconds) == (0.25, 500))
    #expect((row.status, row.stream, row.prefixBlockTokens) == (200, 1, 64))
    #expect(batch.blocks == [7, .max, 9])
    #expect(batch.chunkOffsets == [10, 20.5])
    for symbol in [row.gateway, row.pool, row.model, row.endpoint, row.accelerator, row.policy] {
      #expect(symbol != .none)
    }
  }

  @Test(arguments: [true, false])
  func rotationLosesNothing(isCompressed: Bool) throws {
    let log = try RequestLogQueue(
      configuration {
        $0.maximumFileBytes = 4_096
        $0.isCompressed = isCompressed
      }, gateway: "gw/1", pool: "", logger: quiet)
    for index in 0..<200 {
      log.append(record(index))
      // Each wake-up writes what waits as one piece: smaller pieces make more files.
      if index % 20 == 19 {
        while log.status.waitingLines > 0 { usleep(1_000) }
      }
    }
    log.stop()
    let status = log.status
    #expect((status.writtenLines, status.droppedLines) == (200, 0))
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path + "/log")
    #expect(names.count > 3)
    #expect(names.allSatisfy { $0.hasSuffix(isCompressed ? ".jsonl.zst" : ".jsonl") }, "\(names)")
    #expect(names.allSatisfy { $0.hasPrefix("requests-gw_1-") })
    let (rows, rejected) = try read()
    #expect(rejected == 0)
    #expect(Set(rows.map { $0.1.requestID($0.0) }).count == 200)
  }

  @Test func fullQueueDropsAndCounts() throws {
    let log = try RequestLogQueue(
      configuration { $0.queueCapacity = 10 }, gateway: "g", pool: "", logger: quiet)
    for index in 0..<5_000 { log.append(record(index)) }
    log.stop()
    log.append(record(0))
    let status = log.status
    #expect(status.droppedLines >= 1)
    #expect(status.writtenLines + status.droppedLines == 5_001)
  }

  @Test func unwritableFolderIsAnErrorAtTheStart() throws {
    try folder.write("", to: "log")
    let log = try RequestLogQueue(configuration(), gateway: "g", pool: "", logger: quiet)
    log.append(record(0))
    log.stop()
    #expect(log.status.droppedLines == 1)
    #expect(log.status.lastError != nil)
    #expect(throws: EndpointPickerError.self) {
      try RequestLogQueue(
        configuration { $0.folder = "/proc/no/such" }, gateway: "g", pool: "", logger: quiet)
    }
  }

  @Test func leftoversOfACrashAreFinished() throws {
    let path = folder.path + "/log"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    var line: [UInt8] = []
    var encoder = RecordEncoder(gateway: "g", pool: "")
    encoder.encode(record(1), to: &line)
    try Data(line).write(to: URL(fileURLWithPath: path + "/requests-g-20260101T000000Z-1-1.jsonl"))
    try Data([1, 2]).write(
      to: URL(fileURLWithPath: path + "/.requests-g-20260101T000000Z-1-1.jsonl.zst.partial"))
    let log = try RequestLogQueue(configuration(), gateway: "g", pool: "", logger: quiet)
    log.append(record(2))
    log.stop()
    let names = try FileManager.default.contentsOfDirectory(atPath: path)
    #expect(names.count == 2)
    #expect(names.allSatisfy { $0.hasSuffix(".jsonl.zst") }, "\(names)")
    #expect(try read().rows.count == 2)
  }

  @Test func fileOfARunningProcessIsLeftAlone() throws {
    let first = try RequestLogQueue(configuration(), gateway: "g", pool: "", logger: quiet)
    first.append(record(1))
    while first.status.writtenLines == 0 { usleep(1_000) }
    let second = try RequestLogQueue(configuration(), gateway: "g", pool: "", logger: quiet)
    second.append(record(2))
    second.stop()
    first.append(record(3))
    first.stop()
    let (rows, rejected) = try read()
    #expect(rejected == 0)
    #expect(Set(rows.map { $0.1.requestID($0.0) }).count == 3)
  }

  @Test func oldestFilesGoBeyondTheTotal() throws {
    let log = try RequestLogQueue(
      configuration {
        $0.maximumFileBytes = 4_096
        $0.maximumTotalBytes = 2_000
      }, gateway: "g", pool: "", logger: quiet)
    for index in 0..<200 {
      log.append(record(index))
      if index % 20 == 19 {
        while log.status.waitingLines > 0 { usleep(1_000) }
      }
    }
    log.stop()
    let path = folder.path + "/log"
    let sizes = try FileManager.default.contentsOfDirectory(atPath: path).map { name in
      try FileManager.default.attributesOfItem(atPath: path + "/" + name)[.size] as? Int ?? 0
    }
    #expect(sizes.reduce(0, +) <= 2_000)
    #expect(!sizes.isEmpty)
  }
}
