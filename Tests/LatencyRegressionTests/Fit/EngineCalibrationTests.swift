import CoefficientFile
import LogReplay
import RequestLog
import RoutingRuntime
import TestSupport
import Testing

@testable import LatencyRegression

@Suite struct EngineCalibrationTests {
  /// The learned step of `accelerator`, ms.
  private func step(
    _ model: GlideModel, _ accelerator: String, decoding: Double, prefill: Double = 0
  ) throws -> Double {
    let group = try #require(model.groups.first { $0.name == accelerator })
    var step = StepComposition()
    step.decodingRequests = decoding
    step.prefillTokens = prefill
    return StepModel(coefficients: model.engines[Int(group.engine)].stepCoefficients)
      .milliseconds(step)
  }

  @Test(arguments: [2.5, 8, 25]) func stepsAreLearnedAsLongAsTheyAre(base: Double) throws {
    let fleet = SyntheticFleet(requests: 700, meanGap: 40, base: base, perRequest: 0.06 * base)
    let model = try ModelFitter().fit(fleet.log(seed: 21)).model
    for decoding in [2.0, 6] {
      let truth = base * (1 + 0.06 * decoding)
      let learned = try step(model, "a", decoding: decoding)
      #expect(abs(learned / truth - 1) < 0.06, "\(learned) against \(truth)")
    }
  }

  @Test func fiftyRequestsTellANewTypesSpeedsOfDecodingAndOfPrefill() throws {
    let fleet = SyntheticFleet(
      requests: 1200, perToken: 0.04, accelerators: ["old", "new"], slowness: [1, 1.5],
      prefillSlowness: [1, 0.5], requestsElsewhere: 50)
    let log = fleet.log(seed: 22)
    #expect(log.rows.filter { log.symbols.name($0.accelerator) == "new" }.count == 50)
    let model = try ModelFitter().fit(log).model
    let decode = try step(model, "new", decoding: 3) / (1.5 * (8 + 0.15))
    #expect(abs(decode - 1) < 0.1, "\(decode)")
    let prefill =
      try (step(model, "new", decoding: 3, prefill: 800) - step(model, "new", decoding: 3))
      / (1.5 * 0.5 * 0.04 * 800)
    #expect(abs(prefill - 1) < 0.2, "\(prefill)")
  }

  @Test func answersWhoseTokensDoNotCountStepsAreLeftOut() throws {
    // As an engine that guesses ahead would: three tokens a step.
    var log = SyntheticFleet(requests: 700, meanGap: 40).log(seed: 23)
    var rows = log.rows
    for index in rows.indices { rows[index].outputTokens *= 3 }
    log = ReplayLog(rows: rows, symbols: log.symbols)
    let model = try ModelFitter().fit(log).model
    let learned = try step(model, "a", decoding: 2)
    #expect(abs(learned / 8.1 - 1) < 0.15, "\(learned)")
  }

  @Test func whoJoinsAPromptsLastStepIsNoErrorOfTheEngine() throws {
    // Without noise, the true engine's forecasts are exact but for the prompts that arrive later.
    let fleet = SyntheticFleet(
      endpoints: 1, requests: 600, meanGap: 140, tokenBudget: 2048, longestPrompt: 6_000, noise: 0)
    let log = fleet.log(seed: 26)
    var coefficients = [Double](repeating: 0, count: StepFeature.count)
    (coefficients[0], coefficients[1], coefficients[3]) = (8, 0.05, 0.02)
    let engine = EngineModel(
      stepCoefficients: coefficients,
      stepHalfWidths: [Float](repeating: 0, count: StepFeature.count), tokenBudget: 2048,
      maximumSequences: 256, uplinkMilliseconds: 0, downlinkMilliseconds: 0.8)
    let classOfSymbol = [Int](repeating: 0, count: 8)
    let assignment = EngineAssignment(engines: [engine], engineOfSymbol: classOfSymbol)
    var rows = CalibrationRows(
      log: log, own: 0..<log.rows.count, classOfSymbol: classOfSymbol, engines: [engine])
    Replay(log, assignment: assignment, isTracing: true).run(
      0..<log.rows.count, observer: &rows)
    #expect(rows.requests.count > 500)
    #expect(rows.error < 0.01, "\(rows.error)")
  }

  @Test func smallerEnginesHaveATokenBudgetOfTheirOwn() throws {
    let fleet = SyntheticFleet(
      requests: 2500, meanGap: 75, tokenBudgets: [2048, 512], longestPrompt: 6_000,
      accelerators: ["large", "small"])
    let model = try ModelFitter().fit(fleet.log(seed: 28)).model
    for (accelerator, budget) in [("large", 2048.0), ("small", 512)] {
      let group = try #require(model.groups.first { $0.name == accelerator })
      #expect(model.engines[Int(group.engine)].tokenBudget == budget)
    }
  }

  @Test func aBatchThatOthersWaitBehindIsItsTypesLimit() {
    var symbols = SymbolTable()
    var rows: [LoggedRequest] = []
    for index in 0..<400 {
      var row = LoggedRequest()
      let isSmall = index % 2 == 0
      row.endpoint = symbols.intern(isSmall ? "pod-0" : "pod-1")
      row.accelerator = symbols.intern(isSmall ? "small" : "large")
      row.runningRequests = isSmall ? min(Int32(index), 32) : Int32(index % 90)
      row.waitingRequests = isSmall && index > 32 ? 3 : 0
      rows.append(row)
    }
    let survey = LogSurvey(ReplayLog(rows: rows, symbols: symbols), threads: 2)
    #expect(survey.classes.map { symbols.name($0) } == ["small", "large"])
    #expect(survey.maximumSequences == [32, 256])
  }

  @Test func singleBatchSizesHaveTheirOwnLength() throws {
    // As a kernel would that pads a batch of three.
    let fleet = SyntheticFleet(requests: 2500, meanGap: 90, batchOfThree: 1.5)
    let model = try ModelFitter().fit(fleet.log(seed: 27)).model
    let lengths = try (2...4).map { try step(model, "a", decoding: Double($0)) }
    let bump = lengths[1] - (lengths[0] + lengths[2]) / 2
    #expect(abs(bump / 1.5 - 1) < 0.25, "\(lengths)")
  }

  @Test func stepCoefficientsCarryHalfWidths() throws {
    let engine = try ModelFitter().fit(SyntheticFleet(requests: 1200).log(seed: 24)).model
      .engines[0]
    let (step, width) = (engine.stepCoefficients[0], Double(engine.stepHalfWidths[0]))
    #expect(width > 0 && width < 0.05 * step, "\(step) ± \(width)")
    // The interval is for the row's own noise; it may be too narrow, but not by much.
    #expect(abs(step - 8) < 5 * width, "\(step) ± \(width)")
    for (coefficient, width) in zip(engine.stepCoefficients, engine.stepHalfWidths) {
      #expect(width.isFinite && width >= 0 && (coefficient == 0 || width > 0))
    }
  }
}
