import Foundation
import Testing

@testable import AccuracyReport

@Suite struct MetricsTests {
  /// Outcomes 100, 200, 400 against medians 110, 180, 400 and means 100, 220, 300.
  private func metrics() -> TargetMetrics {
    let requests = [100.0, 200, 400].enumerated().map { row, outcome in
      EvaluatedRequest(
        requestID: "\(row)", receivedNanoseconds: Int64(row), endpoint: "e", inputTokens: 1,
        actualTTFTMilliseconds: outcome, actualTPOTMilliseconds: .nan)
    }
    let heads = [
      HeadValues(mean: 100, p50: 110, p90: 150, p95: 160, p99: 170),
      HeadValues(mean: 220, p50: 180, p90: 190, p95: 210, p99: 300),
      HeadValues(mean: 300, p50: 400, p90: 500, p95: 600, p99: 700),
    ]
    let predictions = heads.map { Prediction(ttft: $0, tpot: $0) }
    let columns = TargetColumns(.ttft, requests: requests, predictions: predictions)
    let blocks = TimeBlocks(requests: requests)
    return TargetMetrics(
      columns, samples: [0, 1, 2], blocks: blocks,
      bootstrap: BlockBootstrap(blockCount: blocks.count))
  }

  @Test func pointErrorsMatchHandComputedValues() {
    let metrics = metrics()
    #expect(metrics.count == 3)
    #expect(abs(metrics.mapeP50 - (0.1 + 0.1 + 0) / 3) < 1e-12)
    #expect(abs(metrics.mapeMean - (0 + 0.1 + 0.25) / 3) < 1e-12)
    #expect(metrics.mape.estimate == metrics.mapeP50)
    #expect(abs(metrics.medianAPE - 0.1) < 1e-12)
    #expect(abs(metrics.maeMilliseconds - 10) < 1e-12)
    #expect(abs(metrics.rmseMilliseconds - (10_400.0 / 3).squareRoot()) < 1e-9)
    #expect(abs(metrics.biasMilliseconds - (0 + 20 - 100) / 3) < 1e-12)
    #expect(abs(metrics.relativeBias - (-80.0 / 3) / (700.0 / 3)) < 1e-12)
    // Squared deviations from 700 / 3 sum up to 140,000 / 3.
    #expect(abs(metrics.rSquared - (1 - 31_200.0 / 140_000)) < 1e-12)
  }

  @Test func pinballLossAndCoverageMatchHandComputedValues() throws {
    let metrics = metrics()
    let p90 = try #require(metrics.level(0.9))
    // 150 over 100 and 500 over 400 cost 0.1 a ms; 190 under 200 costs 0.9 a ms.
    #expect(abs(p90.pinballMilliseconds - 8) < 1e-12)
    #expect(abs(p90.coverage.estimate - 2.0 / 3) < 1e-12)
    #expect(try #require(metrics.level(0.95)).coverage.estimate == 1)
    #expect(metrics.level(0.8) == nil)
  }

  @Test func rankedProbabilityScoreWeighsLevelsByTheirShare() {
    let metrics = metrics()
    let losses = metrics.levels.map(\.pinballMilliseconds)
    let weights = [0.7, 0.225, 0.045, 0.03]
    let expected = zip(losses, weights).reduce(0) { $0 + 2 * $1.0 * $1.1 }
    #expect(abs(metrics.crpsMilliseconds - expected) < 1e-9)
  }

  @Test func wilsonIntervalMatchesPublishedExample() {
    // 81 of 263: 0.2553 to 0.3662 (Newcombe 1998, table I).
    let interval = wilsonInterval(successes: 81, count: 263)
    #expect(abs(interval.lower - 0.2553) < 5e-5)
    #expect(abs(interval.upper - 0.3662) < 5e-5)
    #expect(wilsonInterval(successes: 0, count: 10).lower == 0)
  }

  @Test func normalScoresMatchTables() {
    #expect(abs(normalScore(upperTail: 0.025) - 1.959964) < 5e-4)
    #expect(abs(normalScore(upperTail: 0.001) - 3.090232) < 5e-4)
  }

  @Test func studentScoresMatchTables() {
    for (freedom, probability, expected) in [
      (1.0, 0.025, 12.706), (2, 0.025, 4.303), (3, 0.005, 5.841), (7, 0.025, 2.365),
      (7, 0.001, 4.785), (20, 0.005, 2.845), (1e6, 0.025, 1.960),
    ] {
      let score = studentScore(upperTail: probability, freedom: freedom)
      #expect(abs(score / expected - 1) < 0.01, "\(freedom) \(probability)")
    }
  }

