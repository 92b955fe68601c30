/// Reads along while a response passes, and never changes or holds it back.
///
/// A streamed response is split into its server-sent events, wherever the chunks cut them; any
/// other JSON response is kept until its end for the usage that it reports. What cannot be read is
/// ignored: the response is the client's business.
public struct ResponseWatcher: Sendable {
  /// What a response is made of.
  public enum Format: Sendable, Hashable {
    /// Server-sent events, `text/event-stream`.
    case events
    /// One JSON document.
    case document
    /// Something that is not read, such as a compressed body.
    case opaque
  }

  /// Token counts as the engine reports them.
  public struct Usage: Sendable, Hashable {
    /// Tokens of the prompt.
    public var promptTokens: Int?
    /// Tokens of the prompt that were cached.
    public var cachedTokens: Int?
    /// Generated tokens.
    public var outputTokens: Int?
  }

  /// What one piece of a response showed.
  public struct Sighting: Sendable, Hashable {
    /// Whether the first token was in it.
    public var hasFirstToken = false
    /// Tokens in it, the first included.
    public var tokens = 0
  }

  /// The longest event line, and the longest document, that is read; bytes.
  public static let maximumBytes = 4 << 20

  /// What the response is made of.
  public let format: Format
  /// Tokens seen in the stream so far.
  public private(set) var streamedTokens = 0
  /// What the engine has reported so far.
  public private(set) var usage = Usage()
  /// Whether the stream said that it is done: `data: [DONE]`.
  public private(set) var isDone = false

  /// An unfinished line of a stream, or the document so far.
  private var kept: [UInt8] = []
  private var isOverlong = false

  /// A watcher of a response with these headers; empty for absent ones.
  public init(contentType: String, contentEncoding: String = "") {
    let type = contentType.lowercased()
    if !contentEncoding.isEmpty, contentEncoding.lowercased() != "identity" {
      format = .opaque
    } else if type.hasPrefix("text/event-stream") {
      format = .events
    } else {
      format = type.contains("json") ? .document : .opaque
    }
  }

  /// Generated tokens: as the engine says, else as counted in the stream; `nil` when unknown.
  public var outputTokens: Int? {
    usage.outputTokens ?? (format == .events ? streamedTokens : nil)
  }

  /// Takes the next piece of the body.
  ///
  /// - Complexity: O(bytes).
  public mutating func consume(_ bytes: Span<UInt8>) -> Sighting {
    switch format {
    case .events: return consumeEvents(bytes)
    case .document:
      keep(bytes, 0..<bytes.count)
      return Sighting()
    case .opaque: return Sighting()
    }
  }

  /// The body has ended.
  public mutating func finish() {
    if format == .document, !isOverlong, !kept.isEmpty {
      if let event = try? ResponseEvent(kept.span, from: 0) { merge(event.usage) }
    }
    kept = []
  }

  // MARK: - Events

  private mutating func consumeEvents(_ bytes: Span<UInt8>) -> Sighting {
    let before = streamedTokens
    var start = 0
    for index in bytes.indices {
      guard bytes[index] == 0x0a || bytes[index] == 0x0d else { continue }
      if kept.isEmpty && !isOverlong {
        readLine(bytes, start..<index)
      } else {
        keep(bytes, start..<index)
        let line = kept
        kept.removeAll(keepingCapacity: true)
        if !isOverlong { readLine(line.span, 0..<line.count) }
        isOverlong = false
      }
      start = index + 1
    }
    keep(bytes, start..<bytes.count)
    return Sighting(
      hasFirstToken: before == 0 && streamedTokens > 0, tokens: streamedTokens - before)
  }

  private mutating func keep(_ bytes: Span<UInt8>, _ range: Range<Int>) {
    guard !isOverlong, kept.count + range.count <= Self.maximumBytes else {
      isOverlong = true
      kept = []
      return
    }
    kept.reserveCapacity(kept.count + range.count)
    for index in range { kept.append(bytes[index]) }
  }

  /// Reads one line: `data:` with an event behind it, or nothing of interest.
  private mutating func readLine(_ bytes: Span<UInt8>, _ range: Range<Int>) {
    guard range.count > 5, JSONScanner.matches(bytes, at: range.lowerBound, "data:") else { return }
    var start = range.lowerBound + 5
    if bytes[start] == 0x20 { start += 1 }
    guard start < range.upperBound else { return }
    if range.upperBound - start == 6, JSONScanner.matches(bytes, at: start, "[DONE]") {
      isDone = true
      return
    }
    let line = bytes.extracting(range)
    guard let event = try? ResponseEvent(line, from: start - range.lowerBound) else { return }
    let reported = usage.outputTokens ?? 0
    merge(event.usage)
    // A running count says how many tokens a chunk holds; else at least one in each.
    let running = event.hasText ? (event.usage.outputTokens ?? 0) - reported : 0
    streamedTokens += max(event.tokens, event.hasText ? 1 : 0, running)
  }

  private mutating func merge(_ other: Usage) {
    usage.promptTokens = other.promptTokens ?? usage.promptTokens
    usage.cachedTokens = other.cachedTokens ?? usage.cachedTokens
    usage.outputTokens = other.outputTokens ?? usage.outputTokens
  }
}
