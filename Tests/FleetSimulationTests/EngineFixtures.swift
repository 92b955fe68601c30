import CoefficientFile
import RoutingRuntime
import RuntimeTestSupport
import TestSupport

@testable import FleetSimulation

/// Engines and requests for tests.
enum EngineFixtures {
  /// An engine whose every step takes `step` ms plus 0.1 ms per prompt token, without delays.
  static func engine(
    step: Double = 10, context: Double = 0, budget: Double = 1000, sequences: Double = 8
  ) -> EngineModel {
    var coefficients = [Double](repeating: 0, count: StepFeature.count)
    coefficients[0] = step
    coefficients[2] = context
    coefficients[3] = 0.1
    return EngineModel(
      stepCoefficients: coefficients,
      stepHalfWidths: [Float](repeating: 0, count: StepFeature.count), tokenBudget: budget,
      maximumSequences: sequences, uplinkMilliseconds: 0, downlinkMilliseconds: 0)
  }

  /// One request of a random load.
  struct Request {
    var id: Int
    var time: Double
    var prompt: Int
    var output: Int
    var blocks: [UInt64]
  }

  /// Requests with shared prefixes at random times, by `seed`.
  static func requests(count: Int, blockTokens: Int, seed: UInt64) -> [Request] {
    var random = SplitMix64(seed: seed)
    var time = 0.0
    return (0..<count).map { id in
      time += random.uniform(in: 0...60)
      let prompt = random.integer(in: 1...900)
      let family = UInt64(random.integer(in: 0...4)) << 32
      let shared = random.integer(in: 0...(prompt / blockTokens))
      let blocks = (0..<(prompt / blockTokens)).map { position in
        position < shared ? family + UInt64(position) : UInt64(id) << 40 + UInt64(position)
      }
      return Request(
        id: id, time: time, prompt: prompt, output: random.integer(in: 1...60), blocks: blocks)
    }
  }

  /// Runs `requests` to their ends, asking at each arrival and every `stride` ms besides.
  static func run(
    _ requests: [Request], on engine: inout SimulatedEngine, stride: Double = .infinity
  ) -> [EngineEvent] {
    var events: [EngineEvent] = []
    var asked = 0.0
    func advance(_ engine: inout SimulatedEngine, to time: Double) {
      while asked + stride < time {
        asked += stride
        engine.advance(to: asked) { events.append($0) }
      }
      engine.advance(to: time) { events.append($0) }
    }
    for request in requests {
      advance(&engine, to: request.time)
      engine.submit(
        id: request.id, promptTokens: request.prompt, outputTokens: request.output,
        blocks: request.blocks, at: request.time)
    }
    while let next = engine.nextEventTime { advance(&engine, to: next) }
    return events
  }
}
