/// What a picker needs to know of a request to choose its endpoint.
public struct InferenceRequest: Sendable, Hashable {
  /// Prompt tokens per block of ``prefixBlocks``.
  public static let blockTokens = 64

  /// Identifies it in logs: the header `x-request-id`; empty without one.
  public var requestIdentifier = ""
  /// The W3C trace context, header `traceparent`; empty without one.
  public var traceParent = ""
  /// The model, or the adapter that the engine serves under a model's name.
  public var model = ""
  /// The adapter, where the body names one apart from the model; else empty.
  public var adapter = ""
  /// Whether the answer is streamed as server-sent events.
  public var isStreaming = false
  /// The most tokens to generate; 0 when the client did not say.
  public var maximumTokens = 0
  /// The prompt's text, bytes of UTF-8.
  public var promptBytes = 0
  /// The prompt's tokens, estimated from its text.
  public var promptTokens = 0
  /// Hashes of the prompt's leading whole blocks; each covers its block and all before it.
  public var prefixBlocks: [UInt64] = []
  /// The TTFT that the client asked for, ms; 0 for none.
  public var ttftObjectiveMilliseconds = 0.0
  /// The TPOT that the client asked for, ms; 0 for none.
  public var tpotObjectiveMilliseconds = 0.0
  /// Higher is more important; negative may be shed.
  public var priority = 0
  /// The objective that the gateway's configuration attached; empty for none.
  public var objective = ""
  /// Whom the request counts against in fair sharing; empty for none.
  public var fairnessIdentifier = ""

  /// A request of which nothing is known yet.
  public init() {}

  /// Whether it may be refused when the pool is overloaded.
  public var isSheddable: Bool { priority < 0 }
}
