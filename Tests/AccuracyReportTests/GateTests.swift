import Testing

@testable import AccuracyReport

@Suite struct GateTests {
  private let block = SyntheticBlock(count: 1_500, seed: 3)

  private func decide(
    _ challenger: EvaluatedModel, champion: EvaluatedModel? = nil,
    findings: [DataFinding] = []
  ) throws -> GateDecision {
    try Gate().decide(
      requests: block.requests, challenger: challenger, champion: champion,
      baseline: block.baseline, dataFindings: findings)
  }

  @Test func promotesAFirstModelThatBeatsTheConstant() throws {
    let decision = try decide(block.model())
    #expect(decision.outcome == .promoted)
    #expect(decision.reference == "constant predictor")
    #expect(!decision.reasons.isEmpty)
  }

  @Test func rejectsAFirstModelThatIsTheConstant() throws {
    let constant = block.baseline.model(count: block.requests.count)
    let decision = try decide(constant)
    #expect(decision.outcome == .challengerRejected)
    #expect(decision.reasons.contains { $0.sentence.contains("MAE") })
  }

  /// A latency that hardly varies is a constant's to predict.
  @Test func promotesAFirstModelThatGainsForOneLatencyOnly() throws {
    let ttft = block.baseline.ttft
    var model = block.model()
    for row in model.predictions.indices { model.predictions[row].ttft = ttft }
    #expect(try decide(model).promoted)
    var worse = model
    for row in worse.predictions.indices {
      worse.predictions[row].ttft = HeadValues(
        mean: 2 * ttft.mean, p50: 2 * ttft.p50, p90: 2 * ttft.p90, p95: 2 * ttft.p95,
        p99: 2 * ttft.p99)
    }
    let decision = try decide(worse)
    #expect(decision.outcome == .challengerRejected)
    #expect(decision.reasons.contains { $0.sentence.hasPrefix("TTFT MAE") })
  }

  @Test func promotesAnEqualChallenger() throws {
    let decision = try decide(block.model("new"), champion: block.model("old"))
    #expect(decision.promoted)
    #expect(decision.checks.contains { $0.slice.hasPrefix("endpoint") })
  }

