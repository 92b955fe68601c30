/// What an engine's metrics say about its load.
public struct EngineMetrics: Sendable, Hashable {
  /// The engines whose names are known.
  public enum Engine: String, Sendable, Hashable, CaseIterable {
    /// vLLM.
    case vllm
    /// SGLang.
    case sglang
    /// TensorRT-LLM behind `trtllm-serve`.
    case tensorRT = "trtllm"
    /// TensorRT-LLM behind Triton.
    case triton
  }

  /// Which engine's names were found; `nil` for none.
  public var engine: Engine?
  /// Requests that wait for a slot; summed over data-parallel ranks.
  public var waitingRequests: Double?
  /// Requests in the batch; summed over data-parallel ranks.
  public var runningRequests: Double?
  /// KV-cache usage, 0…1; the mean of data-parallel ranks.
  public var kvCacheUsage: Double?
  /// What the KV cache holds, tokens; summed over data-parallel ranks.
  public var cacheTokens: Double?

  /// Nothing known.
  public init() {}

  /// Whether there is enough to judge the engine's load by.
  public var isComplete: Bool { waitingRequests != nil && runningRequests != nil }
}

/// Reads engines' metrics in Prometheus' text format.
///
/// A pure function over bytes that strangers wrote: lines that are not understood are skipped,
/// numbers that cannot be (negative, not finite, absurdly large) are left out.
public enum MetricsParser {
  /// What is read at most, bytes; the rest is ignored.
  public static let maximumBytes = 8 << 20
  private static let maximumLineBytes = 16_384
  private static let maximumSeries = 4_096
  /// Counts above this are no counts.
  private static let maximumCount = 1e7
  /// Nor are caches larger than this, tokens.
  private static let maximumTokens = 1e11

  /// The load that `bytes` tell.
  ///
  /// - Complexity: O(bytes); allocates only for values of known metrics.
  public static func parse(_ bytes: Span<UInt8>) -> EngineMetrics {
    var sums = Sums()
    let end = min(bytes.count, maximumBytes)
    var start = 0
    while start < end, sums.seriesCount < maximumSeries {
      var stop = start
      while stop < end, bytes[stop] != UInt8(ascii: "\n") { stop += 1 }
      if stop - start <= maximumLineBytes { read(bytes.extracting(start..<stop), into: &sums) }
      start = stop + 1
    }
    return sums.metrics
  }

  /// The load that `bytes` tell.
  public static func parse(_ bytes: [UInt8]) -> EngineMetrics { parse(bytes.span) }

  // MARK: - Names

  enum Quantity {
    case waiting, running, usage
    /// The KV cache's size, as a value in tokens.
    case tokens
    /// The KV cache's size, as labels: blocks, and tokens in each.
    case blocks
  }

  /// A metric that matters; with `label`, only its series that carry it.
  struct Name: Sendable {
    var engine: EngineMetrics.Engine
    var quantity: Quantity
    var name: StaticString
    var label: StaticString?

    init(
      _ engine: EngineMetrics.Engine, _ quantity: Quantity, _ name: StaticString,
      label: StaticString? = nil
    ) {
      self.engine = engine
      self.quantity = quantity
      self.name = name
      self.label = label
    }
  }

  static let names: [Name] = [
    Name(.vllm, .waiting, "vllm:num_requests_waiting"),
    Name(.vllm, .running, "vllm:num_requests_running"),
    Name(.vllm, .usage, "vllm:kv_cache_usage_perc"),
    Name(.vllm, .usage, "vllm:gpu_cache_usage_perc"),
    Name(.vllm, .blocks, "vllm:cache_config_info"),
    Name(.sglang, .waiting, "sglang:num_queue_reqs"),
    Name(.sglang, .running, "sglang:num_running_reqs"),
    Name(.sglang, .usage, "sglang:token_usage"),
    Name(.sglang, .tokens, "sglang:max_total_num_tokens"),
    Name(.tensorRT, .waiting, "trtllm_num_requests_waiting"),
    Name(.tensorRT, .running, "trtllm_num_requests_running"),
    Name(.tensorRT, .usage, "trtllm_kv_cache_utilization"),
    Name(.triton, .waiting, "nv_trt_llm_request_metrics", label: "request_type=\"waiting\""),
    Name(.triton, .running, "nv_trt_llm_request_metrics", label: "request_type=\"scheduled\""),
    Name(
      .triton, .usage, "nv_trt_llm_kv_cache_block_metrics",
      label: "kv_cache_block_type=\"fraction\""),
  ]

  /// The query that asks for these metrics alone.
  static let filter: String = {
    var seen: [String] = []
    for name in names where !seen.contains("\(name.name)") { seen.append("\(name.name)") }
    return seen.map { "name%5B%5D=\($0)" }.joined(separator: "&")
  }()

  // MARK: - Lines

