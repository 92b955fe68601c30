/// What llm-d's router says about one request and one candidate endpoint, and later about how it
/// went.
///
/// The same fields come with a question (`/predict`) and, together with the outcome, as an example
/// (`/add_training_data_bulk`).
public struct PredictorEntry: Sendable, Hashable {
  /// The numeric fields, by ``Field/rawValue``; `nan` where a field is absent.
  var values = SIMD16<Double>(repeating: .nan)
  /// `prefill`, `decode`, or empty for an endpoint that does both.
  public var podType = ""

  /// An entry with every field absent.
  public init() {}

  /// The value of `field`; 0 when absent.
  public subscript(field: Field) -> Double {
    get {
      let value = values[field.rawValue]
      return value.isNaN ? 0 : value
    }
    set { values[field.rawValue] = newValue }
  }

  /// Whether `field` was given.
  public func has(_ field: Field) -> Bool { !values[field.rawValue].isNaN }
}

extension PredictorEntry {
  /// The numeric fields of the wire format.
  public enum Field: Int, CaseIterable, Sendable {
    /// KV-cache usage, 0…1 in spite of its name on the wire.
    case kvCacheUsage
    /// Prompt length, tokens.
    case inputTokens
    /// Requests that wait in the engine.
    case waitingRequests
    /// Requests in flight on the endpoint.
    case runningRequests
    /// Tokens generated; without meaning, and not used.
    case generatedTokens
    /// The share of the prompt that is cached there, 0…1.
    case prefixMatchFraction
    /// Uncached prompt tokens dispatched there that have no first token yet.
    case prefillTokensInFlight
    /// Tokens being decoded there; the router sends 0.
    case decodeTokensInFlight
    /// Multimodal input, encoder tokens.
    case encoderInputSize
    /// Those of them that are cached there.
    case encoderMatchedSize
    /// The outcome: time to first token, ms; 0 in an example of TPOT alone.
    case actualTTFT
    /// The outcome: time per output token, ms; 0 in an example of TTFT alone.
    case actualTPOT
    /// When the entry came in, ns since 1970; written to the entry log and not part of the API.
    case receivedUnixNanoseconds

    /// The name on the wire.
    public var name: String { "\(wireName)" }

    var wireName: StaticString {
      switch self {
      case .kvCacheUsage: "kv_cache_percentage"
      case .inputTokens: "input_token_length"
      case .waitingRequests: "num_request_waiting"
      case .runningRequests: "num_request_running"
      case .generatedTokens: "num_tokens_generated"
      case .prefixMatchFraction: "prefix_cache_score"
      case .prefillTokensInFlight: "prefill_tokens_in_flight"
      case .decodeTokensInFlight: "decode_tokens_in_flight"
      case .encoderInputSize: "encoder_input_size"
      case .encoderMatchedSize: "encoder_matched_size"
      case .actualTTFT: "actual_ttft_ms"
      case .actualTPOT: "actual_tpot_ms"
      case .receivedUnixNanoseconds: "received_unix_ns"
      }
    }

    var isInteger: Bool {
      switch self {
      case .kvCacheUsage, .prefixMatchFraction, .actualTTFT, .actualTPOT: false
      default: true
      }
    }

    /// The largest value that is taken: 1 for shares, and what no request reaches for the others.
    var maximum: Double {
      switch self {
      case .kvCacheUsage, .prefixMatchFraction: 1
      case .receivedUnixNanoseconds: 9e18
      default: 1e9
      }
    }
  }

  /// What an entry is for, which decides what it must have.
  public enum Purpose: Sendable {
    /// A question.
    case prediction
    /// An example.
    case training

    var required: [Field] {
      let always: [Field] = [
        .kvCacheUsage, .inputTokens, .waitingRequests, .runningRequests, .generatedTokens,
        .prefixMatchFraction,
      ]
      return self == .prediction ? always : always + [.actualTTFT, .actualTPOT]
    }

    /// The array's name in a body of many.
    var arrayName: StaticString { self == .prediction ? "requests" : "entries" }
  }
}
