import CoefficientFile
import RequestLog
import RoutingRuntime
import RuntimeTestSupport
import TestSupport
import Testing

@testable import LogReplay

/// A gateway that lived through a log's events saw what the log's replay sees.
@Suite struct SkewTests {
  @Test(arguments: UInt64(0)..<40)
  func liveAndReplayedFeaturesAgreeBitForBit(seed: UInt64) throws {
    let (rows, symbols, chunks) = SyntheticLog.make(seed: seed, count: 200)
    let log = ReplayLog(rows: rows, symbols: symbols, chunkOffsets: chunks)
    let model = SyntheticModel.model(seed: seed, borrows: seed % 3 == 0)
    let replayed = try LogPredictor(log, model: model).predictionsAndFeatures()

    var gateway = LiveGateway(
      predictor: try Predictor.compile(model).get(), askingSeed: seed, asksOften: seed % 2 == 1)
    gateway.live(through: log, chunkOffsets: chunks)

    for index in log.rows.indices {
      var live = gateway.predictions[index]
      let delay = log.dispatchDelay(index)
      live.ttft = HeadValues(
        mean: live.ttft.mean + delay, p50: live.ttft.p50 + delay, p90: live.ttft.p90 + delay,
        p95: live.ttft.p95 + delay, p99: live.ttft.p99 + delay)
      #expect(bits(live) == bits(replayed.predictions[index]), "prediction \(index)")
      for feature in Feature.allCases {
        let position = index * Feature.count + Int(feature.rawValue)
        #expect(
          gateway.features[position].bitPattern == replayed.features[position].bitPattern,
          "\(feature) of \(index)")
      }
    }
  }

  /// Where a replay starts in the middle, endpoints used before and after are known, and no others.
  @Test func aReplayKnowsTheEndpointsOfItsTime() {
    var (rows, symbols, _) = SyntheticLog.make(seed: 3, count: 9_000)
    let (gone, late) = (symbols.intern("gone"), symbols.intern("late"))
    for index in 0..<200 { rows[10 * index].endpoint = gone }
    for index in 800..<900 { rows[10 * index].endpoint = late }
    let log = ReplayLog(rows: rows, symbols: symbols)
    func known(_ start: Int) -> Set<String> {
      Set(log.routes(knownAt: start).compactMap { symbols.name($0.endpoint) })
    }
    #expect(known(0) == ["e0", "e1", "e2", "gone"])
    #expect(known(3_000) == ["e0", "e1", "e2"])
    #expect(known(7_000) == ["e0", "e1", "e2", "late"])
    #expect(log.routes(knownAt: 9_000).isEmpty)
  }
}

/// A gateway that lives through events one by one, and asks about every endpoint at odd times.
private struct LiveGateway {
  private enum Event { case dispatch, firstToken, tokens, end }

  private var pool: EndpointPool
  private let fallback: EngineModel
  private var indexOfSymbol: [Symbol: Int] = [:]
  private var random: SplitMix64
  private let asksOften: Bool
  private var row = [Double](repeating: 0, count: Feature.count)
  var predictions: [Prediction] = []
  var features: [Double] = []

  init(predictor: Predictor, askingSeed: UInt64, asksOften: Bool) {
    pool = EndpointPool(predictor: predictor)
    fallback = predictor.model.engines[0]
    random = SplitMix64(seed: askingSeed)
    self.asksOften = asksOften
  }

  mutating func live(through log: ReplayLog, chunkOffsets: [Float]) {
    // Its configuration names the endpoints, in an order of its own.
    for row in log.rows.reversed() { add(row, of: log) }
    var events: [(time: Double, kind: Event, row: Int)] = []
    for index in log.rows.indices {
      let dispatch = log.dispatchTime(index)
      events.append((dispatch, .dispatch, index))
      let end = max(log.endTime(index), dispatch)
      if let first = log.firstTokenTime(index), first <= end {
        events.append((max(first, dispatch), .firstToken, index))
        // It notes a chunk that comes 19 ms or more after the one that it noted last.
        var noted = Float(0)
        for offset in chunkOffsets[log.rows[index].chunkOffsets.indices]
        where offset - noted >= 19 && first + Double(offset) <= end {
          noted = offset
          events.append((first + Double(offset), .tokens, index))
        }
      }
      events.append((end, .end, index))
    }
    let rank: [Event: Int] = [.dispatch: 0, .firstToken: 1, .tokens: 2, .end: 3]
    events.sort {
      ($0.time, $0.kind == .dispatch ? 0 : 1, $0.row, rank[$0.kind] ?? 0)
        < ($1.time, $1.kind == .dispatch ? 0 : 1, $1.row, rank[$1.kind] ?? 0)
    }
    var handles: [Int: EndpointPool.Handle] = [:]
    var last = 0.0
    for event in events {
      if asksOften { ask(from: last, to: event.time) }
      last = event.time
      switch event.kind {
      case .dispatch: handles[event.row] = dispatch(event.row, of: log, at: event.time)
      case .firstToken:
        if let handle = handles[event.row] { pool.firstToken(handle, at: event.time) }
      case .tokens: if let handle = handles[event.row] { pool.tokens(handle, at: event.time) }
      case .end:
        guard let handle = handles[event.row] else { continue }
        let tokens = Double(max(log.rows[event.row].outputTokens, 0))
        pool.finished(handle, outputTokens: tokens, at: event.time)
      }
    }
  }

  /// The endpoint of `row`; a new one when it is not known yet.
  @discardableResult
  private mutating func add(_ row: LoggedRequest, of log: ReplayLog) -> Int {
    if let known = indexOfSymbol[row.endpoint] { return known }
    let endpoint = pool.addEndpoint(
      named: log.symbols.name(row.endpoint) ?? "",
      accelerator: log.symbols.name(row.accelerator) ?? "", engine: fallback)
    indexOfSymbol[row.endpoint] = endpoint
    return endpoint
  }

  private mutating func dispatch(
    _ index: Int, of log: ReplayLog, at time: Double
  ) -> EndpointPool.Handle {
    let row = log.rows[index]
    let endpoint = add(row, of: log)
    if row.waitingRequests >= 0 || row.runningRequests >= 0 {
      pool.observe(
        EngineSnapshot(
          waitingRequests: Double(row.waitingRequests),
          runningRequests: Double(row.runningRequests), kvCacheUsage: Double(row.kvCacheUsage),
          time: time - Double(row.snapshotAgeMilliseconds)), on: endpoint)
    }
    for candidate in pool.endpoints.indices {
      _ = pool.predict(row.shape, on: candidate, at: time)
    }
    if let prediction = pool.predict(row.shape, on: endpoint, at: time) {
      predictions.append(prediction)
    }
    pool.features(row.shape, on: endpoint, at: time, into: &self.row)
    features += self.row
    return pool.dispatched(row.shape, to: endpoint, at: time)
  }

  /// Asks about requests that are sent nowhere.
  private mutating func ask(from start: Double, to end: Double) {
    guard start < end else { return }
    let times = (0..<3).map { _ in random.uniform(in: start...end) }.sorted()
    for time in times {
      let request = RequestShape(promptTokens: random.uniform(in: 1...5_000))
      for endpoint in pool.endpoints.indices { _ = pool.predict(request, on: endpoint, at: time) }
    }
  }
}
