import CoefficientFile
import RuntimeTestSupport
import Testing

@testable import RoutingRuntime

@Suite struct StepModelTests {
  private func model(_ changes: [Int: Double]) -> StepModel {
    var coefficients = SyntheticModel.engine().stepCoefficients
    for (index, value) in changes { coefficients[index] = value }
    return StepModel(coefficients: coefficients)
  }

  @Test func aPromptInPartsAttendsToWhatItAttendsToAtOnce() {
    var whole = StepComposition()
    whole.addPrefill(20_000, context: 24_000)
    var parts = StepComposition()
    for end in stride(from: 5_000.0, through: 20_000, by: 5_000) {
      parts.addPrefill(5_000, context: 4_000 + end)
    }
    #expect(parts.prefillTokens == whole.prefillTokens)
    #expect(abs(parts.attention - whole.attention) < 1e-9)
    #expect(abs(parts.farAttention - whole.farAttention) < 1e-9)
    // Σ over the tokens of their context beyond 8,192, in millions.
    #expect(abs(whole.farAttention - 0.5e-6 * (24_000 - 8_192) * (24_000 - 8_192)) < 1e-9)
  }

  @Test func attentionBeyondTheKnotHasASlopeOfItsOwn() {
    let (near, far) = (model([4: 1]), model([4: 1, 24: -1]))
    for context in [4_000.0, 8_192, 30_000] {
      var step = StepComposition()
      step.addPrefill(2_000, context: context)
      let saved = near.milliseconds(step) - far.milliseconds(step)
      #expect(abs(saved - step.farAttention) < 1e-9)
      #expect((saved > 0) == (context > 8_192))
    }
  }

  @Test func aBatchSizesOwnCoefficientCountsThereOnly() {
    let (plain, bumped) = (model([:]), model([StepFeature.bumps.lowerBound + 2: 0.5]))
    for batch in 0...20 {
      var step = StepComposition()
      step.decodingRequests = Double(batch)
      let difference = bumped.milliseconds(step) - plain.milliseconds(step)
      #expect(abs(difference - (batch == 3 ? 0.5 : 0)) < 1e-12, "batch of \(batch)")
    }
  }

  @Test func aFileOfAnEarlierSchemaMeansWhatItMeant() throws {
    let now = SyntheticModel.model(seed: 3)
    var earlier = now
    earlier.schemaFingerprint = try #require(Feature.earlierFingerprints.first)
    earlier.support = Array(earlier.support.prefix(46))
    for index in earlier.engines.indices {
      earlier.engines[index].stepCoefficients = Array(
        earlier.engines[index].stepCoefficients.prefix(24))
      earlier.engines[index].stepHalfWidths = Array(
        earlier.engines[index].stepHalfWidths.prefix(24))
    }
    #expect(earlier.schemaFingerprint == 0xC62D_38D0_CCE1_5AF4)
    var answers: [Prediction] = []
    for model in [now, earlier] {
      var pool = EndpointPool(predictor: try Predictor.compile(model).get())
      _ = pool.addEndpoint(named: "e0", accelerator: "fast", engine: model.engines[0])
      let answer = pool.predict(RequestShape(promptTokens: 900), on: 0, at: 5)
      answers.append(try #require(answer))
    }
    #expect(answers[0].ttft.p90 == answers[1].ttft.p90)
    #expect(answers[0].tpot.mean == answers[1].tpot.mean)
  }
}

@Suite struct LastStepTests {
  /// An idle engine of `tokenBudget`, and the forecast of `promptTokens`.
  private func forecast(
    _ promptTokens: Double, tokenBudget: Double, sequences: Double = 8, decoding: Int = 0
  ) throws -> EngineForecast {
    var pool = EndpointPool(predictor: nil)
    let engine = SyntheticModel.engine(maximumSequences: sequences, tokenBudget: tokenBudget)
    _ = pool.addEndpoint(named: "e0", accelerator: "", engine: engine)
    for index in 0..<decoding {
      let time = 100 * Double(index)
      let handle = pool.dispatched(RequestShape(promptTokens: 10), to: 0, at: time)
      pool.firstToken(handle, at: time + 20)
    }
    var row = [Double](repeating: 0, count: Feature.count)
    return pool.features(
      RequestShape(promptTokens: promptTokens), on: 0, at: 1_000, into: &row)
  }

  @Test func aPromptOfOneStepOnAnIdleEngineIsJoinedByNobody() throws {
    let forecast = try forecast(700, tokenBudget: 1_000)
    #expect(forecast.lastStepMilliseconds == 0)
    #expect(forecast.roomTokens == 300)
  }

  @Test func aSecondStepHasRoomForWhoeverArrivesDuringTheFirst() throws {
    let forecast = try forecast(1_700, tokenBudget: 1_000)
    #expect(forecast.roomTokens == 300)
    #expect(forecast.lastStepMilliseconds > 0.5 * forecast.prefillMilliseconds)
    #expect(forecast.lastStepMilliseconds < forecast.prefillMilliseconds)
  }

  @Test func withoutASlotThereIsNoRoom() throws {
    #expect(try forecast(700, tokenBudget: 1_000, sequences: 4, decoding: 2).roomTokens > 0)
    #expect(try forecast(700, tokenBudget: 1_000, sequences: 4, decoding: 3).roomTokens == 0)
  }
}
