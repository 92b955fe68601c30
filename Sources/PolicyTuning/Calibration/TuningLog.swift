public import FleetSimulation
public import LogReplay
public import RequestLog
public import RoutingRuntime

/// A request log that a simulation can replay: the requests by dispatch, with their prefix blocks.
public struct TuningLog: Sendable {
  /// The requests.
  public let replay: ReplayLog
  /// The endpoints that the log names, in order of first dispatch; those that only computed prompts
  /// for others come last.
  public let endpoints: [Symbol]
  /// Tokens per prefix block.
  public let blockTokens: Int
  private let blocks: [UInt64]
  private let endpointOfSymbol: [Int]
  private var parts = SharedParts(blockTokens: 1)

  /// The log that `contents` holds.
  ///
  /// - Complexity: O(*n* log *n*).
  public init(_ contents: RequestLogContents) {
    self.init(batch: contents.batch, symbols: contents.symbols)
  }

  /// The log of one batch.
  public init(batch: RequestBatch, symbols: SymbolTable) {
    replay = ReplayLog(
      rows: batch.rows, symbols: symbols, chunkOffsets: batch.chunkOffsets)
    blocks = batch.blocks
    var endpoints: [Symbol] = []
    var endpointOfSymbol = [Int](repeating: -1, count: symbols.names.count)
    var sizes: [Int32: Int] = [:]
    for row in replay.rows {
      if row.prefixBlockTokens > 0 { sizes[row.prefixBlockTokens, default: 0] += 1 }
      guard endpointOfSymbol.indices.contains(Int(row.endpoint.index)),
        endpointOfSymbol[Int(row.endpoint.index)] < 0
      else { continue }
      endpointOfSymbol[Int(row.endpoint.index)] = endpoints.count
      endpoints.append(row.endpoint)
    }
    for row in replay.rows where endpointOfSymbol.indices.contains(Int(row.prefillEndpoint.index)) {
      guard endpointOfSymbol[Int(row.prefillEndpoint.index)] < 0 else { continue }
      endpointOfSymbol[Int(row.prefillEndpoint.index)] = endpoints.count
      endpoints.append(row.prefillEndpoint)
    }
    self.endpoints = endpoints
    self.endpointOfSymbol = endpointOfSymbol
    let commonest = sizes.max { ($0.value, $1.key) < ($1.value, $0.key) }
    blockTokens = Int(commonest?.key ?? 64)
    parts = SharedParts(self)
  }

  /// Requests.
  public var count: Int { replay.rows.count }

  /// The name of endpoint `index`.
  public func endpointName(_ index: Int) -> String { replay.symbols.name(endpoints[index]) ?? "" }

  /// Which endpoint row `row` was sent to, as an index into ``endpoints``; -1 for none.
  public func endpoint(ofRow row: Int) -> Int {
    let symbol = Int(replay.rows[row].endpoint.index)
    return endpointOfSymbol.indices.contains(symbol) ? endpointOfSymbol[symbol] : -1
  }

  /// Where row `row`'s prompt was computed, when elsewhere; -1 else.
  public func prefillEndpoint(ofRow row: Int) -> Int {
    let symbol = Int(replay.rows[row].prefillEndpoint.index)
    let endpoint = endpointOfSymbol.indices.contains(symbol) ? endpointOfSymbol[symbol] : -1
    return endpoint == self.endpoint(ofRow: row) ? -1 : endpoint
  }

  /// The hashes of row `row`'s leading prompt blocks.
  public func prefixBlocks(ofRow row: Int) -> ArraySlice<UInt64> {
    let range = replay.rows[row].prefixBlocks
    let (start, end) = (Int(range.start), Int(range.start) + Int(range.count))
    guard start >= 0, start <= end, end <= blocks.count else { return [] }
    return blocks[start..<end]
  }

  /// Row `row` as a simulation sees it, from its dispatch on.
  public func request(_ row: Int) -> SimulatedRequest {
    let logged = replay.rows[row]
    let prompt = max(Int(logged.inputTokens), 1)
    let whole = prefixBlocks(ofRow: row).prefix(prompt / blockTokens)
    var request = SimulatedRequest(
      arrivalMilliseconds: replay.dispatchTime(row), promptTokens: prompt,
      outputTokens: max(Int(logged.outputTokens), 1),
      maximumTokens: max(Int(logged.maxTokens), 0),
      prefixBlocks: Array(whole),
      ttftObjectiveMilliseconds: Self.objective(logged.targetTTFTMilliseconds),
      tpotObjectiveMilliseconds: Self.objective(logged.targetTPOTMilliseconds),
      isSheddable: logged.priority < 0)
    request.cacheBlocks = parts.blocks(whole, tokens: prompt)
    return request
  }

  private static func objective(_ value: Float) -> Double {
    value.isFinite && value > 0 ? Double(value) : 0
  }

  /// Rows `rows` as a workload; arrivals are dispatches, in the replay's ms.
  public func workload(_ rows: Range<Int>) -> Workload {
    Workload(requests: rows.map { request($0) }, blockTokens: blockTokens)
  }

  /// Where rows `rows` were sent.
  public func decisions(_ rows: Range<Int>) -> [Int] { rows.map { endpoint(ofRow: $0) } }

  /// Where prompts of rows `rows` were computed, when elsewhere; empty where none were.
  public func prefillDecisions(_ rows: Range<Int>) -> [Int] {
    let all = rows.map { prefillEndpoint(ofRow: $0) }
    return all.contains { $0 >= 0 } ? all : []
  }

  /// What each endpoint is used for in rows `rows`.
  public func roles(_ rows: Range<Int>) -> [EndpointRole] {
    var (computes, decodes) = (endpoints.map { _ in false }, endpoints.map { _ in false })
    for row in rows where endpoint(ofRow: row) >= 0 {
      let prefill = prefillEndpoint(ofRow: row)
      decodes[endpoint(ofRow: row)] = true
      computes[prefill >= 0 ? prefill : endpoint(ofRow: row)] = true
    }
    return endpoints.indices.map { index in
      computes[index] == decodes[index] ? .both : computes[index] ? .prefill : .decode
    }
  }

  /// The first row of the newest `share` of the time that the log covers.
  ///
  /// - Parameter share: 0…1.
  public func firstRow(ofNewest share: Double) -> Int {
    guard let first = replay.rows.first, let last = replay.rows.last else { return 0 }
    let (start, end) = (first.dispatchedNanoseconds, last.dispatchedNanoseconds)
    let cut = start + Int64((1 - share) * Double(end - start))
    var (low, high) = (0, replay.rows.count)
    while low < high {
      let middle = (low + high) / 2
      if replay.rows[middle].dispatchedNanoseconds < cut { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
