public import LogReplay
public import LogStore
public import RequestLog

/// A log in memory, ready to be replayed, with the ids that its rows' text ranges pointed to.
public struct LoadedLog: Sendable {
  /// The requests by dispatch.
  public let replay: ReplayLog
  /// Lines that were quarantined on the way; 0 from a store.
  public let rejected: [RejectedLine]
  private let requestIDs: [String]

  /// The id of row `index`, as the log writes it.
  public func requestID(_ index: Int) -> String {
    let position = Int(replay.rows[index].lineNumber)
    return requestIDs.indices.contains(position) ? requestIDs[position] : ""
  }

  /// The row whose id is `requestID`.
  public func row(requestID: String) -> Int? {
    replay.rows.indices.first { self.requestID($0) == requestID }
  }

  /// Reads log files.
  ///
  /// - Throws: ``RequestLogError``.
  public static func read(
    _ inputs: [String], configuration: LogReader.Configuration,
    progress: LogReader.ProgressHandler? = nil
  ) throws(RequestLogError) -> LoadedLog {
    var reader = LogReader(configuration)
    var gatherer = Gatherer()
    var rejected: [RejectedLine] = []
    _ = try reader.read(
      inputs, onBatch: { batch, _ in gatherer.add(batch) },
      onRejected: { if rejected.count < 100_000 { rejected.append($0) } }, progress: progress)
    return LoadedLog(
      replay: ReplayLog(rows: gatherer.rows, symbols: reader.symbols), rejected: rejected,
      requestIDs: gatherer.requestIDs)
  }

  /// Loads the requests that arrived in `window` (all, when `nil`) from a workspace.
  ///
  /// - Throws: ``LogStoreError``.
  public static func load(
    _ workspace: Workspace, window: ClosedRange<Int64>? = nil
  ) throws(LogStoreError) -> LoadedLog {
    var gatherer = Gatherer()
    var symbols = SymbolTable()
    try workspace.forEachBatch(window: window, batchRows: 65_536) { batch, names in
      gatherer.add(batch)
      symbols = names
    }
    return LoadedLog(
      replay: ReplayLog(rows: gatherer.rows, symbols: symbols), rejected: [],
      requestIDs: gatherer.requestIDs)
  }

  /// Keeps rows and ids; a row's line number becomes its position among the ids, which survives
  /// sorting.
  private struct Gatherer {
    var rows: [LoggedRequest] = []
    var requestIDs: [String] = []

    mutating func add(_ batch: RequestBatch) {
      rows.reserveCapacity(rows.count + batch.rows.count)
      for var row in batch.rows {
        row.lineNumber = Int64(requestIDs.count)
        requestIDs.append(batch.requestID(row))
        rows.append(row)
      }
    }
  }
}
