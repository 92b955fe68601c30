extension InferenceRequest {
  /// Reads the body of an OpenAI-like request: chat, completion, response or embedding.
  ///
  /// Members of an unexpected type are left to the endpoint to refuse; of members that occur twice
  /// the last counts. The prompt is what the engine will render, as near as the JSON shows: tools,
  /// then instructions, then the prompt or the messages in their order.
  ///
  /// - Throws: ``MalformedJSON`` unless it is one JSON object.
  /// - Complexity: O(bytes); allocates the hashes alone.
  public mutating func readBody(_ body: Span<UInt8>) throws(MalformedJSON) {
    var scanner = JSONScanner()
    guard try scanner.peek(body) == UInt8(ascii: "{") else {
      throw scanner.failure("expected an object")
    }
    scanner.position += 1
    var parts = PromptParts()
    var isFirst = true
    while let key = try scanner.nextKey(body, &isFirst) {
      try readMember(JSONScanner.string(body, key), body, &scanner, &parts)
    }
    try scanner.expectEnd(body)
    readPrompt(body, parts)
  }

  /// Where the values that make the prompt start.
  private struct PromptParts {
    var tools: Int?
    var instructions: Int?
    var prompt: Int?
    /// Keeps the cache of one tenant apart from another's.
    var salt = ""
  }

  private mutating func readMember(
    _ key: String, _ body: Span<UInt8>, _ scanner: inout JSONScanner, _ parts: inout PromptParts
  ) throws(MalformedJSON) {
    switch key {
    case "model": model = try Self.text(body, &scanner) ?? model
    case "lora_path": adapter = try Self.text(body, &scanner) ?? adapter
    case "cache_salt": parts.salt = try Self.text(body, &scanner) ?? parts.salt
    case "stream":
      isStreaming = body[scanner.position] == UInt8(ascii: "t")
      try scanner.skipValue(body, depth: 1)
    case "max_tokens", "max_completion_tokens", "max_output_tokens":
      if let limit = try Self.count(body, &scanner) { maximumTokens = limit }
    case "tools", "functions":
      parts.tools = scanner.position
      try scanner.skipValue(body, depth: 1)
    case "instructions", "system":
      parts.instructions = scanner.position
      try scanner.skipValue(body, depth: 1)
    case "messages", "prompt", "input":
      parts.prompt = scanner.position
      try scanner.skipValue(body, depth: 1)
    default: try scanner.skipValue(body, depth: 1)
    }
  }

  /// The string at the scanner's position; passes over anything else.
  private static func text(
    _ body: Span<UInt8>, _ scanner: inout JSONScanner
  ) throws(MalformedJSON) -> String? {
    guard body[scanner.position] == UInt8(ascii: "\"") else {
      try scanner.skipValue(body, depth: 1)
      return nil
    }
    return JSONScanner.string(body, try scanner.text(body))
  }

  /// The count at the scanner's position, cut at 2³¹ − 1; passes over anything else.
  static func count(
    _ body: Span<UInt8>, _ scanner: inout JSONScanner
  ) throws(MalformedJSON) -> Int? {
    guard (0x30...0x39).contains(body[scanner.position]) else {
      try scanner.skipValue(body, depth: 1)
      return nil
    }
    let value = try scanner.number(body)
    return value.isFinite ? Int(min(value, 2_147_483_647)) : nil
  }

  private mutating func readPrompt(_ body: Span<UInt8>, _ parts: PromptParts) {
    var prompt = PromptReader(domain: "\(model)\u{0}\(adapter)\u{0}\(parts.salt)")
    for start in [parts.tools, parts.instructions, parts.prompt] {
      guard let start else { continue }
      // Checked once already: it cannot fail here.
      try? prompt.read(body, JSONScanner(position: start))
    }
    promptBytes = prompt.bytes
    promptTokens = prompt.tokens
    prefixBlocks = prompt.hasher.blocks
  }
}

/// Collects a prompt from the strings and token numbers of a JSON value.
private struct PromptReader {
  /// What an image, a sound or another attachment is taken for.
  static let tokensPerAttachment = 576

  var hasher: PrefixHasher
  /// Bytes of text.
  var bytes = 0
  private var tokenNumbers = 0
  private var attachments = 0

  init(domain: String) { hasher = PrefixHasher(domain: domain) }

  /// The prompt's tokens: four bytes of text make about one.
  var tokens: Int { (bytes + 3) / 4 + tokenNumbers + attachments * Self.tokensPerAttachment }

  mutating func read(_ body: Span<UInt8>, _ start: JSONScanner) throws(MalformedJSON) {
    var scanner = start
    try readValue(body, &scanner)
  }

  private mutating func readValue(
    _ body: Span<UInt8>, _ scanner: inout JSONScanner
  ) throws(MalformedJSON) {
    switch try scanner.peek(body) {
    case UInt8(ascii: "{"):
      scanner.position += 1
      var isFirst = true
      while let key = try scanner.nextKey(body, &isFirst) {
        // The kind of a part is not rendered; all else may be.
        if key.range.count == 4, JSONScanner.matches(body, at: key.range.lowerBound, "type") {
          try scanner.skipValue(body)
        } else {
          try readValue(body, &scanner)
        }
      }
    case UInt8(ascii: "["):
      scanner.position += 1
      var isFirst = true
      while try scanner.nextElement(body, &isFirst) { try readValue(body, &scanner) }
    case UInt8(ascii: "\""): readText(body, try scanner.text(body))
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      let number = try scanner.number(body)
      tokenNumbers += 1
      hasher.append(token: (0..<4_294_967_295).contains(number) ? UInt32(number) : .max)
    default: try scanner.skipValue(body)
    }
  }

  private mutating func readText(_ body: Span<UInt8>, _ text: JSONScanner.Text) {
    if isAttachment(body, text) {
      attachments += 1
      var content = PrefixHasher(domain: "")
      // Enough of it to tell one from another: its start, its length and its end.
      for index in text.range.prefix(4096) { content.append(body[index]) }
      for index in text.range.suffix(4096) { content.append(body[index]) }
      let digest = content.blocks.last ?? 0
      for shift in [0, 32] as [UInt64] {
        hasher.append(token: UInt32(truncatingIfNeeded: digest >> shift))
      }
      hasher.append(token: UInt32(truncatingIfNeeded: text.range.count))
      return
    }
    let end = text.range.upperBound
    var index = text.range.lowerBound
    while index < end {
      let runEnd = text.hasEscapes ? JSONScanner.runEnd(body, from: index, to: end) : end
      hasher.append(body, index..<runEnd)
      bytes += runEnd - index
      guard runEnd < end else { break }
      let (scalar, length) = JSONScanner.unescape(body, at: runEnd, end: end)
      for unit in UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter { append(unit) }
      index = runEnd + length
    }
    // Between one piece of text and the next a template puts something.
    append(0x1e)
  }

  private mutating func append(_ byte: UInt8) {
    hasher.append(byte)
    bytes += 1
  }

  /// Whether a string carries data rather than text.
  private func isAttachment(_ body: Span<UInt8>, _ text: JSONScanner.Text) -> Bool {
    text.range.count > 256 && JSONScanner.matches(body, at: text.range.lowerBound, "data:")
  }
}
