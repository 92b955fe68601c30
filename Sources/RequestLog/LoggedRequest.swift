/// One request as the gateway's log tells it; fixed size, so that millions fit in memory.
///
/// Names are symbols of the batch's ``SymbolTable``. A missing duration or fraction is `nan`, a
/// missing count is `-1`, a missing time is ``missingTime``, a missing name is ``Symbol/none``.
public struct LoggedRequest: Sendable {
  /// The value of a clock reading that the log does not have.
  public static let missingTime = Int64.min

  // Identity and placement.
  /// The request's identity: the first eight bytes of a 128-bit hash of `request_id`.
  public var identityHigh: UInt64 = 0
  /// The remaining eight bytes of the identity.
  public var identityLow: UInt64 = 0
  /// Where the request id stands in the batch's text.
  public var requestID = TextRange()
  /// Which endpoint decoded the request.
  public var endpoint = Symbol.none
  /// Which endpoint prefilled it, where that was another one.
  public var prefillEndpoint = Symbol.none
  /// Which gateway replica logged it.
  public var gateway = Symbol.none
  /// Its pool of endpoints.
  public var pool = Symbol.none
  /// The model that was asked for.
  public var model = Symbol.none
  /// The LoRA adapter.
  public var adapter = Symbol.none
  /// The accelerator type of the endpoint.
  public var accelerator = Symbol.none
  /// The endpoint's role: "", "prefill" or "decode".
  public var role = Symbol.none
  /// The routing policy that chose the endpoint.
  public var policy = Symbol.none

  // Clock readings, Unix nanoseconds.
  /// Arrival at the gateway.
  public var receivedNanoseconds = missingTime
  /// Dispatch to the endpoint; the reader fills in the arrival where the log has none.
  public var dispatchedNanoseconds = missingTime

  // Known at dispatch.
  /// Prompt tokens.
  public var inputTokens: Int32 = -1
  /// The most tokens that the client asked for.
  public var maxTokens: Int32 = -1
  /// The gateway's estimate of the prompt tokens cached on the chosen endpoint.
  public var prefixMatchTokens: Int32 = -1
  /// The engine's scraped waiting requests.
  public var waitingRequests: Int32 = -1
  /// The engine's scraped running requests.
  public var runningRequests: Int32 = -1
  /// The engine's scraped KV-cache usage, 0…1.
  public var kvCacheUsage = Float.nan
  /// The age of that snapshot at dispatch.
  public var snapshotAgeMilliseconds = Float.nan
  /// The probability with which the policy chose this endpoint, 0…1.
  public var propensity = Float.nan
  /// The client's TTFT objective.
  public var targetTTFTMilliseconds = Float.nan
  /// The client's TPOT objective.
  public var targetTPOTMilliseconds = Float.nan
  /// The request's priority; negative is sheddable.
  public var priority: Int16 = 0
  /// Whether the answer was streamed: 1, 0, or -1 when the log does not say.
  public var stream: Int8 = -1

  // Outcome.
  /// HTTP status; 499 is a client abort, 504 a timeout.
  public var status: Int16 = 200
  /// Generated tokens.
  public var outputTokens: Int32 = -1
  /// Prompt tokens that the engine reports as cached.
  public var cachedTokens: Int32 = -1
  /// Arrival to first token.
  public var ttftMilliseconds = Double.nan
  /// Arrival to last token.
  public var e2eMilliseconds = Double.nan

  // Variable-length parts, ranges of the batch's side buffers.
  /// The hashes of the prompt's leading token blocks.
  public var prefixBlocks = TextRange()
  /// Tokens in each of those blocks.
  public var prefixBlockTokens: Int32 = -1
  /// Arrival of each streamed chunk after the first, ms after the first.
  public var chunkOffsets = TextRange()
  /// The raw JSON of the candidates, in the batch's text.
  public var candidates = TextRange()

  /// Where the line stood: index into the reader's list of files.
  public var fileIndex: Int32 = -1
  /// Where the line stood: its number, from 1.
  public var lineNumber: Int64 = 0

  /// A request about which nothing is known.
  public init() {}

  /// The mean gap between output tokens, (E2E − TTFT)/(N − 1); `nan` when N < 2.
  public var tpotMilliseconds: Double {
    outputTokens >= 2
      ? (e2eMilliseconds - ttftMilliseconds) / Double(outputTokens - 1) : .nan
  }
}

/// A half-open range of one of a batch's side buffers.
public struct TextRange: Sendable, Hashable {
  /// The first element.
  public var start: Int32
  /// How many elements.
  public var count: Int32

  /// The range `start ..< start + count`.
  public init(start: Int32 = 0, count: Int32 = 0) {
    self.start = start
    self.count = count
  }

  /// The elements' places.
  public var indices: Range<Int> { Int(start)..<Int(start) + Int(max(count, 0)) }
}

/// An interned name: an endpoint, a gateway, a model.
///
/// Equal symbols of one table are equal names.
public struct Symbol: Sendable, Hashable {
  /// The index into the table's names; -1 means that the log has no such name.
  public var index: Int32

  /// No name.
  public static let none = Symbol(index: -1)

  /// The symbol at `index`.
  public init(index: Int32) { self.index = index }
}

/// The names behind the symbols, in order of first appearance in the log.
public struct SymbolTable: Sendable {
  /// Every name, by symbol index.
  public private(set) var names: [String] = []
  private var indices: [String: Int32] = [:]

  /// An empty table.
  public init() {}

  /// The symbol of `name`, added when new.
  public mutating func intern(_ name: String) -> Symbol {
    if let index = indices[name] { return Symbol(index: index) }
    let index = Int32(names.count)
    names.append(name)
    indices[name] = index
    return Symbol(index: index)
  }

  /// The name of `symbol`; `nil` for ``Symbol/none``.
  public func name(_ symbol: Symbol) -> String? {
    symbol.index >= 0 && Int(symbol.index) < names.count ? names[Int(symbol.index)] : nil
  }
}

/// Some consecutive requests of a log with their variable-length parts.
public struct RequestBatch: Sendable {
  /// The requests.
  public var rows: [LoggedRequest] = []
  /// UTF-8 of request ids and candidates.
  public var text: [UInt8] = []
  /// Prefix block hashes.
  public var blocks: [UInt64] = []
  /// Chunk arrival offsets, ms.
  public var chunkOffsets: [Float] = []

  /// An empty batch.
  public init() {}

  /// The request id of `row`.
  public func requestID(_ row: LoggedRequest) -> String {
    let range = Int(row.requestID.start)..<Int(row.requestID.start + row.requestID.count)
    return String(decoding: text[range], as: UTF8.self)
  }
}
