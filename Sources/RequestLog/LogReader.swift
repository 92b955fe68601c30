import Foundation

/// Reads request logs of any supported format, in order, on several cores, in bounded memory.
///
/// Paths may be patterns; "-" is standard input; gzip and zstd are told by their first bytes, CSV by the
/// name (`.csv`) or the mapping. The result depends on the bytes alone, not on the number of threads.
///
/// A read that throws has handed out lines before: take them over only when it returns.
public struct LogReader {
  /// How to read.
  public struct Configuration: Sendable {
    /// Threads that parse, the calling one included, 1 to 256; all cores by default.
    public var threads: Int
    /// How other formats become ours; `nil` for native JSON lines.
    public var mapping: FieldMapping?
    /// The share of lines, 0…1, that may be quarantined before the read fails.
    public var maximumBadShare: Double
    /// The fewest requests of a batch but the last; blocks are joined until they have as many.
    public var batchRows: Int
    /// What a believable line may say.
    public var limits: RequestLimits
    /// Off only in tests, which compare both ways of reading.
    var usesFastPath = true
    /// Bytes of the blocks that threads take; small in tests.
    var blockSize = LineSource.defaultBlockSize

    /// - Throws: ``RequestLogError/badConfiguration(_:)`` for values out of range.
    public init(
      threads: Int? = nil, mapping: FieldMapping? = nil, maximumBadShare: Double = 0.05,
      batchRows: Int = 4096, limits: RequestLimits = RequestLimits()
    ) throws(RequestLogError) {
      let threads = threads ?? min(256, max(1, ProcessInfo.processInfo.activeProcessorCount))
      guard (1...256).contains(threads) else { throw .badConfiguration("threads are 1 to 256") }
      guard (0...1).contains(maximumBadShare) else {
        throw .badConfiguration("the bad share is a fraction of 0 to 1")
      }
      guard (1...16_777_216).contains(batchRows) else {
        throw .badConfiguration("a batch has 1 to 16777216 rows")
      }
      guard limits.maximumTokens > 0, limits.maximumLatencyMilliseconds > 0,
        limits.maximumClockStepBackMilliseconds >= 0, limits.maximumClockLeadMilliseconds >= 0
      else { throw .badConfiguration("limits are above 0") }
      self.threads = threads
      self.mapping = mapping
      self.maximumBadShare = maximumBadShare
      self.batchRows = batchRows
      self.limits = limits
    }
  }

  /// Takes the next requests; the table holds the names of all so far.
  public typealias BatchHandler = (RequestBatch, SymbolTable) throws -> Void
  /// Takes a quarantined line.
  public typealias RejectionHandler = (RejectedLine) throws -> Void
  /// Takes the packed bytes read so far and in all; `nil` when an input has no known size.
  public typealias ProgressHandler = (_ bytesDone: Int64, _ bytesTotal: Int64?) -> Void

  /// How it reads.
  public let configuration: Configuration
  /// The names of all batches so far, in order of first appearance in accepted lines.
  public private(set) var symbols = SymbolTable()
  /// The inputs so far; ``LoggedRequest/fileIndex`` points here.
  public internal(set) var files: [String] = []

  /// A reader that has read nothing.
  public init(_ configuration: Configuration) { self.configuration = configuration }

  /// Reads `inputs` (paths, patterns, "-") one after the other.
  ///
  /// Batches come in the order of the log; quarantined lines come in order, those of a batch before it.
  ///
  /// - Throws: ``RequestLogError``; `tooManyRejected` when the bad share of everything read is above the
  ///   configured one; `stopped` with what a handler threw.
  public mutating func read(
    _ inputs: [String], onBatch: BatchHandler, onRejected: RejectionHandler = { _ in },
    progress: ProgressHandler? = nil
  ) throws(RequestLogError) -> ReadSummary {
    var paths: [String] = []
    for input in inputs { paths.append(contentsOf: try expandInput(input)) }
    var assembler = makeAssembler()
    defer { symbols = assembler.symbols }
    var meter = ProgressMeter(paths: paths, handler: progress)
    for path in paths {
      let source = try LineSource(path, blockSize: configuration.blockSize)
      try read(source, from: 0, line: 0, &assembler, onBatch, onRejected, &meter)
    }
    try assembler.finish()
    return assembler.summary
  }

  /// Reads one file from an uncompressed byte offset on: what a grown file has gained.
  ///
  /// A last line without newline that cannot be read yet is left alone; ``ReadSummary/resumeOffset`` is
  /// then before it.
  ///
  /// - Parameters:
  ///   - offset: A ``ReadSummary/resumeOffset`` of before.
  ///   - line: The number of lines before it, ``ReadSummary/resumeLine``.
  public mutating func read(
    file path: String, from offset: Int64, line: Int64 = 0, onBatch: BatchHandler,
    onRejected: RejectionHandler = { _ in }, progress: ProgressHandler? = nil
  ) throws(RequestLogError) -> ReadSummary {
    var assembler = makeAssembler()
    defer { symbols = assembler.symbols }
    var meter = ProgressMeter(paths: [path], handler: progress)
    let source = try LineSource(path, blockSize: configuration.blockSize)
    try read(
      source, from: offset, line: line, &assembler, onBatch, onRejected, &meter,
      leavesPartialLine: true)
    try assembler.finish()
    return assembler.summary
  }

  /// Reads `inputs` into memory: some 300 bytes a request, and its prefix blocks.
  public mutating func readAll(
    _ inputs: [String], progress: ProgressHandler? = nil
  ) throws(RequestLogError) -> RequestLogContents {
    var all = RequestBatch()
    var rejected: [RejectedLine] = []
    let summary = try read(
      inputs,
      onBatch: { batch, _ in
        guard all.append(batch) else {
          throw RequestLogError.badConfiguration("the log is too long to be read at once")
        }
      },
      onRejected: { rejected.append($0) }, progress: progress)
    return RequestLogContents(
      batch: all, symbols: symbols, rejected: rejected, summary: summary)
  }

  private func makeAssembler() -> BatchAssembler {
    BatchAssembler(
      limits: configuration.limits, maximumBadShare: configuration.maximumBadShare,
      symbols: symbols)
  }
}
