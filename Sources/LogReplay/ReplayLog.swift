public import RequestLog
internal import RoutingRuntime

/// Requests of a log in the order in which they were dispatched, ready to be replayed.
public struct ReplayLog: Sendable {
  /// The requests, by dispatch time.
  public private(set) var rows: [LoggedRequest]
  /// The names behind the rows' symbols.
  public let symbols: SymbolTable
  /// The clock reading that counts as 0 ms.
  public let originNanoseconds: Int64
  /// The later chunks of all rows' answers, ms after their first tokens.
  private var chunkOffsets: [Float]
  /// Who sent to whom, and from when to when, by first dispatch.
  let routes: [Route]

  /// One gateway's use of one endpoint.
  struct Route: Sendable, Equatable {
    let gateway: Symbol
    let endpoint: Symbol
    /// The first row that was sent there.
    let first: Int
    /// The last one.
    var last: Int
  }

  /// Sorts `rows` by dispatch; rows without a dispatch time were dispatched on arrival.
  ///
  /// - Parameter chunkOffsets: What the rows' ranges of chunks refer to; none by default.
  /// - Complexity: O(*n* log *n*), O(*n*) when sorted already.
  public init(
    rows given: consuming [LoggedRequest], symbols: SymbolTable, chunkOffsets: [Float] = []
  ) {
    var rows = given
    // One look at each row: a long log is larger than any cache.
    var (isSorted, origin, routes) = (true, Int64.max, RouteList())
    for index in rows.indices {
      if rows[index].dispatchedNanoseconds == LoggedRequest.missingTime {
        rows[index].dispatchedNanoseconds = rows[index].receivedNanoseconds
      }
      if index > 0, Self.isBefore(rows[index], rows[index - 1]) { isSorted = false }
      origin = min(origin, rows[index].receivedNanoseconds)
      routes.add(rows[index], at: index)
    }
    if !isSorted {
      rows.sort(by: Self.isBefore)
      routes = RouteList()
      for index in rows.indices { routes.add(rows[index], at: index) }
    }
    self.routes = routes.routes
    originNanoseconds = rows.isEmpty ? 0 : origin
    self.rows = rows
    self.symbols = symbols
    self.chunkOffsets = chunkOffsets
  }

  /// Ties are broken by identity, so that the order does not depend on the files' order.
  private static func isBefore(_ left: LoggedRequest, _ right: LoggedRequest) -> Bool {
    if left.dispatchedNanoseconds != right.dispatchedNanoseconds {
      return left.dispatchedNanoseconds < right.dispatchedNanoseconds
    }
    if left.identityHigh != right.identityHigh { return left.identityHigh < right.identityHigh }
    return left.identityLow < right.identityLow
  }

  /// The routes of rows that are looked at one after another.
  private struct RouteList {
    private(set) var routes: [Route] = []
    private var known: [UInt64: Int] = [:]

    mutating func add(_ row: borrowing LoggedRequest, at index: Int) {
      let (gateway, endpoint) = (row.gateway, row.endpoint)
      // Few routes are found sooner without a hash.
      for place in 0..<min(routes.count, 8)
      where routes[place].endpoint == endpoint && routes[place].gateway == gateway {
        routes[place].last = index
        return
      }
      let key =
        UInt64(UInt32(bitPattern: gateway.index)) << 32 | UInt64(UInt32(bitPattern: endpoint.index))
      if let place = known[key] {
        routes[place].last = index
      } else {
        known[key] = routes.count
        routes.append(Route(gateway: gateway, endpoint: endpoint, first: index, last: index))
      }
    }
  }

  /// Rows within which an endpoint that is there is used; one that comes later was added then.
  static let introductionRows = 2_000

  /// What the gateways know when row `start` is about to be dispatched, as a live one knows its
  /// endpoints before it uses them.
  ///
  /// Those that are used later and were used before, or soon.
  func routes(knownAt start: Int) -> [Route] {
    routes.filter { $0.first < start + Self.introductionRows && $0.last >= start }
  }

  /// The same log with every latency of row *i* times `factor(i)`; arrivals stay.
  public func latencies(times factor: (Int) -> Double) -> ReplayLog {
    var log = self
    for index in rows.indices {
      let factor = factor(index)
      guard factor != 1 else { continue }
      log.rows[index].ttftMilliseconds *= factor
      log.rows[index].e2eMilliseconds *= factor
      for place in rows[index].chunkOffsets.indices where chunkOffsets.indices.contains(place) {
        log.chunkOffsets[place] *= Float(factor)
      }
    }
    return log
  }

  /// `nanoseconds` on the replay's clock, ms.
  public func milliseconds(_ nanoseconds: Int64) -> Double {
    Double(nanoseconds &- originNanoseconds) * 1e-6
  }

  /// The dispatch of row `index`, ms.
  public func dispatchTime(_ index: Int) -> Double {
    milliseconds(rows[index].dispatchedNanoseconds)
  }

  /// What passed between arrival and dispatch, ms: known at dispatch, and part of the logged TTFT.
  public func dispatchDelay(_ index: Int) -> Double {
    max(0, Double(rows[index].dispatchedNanoseconds &- rows[index].receivedNanoseconds) * 1e-6)
  }

  /// When the first token of row `index` came back, ms; `nil` when it never did.
  public func firstTokenTime(_ index: Int) -> Double? {
    let ttft = rows[index].ttftMilliseconds
    return ttft.isFinite ? milliseconds(rows[index].receivedNanoseconds) + ttft : nil
  }

  /// The chunk of row `index` that is noted after the one at `position`.
  ///
  /// A negative `position` stands for the first token. `nil` where the log has no more.
  ///
  /// - Returns: Its position among the row's chunks, and when it came back, ms.
  func chunk(of index: Int, after position: Int) -> (position: Int, time: Double)? {
    let places = rows[index].chunkOffsets.indices
    guard !places.isEmpty, chunkOffsets.indices.contains(places.upperBound - 1),
      chunkOffsets.indices.contains(places.lowerBound), let first = firstTokenTime(index)
    else { return nil }
    let latest = position < 0 ? 0 : chunkOffsets[places.lowerBound + position]
    for place in places.dropFirst(position + 1)
    where Self.isNoted(chunkOffsets[place], after: latest) {
      return (place - places.lowerBound, first + Double(chunkOffsets[place]))
    }
    return nil
  }

  /// Whether a chunk is noted, after one that was: both in ms after the first token.
  public static func isNoted(_ offset: Float, after latest: Float) -> Bool {
    offset - latest >= chunkSpacing
  }

  /// A little less than what gateways keep, so that rounding in the log loses none of theirs.
  private static let chunkSpacing = 0.95 * Float(EndpointPool.chunkSpacingMilliseconds)

  /// When row `index` left the endpoint, ms.
  ///
  /// Requests whose end is not logged leave with their first token, or at once.
  public func endTime(_ index: Int) -> Double {
    let arrival = milliseconds(rows[index].receivedNanoseconds)
    if rows[index].e2eMilliseconds.isFinite { return arrival + rows[index].e2eMilliseconds }
    return firstTokenTime(index) ?? dispatchTime(index)
  }

  /// Whether row `index` has latencies to learn from: it ended well.
  public func isComplete(_ index: Int) -> Bool {
    rows[index].status == 200 && rows[index].ttftMilliseconds.isFinite
  }
}
