/// Puts parsed blocks together in the order of the log: what needs more than one line is decided here.
///
/// That is the numbering of lines and names, duplicate ids, the run of the clock and the bad share.
struct BatchAssembler {
  /// Distinct names that a log may have.
  static let maximumNames = 1_000_000
  /// Rows whose identities are looked for at once.
  private static let warmedRows = 32

  private let limits: RequestLimits
  private let maximumBadShare: Double
  private var identities = IdentitySet()
  private var clock = ClockWatch()
  /// By thread and that thread's symbol: the log's symbol, or -1 while it has none.
  private var numbers: [[Int32]] = []
  private var localNames: [[String]] = []
  private(set) var symbols: SymbolTable
  private(set) var summary = ReadSummary()
  private var reasons: [ReasonKey: RejectedCount] = [:]
  private var file = ""
  private var fileIndex: Int32 = -1
  private var lineBase: Int64 = 0

  private struct ReasonKey: Hashable {
    var code: String
    var field: String?
  }

  init(limits: RequestLimits, maximumBadShare: Double, symbols: SymbolTable) {
    self.limits = limits
    self.maximumBadShare = maximumBadShare
    self.symbols = symbols
  }

  /// Begins another input.
  mutating func begin(
    file: String, index: Int, threads: Int, line: Int64, offset: Int64, headerLines: Int64
  ) {
    summary.lines += headerLines
    self.file = file
    fileIndex = Int32(index)
    lineBase = line
    clock = ClockWatch()
    numbers = Array(repeating: [], count: threads)
    localNames = Array(repeating: [], count: threads)
    summary.files += 1
    summary.resumeLine = line
    summary.resumeOffset = offset
  }

  /// Takes over `block`: afterwards its rows are the accepted ones, complete.
  ///
  /// `upcoming` is the next block, whose first arrivals help to tell a clock jump from one wrong line.
  mutating func take(
    _ block: inout ParsedBlock, upcoming: RequestBatch?
  ) throws(RequestLogError) -> [RejectedLine] {
    localNames[block.worker].append(contentsOf: block.newNames)
    let grown = localNames[block.worker].count
    while numbers[block.worker].count < grown { numbers[block.worker].append(-1) }

    var rejected = block.rejections.map { entry in
      RejectedLine(
        file: file, lineNumber: lineBase + entry.line, field: entry.rejection.field,
        reason: entry.rejection.reason, excerpt: entry.excerpt)
    }
    let before = rejected.count
    judge(&block, upcoming, &rejected)
    if before > 0, rejected.count > before { rejected.sort { $0.lineNumber < $1.lineNumber } }
    count(block, rejected)
    lineBase += block.lineCount
    try checkShare()
    guard symbols.names.count <= Self.maximumNames else {
      throw .tooManyNames(limit: Self.maximumNames)
    }
    return rejected
  }

  private mutating func judge(
    _ block: inout ParsedBlock, _ upcoming: RequestBatch?, _ rejected: inout [RejectedLine]
  ) {
    var kept = 0
    let worker = block.worker
    for index in block.batch.rows.indices {
      if index % Self.warmedRows == 0 {
        let end = min(index + Self.warmedRows, block.batch.rows.count)
        identities.warm(block.batch.rows[index..<end])
      }
      var fault = clock.fault(block.batch.rows, index, upcoming?.rows, limits)
      let identity = block.batch.rows[index].identityHigh
      if fault == nil, !identities.insert(identity) { fault = .duplicateID }
      if let fault {
        rejected.append(rejection(fault, block.batch, block.batch.rows[index]))
        continue
      }
      clock.accept(block.batch.rows[index].receivedNanoseconds)
      if kept != index { block.batch.rows[kept] = block.batch.rows[index] }
      block.batch.rows[kept].fileIndex = fileIndex
      block.batch.rows[kept].lineNumber += lineBase
      renumber(&block.batch.rows[kept], worker)
      kept += 1
    }
    block.batch.rows.removeSubrange(kept...)
  }

  private func rejection(
    _ reason: RejectedLine.Reason, _ batch: RequestBatch, _ row: LoggedRequest
  ) -> RejectedLine {
    let field: RequestField = reason == .duplicateID ? .requestID : .received
    let excerpt =
      "request_id \(batch.requestID(row)), received_unix_ns \(row.receivedNanoseconds)"
    return RejectedLine(
      file: file, lineNumber: lineBase + row.lineNumber, field: field.name, reason: reason,
      excerpt: String(excerpt.prefix(160)))
  }

