import LogReplay
import RequestLog
import RoutingRuntime
import RuntimeTestSupport
import TestSupport
import Testing

/// What is predicted for a request depends on nothing that was not known at its dispatch.
@Suite struct LeakageTests {
  @Test(arguments: UInt64(0)..<60)
  func outcomesAndLaterRequestsDoNotReachBack(seed: UInt64) throws {
    var random = SplitMix64(seed: seed ^ 0x1eaf)
    let (rows, symbols, chunks) = SyntheticLog.make(seed: seed, gateways: 1 + Int(seed % 2))
    let log = ReplayLog(rows: rows, symbols: symbols, chunkOffsets: chunks)
    let model = SyntheticModel.model(seed: seed, borrows: seed % 2 == 1)
    let before = try LogPredictor(log, model: model).predictionsAndFeatures()

    let target = random.integer(in: 1...log.rows.count - 1)
    let changed = changing(log, after: target, using: &random)
    let later = changingChunks(chunks, of: log, after: target, using: &random)
    let after = try LogPredictor(
      ReplayLog(rows: changed, symbols: symbols, chunkOffsets: later), model: model
    ).predictionsAndFeatures()

    for index in 0...target {
      let isSame = bits(before.predictions[index]) == bits(after.predictions[index])
      #expect(isSame, "prediction \(index), changed from \(target)")
      for feature in Feature.allCases {
        let position = index * Feature.count + Int(feature.rawValue)
        #expect(
          before.features[position].bitPattern == after.features[position].bitPattern,
          "\(feature) of \(index), changed from \(target)")
      }
    }
  }

  /// The change must be large enough to show up where it may.
  @Test func laterPredictionsDoDependOnOutcomes() throws {
    let (rows, symbols, _) = SyntheticLog.make(seed: 5)
    let log = ReplayLog(rows: rows, symbols: symbols)
    var random = SplitMix64(seed: 1)
    let changed = ReplayLog(
      rows: changing(log, after: 20, using: &random), symbols: symbols)
    let model = SyntheticModel.model(seed: 5)

    let before = try LogPredictor(log, model: model).predictions()
    let after = try LogPredictor(changed, model: model).predictions()

    #expect(before.last.map(bits) != after.last.map(bits))
  }

  @Test func laterPredictionsDoDependOnChunks() throws {
    let (rows, symbols, chunks) = SyntheticLog.make(seed: 5)
    let model = SyntheticModel.model(seed: 5)
    func last(_ chunks: [Float]) throws -> [UInt64]? {
      let log = ReplayLog(rows: rows, symbols: symbols, chunkOffsets: chunks)
      return try LogPredictor(log, model: model).predictions().last.map(bits)
    }
    #expect(try last(chunks) != last([]))
  }

  /// Moves every chunk that comes after row `target` was dispatched, to another time after that.
  private func changingChunks(
    _ chunks: [Float], of log: ReplayLog, after target: Int, using random: inout SplitMix64
  ) -> [Float] {
    let now = log.dispatchTime(target)
    var changed = chunks
    for index in log.rows.indices {
      guard let first = log.firstTokenTime(index) else { continue }
      var moved = Float(0)
      for place in log.rows[index].chunkOffsets.indices where first + Double(chunks[place]) >= now {
        moved += Float(random.uniform(in: 0...50))
        changed[place] = max(Float(now - first), 0) + 0.5 + moved
      }
    }
    return changed
  }

  /// Changes everything that the gateway learns after it dispatched row `target`.
  private func changing(
    _ log: ReplayLog, after target: Int, using random: inout SplitMix64
  ) -> [LoggedRequest] {
    let now = log.dispatchTime(target)
    var rows = log.rows
    for index in rows.indices {
      if index > target {
        rows[index].inputTokens = Int32(random.integer(in: 1...6_000))
        rows[index].prefixMatchTokens = 0
        rows[index].dispatchedNanoseconds += Int64(random.integer(in: 0...50_000_000))
        SyntheticLog.setOutcome(of: &rows[index], using: &random)
        continue
      }
      let seenFirst = log.firstTokenTime(index).map { $0 < now } ?? false
      let seenEnd = log.endTime(index) < now
      if seenEnd { continue }
      let kept = rows[index]
      SyntheticLog.setOutcome(of: &rows[index], using: &random)
      // What comes later than now stays later than now.
      let elapsed = Double(log.rows[target].dispatchedNanoseconds - kept.receivedNanoseconds) * 1e-6
      let ahead = max(elapsed, 0) + random.uniform(in: 0.01...50)
      if seenFirst {
        rows[index].ttftMilliseconds = kept.ttftMilliseconds
        rows[index].e2eMilliseconds = ahead
      } else {
        rows[index].ttftMilliseconds += ahead
        rows[index].e2eMilliseconds += ahead
        if rows[index].e2eMilliseconds.isNaN, rows[index].ttftMilliseconds.isNaN {
          rows[index].e2eMilliseconds = ahead
        }
      }
    }
    return rows
  }
}

/// The bits of every number in `prediction`.
func bits(_ prediction: Prediction) -> [UInt64] {
  [prediction.ttft, prediction.tpot].flatMap { heads in
    [heads.mean, heads.p50, heads.p90, heads.p95, heads.p99].map(\.bitPattern)
  } + [prediction.isExtrapolating ? 1 : 0]
}
