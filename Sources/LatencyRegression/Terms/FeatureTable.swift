internal import CoefficientFile
internal import LinearAlgebra
internal import LogReplay
internal import RequestLog
internal import RoutingRuntime

/// The features of every request that can be learned from, as they were at its dispatch.
struct FeatureTable: Sendable {
  /// Shape `[sampleCount, Feature.count]`.
  private(set) var features: Design
  /// TTFT from dispatch, ms; `nan` where the request is no example of it.
  private(set) var ttft: [Double] = []
  /// TPOT, ms; `nan` where the request is no example of it.
  private(set) var tpot: [Double] = []
  /// The row of the log.
  private(set) var rows: [Int] = []
  /// Whether TTFT is only known to be longer than it says: the request was given up.
  private(set) var isCensored: [Bool] = []

  var sampleCount: Int { rows.count }

  init() { features = Design(columnCount: Feature.count) }

  /// A table of rows that were made elsewhere; no outcome is censored.
  init(_ samples: FeatureSamples) {
    features = samples.features
    ttft = samples.ttftMilliseconds
    tpot = samples.tpotMilliseconds
    rows = Array(0..<samples.count)
    isCensored = [Bool](repeating: false, count: samples.count)
  }

  /// Rows that a chunk replays before its own, so that its state is warm.
  private static let warmUpRows = 2_000
  /// Rows per chunk; fixed, so that the result does not depend on the number of threads.
  private static let chunkRows = 62_500

  /// Replays `range` of `log` in chunks and collects every `stride`th request.
  ///
  /// - Complexity: O(*n* log *c*) over `threads`, *c* requests in flight.
  static func collect(
    _ log: ReplayLog, range: Range<Int>, assignment: EngineAssignment, stride: Int, threads: Int
  ) -> FeatureTable {
    let chunks = RowBlocks(rowCount: range.count, blockRows: chunkRows, blockLimit: 1 << 20)
    let parts = chunks.map(threads: threads) { block -> FeatureTable in
      let own = (range.lowerBound + block.lowerBound)..<(range.lowerBound + block.upperBound)
      let start = max(range.lowerBound, own.lowerBound - warmUpRows)
      var collector = Collector(log: log, own: own, stride: stride)
      Replay(log, assignment: assignment).run(start..<own.upperBound, observer: &collector)
      return collector.table
    }
    return FeatureTable(joining: parts, threads: threads)
  }

  private init(joining parts: [FeatureTable], threads: Int) {
    ttft = parts.flatMap(\.ttft)
    tpot = parts.flatMap(\.tpot)
    rows = parts.flatMap(\.rows)
    isCensored = parts.flatMap(\.isCensored)
    features = Design(joining: parts.map(\.features), columnCount: Feature.count, threads: threads)
  }

  private struct Collector: ReplayObserver {
    let log: ReplayLog
    let own: Range<Int>
    let stride: Int
    var table = FeatureTable()
    private var row = [Double](repeating: 0, count: Feature.count)

    init(log: ReplayLog, own: Range<Int>, stride: Int) {
      self.log = log
      self.own = own
      self.stride = stride
      table.reserve(own.count / stride + 1)
    }

    mutating func willDispatch(
      _ index: Int, _ request: RequestShape, to endpoint: Int, of pool: inout EndpointPool,
      at time: Double
    ) {
      guard own.contains(index), index % stride == 0 else { return }
      let logged = log.rows[index]
      let isComplete = log.isComplete(index)
      let wasGivenUp = [499, 504, 408].contains(logged.status)
      guard isComplete || wasGivenUp else { return }
      pool.features(request, on: endpoint, at: time, into: &row)
      table.add(row, log: log, index: index, isComplete: isComplete)
    }

    mutating func didReceiveFirstToken(_ index: Int, at time: Double) {}
    mutating func didFinish(_ index: Int, at time: Double) {}
  }

  private mutating func reserve(_ count: Int) {
    features.reserve(count)
    ttft.reserveCapacity(count)
    tpot.reserveCapacity(count)
    rows.reserveCapacity(count)
    isCensored.reserveCapacity(count)
  }

  private mutating func add(_ row: [Double], log: ReplayLog, index: Int, isComplete: Bool) {
    let logged = log.rows[index]
    // A request given up before its first token waited at least until then.
    let waited = logged.ttftMilliseconds.isFinite ? logged.ttftMilliseconds : logged.e2eMilliseconds
    let ttft = waited - log.dispatchDelay(index)
    guard ttft > 0, ttft.isFinite else { return }
    features.append(row.lazy.map { Float($0) })
    self.ttft.append(ttft)
    isCensored.append(!isComplete && !logged.ttftMilliseconds.isFinite)
    let isTPOT = isComplete && logged.outputTokens > 8 && logged.tpotMilliseconds > 0
    tpot.append(isTPOT ? logged.tpotMilliseconds : .nan)
    rows.append(index)
  }
}
