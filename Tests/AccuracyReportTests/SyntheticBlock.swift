import AccuracyReport
import Foundation

/// A judged block with a known truth: latency = shape of the request × noise.
struct SyntheticBlock {
  var requests: [EvaluatedRequest] = []
  private var truth: [(ttft: Double, tpot: Double)] = []
  private let spread: Double

  /// - Parameters:
  ///   - overload: Rows that queue for a long time.
  ///   - spread: The noise's standard deviation, as a logarithm.
  init(
    count: Int, seed: UInt64, endpoints: Int = 3, overload: Range<Int> = 0..<0,
    spread: Double = 0.2
  ) {
    self.spread = spread
    var random = SeededGenerator(seed: seed)
    var weather = 0.0
    for row in 0..<count {
      // Errors of neighbours belong together, as they do on a queue.
      weather = 0.9 * weather + 0.25 * spread * random.normal()
      let prompt = 200 + 4_000 * random.uniform()
      let backlog =
        max(0, 300 * random.uniform() - 120) + (overload.contains(row) ? 3_000 : 0)
      let batch = (20 * random.uniform()).rounded()
      let ttft = 15 + 0.02 * prompt + backlog
      let tpot = 7 + 0.2 * batch
      truth.append((ttft, tpot))
      requests.append(
        EvaluatedRequest(
          requestID: "r\(row)", receivedNanoseconds: Int64(row) * 500_000_000,
          endpoint: "pod-\(row % endpoints)", accelerator: row % endpoints == 0 ? "h100" : "h200",
          model: "llama", inputTokens: prompt, cachedShare: random.uniform(),
          backlogMilliseconds: backlog, decodingRequests: batch, outputTokens: 100,
          actualTTFTMilliseconds: ttft * exp(weather + spread * random.normal()),
          actualTPOTMilliseconds: tpot * exp(spread * random.normal())))
    }
  }

  /// A model that knows the truth up to a factor per request.
  func model(
    _ name: String = "model", factor: (Int) -> Double = { _ in 1 }, widening: Double = 1
  ) -> EvaluatedModel {
    EvaluatedModel(
      name: name,
      predictions: truth.indices.map { row in
        Prediction(
          ttft: heads(truth[row].ttft * factor(row), 1.125 * spread * widening),
          tpot: heads(truth[row].tpot * factor(row), spread * widening))
      })
  }

  /// A constant predictor fitted on the block itself.
  var baseline: ConstantBaseline {
    ConstantBaseline(
      trainingTTFTMilliseconds: requests.map(\.actualTTFTMilliseconds),
      trainingTPOTMilliseconds: requests.map(\.actualTPOTMilliseconds))
  }

  private func heads(_ centre: Double, _ spread: Double) -> HeadValues {
    HeadValues(
      mean: centre * exp(spread * spread / 2), p50: centre, p90: centre * exp(1.2816 * spread),
      p95: centre * exp(1.6449 * spread), p99: centre * exp(2.3263 * spread))
  }
}

/// A seeded generator with the two distributions that the tests need.
struct SeededGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

  mutating func uniform() -> Double {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    var mixed = state >> 33
    mixed ^= mixed >> 15
    return Double(mixed & 0xFFFF_FFF) / Double(0x1000_0000)
  }

  mutating func normal() -> Double {
    (0..<12).reduce(-6.0) { total, _ in total + uniform() }
  }
}
