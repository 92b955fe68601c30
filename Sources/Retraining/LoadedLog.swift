public import LogReplay
public import LogStore
public import RequestLog

/// A log in memory, ready to be replayed, with the ids that its rows' text ranges pointed to.
public struct LoadedLog: Sendable {
  /// The requests by dispatch.
  public let replay: ReplayLog
  /// Lines that were quarantined on the way; 0 from a store.
  public let rejected: [RejectedLine]
  /// Older requests that were left out so that memory stays bounded.
  public let leftOut: Int
  private let requestIDs: [String]
  /// The position among all ids of the first one that was kept.
  private let firstID: Int

  /// The id of row `index`, as the log writes it.
  public func requestID(_ index: Int) -> String {
    let position = Int(replay.rows[index].lineNumber) - firstID
    return requestIDs.indices.contains(position) ? requestIDs[position] : ""
  }

  /// The row whose id is `requestID`.
  public func row(requestID: String) -> Int? {
    replay.rows.indices.first { self.requestID($0) == requestID }
  }

  /// A fit learns little from more than this, and this many fit in a gigabyte.
  public static let fitRowLimit = 1_000_000
  /// Chunk times that fit beside these.
  public static let chunkLimit = 48 << 20

  /// Reads log files.
  ///
  /// - Parameters:
  ///   - rowLimit: The newest requests to keep; `nil` keeps all.
  ///   - chunkLimit: Beyond so many chunk times the older half of the requests keep none.
  ///   - keepsIDs: Whether request ids are wanted.
  /// - Throws: ``RequestLogError``.
  public static func read(
    _ inputs: [String], configuration: LogReader.Configuration, rowLimit: Int? = nil,
    chunkLimit: Int = chunkLimit, keepsIDs: Bool = true, progress: LogReader.ProgressHandler? = nil
  ) throws(RequestLogError) -> LoadedLog {
    var reader = LogReader(configuration)
    var gatherer = Gatherer(rowLimit: rowLimit, chunkLimit: chunkLimit, keepsIDs: keepsIDs)
    var rejected: [RejectedLine] = []
    _ = try reader.read(
      inputs, onBatch: { batch, _ in gatherer.add(batch) },
      onRejected: { if rejected.count < 100_000 { rejected.append($0) } }, progress: progress)
    return LoadedLog(gatherer, symbols: reader.symbols, rejected: rejected)
  }

  private init(
    _ gatherer: consuming Gatherer, symbols: SymbolTable, rejected: [RejectedLine]
  ) {
    let (rows, offsets) = gatherer.takeRows()
    replay = ReplayLog(rows: rows, symbols: symbols, chunkOffsets: offsets)
    self.rejected = rejected
    leftOut = gatherer.leftOut
    requestIDs = gatherer.requestIDs
    firstID = gatherer.firstID
  }

  /// Loads the requests that arrived in `window` (all, when `nil`) from a workspace, the newest
  /// ``fitRowLimit`` at most.
  ///
  /// - Throws: ``LogStoreError``.
  public static func load(
    _ workspace: Workspace, window: ClosedRange<Int64>? = nil
  ) throws(LogStoreError) -> LoadedLog {
    var gatherer = Gatherer(rowLimit: fitRowLimit, chunkLimit: chunkLimit, keepsIDs: true)
    var symbols = SymbolTable()
    // What would be left out need not be unpacked.
    let newest = try workspace.window(ofNewest: fitRowLimit, in: window)
    gatherer.leftOut = Int(
      try workspace.rowCount(window: window) - workspace.rowCount(window: newest))
    try workspace.forEachBatch(window: newest, batchRows: 16_384) { batch, names in
      gatherer.add(batch)
      symbols = names
    }
    return LoadedLog(gatherer, symbols: symbols, rejected: [])
  }

  /// Keeps rows and ids; a row's line number becomes its position among the ids, which survives
  /// sorting.
  private struct Gatherer {
    private var rows: [LoggedRequest] = []
    /// Of each row's chunks those that a replay notes.
    private var chunkOffsets: [Float] = []
    var requestIDs: [String] = []
    var leftOut = 0
    /// The position of the first id that is kept.
    var firstID = 0
    private let rowLimit: Int?
    private let chunkLimit: Int
    private let keepsIDs: Bool

    init(rowLimit: Int?, chunkLimit: Int, keepsIDs: Bool) {
      self.rowLimit = rowLimit
      self.chunkLimit = chunkLimit
      self.keepsIDs = keepsIDs
    }

    mutating func add(_ batch: RequestBatch) {
      for var row in batch.rows {
        row.lineNumber = Int64(firstID + requestIDs.count)
        if keepsIDs { requestIDs.append(batch.requestID(row)) }
        row.chunkOffsets = keep(row.chunkOffsets, of: batch.chunkOffsets)
        rows.append(row)
      }
      if chunkOffsets.count > chunkLimit { forgetChunks(before: rows.count / 2) }
      // Trimmed in large steps, so that each row moves a bounded number of times.
      if let rowLimit, rows.count > rowLimit + rowLimit / 4 { trim(to: rowLimit) }
    }

    /// Copies the chunks at `range` that are far enough apart to be noted.
    private mutating func keep(_ range: TextRange, of offsets: [Float]) -> TextRange {
      let start = chunkOffsets.count
      var latest = Float(0)
      for place in range.indices where offsets.indices.contains(place) {
        guard ReplayLog.isNoted(offsets[place], after: latest) else { continue }
        latest = offsets[place]
        chunkOffsets.append(latest)
      }
      return TextRange(start: Int32(clamping: start), count: Int32(chunkOffsets.count - start))
    }

    /// Rows before `row` keep no chunks.
    private mutating func forgetChunks(before row: Int) {
      let forgotten = row < rows.count ? rows[row].chunkOffsets.start : Int32(chunkOffsets.count)
      for index in 0..<row { rows[index].chunkOffsets = TextRange() }
      for index in row..<rows.count { rows[index].chunkOffsets.start -= forgotten }
      chunkOffsets.removeFirst(Int(forgotten))
    }

    mutating func takeRows() -> (rows: [LoggedRequest], chunkOffsets: [Float]) {
      if let rowLimit, rows.count > rowLimit { trim(to: rowLimit) }
      let taken = (rows, chunkOffsets)
      rows = []
      chunkOffsets = []
      return taken
    }

    private mutating func trim(to limit: Int) {
      leftOut += rows.count - limit
      let dropped = rows.count - limit
      forgetChunks(before: dropped)
      rows.removeFirst(dropped)
      // One id a row, in the same order.
      if keepsIDs {
        requestIDs.removeFirst(dropped)
        firstID += dropped
      }
    }
  }
}
