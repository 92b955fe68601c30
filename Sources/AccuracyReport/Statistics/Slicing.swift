/// What the judged block is cut by.
public enum SliceDimension: String, Sendable, Codable, CaseIterable, Hashable {
  /// Each endpoint.
  case endpoint
  /// Each accelerator class.
  case accelerator
  /// Each served model.
  case model
  /// Deciles of the prompt length.
  case promptLength
  /// Deciles of the prefill backlog at dispatch.
  case backlog
  /// Deciles of the decode batch at dispatch.
  case decoding
  /// Deciles of the share of the prompt believed cached.
  case cachedShare
  /// Hours of the day's calendar, UTC.
  case hour

  /// The dimension as people say it.
  public var title: String {
    switch self {
    case .endpoint: "endpoint"
    case .accelerator: "accelerator"
    case .model: "model"
    case .promptLength: "prompt length"
    case .backlog: "prefill backlog"
    case .decoding: "decode batch"
    case .cachedShare: "cached share"
    case .hour: "hour"
    }
  }

  /// The unit of the dimension's bins, empty for names.
  public var unit: String {
    switch self {
    case .promptLength: "tokens"
    case .backlog: "ms"
    case .decoding: "requests"
    case .cachedShare: "% of the prompt"
    case .endpoint, .accelerator, .model, .hour: ""
    }
  }
}

/// The judged block cut by one dimension: which slice each request is in.
struct Slicing {
  let dimension: SliceDimension
  /// One label per slice, in the order in which they are shown.
  let labels: [String]
  /// The slice of every request; nil when its value is not known.
  let sliceOfRow: [Int?]

  /// - Parameter binCount: How many bins a numeric dimension has at most.
  init(_ dimension: SliceDimension, requests: [EvaluatedRequest], binCount: Int = 10) {
    self.dimension = dimension
    switch dimension {
    case .endpoint: (labels, sliceOfRow) = Self.named(requests.map(\.endpoint))
    case .accelerator: (labels, sliceOfRow) = Self.named(requests.map(\.accelerator))
    case .model: (labels, sliceOfRow) = Self.named(requests.map(\.model))
    case .hour:
      (labels, sliceOfRow) = Self.named(requests.map { Text.hour($0.receivedNanoseconds) })
    case .promptLength:
      (labels, sliceOfRow) = Self.binned(requests.map(\.inputTokens), binCount, Text.compact)
    case .backlog:
      (labels, sliceOfRow) = Self.binned(
        requests.map(\.backlogMilliseconds), binCount, Text.compact)
    case .decoding:
      (labels, sliceOfRow) = Self.binned(
        requests.map(\.decodingRequests), binCount, Text.compact)
    case .cachedShare:
      (labels, sliceOfRow) = Self.binned(requests.map(\.cachedShare), binCount) {
        Text.fixed($0 * 100, 0)
      }
    }
  }

  private static func named(_ values: [String]) -> ([String], [Int?]) {
    let labels = Set(values).filter { !$0.isEmpty }.sorted()
    let positions = Dictionary(uniqueKeysWithValues: labels.enumerated().map { ($1, $0) })
    return (labels, values.map { positions[$0] })
  }

  private static func binned(
    _ values: [Double], _ count: Int, _ text: (Double) -> String
  ) -> ([String], [Int?]) {
    let bins = QuantileBins(values, count: count)
    let labels = bins.upperBounds.indices.map { bin -> String in
      let (lower, upper) = (text(bins.lowerBounds[bin]), text(bins.upperBounds[bin]))
      return lower == upper ? lower : "\(lower)–\(upper)"
    }
    return (labels, values.map { bins.index(of: $0) })
  }
}
