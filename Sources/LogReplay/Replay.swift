public import CoefficientFile
public import RequestLog
public import RoutingRuntime

/// Sees a replay as it happens; every call is made at the event's own time, in time order.
public protocol ReplayObserver {
  /// Row `index` is about to be dispatched to `endpoint` of `pool`.
  mutating func willDispatch(
    _ index: Int, _ request: RequestShape, to endpoint: Int, of pool: inout EndpointPool,
    at time: Double)
  /// The first token of row `index` was seen.
  mutating func didReceiveFirstToken(_ index: Int, at time: Double)
  /// Row `index` ended.
  mutating func didFinish(_ index: Int, at time: Double)
}

/// Which engine each endpoint of a log runs.
public struct EngineAssignment: Sendable {
  /// The engines; entry 0 is the default.
  public var engines: [EngineModel]
  /// The engine of each endpoint symbol, by symbol index.
  public var engineOfSymbol: [Int]

  /// `engineOfSymbol[symbol.index]` indexes `engines`; unknown symbols run engine 0.
  public init(engines: [EngineModel], engineOfSymbol: [Int]) {
    self.engines = engines
    self.engineOfSymbol = engineOfSymbol
  }

  func engine(of endpoint: Symbol) -> EngineModel {
    let index = Int(endpoint.index)
    let engine = engineOfSymbol.indices.contains(index) ? engineOfSymbol[index] : 0
    return engines[engines.indices.contains(engine) ? engine : 0]
  }
}

/// The state machine of one gateway replica.
public struct ReplayedPool: Sendable {
  /// The replica.
  public let gateway: Symbol
  /// Its endpoints' load.
  public internal(set) var state: EndpointPool
  /// The endpoints' names, by index in ``state``.
  public internal(set) var endpointSymbols: [Symbol] = []

  init(gateway: Symbol, predictor: Predictor?) {
    self.gateway = gateway
    state = EndpointPool(predictor: predictor)
  }
}

/// Drives the runtime's own state machine from a log.
///
/// Each gateway replica has a state machine of its own, since it sees only its own requests. It knows
/// its endpoints from the start, as a live one does; one that is first used late in the log joins then.
/// Events run in time order; where times tie, a dispatch comes before an outcome, so that a
/// prediction never knows what was learned at the very moment of its dispatch.
public struct Replay: Sendable {
  private let log: ReplayLog
  private let assignment: EngineAssignment
  private let predictor: Predictor?
  private let isTracing: Bool

  /// A replay of `log` on `assignment`'s engines.
  ///
  /// - Parameter isTracing: Whether step lengths are recorded, for calibration.
  public init(_ log: ReplayLog, assignment: EngineAssignment, isTracing: Bool = false) {
    self.log = log
    self.assignment = assignment
    self.isTracing = isTracing
    predictor = nil
  }

  /// A replay of `log` that predicts with `predictor` and learns from outcomes as serving does.
  public init(_ log: ReplayLog, predictor: Predictor) {
    self.log = log
    self.predictor = predictor
    assignment = EngineAssignment(engines: predictor.model.engines, engineOfSymbol: [])
    isTracing = false
  }

  /// Replays rows `range`, by dispatch, and returns the final state per gateway replica.
  ///
  /// - Complexity: O(*n* log *c*) for *c* requests in flight.
  @discardableResult
  public func run(
    _ range: Range<Int>, observer: inout some ReplayObserver
  ) -> [ReplayedPool] {
    var state = State(range)
    for route in log.routes(knownAt: range.lowerBound) where !range.isEmpty {
      let pool = poolIndex(route.gateway, in: &state)
      _ = endpointIndex(log.rows[route.first], in: &state.pools[pool])
    }
    for index in range {
      let time = log.dispatchTime(index)
      while let event = state.outcomes.first, event.time < time {
        state.outcomes.removeFirst()
        apply(event, to: &state, observer: &observer)
      }
      dispatch(index, at: time, in: &state, observer: &observer)
    }
    while let event = state.outcomes.first {
      state.outcomes.removeFirst()
      apply(event, to: &state, observer: &observer)
    }
    return state.pools
  }

  private struct State {
    var pools: [ReplayedPool] = []
    var outcomes = OutcomeQueue()
    /// By row, from the first replayed on.
    var handles: [EndpointPool.Handle?]
    var poolOfRow: [Int32]
    let firstRow: Int

    init(_ range: Range<Int>) {
      handles = [EndpointPool.Handle?](repeating: nil, count: range.count)
      poolOfRow = [Int32](repeating: 0, count: range.count)
      firstRow = range.lowerBound
    }
  }

