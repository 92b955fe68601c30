import CoefficientFile
import RuntimeTestSupport
import TestSupport
import Testing

@testable import RoutingRuntime

/// A batch is predicted side by side; each endpoint must get what it gets alone.
@Suite struct BatchTests {
  /// A pool in the middle of a random load, at the time of its last event.
  private func loadedPool(
    _ model: GlideModel, seed: UInt64, endpoints: Int
  ) throws -> (pool: EndpointPool, time: Double) {
    var random = SplitMix64(seed: seed)
    var pool = EndpointPool(predictor: try Predictor.compile(model).get(), capacity: 256)
    for index in 0..<endpoints {
      _ = pool.addEndpoint(
        named: "e\(index)", accelerator: index % 3 == 0 ? "fast" : "slow",
        engine: model.engines[0])
    }
    var time = random.uniform(in: 0...1e6)
    var inFlight: [(handle: EndpointPool.Handle, hasFirstToken: Bool)] = []
    for _ in 0..<random.integer(in: 0...400) {
      time += random.uniform(in: 0...30)
      let endpoint = random.integer(in: 0...endpoints - 1)
      switch random.integer(in: 0...3) {
      case 0, 1:
        inFlight.append(
          (pool.dispatched(shape(&random), to: endpoint, at: time), false))
      case 2 where !inFlight.isEmpty:
        let index = random.integer(in: 0...inFlight.count - 1)
        if inFlight[index].hasFirstToken {
          pool.finished(inFlight[index].handle, outputTokens: 30, at: time)
          inFlight.remove(at: index)
        } else {
          pool.firstToken(inFlight[index].handle, at: time)
          inFlight[index].hasFirstToken = true
        }
      default:
        pool.observe(
          EngineSnapshot(
            waitingRequests: random.uniform(in: 0...9), runningRequests: 3,
            kvCacheUsage: random.uniform(), time: time), on: endpoint)
      }
    }
    return (pool, time)
  }

  private func shape(_ random: inout SplitMix64) -> RequestShape {
    let prompt = random.uniform(in: 1...9_000)
    return RequestShape(
      promptTokens: prompt, matchedPrefixTokens: random.uniform(in: 0...prompt),
      maximumTokens: random.integer(in: 0...1) == 0 ? 0 : 200)
  }

  private func isClose(_ a: HeadValues, _ b: HeadValues) -> Bool {
    // Sums in another order: some 40 terms of up to 1e6 times the result, at 1e-16 each.
    zip([a.mean, a.p50, a.p90, a.p95, a.p99], [b.mean, b.p50, b.p90, b.p95, b.p99])
      .allSatisfy { abs($0 - $1) <= 1e-8 * max($0, $1) }
  }

  @Test(arguments: UInt64(0)..<40)
  func everyEndpointGetsWhatItGetsAlone(seed: UInt64) throws {
    var random = SplitMix64(seed: seed &+ 1_000)
    let model = SyntheticModel.model(seed: seed, borrows: seed % 2 == 0)
    let count = random.integer(in: 1...21)
    var (pool, time) = try loadedPool(model, seed: seed, endpoints: count)
    #expect(pool.supportsLanes)
    var batch: [Prediction] = []
    for _ in 0..<6 {
      time += random.uniform(in: 0...random.uniform(in: 0...400))
      let request = shape(&random)
      let matched = (0..<count).map { _ in random.uniform(in: 0...request.promptTokens) }
      pool.predict(request, matchedPrefixTokens: matched, at: time, into: &batch)
      #expect(batch.count == count)
      for endpoint in 0..<count {
        var one = request
        one.matchedPrefixTokens = matched[endpoint]
        let answer = pool.predict(one, on: endpoint, at: time)
        let alone = try #require(answer)
        #expect(isClose(batch[endpoint].ttft, alone.ttft), "endpoint \(endpoint)")
        #expect(isClose(batch[endpoint].tpot, alone.tpot), "endpoint \(endpoint)")
        #expect(batch[endpoint].isExtrapolating == alone.isExtrapolating)
      }
    }
  }

