internal import LinearAlgebra
internal import LogReplay
internal import RequestLog

/// What the calibration needs to know of a whole log before it replays a part of it.
struct LogSurvey: Sendable {
  /// The accelerators, in the order in which endpoints with them were first used.
  let classes: [Symbol]
  /// The position in ``classes`` of each endpoint's accelerator, as last logged, by symbol index.
  let classOfSymbol: [Int]
  /// The batch size at which engines stop admitting, if the log shows one.
  let maximumSequences: Double

  /// - Complexity: O(*n*) over `threads`; the result does not depend on how many they are.
  init(_ log: ReplayLog, threads: Int) {
    let total =
      RowBlocks(rowCount: log.rows.count).reduce(threads: threads) { rows in
        var part = Part(symbols: log.symbols.names.count)
        for index in rows { part.add(log.rows[index]) }
        return part
      } merge: {
        $0.merge($1)
      } ?? Part(symbols: log.symbols.names.count)
    classes = total.classes
    classOfSymbol = total.accelerators.map { used in
      used.flatMap { total.classes.firstIndex(of: $0) } ?? 0
    }
    maximumSequences = total.sequenceLimit(rowCount: log.rows.count)
  }

  private struct Part: Sendable {
    var classes: [Symbol] = []
    /// By endpoint symbol.
    var accelerators: [Symbol?]
    var largestBatch: Int32 = -1
    var atLargest = 0
    var waitingAtLargest = 0

    init(symbols: Int) { accelerators = [Symbol?](repeating: nil, count: symbols) }

    mutating func add(_ row: LoggedRequest) {
      if row.runningRequests > largestBatch {
        (largestBatch, atLargest, waitingAtLargest) = (row.runningRequests, 0, 0)
      }
      if row.runningRequests == largestBatch {
        atLargest += 1
        if row.waitingRequests > 0 { waitingAtLargest += 1 }
      }
      guard row.endpoint != .none, accelerators[Int(row.endpoint.index)] != row.accelerator else {
        return
      }
      accelerators[Int(row.endpoint.index)] = row.accelerator
      if !classes.contains(row.accelerator) { classes.append(row.accelerator) }
    }

    /// Takes over what later rows say.
    mutating func merge(_ later: Part) {
      for accelerator in later.classes where !classes.contains(accelerator) {
        classes.append(accelerator)
      }
      for (index, accelerator) in later.accelerators.enumerated() where accelerator != nil {
        accelerators[index] = accelerator
      }
      if later.largestBatch > largestBatch {
        (largestBatch, atLargest, waitingAtLargest) = (later.largestBatch, 0, 0)
      }
      if later.largestBatch == largestBatch {
        atLargest += later.atLargest
        waitingAtLargest += later.waitingAtLargest
      }
    }

    /// The largest batch is a limit when it is common and nearly always has requests waiting behind
    /// it.
    func sequenceLimit(rowCount: Int) -> Double {
      let isCommon = atLargest >= max(20, rowCount / 500)
      return largestBatch > 0 && isCommon && waitingAtLargest * 10 >= atLargest * 8
        ? Double(largestBatch) : 256
    }
  }
}
