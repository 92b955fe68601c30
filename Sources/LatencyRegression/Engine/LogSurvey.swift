internal import LinearAlgebra
internal import LogReplay
internal import RequestLog

/// What the calibration needs to know of a whole log before it replays a part of it.
struct LogSurvey: Sendable {
  /// The accelerators, in the order in which endpoints with them were first used.
  let classes: [Symbol]
  /// The position in ``classes`` of each endpoint's accelerator, as last logged, by symbol index.
  let classOfSymbol: [Int]
  /// The batch size at which engines of each class stop admitting, if the log shows one.
  let maximumSequences: [Double]

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
    maximumSequences = total.classes.map { total.batches[$0]?.limit ?? Batches.noLimit }
  }

  private struct Part: Sendable {
    var classes: [Symbol] = []
    /// By endpoint symbol.
    var accelerators: [Symbol?]
    var batches: [Symbol: Batches] = [:]

    init(symbols: Int) { accelerators = [Symbol?](repeating: nil, count: symbols) }

    mutating func add(_ row: LoggedRequest) {
      if row.endpoint != .none { batches[row.accelerator, default: Batches()].add(row) }
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
      for (accelerator, other) in later.batches {
        batches[accelerator, default: Batches()].merge(other)
      }
    }
  }

  /// The largest batches of a class.
  private struct Batches: Sendable {
    private var rows = 0
    private var largest: Int32 = -1
    private var atLargest = 0
    private var waitingAtLargest = 0

    mutating func add(_ row: LoggedRequest) {
      rows += 1
      if row.runningRequests > largest {
        (largest, atLargest, waitingAtLargest) = (row.runningRequests, 0, 0)
      }
      if row.runningRequests == largest {
        atLargest += 1
        if row.waitingRequests > 0 { waitingAtLargest += 1 }
      }
    }

    mutating func merge(_ later: Batches) {
      rows += later.rows
      if later.largest > largest {
        (largest, atLargest, waitingAtLargest) = (later.largest, 0, 0)
      }
      if later.largest == largest {
        atLargest += later.atLargest
        waitingAtLargest += later.waitingAtLargest
      }
    }

    /// The largest batch is a limit when it is common and nearly always has requests waiting behind
    /// it.
    var limit: Double {
      let isCommon = atLargest >= max(20, rows / 500)
      return largest > 0 && isCommon && waitingAtLargest * 10 >= atLargest * 8
        ? Double(largest) : Self.noLimit
    }

    static let noLimit = 256.0
  }
}
