import Foundation

/// Foundation's functions.
enum LoadMath {
  static func logarithm(_ x: Double) -> Double { log(x) }
  static func exponential(_ x: Double) -> Double { exp(x) }
}

/// How one request of a load went; times in ms from when it was to be sent.
struct LoadOutcome: Sendable {
  /// When it was to be sent, s after the load's start.
  var dueSeconds: Double
  /// The HTTP status; 0 when there was no answer.
  var status: Int
  /// Why there was no answer; empty when there was one.
  var failure = ""
  var ttftMilliseconds = Double.nan
  var endMilliseconds = Double.nan
  var answerTokens = 0
  var cachedTokens = 0
  var promptTokens = 0

  var tpotMilliseconds: Double {
    answerTokens > 1
      ? (endMilliseconds - ttftMilliseconds) / Double(answerTokens - 1) : .nan
  }

  /// One JSON line; what is unknown is null.
  var line: String {
    func number(_ value: Double) -> String {
      value.isFinite ? String(format: "%.3f", value) : "null"
    }
    return "{\"due_s\":\(number(dueSeconds)),\"status\":\(status),"
      + "\"ttft_ms\":\(number(ttftMilliseconds)),\"end_ms\":\(number(endMilliseconds)),"
      + "\"output_tokens\":\(answerTokens),\"input_tokens\":\(promptTokens),"
      + "\"cached_tokens\":\(cachedTokens)}"
  }
}

/// What a load's outcomes add up to.
struct LoadSummary {
  let outcomes: [LoadOutcome]
  let seconds: Double

  private var good: [LoadOutcome] { outcomes.filter { $0.status == 200 } }

  /// The share of answers whose first token came within 500 ms, of all requests.
  var goodput: Double {
    let count = good.reduce(0) { $0 + ($1.ttftMilliseconds <= 500 ? 1 : 0) }
    return outcomes.isEmpty ? 0 : Double(count) / Double(outcomes.count)
  }

  static func quantile(_ values: [Double], _ level: Double) -> Double {
    let sorted = values.filter(\.isFinite).sorted()
    guard !sorted.isEmpty else { return .nan }
    return sorted[min(sorted.count - 1, Int(level * Double(sorted.count)))]
  }

  var text: String {
    var lines = [
      "\(outcomes.count) requests in \(Self.format(seconds)) s, "
        + "\(outcomes.count - good.count) failed, \(Self.format(100 * goodput)) % with TTFT "
        + "within 500 ms, \(Self.format(100 * cachedShare)) % of prompt tokens cached",
      Self.row("ms", ["P50", "P90", "P99"]),
    ]
    for (name, values) in targets {
      lines.append(
        Self.row(name, [0.5, 0.9, 0.99].map { Self.format(Self.quantile(values, $0)) }))
    }
    if let failed = outcomes.first(where: { $0.status != 200 }) {
      let reason =
        failed.failure.isEmpty
        ? (failed.status == 0 ? "the answer was cut off" : "status \(failed.status)")
        : failed.failure
      lines.append("the first that failed: \(reason)")
    }
    return lines.joined(separator: "\n")
  }

  var json: [String: Any] {
    var result: [String: Any] = [
      "requests": outcomes.count, "failed": outcomes.count - good.count, "seconds": seconds,
      "goodput": goodput, "cached_share": cachedShare,
    ]
    for (name, values) in targets {
      for (label, level) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99)] {
        let value = Self.quantile(values, level)
        result["\(name.lowercased())_\(label)_ms"] = value.isFinite ? value : 0
      }
    }
    return result
  }

  private var targets: [(String, [Double])] {
    [
      ("TTFT", good.map(\.ttftMilliseconds)), ("TPOT", good.map(\.tpotMilliseconds)),
      ("E2E", good.map(\.endMilliseconds)),
    ]
  }

  private var cachedShare: Double {
    let prompt = good.reduce(0) { $0 + $1.promptTokens }
    return prompt > 0 ? Double(good.reduce(0) { $0 + $1.cachedTokens }) / Double(prompt) : 0
  }

  private static func row(_ name: String, _ cells: [String]) -> String {
    let padded = cells.map { String(repeating: " ", count: max(0, 10 - $0.count)) + $0 }
    return name + String(repeating: " ", count: max(0, 6 - name.count)) + padded.joined()
  }

  private static func format(_ value: Double) -> String {
    value.isFinite ? String(format: "%.1f", value) : "–"
  }
}
