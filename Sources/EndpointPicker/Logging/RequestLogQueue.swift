internal import Dispatch
internal import Foundation
public import Logging
internal import Synchronization

/// The request log: records wait in a bounded queue for a thread that encodes and writes them.
///
/// Routing only ever appends to the queue, under a lock that is held for nanoseconds. When the disk
/// is slower than the requests, records are dropped and counted.
public final class RequestLogQueue: RequestRecordSink {
  /// How much was written and lost.
  public struct Status: Sendable, Hashable {
    /// Lines written.
    public internal(set) var writtenLines: UInt64 = 0
    /// Bytes written, before compression.
    public internal(set) var writtenBytes: UInt64 = 0
    /// Lines lost because the queue was full or the disk refused them.
    public internal(set) var droppedLines: UInt64 = 0
    /// Lines that wait.
    public internal(set) var waitingLines = 0
    /// What the disk said last, if it refused.
    public internal(set) var lastError: String?
  }

  private struct Waiting: Sendable {
    var records: [RequestRecord] = []
    var dropped: UInt64 = 0
    var isStopping = false
  }

  private let waiting = Mutex(Waiting())
  private let status_ = Mutex(Status())
  private let capacity: Int
  private let wakeup = DispatchSemaphore(value: 0)
  private let ended = DispatchSemaphore(value: 0)
  private let hasEnded = Mutex(false)
  private let finisher: LogFinisher
  private let logger: Logger
  private let clock: PickerClock

  /// The longest that a line waits to be written, ms.
  private static let intervalMilliseconds = 200
  private static let wakeupLines = 1_024
  private static let batchLines = 4_096

  /// Opens the log and starts its thread.
  ///
  /// - Throws: ``EndpointPickerError`` when the folder cannot be made.
  public init(
    _ configuration: PickerConfiguration.RequestLogging, gateway: String, pool: String,
    clock: PickerClock = .system, logger: Logger
  ) throws(EndpointPickerError) {
    capacity = configuration.queueCapacity
    self.logger = logger
    self.clock = clock
    finisher = LogFinisher(logger: logger)
    let limits = RotatingLogFile.Limits(
      bytes: configuration.maximumFileBytes,
      milliseconds: Double(configuration.maximumFileMilliseconds),
      isCompressed: configuration.isCompressed, totalBytes: configuration.maximumTotalBytes)
    let file = RotatingLogFile(
      folder: configuration.folder, gateway: gateway, limits: limits, finisher: finisher)
    try file.prepare()
    let writer = LogWriter(
      file: file, encoder: RecordEncoder(gateway: gateway, pool: pool), clock: clock)
    let box = UncheckedWriter(writer)
    let thread = Thread { [self] in run(box.writer) }
    thread.name = "request-log"
    thread.start()
  }

  /// Takes a record, or drops and counts it; never waits.
  public func append(_ record: RequestRecord) {
    let count = waiting.withLock { waiting -> Int in
      guard waiting.records.count < capacity, !waiting.isStopping else {
        waiting.dropped += 1
        return 0
      }
      waiting.records.append(record)
      return waiting.records.count
    }
    if count == Self.wakeupLines { wakeup.signal() }
  }

  /// How much was written and lost so far.
  public var status: Status {
    var status = status_.withLock { $0 }
    waiting.withLock { waiting in
      status.waitingLines = waiting.records.count
      status.droppedLines += waiting.dropped
    }
    return status
  }

  /// Writes what waits, finishes the file and ends the thread; later records are dropped.
  public func stop() {
    let isFirst = hasEnded.withLock { hasEnded in
      defer { hasEnded = true }
      return !hasEnded
    }
    guard isFirst else { return }
    waiting.withLock { $0.isStopping = true }
    wakeup.signal()
    ended.wait()
    finisher.wait()
  }

  // MARK: - The thread

  private func run(_ writer: LogWriter) {
    var isStopping = false
    while !isStopping {
      _ = wakeup.wait(timeout: .now() + .milliseconds(Self.intervalMilliseconds))
      var records: [RequestRecord] = []
      isStopping = waiting.withLock { waiting in
        swap(&records, &waiting.records)
        return waiting.isStopping
      }
      write(records, by: writer)
    }
    note(writer.finish(), lost: 0)
    ended.signal()
  }

  private func write(_ records: [RequestRecord], by writer: LogWriter) {
    var start = 0
    repeat {
      let end = min(start + Self.batchLines, records.count)
      let outcome = writer.write(records[start..<end])
      if outcome.failure == nil {
        status_.withLock { status in
          status.writtenLines += UInt64(end - start)
          status.writtenBytes += UInt64(outcome.bytes)
          if end > start { status.lastError = nil }
        }
      }
      note(outcome.failure, lost: end - start)
      start = end
    } while start < records.count
  }

  private func note(_ failure: EndpointPickerError?, lost: Int) {
    guard let failure else { return }
    let isNew = status_.withLock { status in
      status.droppedLines += UInt64(lost)
      defer { status.lastError = "\(failure)" }
      return status.lastError == nil
    }
    if isNew {
      logger.error("request log lines are lost", metadata: ["reason": "\(failure)"])
    }
  }
}

/// Carries the writer to its thread, which alone uses it from then on.
private struct UncheckedWriter: @unchecked Sendable {
  let writer: LogWriter
  init(_ writer: LogWriter) { self.writer = writer }
}

/// What the log's thread alone uses.
private final class LogWriter {
  private let file: RotatingLogFile
  private var encoder: RecordEncoder
  private let clock: PickerClock
  private var lines: [UInt8] = []

  init(file: RotatingLogFile, encoder: RecordEncoder, clock: PickerClock) {
    self.file = file
    self.encoder = encoder
    self.clock = clock
  }

  /// Writes the lines of `records`; with none, only looks whether the file is old enough.
  func write(
    _ records: ArraySlice<RequestRecord>
  ) -> (bytes: Int, failure: EndpointPickerError?) {
    let time = clock.milliseconds()
    do throws(EndpointPickerError) {
      if records.isEmpty {
        try file.rotate(at: time)
        return (0, nil)
      }
      lines.removeAll(keepingCapacity: true)
      for record in records { encoder.encode(record, to: &lines) }
      try file.write(lines, unixNanoseconds: clock.unixNanoseconds(), at: time)
      return (lines.count, nil)
    } catch {
      return (0, error)
    }
  }

  func finish() -> EndpointPickerError? {
    do throws(EndpointPickerError) {
      try file.finish()
      return nil
    } catch {
      return error
    }
  }
}