  @Test(arguments: UInt64(0)..<40)
  func everyFeatureIsTheSame(seed: UInt64) throws {
    var random = SplitMix64(seed: seed &+ 2_000)
    // One term per feature, so that none is left out.
    var model = SyntheticModel.model(seed: seed)
    for feature in Feature.allCases {
      model.ttft.terms.append(Term(Factor(feature: feature.rawValue)))
    }
    for head in model.ttft.heads.indices {
      let more = Feature.allCases.map { _ in random.uniform(in: 0...0.1) }
      model.ttft.heads[head].coefficients += more
    }
    for group in model.groups.indices { model.groups[group].ttftScales = [] }
    var (pool, time) = try loadedPool(model, seed: seed, endpoints: 11)
    var batch: [Prediction] = []
    time += random.uniform(in: 0...300)
    let request = shape(&random)
    pool.predict(
      request, matchedPrefixTokens: [Double](repeating: 64, count: 11), at: time, into: &batch)
    var row = [Double](repeating: 0, count: Feature.count)
    for endpoint in 0..<11 {
      var one = request
      one.matchedPrefixTokens = 64
      pool.features(one, on: endpoint, at: time, into: &row)
      let answer = pool.predict(one, on: endpoint, at: time)
      let alone = try #require(answer)
      #expect(isClose(batch[endpoint].ttft, alone.ttft), "endpoint \(endpoint), seed \(seed)")
    }
  }

  /// Terms of every pace: of the pool, of what only events change, of the request, and products.
  @Test(arguments: UInt64(0)..<40)
  func everyProductIsTheSame(seed: UInt64) throws {
    var random = SplitMix64(seed: seed &+ 4_000)
    let transforms: [Factor.Transform] = [.identity, .capped, .hinge, .above]
    func factor(_ random: inout SplitMix64) -> Factor {
      Factor(
        feature: UInt16(random.integer(in: 0...Feature.count - 1)),
        transform: transforms[random.integer(in: 0...3)], knot: random.uniform(in: 0...30))
    }
    var model = SyntheticModel.model(seed: seed)
    let terms = (0..<60).map { index in
      Term(factor(&random), index % 3 == 0 ? nil : factor(&random))
    }
    model.ttft.terms += terms
    model.tpot.terms += terms.reversed()
    for head in model.ttft.heads.indices {
      model.ttft.heads[head].coefficients += terms.map { _ in random.uniform(in: 0...0.01) }
      model.tpot.heads[head].coefficients += terms.indices.map { index in
        index % 5 == 0 ? 0 : random.uniform(in: 0...0.01)
      }
    }
    for group in model.groups.indices {
      model.groups[group].ttftScales = [Float](repeating: 1.25, count: model.ttft.terms.count)
      model.groups[group].tpotScales = []
    }
    var (pool, time) = try loadedPool(model, seed: seed, endpoints: 7)
    var batch: [Prediction] = []
    time += random.uniform(in: 0...300)
    let request = shape(&random)
    let matched = [Double](repeating: request.matchedPrefixTokens, count: 7)
    pool.predict(request, matchedPrefixTokens: matched, at: time, into: &batch)
    for endpoint in 0..<7 {
      let answer = pool.predict(request, on: endpoint, at: time)
      let alone = try #require(answer)
      #expect(isClose(batch[endpoint].ttft, alone.ttft), "endpoint \(endpoint)")
      #expect(isClose(batch[endpoint].tpot, alone.tpot), "endpoint \(endpoint)")
    }
  }

  @Test(arguments: [300.0, 1_024, 8_192])
  func stepsBendAtTheirKnots(tokenBudget: Double) throws {
    var model = SyntheticModel.model(seed: 21)
    for engine in model.engines.indices {
      for knot in 0..<6 {
        model.engines[engine].stepCoefficients[18 + knot] = 0.001 * Double(knot + 1)
      }
      model.engines[engine].stepCoefficients[24] = -0.007
      for bump in StepFeature.bumps {
        model.engines[engine].stepCoefficients[bump] = 0.1 * Double(bump % 3)
      }
    }
    model.engines[0].tokenBudget = tokenBudget
    model.engines[1].tokenBudget = 300
    var (pool, time) = try loadedPool(model, seed: 21, endpoints: 6)
    var batch: [Prediction] = []
    time += 1
    for promptTokens in [10.0, 200, 700, 3_000, 20_000] {
      let request = RequestShape(promptTokens: promptTokens)
      pool.predict(request, matchedPrefixTokens: [], at: time, into: &batch)
      for endpoint in 0..<6 {
        let answer = pool.predict(request, on: endpoint, at: time)
        let alone = try #require(answer)
        #expect(isClose(batch[endpoint].ttft, alone.ttft), "endpoint \(endpoint)")
        #expect(isClose(batch[endpoint].tpot, alone.tpot), "endpoint \(endpoint)")
      }
    }
  }