  private static func read(_ line: Span<UInt8>, into sums: inout Sums) {
    guard line.count > 8 else { return }
    switch line[0] {
    case UInt8(ascii: "v"), UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "n"): break
    default: return
    }
    var nameEnd = 0
    while nameEnd < line.count, isNameByte(line[nameEnd]) { nameEnd += 1 }
    guard nameEnd < line.count else { return }
    for name in names where matches(line, 0..<nameEnd, name.name) {
      var cursor = nameEnd
      var hasLabel = name.label == nil
      if line[cursor] == UInt8(ascii: "{") {
        guard let close = labelsEnd(line, from: cursor) else { return }
        let labels = (cursor + 1)..<close
        if let label = name.label { hasLabel = end(of: label, line, labels) != nil }
        if name.quantity == .blocks {
          if let tokens = cacheTokens(line, labels) { sums.add(tokens, name) }
          return
        }
        cursor = close + 1
      }
      guard hasLabel, name.quantity != .blocks, let value = number(line, from: cursor) else {
        continue
      }
      sums.add(value, name)
      return
    }
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: ":"):
      true
    default: false
    }
  }

  private static func matches(_ line: Span<UInt8>, _ range: Range<Int>, _ text: StaticString)
    -> Bool
  {
    guard range.count == text.utf8CodeUnitCount else { return false }
    for index in range where line[index] != byte(text, index - range.lowerBound) { return false }
    return true
  }

  private static func byte(_ text: StaticString, _ index: Int) -> UInt8 {
    unsafe text.utf8Start[index]
  }

  /// Where the labels' closing brace is; braces in quoted values do not count.
  private static func labelsEnd(_ line: Span<UInt8>, from open: Int) -> Int? {
    var (index, isQuoted) = (open + 1, false)
    while index < line.count {
      switch line[index] {
      case UInt8(ascii: "\\") where isQuoted: index += 1
      case UInt8(ascii: "\""): isQuoted.toggle()
      case UInt8(ascii: "}") where !isQuoted: return index
      default: break
      }
      index += 1
    }
    return nil
  }

  /// The cache's size as vLLM's labels tell it, tokens.
  private static func cacheTokens(_ line: Span<UInt8>, _ labels: Range<Int>) -> Double? {
    guard let blocks = count(of: "num_gpu_blocks=\"", line, labels),
      let size = count(of: "block_size=\"", line, labels), blocks * size <= maximumTokens
    else { return nil }
    return blocks * size
  }

  /// The digits behind `label`, which ends with a quote.
  private static func count(
    of label: StaticString, _ line: Span<UInt8>, _ labels: Range<Int>
  ) -> Double? {
    guard let start = end(of: label, line, labels) else { return nil }
    var (value, index) = (0.0, start)
    while index < labels.upperBound, (0x30...0x39).contains(line[index]), value <= maximumCount {
      value = 10 * value + Double(line[index] - 0x30)
      index += 1
    }
    guard index < labels.upperBound, line[index] == UInt8(ascii: "\"") else { return nil }
    return value > 0 && value <= maximumCount ? value : nil
  }

  /// Where `label`, one of the labels in `range` or the start of one, ends.
  private static func end(
    of label: StaticString, _ line: Span<UInt8>, _ range: Range<Int>
  ) -> Int? {
    let length = label.utf8CodeUnitCount
    var (index, isQuoted) = (range.lowerBound, false)
    while index + length <= range.upperBound {
      if !isQuoted, index == range.lowerBound || isSeparator(line[index - 1]),
        matches(line, index..<index + length, label)
      {
        return index + length
      }
      if line[index] == UInt8(ascii: "\\"), isQuoted { index += 1 }
      if index < range.upperBound, line[index] == UInt8(ascii: "\"") { isQuoted.toggle() }
      index += 1
    }
    return nil
  }

  private static func isSeparator(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: ",") || byte == UInt8(ascii: " ")
  }

  /// The number after optional blanks; what follows it, a timestamp, is ignored.
  private static func number(_ line: Span<UInt8>, from start: Int) -> Double? {
    var index = start
    while index < line.count, isBlank(line[index]) { index += 1 }
    guard index > start, index < line.count else { return nil }
    var text: [UInt8] = []
    while index < line.count, !isBlank(line[index]), text.count < 64 {
      text.append(line[index])
      index += 1
    }
    guard text.count < 64, let value = Double(String(decoding: text, as: UTF8.self)),
      value.isFinite, value >= 0, value <= maximumCount
    else { return nil }
    return value
  }

  private static func isBlank(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\r")
  }

  // MARK: - Sums

  /// The series of one engine added up; the first engine that is met wins.
  private struct Sums {
    var engine: EngineMetrics.Engine?
    var seriesCount = 0
    var waiting: Double?
    var running: Double?
    var usage: Double?
    var usageCount = 0.0
    var tokens: Double?

    mutating func add(_ value: Double, _ name: Name) {
      if engine == nil { engine = name.engine }
      guard engine == name.engine else { return }
      seriesCount += 1
      switch name.quantity {
      case .waiting: waiting = (waiting ?? 0) + value
      case .running: running = (running ?? 0) + value
      case .usage:
        usage = (usage ?? 0) + min(value, 1)
        usageCount += 1
      case .tokens, .blocks: tokens = (tokens ?? 0) + value
      }
    }

    var metrics: EngineMetrics {
      var metrics = EngineMetrics()
      metrics.engine = engine
      metrics.waitingRequests = waiting
      metrics.runningRequests = running
      metrics.kvCacheUsage = usage.map { $0 / max(usageCount, 1) }
      metrics.cacheTokens = tokens
      return metrics
    }
  }
}
