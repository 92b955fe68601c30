import CoefficientFile
import RoutingRuntime
import TestSupport
import Testing

@testable import PredictorEntries

@Suite struct EntryPredictorTests {
  @Test func featuresAreThoseOfTheEntry() {
    var entry = PredictorEntry()
    entry[.inputTokens] = 1_000
    entry[.prefixMatchFraction] = 0.75
    entry[.prefillTokensInFlight] = 300
    entry[.runningRequests] = 4
    entry[.waitingRequests] = 2
    entry[.kvCacheUsage] = 0.5
    var row = [Double](repeating: 0, count: Feature.count)
    entry.fill(&row)
    #expect(row[Int(Feature.newTokens.rawValue)] == 250)
    #expect(row[Int(Feature.matchedPrefixTokens.rawValue)] == 750)
    #expect(row[Int(Feature.queuedTokens.rawValue)] == 300)
    let filled = Set(PredictorEntry.features.map { Int($0.rawValue) })
    for index in row.indices where !filled.contains(index) { #expect(row[index] == 0) }
  }

  @Test(arguments: UInt64(0)..<16)
  func thePriorNeverPrefersTheMoreLoadedEndpoint(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    var predictor = EntryPredictor(try Predictor.compile(EntryPrior.model).get())
    var entry = PredictorEntry()
    entry[.inputTokens] = random.uniform(in: 1...8_000)
    entry[.prefixMatchFraction] = random.uniform(in: 0...1)
    entry[.runningRequests] = random.uniform(in: 0...64)
    let fields: [PredictorEntry.Field] = [
      .prefillTokensInFlight, .runningRequests, .waitingRequests,
    ]
    for field in fields {
      var loaded = entry
      loaded[field] += random.uniform(in: 1...100)
      let light = predictor.predict(entry, head: .mean)
      let heavy = predictor.predict(loaded, head: .mean)
      #expect(heavy.ttftMilliseconds > light.ttftMilliseconds)
      #expect(heavy.tpotMilliseconds >= light.tpotMilliseconds)
    }
  }

  @Test func levelsNeverCrossEvenWhereTheHeadsDo() throws {
    var model = EntryPrior.model
    model.ttft.heads[2].intercept = -1_000
    var predictor = EntryPredictor(try Predictor.compile(model).get())
    let heads = predictor.heads(PredictorEntry())
    #expect(heads.ttft.p90 == heads.ttft.p50)
    #expect(heads.ttft.p95 > heads.ttft.p90)
    #expect(heads.ttft.p99 > heads.ttft.p95)
  }

  @Test func aLevelIsAnsweredByTheNextHigherHead() throws {
    var predictor = EntryPredictor(try Predictor.compile(EntryPrior.model).get())
    let heads = predictor.heads(PredictorEntry())
    let answer = predictor.predict(PredictorEntry(), head: .quantile(0.8))
    #expect(answer.ttftMilliseconds == heads.ttft.p90)
    #expect(
      predictor.predict(PredictorEntry(), head: .quantile(0.999)).ttftMilliseconds
        == heads.ttft.p99)
  }

  @Test func aGatewaysModelIsNoModelOfEntries() throws {
    #expect(try Predictor.compile(EntryPrior.model).get().isOfEntries)
    var model = EntryPrior.model
    model.ttft.terms[0] = Term(Factor(feature: Feature.queueMilliseconds.rawValue))
    #expect(try Predictor.compile(model).get().isOfEntries == false)
  }
}