  /// Two models alike up to noise that lasts: 2 % of 1,000 nights may call one surely worse.
  @Test func lastingNoiseIsNotTakenForProof() {
    var random = SeededGenerator(seed: 77)
    var alarms = 0
    for _ in 0..<1_000 {
      let losses = (0..<12).map { _ in 100 + 20 * random.normal() }
      let references = losses.map { _ in 100 + 20 * random.normal() }
      let excess = PairedExcess(
        losses: losses, allowances: references, weights: losses.map { _ in 50 })
      if excess.isSure(probability: 0.02) { alarms += 1 }
    }
    #expect((5...40).contains(alarms))
  }

  /// The load forgets itself slowly, so blocks must be long, and few.
  @Test func blocksOutlastEpisodesOfLoad() {
    func blocks(_ ttft: (Int) -> Double) -> Int {
      let requests = (0..<4_000).map { row in
        EvaluatedRequest(
          requestID: "", receivedNanoseconds: Int64(row) * 1_000_000_000, endpoint: "e",
          inputTokens: 1, actualTTFTMilliseconds: ttft(row), actualTPOTMilliseconds: 10)
      }
      return TimeBlocks(requests: requests).count
    }
    var random = SeededGenerator(seed: 8)
    #expect(blocks { _ in exp(random.normal()) } == TimeBlocks.most)
    #expect((TimeBlocks.fewest...16).contains(blocks { $0 / 300 % 2 == 0 ? 50 : 2_000 }))
    #expect(TimeBlocks.forgettingLag([1, 1, 1]) == 1)
  }

  @Test func bootstrapIsDeterministicAndCoversTheTruth() {
    let sums = (0..<40).map { Double($0 % 7) }
    let ones = [Double](repeating: 1, count: 40)
    let first = BlockBootstrap(blockCount: 40).interval(sums, ones)
    #expect(first == BlockBootstrap(blockCount: 40).interval(sums, ones))
    #expect(first.lower < first.estimate && first.estimate < first.upper)
    // The mean of 40 draws with standard deviation 2 has a standard error of about 0.32.
    #expect(abs((first.upper - first.lower) / (2 * 1.96) - 0.32) < 0.06)
  }

  @Test func quantileBinsFoldRepeatedValues() {
    let bins = QuantileBins([0, 0, 0, 0, 0, 0, 1, 2, 3, 4], count: 10)
    #expect(bins.upperBounds.first == 0)
    #expect(bins.lowerBounds.count == bins.upperBounds.count)
    #expect(bins.index(of: 0) == 0)
    #expect(bins.index(of: 99) == bins.upperBounds.count - 1)
    #expect(bins.index(of: .nan) == nil)
  }

  @Test func stabilityIndexIsSmallForTheSameAndLargeForAnotherDistribution() {
    let training = (0..<1_000).map(Double.init)
    let same = FeatureDistribution(name: "x", unit: "", training: training, judged: training)
    #expect(same.stabilityIndex < 1e-12)
    #expect(same.drift == .stable)
    let moved = FeatureDistribution(
      name: "x", unit: "", training: training, judged: training.map { $0 / 2 + 500 })
    #expect(moved.drift == .large)
    let counts = FeatureDistribution(
      name: "x", unit: "", bounds: [1], trainingCounts: [50, 50], judgedCounts: [80, 20])
    let (p, q) = ([50.5 / 101, 50.5 / 101], [80.5 / 101, 20.5 / 101])
    var expected = 0.0
    for bin in 0...1 { expected += (q[bin] - p[bin]) * log(q[bin] / p[bin]) }
    #expect(abs(counts.stabilityIndex - expected) < 1e-12)
  }

  @Test func timeoutsMissEveryLimitAndAbortsAreLeftOut() throws {
    let outcomes: [(Int, Double)] = [(200, 50), (200, 150), (504, .nan), (499, .nan)]
    let requests = outcomes.enumerated().map { row, outcome in
      EvaluatedRequest(
        requestID: "\(row)", receivedNanoseconds: Int64(row), status: outcome.0, endpoint: "e",
        inputTokens: 1, actualTTFTMilliseconds: outcome.1, actualTPOTMilliseconds: .nan)
    }
    let heads = HeadValues(mean: 80, p50: 80, p90: 120, p95: 130, p99: 140)
    let rows = ServiceLevel.rows(
      .ttft, requests: requests,
      predictions: requests.map { _ in Prediction(ttft: heads, tpot: heads) },
      limitsMilliseconds: [100])
    let median = try #require(rows.first { $0.head == "p50" })
    #expect(median.truePositives == 1 && median.falsePositives == 2)
    #expect(median.precision == 1.0 / 3 && median.recall == 1)
    let p90 = try #require(rows.first { $0.head == "p90" })
    #expect(p90.falseNegatives == 1 && p90.trueNegatives == 2)
    #expect(p90.precision.isNaN)
  }
}