  @Test(arguments: UInt64(0)..<20)
  func eventsBetweenBatchesAreSeen(seed: UInt64) throws {
    var random = SplitMix64(seed: seed &+ 3_000)
    let model = SyntheticModel.model(seed: seed, borrows: seed % 2 == 0)
    var (pool, time) = try loadedPool(model, seed: seed, endpoints: 9)
    var batch: [Prediction] = []
    for _ in 0..<30 {
      time += random.uniform(in: 0...40)
      let endpoint = random.integer(in: 0...8)
      switch random.integer(in: 0...3) {
      case 0:
        let handle = pool.dispatched(shape(&random), to: endpoint, at: time)
        if random.integer(in: 0...1) == 0 { pool.firstToken(handle, at: time + 25) }
        time += 25
      case 1:
        pool.observe(
          EngineSnapshot(
            waitingRequests: 4, runningRequests: random.uniform(in: 0...40), kvCacheUsage: 0.5,
            time: time), on: endpoint)
      case 2:
        // A choice by the mean alone keeps other sums than a batch of all heads.
        var candidates = (0..<9).map { index in
          var candidate = Candidate()
          candidate.endpoint = index
          return candidate
        }
        let request = shape(&random)
        pool.forecastLanes(request, level: 0, at: time, &candidates)
        for candidate in candidates {
          var one = request
          one.matchedPrefixTokens = 0
          let alone = pool.expected(one, on: candidate.endpoint, level: 0, at: time)
          #expect(abs(candidate.forecast.ttft - alone.ttft) <= 1e-8 * alone.ttft)
          #expect(abs(candidate.forecast.tpot - alone.tpot) <= 1e-8 * alone.tpot)
        }
      default: break
      }
      let request = RequestShape(promptTokens: random.uniform(in: 1...4_000))
      pool.predict(request, matchedPrefixTokens: [], at: time, into: &batch)
      for endpoint in 0..<9 {
        let answer = pool.predict(request, on: endpoint, at: time)
        let alone = try #require(answer)
        #expect(isClose(batch[endpoint].ttft, alone.ttft), "endpoint \(endpoint)")
        #expect(isClose(batch[endpoint].tpot, alone.tpot), "endpoint \(endpoint)")
        #expect(batch[endpoint].isExtrapolating == alone.isExtrapolating)
      }
    }
  }

  @Test func aBatchChangesNothing() throws {
    let model = SyntheticModel.model(seed: 7)
    let (asked, time) = try loadedPool(model, seed: 7, endpoints: 5)
    var (one, two) = (asked, asked)
    var batch: [Prediction] = []
    for step in 0..<20 {
      two.predict(
        RequestShape(promptTokens: 500), matchedPrefixTokens: [], at: time + Double(step),
        into: &batch)
    }
    let request = RequestShape(promptTokens: 900)
    for endpoint in 0..<5 {
      #expect(
        one.predict(request, on: endpoint, at: time + 30)
          == two.predict(request, on: endpoint, at: time + 30))
    }
  }

  @Test func groupsThatScaleTermsDifferentlyStillWork() throws {
    var model = SyntheticModel.model(seed: 9)
    model.groups[0].ttftScales = model.ttft.terms.indices.map { 1 + 0.01 * Float($0) }
    var (pool, time) = try loadedPool(model, seed: 9, endpoints: 6)
    #expect(!pool.supportsLanes)
    var batch: [Prediction] = []
    time += 1
    let request = RequestShape(promptTokens: 700)
    pool.predict(request, matchedPrefixTokens: [], at: time, into: &batch)
    for endpoint in 0..<6 {
      #expect(batch[endpoint] == pool.predict(request, on: endpoint, at: time))
    }
  }
}
