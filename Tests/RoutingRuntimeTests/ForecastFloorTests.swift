import CoefficientFile
import RuntimeTestSupport
import Testing

@testable import RoutingRuntime

/// A model outside what it was fitted on must not promise a flooded endpoint's first token at once.
@Suite struct ForecastFloorTests {
  /// A pool whose first endpoint is flooded; every head of its model predicts next to nothing.
  private func floodedPool() throws -> EndpointPool {
    let model = SyntheticModel.constant(0.1)
    var pool = EndpointPool(predictor: try Predictor.compile(model).get())
    for name in ["flooded", "idle"] {
      _ = pool.addEndpoint(named: name, accelerator: "slow", engine: SyntheticModel.engine())
    }
    for _ in 0..<50 { _ = pool.dispatched(RequestShape(promptTokens: 4_000), to: 0, at: 100) }
    return pool
  }

  @Test func aFloodedEndpointIsNeverPredictedFarBelowItsEngine() throws {
    var pool = try floodedPool()
    let request = RequestShape(promptTokens: 200)
    var row = [Double](repeating: 0, count: Feature.count)
    let forecast = pool.features(request, on: 0, at: 101, into: &row)
    let emulated = forecast.queueMilliseconds + forecast.prefillMilliseconds
    #expect(emulated > 10_000, "some 200,000 tokens stand ahead")
    let answers = (0..<2).map { pool.predict(request, on: $0, at: 101)?.ttft }
    let (flooded, idle) = (try #require(answers[0]), try #require(answers[1]))
    for heads in [flooded.mean, flooded.p50, flooded.p90, flooded.p99] {
      #expect(heads >= 0.45 * emulated)
    }
    #expect(idle.mean < 0.01 * flooded.mean)
  }

  @Test func aBatchIsRaisedAsOneIs() throws {
    var pool = try floodedPool()
    let request = RequestShape(promptTokens: 200)
    var batch: [Prediction] = []
    pool.predict(request, matchedPrefixTokens: [], at: 101, into: &batch)
    for endpoint in 0..<2 {
      let answer = pool.predict(request, on: endpoint, at: 101)
      let one = try #require(answer)
      #expect(abs(batch[endpoint].ttft.mean / one.ttft.mean - 1) < 1e-9)
      #expect(abs(batch[endpoint].ttft.p90 / one.ttft.p90 - 1) < 1e-9)
      #expect(batch[endpoint].tpot == one.tpot)
    }
  }
}
