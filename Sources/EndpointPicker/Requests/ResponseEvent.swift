/// What one JSON object of a response says: generated text, and usage.
///
/// Understands chat and text completions, and the event kinds of the Responses and Messages APIs:
/// all carry their text in members of few names, and their usage in an object of that name.
struct ResponseEvent {
  /// Whether it carries generated text, reasoning or a tool call.
  private(set) var hasText = false
  /// Tokens that it lists one by one, by number or with their probabilities; else 0.
  private(set) var tokens = 0
  /// What it says of usage.
  private(set) var usage = ResponseWatcher.Usage()

  /// Reads the object that starts at `start`.
  init(_ bytes: Span<UInt8>, from start: Int) throws(MalformedJSON) {
    var scanner = JSONScanner(position: start)
    guard try scanner.peek(bytes) == UInt8(ascii: "{") else {
      throw scanner.failure("expected an object")
    }
    try readObject(bytes, &scanner, depth: 0)
  }

  private mutating func readObject(
    _ bytes: Span<UInt8>, _ scanner: inout JSONScanner, depth: Int
  ) throws(MalformedJSON) {
    scanner.position += 1
    var isFirst = true
    while let key = try scanner.nextKey(bytes, &isFirst) {
      try readMember(JSONScanner.string(bytes, key, limit: 32), bytes, &scanner, depth: depth)
    }
  }

  private mutating func readMember(
    _ key: String, _ bytes: Span<UInt8>, _ scanner: inout JSONScanner, depth: Int
  ) throws(MalformedJSON) {
    let isObject = bytes[scanner.position] == UInt8(ascii: "{")
    let isArray = bytes[scanner.position] == UInt8(ascii: "[")
    switch key {
    case "usage" where isObject: try readUsage(bytes, &scanner)
    case "choices" where isArray && depth == 0:
      scanner.position += 1
      var isFirst = true
      while try scanner.nextElement(bytes, &isFirst) {
        if bytes[scanner.position] == UInt8(ascii: "{") {
          try readObject(bytes, &scanner, depth: 1)
        } else {
          try scanner.skipValue(bytes)
        }
      }
    case "delta" where isObject, "response" where isObject, "message" where isObject,
      "logprobs" where isObject:
      guard depth < 4 else { return try scanner.skipValue(bytes) }
      try readObject(bytes, &scanner, depth: depth + 1)
    case "text", "content", "reasoning_content", "reasoning", "refusal", "delta", "thinking",
      "partial_json":
      try readText(bytes, &scanner)
    case "tool_calls" where isArray: if try elements(bytes, &scanner) > 0 { hasText = true }
    case "token_ids" where isArray, "tokens" where isArray:
      tokens = max(tokens, try elements(bytes, &scanner))
    default: try scanner.skipValue(bytes)
    }
  }

  /// Text that is not empty, or a list with one entry per token.
  private mutating func readText(
    _ bytes: Span<UInt8>, _ scanner: inout JSONScanner
  ) throws(MalformedJSON) {
    switch bytes[scanner.position] {
    case UInt8(ascii: "\""): if try !scanner.text(bytes).range.isEmpty { hasText = true }
    case UInt8(ascii: "["): tokens = max(tokens, try elements(bytes, &scanner))
    default: try scanner.skipValue(bytes)
    }
  }

  private func elements(
    _ bytes: Span<UInt8>, _ scanner: inout JSONScanner
  ) throws(MalformedJSON) -> Int {
    scanner.position += 1
    var count = 0
    var isFirst = true
    while try scanner.nextElement(bytes, &isFirst) {
      try scanner.skipValue(bytes)
      count += 1
    }
    return count
  }

  private mutating func readUsage(
    _ bytes: Span<UInt8>, _ scanner: inout JSONScanner
  ) throws(MalformedJSON) {
    scanner.position += 1
    var isFirst = true
    while let key = try scanner.nextKey(bytes, &isFirst) {
      switch JSONScanner.string(bytes, key, limit: 32) {
      case "prompt_tokens", "input_tokens":
        usage.promptTokens = try InferenceRequest.count(bytes, &scanner) ?? usage.promptTokens
      case "completion_tokens", "output_tokens":
        usage.outputTokens = try InferenceRequest.count(bytes, &scanner) ?? usage.outputTokens
      case "cached_tokens", "cache_read_input_tokens":
        usage.cachedTokens = try InferenceRequest.count(bytes, &scanner) ?? usage.cachedTokens
      case "prompt_tokens_details", "input_tokens_details":
        if bytes[scanner.position] == UInt8(ascii: "{") {
          try readUsage(bytes, &scanner)
        } else {
          try scanner.skipValue(bytes)
        }
      default: try scanner.skipValue(bytes)
      }
    }
  }
}