  @Test func rejectsAWorseChallengerAndSaysBothNumbers() throws {
    let decision = try decide(
      block.model("new", factor: { $0 % 2 == 0 ? 1.25 : 0.8 }), champion: block.model("old"))
    #expect(decision.outcome == .challengerRejected)
    #expect(
      decision.reasons.contains {
        $0.sentence.hasPrefix("TTFT") && $0.sentence.contains("higher than the champion's")
          && $0.sentence.contains("% higher is allowed, and chance does not explain more")
      })
  }

  @Test func rejectsAChallengerThatIsWorseOnOneEndpointOnly() throws {
    let decision = try decide(
      block.model("new", factor: { $0 % 3 == 0 ? 1.5 : 1 }),
      champion: block.model("old", factor: { $0 % 3 == 0 ? 1 : 1.35 }))
    #expect(decision.outcome == .challengerRejected)
    #expect(decision.checks.contains { $0.slice == "endpoint pod-0" && !$0.passed })
    #expect(
      decision.checks.contains { $0.slice == "all requests" && $0.name == "TTFT MAPE" && $0.passed }
    )
  }

  @Test func rejectsQuantilesThatAreTooNarrow() throws {
    let decision = try decide(block.model("new", widening: 0.5), champion: block.model("old"))
    #expect(decision.outcome == .challengerRejected)
    #expect(decision.reasons.contains { $0.sentence.contains("which promises 90 %") })
  }

  @Test func doesNotBelieveAModelThatKnowsTheOutcome() throws {
    let leaked = EvaluatedModel(
      name: "leaked",
      predictions: block.requests.map { request in
        let ttft = request.actualTTFTMilliseconds * 1.001
        let tpot = request.actualTPOTMilliseconds * 1.001
        return Prediction(
          ttft: HeadValues(mean: ttft, p50: ttft, p90: ttft, p95: ttft, p99: ttft),
          tpot: HeadValues(mean: tpot, p50: tpot, p90: tpot, p95: tpot, p99: tpot))
      })
    let decision = try decide(leaked, champion: block.model("old"))
    #expect(decision.outcome == .dataRefused)
    #expect(decision.reasons.contains { $0.sentence.contains("holds the outcome itself") })
  }

  @Test func doesNotBelieveASuddenLeap() throws {
    var champion = block.model("old", factor: { $0 % 2 == 0 ? 3 : 0.3 })
    champion.recorded = RecordedAccuracy(ttftMAPE: 0.8, tpotMAPE: 0.8)
    let decision = try decide(block.model("new"), champion: champion)
    #expect(decision.outcome == .dataRefused)
    #expect(decision.reasons.contains { $0.sentence.contains("too good to be true") })
  }

  @Test func blockingFindingsRefuseTheData() throws {
    let finding = DataFinding(
      code: "x", severity: .block, sentence: "The log is odd.", measured: 1, bound: 0)
    let decision = try decide(block.model(), findings: [finding])
    #expect(decision.outcome == .dataRefused)
    #expect(decision.reasons.first?.sentence == "The log is odd.")
    let warning = DataFinding(
      code: "x", severity: .warn, sentence: "Hm.", measured: 1, bound: 0)
    #expect(try decide(block.model(), findings: [warning]).promoted)
  }

  @Test func fewRequestsAndBrokenPredictionsDoNotPromote() throws {
    let small = SyntheticBlock(count: 50, seed: 1)
    let few = try Gate().decide(
      requests: small.requests, challenger: small.model(), champion: nil,
      baseline: small.baseline)
    #expect(few.outcome == .tooLittleData)
    var broken = block.model("new")
    broken.predictions[7].ttft.p50 = .nan
    let decision = try decide(broken, champion: block.model("old"))
    #expect(decision.outcome == .challengerRejected)
    #expect(decision.reasons.contains { $0.sentence.contains("no finite TTFT for 1 requests") })
    #expect(throws: AccuracyReportError.predictionCount(model: "m", expected: 1_500, actual: 0)) {
      try decide(EvaluatedModel(name: "m", predictions: []))
    }
  }

  /// One overload decides the sum of all losses; its requests are many and say one thing.
  @Test func oneEpisodeOfOverloadDoesNotProveAModelWorse() throws {
    let night = SyntheticBlock(count: 2_000, seed: 9, overload: 900..<1_150)
    let decision = try Gate().decide(
      requests: night.requests,
      challenger: night.model("new", factor: { (900..<1_150).contains($0) ? 1.4 : 1 }),
      champion: night.model("old"), baseline: night.baseline)
    #expect(decision.promoted, "\(decision.reasons.map(\.sentence))")
    let check = decision.checks.first { $0.name == "TTFT MAE" && $0.slice == Gate.everything }
    #expect((check?.measured ?? 0) > (check?.bound ?? 9), "it does look worse")
    #expect(decision.reasons.contains { $0.sentence.contains("yet within what chance explains") })
    let always = try Gate().decide(
      requests: night.requests, challenger: night.model("new", factor: { _ in 1.4 }),
      champion: night.model("old"), baseline: night.baseline)
    #expect(always.outcome == .challengerRejected)
  }

  /// Errors of a few microseconds may double: no route changes.
  @Test func whatNoOneWouldNoticeIsNoReason() throws {
    let quiet = SyntheticBlock(count: 1_500, seed: 4, spread: 0.008)
    let decision = try Gate().decide(
      requests: quiet.requests,
      challenger: quiet.model("new", factor: { $0 % 2 == 0 ? 1.006 : 0.994 }, widening: 1.3),
      champion: quiet.model("old"), baseline: quiet.baseline)
    #expect(decision.promoted, "\(decision.reasons.map(\.sentence))")
  }

  /// Two models of the same truth, each off by about 1 %: at most 2 of 40 may be blocked.
  @Test func cleanRetrainsAreRarelyBlocked() throws {
    var blocked = 0
    for night in UInt64(0)..<40 {
      let block = SyntheticBlock(count: 700, seed: night &* 77 &+ 5)
      var random = SeededGenerator(seed: night &+ 900)
      let old = (1 + 0.01 * random.normal(), 0.01 * random.normal())
      let new = (1 + 0.01 * random.normal(), 0.01 * random.normal())
      func factor(_ drift: (Double, Double)) -> (Int) -> Double {
        { drift.0 + drift.1 * (Double($0 % 13) / 6 - 1) }
      }
      let decision = try Gate().decide(
        requests: block.requests, challenger: block.model("new", factor: factor(new)),
        champion: block.model("old", factor: factor(old)), baseline: block.baseline)
      if !decision.promoted { blocked += 1 }
    }
    #expect(blocked <= 2)
  }

  @Test func exitCodesAreTheDocumentedOnes() {
    #expect(GateOutcome.promoted.rawValue == 0)
    #expect(GateOutcome.challengerRejected.rawValue == 3)
    #expect(GateOutcome.dataRefused.rawValue == 4)
    #expect(GateOutcome.tooLittleData.rawValue == 5)
  }
}
