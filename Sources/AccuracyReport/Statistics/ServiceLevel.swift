import Foundation

/// One head's answers to "would it meet the limit?" against what happened.
public struct ServiceLevelRow: Sendable, Codable, Hashable {
  /// The limit, milliseconds.
  public var limitMilliseconds: Double
  /// The head that decides: `p50` or `p90`.
  public var head: String
  /// Said to meet, and met.
  public var truePositives: Int
  /// Said to meet, and missed.
  public var falsePositives: Int
  /// Said to miss, and met.
  public var falseNegatives: Int
  /// Said to miss, and missed.
  public var trueNegatives: Int

  /// Of those said to meet the limit, the share that did; `nan` when none was.
  public var precision: Double {
    Double(truePositives) / Double(truePositives + falsePositives)
  }
  /// Of those that met the limit, the share said to; `nan` when none did.
  public var recall: Double {
    Double(truePositives) / Double(truePositives + falseNegatives)
  }
  /// The share that met the limit.
  public var metShare: Double {
    let all = truePositives + falsePositives + falseNegatives + trueNegatives
    return Double(truePositives + falseNegatives) / Double(all)
  }
}

/// Judges a model as a classifier of requests that meet a limit.
enum ServiceLevel {
  /// Timeouts and server errors (status 500 and above) missed every limit; client aborts tell
  /// nothing and are left out.
  static func rows(
    _ target: LatencyTarget, requests: [EvaluatedRequest], predictions: [Prediction],
    limitsMilliseconds: [Double]
  ) -> [ServiceLevelRow] {
    limitsMilliseconds.flatMap { limit in
      ["p50", "p90"].map { head in
        var row = ServiceLevelRow(
          limitMilliseconds: limit, head: head, truePositives: 0, falsePositives: 0,
          falseNegatives: 0, trueNegatives: 0)
        for (request, prediction) in zip(requests, predictions) {
          var outcome = request.actual(target)
          if target == .ttft, !outcome.isFinite, request.status >= 500 { outcome = .infinity }
          let heads = prediction.heads(target)
          guard !outcome.isNaN, heads.isFinite else { continue }
          row.count(
            saidToMeet: (head == "p50" ? heads.p50 : heads.p90) <= limit,
            met: outcome <= limit)
        }
        return row
      }
    }
  }

  /// Limits worth asking about: round numbers near the 25th, 50th, 75th and 95th percentile.
  static func limits(near outcomes: [Double]) -> [Double] {
    let sorted = outcomes.filter { $0.isFinite && $0 > 0 }.sorted()
    guard !sorted.isEmpty else { return [] }
    var limits: [Double] = []
    for level in [0.25, 0.5, 0.75, 0.95] {
      let limit = rounded(quantile(ofSorted: sorted, level))
      if !limits.contains(limit) { limits.append(limit) }
    }
    return limits
  }

  /// The nearest of 1, 1.5, 2, 3, 4, 5, 6, 8 times a power of ten.
  private static func rounded(_ value: Double) -> Double {
    let scale = pow(10, log10(value).rounded(.down))
    let steps: [Double] = [1, 1.5, 2, 3, 4, 5, 6, 8, 10]
    let nearest = steps.min { abs($0 - value / scale) < abs($1 - value / scale) } ?? 1
    return nearest * scale
  }
}

extension ServiceLevelRow {
  fileprivate mutating func count(saidToMeet: Bool, met: Bool) {
    switch (saidToMeet, met) {
    case (true, true): truePositives += 1
    case (true, false): falsePositives += 1
    case (false, true): falseNegatives += 1
    case (false, false): trueNegatives += 1
    }
  }
}
