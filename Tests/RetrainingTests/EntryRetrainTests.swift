import CoefficientFile
import Foundation
import PredictorEntries
import RoutingRuntime
import TestSupport
import Testing

@testable import Retraining

/// Entries whose latencies follow a known rule with 5 % noise.
private func entries(_ count: Int, slope: Double, seed: UInt64) -> [PredictorEntry] {
  var random = SplitMix64(seed: seed)
  var result: [PredictorEntry] = []
  for index in 0..<count {
    var entry = PredictorEntry()
    entry[.kvCacheUsage] = random.uniform(in: 0...0.9)
    entry[.inputTokens] = Double(random.integer(in: 50...6_000))
    entry[.prefixMatchFraction] = random.uniform(in: 0...0.9)
    entry[.waitingRequests] = Double(random.integer(in: 0...4))
    entry[.runningRequests] = Double(random.integer(in: 0...40))
    entry[.prefillTokensInFlight] = Double(random.integer(in: 0...9_000))
    entry[.generatedTokens] = 0
    let noise = 1 + 0.05 * (random.uniform(in: -1...1) + random.uniform(in: -1...1))
    let new = (1 - entry[.prefixMatchFraction]) * entry[.inputTokens]
    if index % 2 == 0 {
      entry[.actualTTFT] = noise * (15 + slope * (new + entry[.prefillTokensInFlight]))
      entry[.actualTPOT] = 0
    } else {
      entry[.actualTTFT] = 0
      entry[.actualTPOT] = noise * (8 + 0.25 * entry[.runningRequests])
    }
    result.append(entry)
  }
  return result
}

private func withFolder(_ body: (_ entries: String, _ model: String) throws -> Void) throws {
  let folder = NSTemporaryDirectory() + "entry-retrain-" + UUID().uuidString
  defer { try? FileManager.default.removeItem(atPath: folder) }
  try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  try body(folder + "/entries", folder + "/champion.glide")
}

private func post(_ entries: [PredictorEntry], _ folder: String, from start: Int64) throws {
  let log = try EntryLog(folder: folder)
  for (batch, first) in stride(from: 0, to: entries.count, by: 50).enumerated() {
    try log.append(
      Array(entries[first..<min(first + 50, entries.count)]),
      receivedUnixNanoseconds: start + Int64(batch) * 1_000_000_000)
  }
}

@Suite struct EntryRetrainTests {
  @Test func aRuleInTheEntriesIsLearnedAndPredicted() throws {
    try withFolder { folder, path in
      try post(entries(3_000, slope: 0.08, seed: 1), folder, from: 0)
      let result = try EntryRetrain().run(folder: folder, output: path)
      #expect(result.outcome == .promoted, "\(result.reasons)")
      #expect(result.entryCount == 3_000)
      // The noise alone makes 0.033 of mean relative error.
      #expect(result.ttftMAPE < 0.05)
      #expect(result.tpotMAPE < 0.05)
      let predictor = try Predictor.compile(try CoefficientFile.read(path: path)).get()
      #expect(predictor.isOfEntries)
      #expect(predictor.model.provenance.sampleCount == 3_000)
      var entry = PredictorEntry()
      entry[.inputTokens] = 2_000
      entry[.prefixMatchFraction] = 0.5
      entry[.prefillTokensInFlight] = 4_000
      entry[.runningRequests] = 20
      entry[.kvCacheUsage] = 0.4
      entry[.waitingRequests] = 2
      var asked = EntryPredictor(predictor)
      let answer = asked.predict(entry, head: .quantile(0.5))
      #expect(abs(answer.ttftMilliseconds / 415 - 1) < 0.03)
      #expect(abs(answer.tpotMilliseconds / 13 - 1) < 0.03)
    }
  }

  @Test func theSameEntriesGiveTheSameBytesOnAnyNumberOfThreads() throws {
    try withFolder { folder, path in
      try post(entries(2_000, slope: 0.05, seed: 2), folder, from: 0)
      var files: [[UInt8]] = []
      for threads in [1, 3] {
        try? FileManager.default.removeItem(atPath: path)
        _ = try EntryRetrain(EntryRetrain.Configuration(threads: threads))
          .run(folder: folder, output: path)
        files.append(try CoefficientFile.bytes(at: path))
      }
      #expect(files[0] == files[1])
    }
  }

  @Test func aChallengerThatIsWorseOnTheNewestEntriesIsRejected() throws {
    try withFolder { folder, path in
      // The champion knows the rule of the newest quarter; the challenger learns the one before.
      try post(entries(3_000, slope: 0.08, seed: 3), folder, from: 0)
      #expect(try EntryRetrain().run(folder: folder, output: path).outcome == .promoted)
      let champion = try CoefficientFile.bytes(at: path)
      try FileManager.default.removeItem(atPath: folder)
      try post(entries(3_000, slope: 0.3, seed: 4), folder, from: 0)
      try post(entries(1_000, slope: 0.08, seed: 5), folder, from: 100_000_000_000)
      let result = try EntryRetrain().run(folder: folder, output: path)
      #expect(result.outcome == .challengerRejected)
      #expect(!result.reasons.isEmpty)
      #expect(try CoefficientFile.bytes(at: path) == champion)
    }
  }

  @Test func fewEntriesAreToldAndLeaveNoFile() throws {
    try withFolder { folder, path in
      try post(entries(100, slope: 0.08, seed: 6), folder, from: 0)
      #expect(try EntryRetrain().run(folder: folder, output: path).outcome == .tooLittleData)
      #expect(try EntryRetrain().run(folder: folder + "-none", output: path).entryCount == 0)
      #expect(!FileManager.default.fileExists(atPath: path))
    }
  }

  @Test func rolesThatDifferGetFactorsOfTheirOwn() throws {
    try withFolder { folder, path in
      var mixed = entries(4_000, slope: 0.08, seed: 7)
      for index in mixed.indices where index % 4 < 2 {
        mixed[index].podType = "prefill"
        mixed[index][.actualTTFT] *= 0.8
      }
      for index in mixed.indices where index % 4 >= 2 { mixed[index].podType = "decode" }
      try post(mixed, folder, from: 0)
      _ = try EntryRetrain().run(folder: folder, output: path)
      let model = try CoefficientFile.read(path: path)
      let scales = Dictionary(
        uniqueKeysWithValues: model.groups.map { ($0.name, Double($0.ttftScales.first ?? 1)) })
      let (prefill, decode) = (try #require(scales["prefill"]), try #require(scales["decode"]))
      #expect(abs(prefill / decode / 0.8 - 1) < 0.06)
    }
  }
}