  private func dispatch(
    _ index: Int, at time: Double, in state: inout State, observer: inout some ReplayObserver
  ) {
    let row = log.rows[index]
    let pool = poolIndex(row.gateway, in: &state)
    let endpoint = endpointIndex(row, in: &state.pools[pool])
    if let snapshot = row.snapshot(at: time) {
      state.pools[pool].state.observe(snapshot, on: endpoint)
    }
    let request = row.shape
    observer.willDispatch(index, request, to: endpoint, of: &state.pools[pool].state, at: time)
    let position = index - state.firstRow
    state.handles[position] = state.pools[pool].state.dispatched(request, to: endpoint, at: time)
    state.poolOfRow[position] = Int32(pool)
    let end = max(log.endTime(index), time)
    if let first = log.firstTokenTime(index), first <= end {
      state.outcomes.insert(Outcome(time: max(first, time), row: index, kind: .firstToken))
    }
    state.outcomes.insert(Outcome(time: end, row: index, kind: .end))
  }

  /// Chunks follow one another: only the next one waits with the outcomes.
  private func expectChunk(after position: Int, of event: Outcome, in state: inout State) {
    guard let chunk = log.chunk(of: event.row, after: position), chunk.time >= event.time,
      chunk.time <= log.endTime(event.row)
    else { return }
    state.outcomes.insert(
      Outcome(time: chunk.time, row: event.row, kind: .chunk(Int32(chunk.position))))
  }

  private func poolIndex(_ gateway: Symbol, in state: inout State) -> Int {
    if let known = state.pools.firstIndex(where: { $0.gateway == gateway }) { return known }
    state.pools.append(ReplayedPool(gateway: gateway, predictor: predictor))
    return state.pools.count - 1
  }

  private func endpointIndex(_ row: LoggedRequest, in pool: inout ReplayedPool) -> Int {
    if let known = pool.endpointSymbols.firstIndex(of: row.endpoint) { return known }
    pool.endpointSymbols.append(row.endpoint)
    let endpoint: Int
    if let predictor {
      let (group, engine) = predictor.group(
        endpoint: log.symbols.name(row.endpoint) ?? "",
        accelerator: log.symbols.name(row.accelerator) ?? "")
      endpoint = pool.state.addEndpoint(engine: predictor.model.engines[engine], group: group)
    } else {
      endpoint = pool.state.addEndpoint(engine: assignment.engine(of: row.endpoint))
    }
    if isTracing { pool.state.startTracing(endpoint: endpoint) }
    return endpoint
  }

  private func apply(
    _ event: Outcome, to state: inout State, observer: inout some ReplayObserver
  ) {
    let position = event.row - state.firstRow
    guard let handle = state.handles[position] else { return }
    let pool = Int(state.poolOfRow[position])
    switch event.kind {
    case .end:
      state.handles[position] = nil
      let tokens = log.rows[event.row].outputTokens
      state.pools[pool].state.finished(handle, outputTokens: Double(max(tokens, 0)), at: event.time)
      observer.didFinish(event.row, at: event.time)
    case .firstToken:
      state.pools[pool].state.firstToken(handle, at: event.time)
      observer.didReceiveFirstToken(event.row, at: event.time)
      expectChunk(after: -1, of: event, in: &state)
    case .chunk(let index):
      state.pools[pool].state.tokens(handle, at: event.time)
      expectChunk(after: Int(index), of: event, in: &state)
    }
  }
}

extension LoggedRequest {
  /// What the gateway knew of the request.
  public var shape: RequestShape {
    let prompt = Double(max(inputTokens, 0))
    return RequestShape(
      promptTokens: prompt,
      matchedPrefixTokens: min(Double(max(prefixMatchTokens, 0)), prompt),
      maximumTokens: Double(max(maxTokens, 0)))
  }

  /// The engine snapshot that the gateway had at `time`, if the log has it.
  func snapshot(at time: Double) -> EngineSnapshot? {
    guard waitingRequests >= 0 || runningRequests >= 0 else { return nil }
    let age = Double(snapshotAgeMilliseconds)
    return EngineSnapshot(
      waitingRequests: Double(max(waitingRequests, 0)),
      runningRequests: Double(max(runningRequests, 0)),
      kvCacheUsage: kvCacheUsage.isFinite ? Double(kvCacheUsage) : 0,
      time: time - (age.isFinite ? age : 0))
  }
}
