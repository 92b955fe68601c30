internal import CoefficientFile
internal import Foundation
internal import LinearAlgebra
internal import LogReplay
internal import RequestLog
internal import RoutingRuntime

/// Split-conformal calibration of the levels on the newest block, which the heads have not seen.
///
/// The score of an outcome is actual / predicted, with the live correction running as it will when
/// serving; a level's factor is the score's finite-sample quantile.
///
/// - Source: Romano, Patterson and Candès (2019), arXiv:1905.03222, with multiplicative scores.
struct LevelCalibration {
  let log: ReplayLog
  let range: Range<Int>
  let share: Double
  let threads: Int

  /// Fewer outcomes than this say too little about a level.
  private static let fewest = 50
  /// More outcomes than this say no more about a level.
  private static let mostRows = 50_000
  /// Rows per chunk of the replay; fixed, so that no result depends on the number of threads.
  private static let chunkRows = 12_500
  /// Rows that a chunk replays before its own, so that its corrections are warm.
  private static let warmUpRows = 4_000
  /// A factor beyond this says that the block is another world; the live levels handle that.
  private static let bound = 2.0

  func apply(to model: inout GlideModel) {
    guard share > 0 else { return }
    // The adaptive offsets must not do the calibration's work while it is measured.
    var still = model
    still.correction.conformalStep = 0
    guard case .success(let predictor) = Predictor.compile(still) else { return }
    let rowCount = min(Int(share * Double(range.count)), Self.mostRows)
    let start = range.upperBound - rowCount
    let ready = predictor
    let parts = RowBlocks(rowCount: rowCount, blockRows: Self.chunkRows, blockLimit: 1 << 20)
      .map(threads: threads) { chunk -> ScoreCollector in
        let first = start + chunk.lowerBound
        var scores = ScoreCollector(log: log, first: first)
        Replay(log, predictor: ready).run(
          max(range.lowerBound, first - Self.warmUpRows)..<(start + chunk.upperBound),
          observer: &scores)
        return scores
      }
    var scores = ScoreCollector(log: log, first: start)
    for part in parts { scores.append(part) }
    let (all, count) = (scores.ttft + scores.tpot, HeadLevels.all.count)
    let factors = RowBlocks(rowCount: all.count, blockRows: 1).map(threads: threads) {
      Self.factor(all[$0.lowerBound], HeadLevels.all[$0.lowerBound % count])
    }
    for index in HeadLevels.all.indices {
      if let factor = factors[index] { model.ttft.heads[index + 1].calibration = factor }
      if let factor = factors[count + index] { model.tpot.heads[index + 1].calibration = factor }
    }
  }

  /// The finite-sample quantile of `scores`, bounded; `nil` when they are too few.
  static func factor(_ scores: [Double], _ level: Double) -> Double? {
    guard scores.count >= fewest else { return nil }
    let sorted = scores.sorted()
    let rank = Int((level * Double(sorted.count + 1)).rounded(.up)) - 1
    return min(max(sorted[min(rank, sorted.count - 1)], 1 / bound), bound)
  }

  private struct ScoreCollector: ReplayObserver {
    let log: ReplayLog
    let first: Int
    var ttft = [[Double]](repeating: [], count: 4)
    var tpot = [[Double]](repeating: [], count: 4)

    mutating func willDispatch(
      _ index: Int, _ request: RequestShape, to endpoint: Int, of pool: inout EndpointPool,
      at time: Double
    ) {
      guard index >= first, log.isComplete(index),
        let predicted = pool.predict(request, on: endpoint, at: time)
      else { return }
      let row = log.rows[index]
      let actual = row.ttftMilliseconds - log.dispatchDelay(index)
      for level in 0..<4 {
        if actual > 0 { ttft[level].append(actual / predicted.ttft.quantile(level)) }
        if row.outputTokens > 8, row.tpotMilliseconds > 0 {
          tpot[level].append(row.tpotMilliseconds / predicted.tpot.quantile(level))
        }
      }
    }

    mutating func append(_ other: ScoreCollector) {
      for level in 0..<4 {
        ttft[level] += other.ttft[level]
        tpot[level] += other.tpot[level]
      }
    }

    mutating func didReceiveFirstToken(_ index: Int, at time: Double) {}
    mutating func didFinish(_ index: Int, at time: Double) {}
  }
}

/// Foundation's exponential and logarithm.
enum Exponential {
  static func value(_ x: Double) -> Double { exp(x) }
  /// `nan` for arguments that have none.
  static func logarithm(_ x: Double) -> Double { x > 0 ? log(x) : .nan }
}
