import CoefficientFile
import RuntimeTestSupport
import TestSupport
import Testing

@testable import RoutingRuntime

/// An engine whose model borrows of other types learns its own steps from what comes back.
@Suite struct StepLearningTests {
  private static let fitted = SyntheticModel.borrowed(SyntheticModel.engine())

  private func learner(_ engine: EngineModel) -> StepLearning? {
    StepLearning(engine, fitted: StepModel(coefficients: engine.stepCoefficients))
  }

  private func step(_ random: inout SplitMix64) -> StepComposition {
    var step = StepComposition()
    step.decodingRequests = Double(random.integer(in: 1...48))
    step.contextTokens = step.decodingRequests * random.uniform(in: 200...3_000)
    step.otherDecodingRequests = random.uniform(in: 0...40)
    if random.integer(in: 0...2) == 0 {
      step.prefillTokens = random.uniform(in: 20...2_000)
      step.attention = step.prefillTokens * step.prefillTokens / 2e6
    }
    return step
  }

  /// Steps that grow otherwise than the model says: quicker to begin with, with the batch slower.
  @Test func learnsStepsOfAnotherShape() throws {
    var random = SplitMix64(seed: 5)
    var coefficients = Self.fitted.stepCoefficients
    coefficients[0] *= 0.8
    coefficients[1] *= 2
    coefficients[2] *= 1.3
    for index in 3...5 { coefficients[index] *= 0.75 }
    let truth = StepModel(coefficients: coefficients)
    var learning = try #require(learner(Self.fitted))
    let fitted = learning.believed
    for _ in 0..<1_500 {
      let step = step(&random)
      let noise = 0.03 * truth.milliseconds(step)
      learning.observe(
        learning.work(of: step),
        elapsedMilliseconds: truth.milliseconds(step) + random.uniform(in: -noise...noise),
        noise: noise)
    }
    var (before, after) = (0.0, 0.0)
    for _ in 0..<200 {
      let step = step(&random)
      let length = truth.milliseconds(step)
      before += abs(fitted.milliseconds(step) - length) / length / 200
      after += abs(learning.believed.milliseconds(step) - length) / length / 200
    }
    #expect(before > 0.1)
    #expect(after < 0.02, "\(after)")
  }

  @Test func beginsAtTheFittedModel() throws {
    var random = SplitMix64(seed: 6)
    let fitted = StepModel(coefficients: Self.fitted.stepCoefficients)
    let believed = try #require(learner(Self.fitted)).believed
    for _ in 0..<100 {
      let step = step(&random)
      #expect(abs(believed.milliseconds(step) / fitted.milliseconds(step) - 1) < 1e-12)
    }
  }

  /// Outcomes that are no such steps, now and then, say little.
  @Test func oddGapsMoveLittle() throws {
    var random = SplitMix64(seed: 7)
    let truth = StepModel(coefficients: Self.fitted.stepCoefficients)
    var learning = try #require(learner(Self.fitted))
    for index in 0..<1_000 {
      let step = step(&random)
      let factor = index % 50 == 0 ? 20.0 : 1
      learning.observe(
        learning.work(of: step), elapsedMilliseconds: factor * truth.milliseconds(step),
        noise: 0.05 * truth.milliseconds(step))
    }
    for _ in 0..<50 {
      let step = step(&random)
      let ratio = learning.believed.milliseconds(step) / truth.milliseconds(step)
      #expect(abs(ratio - 1) < 0.05, "\(ratio)")
    }
  }

  @Test(arguments: [Double.nan, .infinity, -.infinity, 1e308])
  func whatIsNoTimeTeachesNothing(elapsed: Double) throws {
    var learning = try #require(learner(Self.fitted))
    var step = StepComposition()
    step.decodingRequests = 4
    learning.observe(learning.work(of: step), elapsedMilliseconds: elapsed, noise: 1)
    let length = learning.believed.milliseconds(step)
    #expect(length.isFinite)
    #expect(abs(length / learning.fitted.milliseconds(step) - 1) < 0.5)
  }

  @Test func whoKnowsItsOwnStepsLearnsNone() {
    #expect(learner(SyntheticModel.engine()) == nil)
    var engine = Self.fitted
    // Its base step is its own; the others, of few data.
    engine.stepHalfWidths[0] = Float(0.01 * engine.stepCoefficients[0])
    #expect(learner(engine) == nil)
  }

  // MARK: - In a pool

  /// The base step that an endpoint believes after answers of `tokensPerStep` tokens a step, whose
  /// steps took `factor` times the model's; beside it stands one that is known.
  private func believedStep(factor: Double, tokensPerStep: Double) -> Double {
    var pool = EndpointPool()
    let known = pool.addEndpoint(engine: SyntheticModel.engine())
    let new = pool.addEndpoint(engine: Self.fitted)
    let model = StepModel(coefficients: Self.fitted.stepCoefficients)
    var step = StepComposition()
    step.decodingRequests = 1
    step.contextTokens = 250
    let length = model.milliseconds(step)
    for request in 0..<120 {
      let start = Double(request) * 4_000
      for (endpoint, factor) in [(known, 1.0), (new, factor)] {
        let at = start + Double(endpoint) * 2_000
        let handle = pool.dispatched(RequestShape(promptTokens: 200), to: endpoint, at: at)
        pool.firstToken(handle, at: at + factor * 30)
        pool.finished(
          handle, outputTokens: 100 * tokensPerStep + 1, at: at + factor * (30 + 100 * length))
      }
    }
    return pool.endpoints[new].engine.stepModel.milliseconds(step) / length
  }

  @Test(arguments: [0.6, 0.8, 1.5]) func anEndpointLearnsFromItsAnswers(factor: Double) {
    let ratio = believedStep(factor: factor, tokensPerStep: 1) / factor
    #expect(abs(ratio - 1) < 0.03, "\(ratio)")
  }

  @Test func answersOfSeveralTokensAStepTeachNothing() {
    let ratio = believedStep(factor: 1, tokensPerStep: 2)
    #expect(ratio > 0.9, "\(ratio)")
  }

  @Test func aCalibrationSeesTheStepsOfTheModelAlone() {
    var pool = EndpointPool()
    let endpoint = pool.addEndpoint(engine: Self.fitted)
    pool.startTracing(endpoint: endpoint)
    let before = pool.endpoints[endpoint].engine.stepModel.milliseconds(StepComposition())
    for request in 0..<50 {
      let start = Double(request) * 1_000
      let handle = pool.dispatched(RequestShape(promptTokens: 200), to: endpoint, at: start)
      pool.firstToken(handle, at: start + 60)
      pool.finished(handle, outputTokens: 21, at: start + 500)
    }
    let after = pool.endpoints[endpoint].engine.stepModel.milliseconds(StepComposition())
    #expect(after == before)
  }

  /// A new model's engine begins anew, whatever the requests in flight did before.
  @Test func aNewModelBeginsAnew() throws {
    let model = SyntheticModel.model(seed: 4, borrows: true)
    let predictor = try Predictor.compile(model).get()
    var pool = EndpointPool(predictor: predictor)
    let endpoint = pool.addEndpoint(named: "x", accelerator: "fast", engine: model.engines[0])
    let handle = pool.dispatched(RequestShape(promptTokens: 200), to: endpoint, at: 0)
    pool.firstToken(handle, at: 40)
    pool.install(predictor)
    pool.finished(handle, outputTokens: 101, at: 5_000)
    let believed = pool.endpoints[endpoint].engine.stepModel
    let fitted = predictor.stepModels[1]
    let empty = StepComposition()
    #expect(believed.milliseconds(empty) == fitted.milliseconds(empty))
  }
}