  @inline(__always) private mutating func renumber(_ row: inout LoggedRequest, _ worker: Int) {
    row.endpoint = number(row.endpoint, worker)
    row.prefillEndpoint = number(row.prefillEndpoint, worker)
    row.gateway = number(row.gateway, worker)
    row.pool = number(row.pool, worker)
    row.model = number(row.model, worker)
    row.adapter = number(row.adapter, worker)
    row.accelerator = number(row.accelerator, worker)
    row.role = number(row.role, worker)
    row.policy = number(row.policy, worker)
  }

  @inline(__always) private mutating func number(_ local: Symbol, _ worker: Int) -> Symbol {
    guard local.index >= 0 else { return .none }
    let known = numbers[worker][Int(local.index)]
    if known >= 0 { return Symbol(index: known) }
    let symbol = symbols.intern(localNames[worker][Int(local.index)])
    numbers[worker][Int(local.index)] = symbol.index
    return symbol
  }

  private mutating func count(_ block: ParsedBlock, _ rejected: [RejectedLine]) {
    summary.rows += Int64(block.batch.rows.count)
    summary.rejected += Int64(rejected.count)
    summary.skipped += block.skipped
    summary.lines += block.lineCount
    summary.bytes += block.byteCount
    summary.resumeOffset += block.byteCount
    summary.resumeLine += block.lineCount
    for line in rejected {
      let key = ReasonKey(code: line.reason.code, field: line.field)
      reasons[key, default: RejectedCount(count: 0, example: line)].count += 1
    }
  }

  /// The last line had no newline and could not be read: a next read begins with it.
  mutating func stepBack(bytes: Int64) {
    summary.resumeOffset -= bytes
    summary.resumeLine -= 1
  }

  /// A long log that is mostly bad need not be read to its end.
  private func checkShare() throws(RequestLogError) {
    let total = summary.rows + summary.rejected
    let hopeless = min(1, max(4 * maximumBadShare, 0.5))
    if total > 10_000, summary.badShare > hopeless, maximumBadShare < 1 { throw excess() }
  }

  /// Checks the bad share of everything read.
  func finish() throws(RequestLogError) {
    if summary.badShare > maximumBadShare { throw excess() }
  }

  private func excess() -> RequestLogError {
    let top = reasons.values.sorted { left, right in
      left.count != right.count
        ? left.count > right.count : left.example.lineNumber < right.example.lineNumber
    }
    return .tooManyRejected(
      summary: summary, maximumShare: maximumBadShare, reasons: Array(top.prefix(5)))
  }
}

/// Watches the arrivals of one input.
///
/// They are sorted only roughly, since lines are written at
/// completion.
struct ClockWatch {
  /// Lines looked ahead to tell a pause in the log from one wrong clock reading.
  private static let lookAhead = 8
  private var latest: Int64?

  /// What is wrong with the arrival of `rows[index]`, if anything.
  @inline(__always) func fault(
    _ rows: [LoggedRequest], _ index: Int, _ upcoming: [LoggedRequest]?, _ limits: RequestLimits
  ) -> RejectedLine.Reason? {
    let received = rows[index].receivedNanoseconds
    guard let latest else { return firstFault(rows, index, upcoming, limits) }
    // Both are after 2015 and below 2⁶³: the difference fits.
    let step = received - latest
    if step <= 0 {
      return -step > limits.stepBackNanoseconds
        ? .clockBackwards(milliseconds: Double(-step) / 1e6) : nil
    }
    guard step > limits.leadNanoseconds else { return nil }
    // A pause in the log, unless a line soon after goes on where the log was.
    let goesOn = following(rows, index, upcoming).contains { next in
      next >= latest - limits.stepBackNanoseconds && next <= latest + limits.leadNanoseconds
    }
    return goesOn ? .clockAhead(milliseconds: Double(step) / 1e6) : nil
  }

  /// The first line has none before it: it is compared with the median of those after it.
  private func firstFault(
    _ rows: [LoggedRequest], _ index: Int, _ upcoming: [LoggedRequest]?, _ limits: RequestLimits
  ) -> RejectedLine.Reason? {
    let following = following(rows, index, upcoming).sorted()
    guard !following.isEmpty else { return nil }
    let lead = rows[index].receivedNanoseconds - following[following.count / 2]
    return lead > limits.leadNanoseconds ? .clockAhead(milliseconds: Double(lead) / 1e6) : nil
  }

  private func following(
    _ rows: [LoggedRequest], _ index: Int, _ upcoming: [LoggedRequest]?
  ) -> [Int64] {
    let own = rows[(index + 1)...].prefix(Self.lookAhead)
    let more = (upcoming ?? []).prefix(Self.lookAhead - own.count)
    return own.map(\.receivedNanoseconds) + more.map(\.receivedNanoseconds)
  }

  /// Goes on from an accepted arrival.
  @inline(__always) mutating func accept(_ received: Int64) {
    latest = max(latest ?? received, received)
  }
}
