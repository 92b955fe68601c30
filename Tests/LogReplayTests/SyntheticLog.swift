import LogReplay
import RequestLog
import RoutingRuntime
import TestSupport

/// Logs that a seed determines, with what real ones have: bursts, aborts, gaps, two gateways.
enum SyntheticLog {
  static let start: Int64 = 1_790_000_000_000_000_000

  static func make(
    seed: UInt64, count: Int = 160, gateways: Int = 1
  ) -> (rows: [LoggedRequest], symbols: SymbolTable, chunkOffsets: [Float]) {
    var random = SplitMix64(seed: seed)
    var symbols = SymbolTable()
    let endpoints = (0..<3).map { symbols.intern("e\($0)") }
    let replicas = (0..<gateways).map { symbols.intern("g\($0)") }
    let fast = symbols.intern("fast")
    var time = 0.0
    var rows: [LoggedRequest] = []
    var chunkOffsets: [Float] = []
    for index in 0..<count {
      time += random.uniform(in: 0...1) < 0.3 ? 0.2 : random.uniform(in: 0...120)
      var row = LoggedRequest()
      row.identityHigh = seed
      row.identityLow = UInt64(index)
      row.endpoint = endpoints[random.integer(in: 0...2)]
      row.gateway = replicas[random.integer(in: 0...gateways - 1)]
      row.accelerator = row.endpoint == endpoints[0] ? fast : .none
      row.receivedNanoseconds = start + Int64(time * 1e6)
      row.dispatchedNanoseconds =
        row.receivedNanoseconds + Int64(random.uniform(in: 0...3) * 1e6)
      row.inputTokens = Int32(random.integer(in: 1...6_000))
      row.prefixMatchTokens = Int32(random.integer(in: 0...Int(row.inputTokens)))
      row.maxTokens = random.integer(in: 0...2) == 0 ? -1 : Int32(random.integer(in: 1...500))
      if random.integer(in: 0...2) == 0 {
        row.waitingRequests = Int32(random.integer(in: 0...4))
        row.runningRequests = Int32(random.integer(in: 0...20))
        row.kvCacheUsage = Float(random.uniform(in: 0...1))
        row.snapshotAgeMilliseconds = Float(random.uniform(in: 0...400))
      }
      setOutcome(of: &row, using: &random)
      row.chunkOffsets.start = Int32(chunkOffsets.count)
      if random.integer(in: 0...1) == 0 { addChunks(of: row, to: &chunkOffsets, using: &random) }
      row.chunkOffsets.count = Int32(chunkOffsets.count) - row.chunkOffsets.start
      rows.append(row)
    }
    return (rows, symbols, chunkOffsets)
  }

  /// Chunks at all distances, some after the end that the log tells.
  private static func addChunks(
    of row: LoggedRequest, to offsets: inout [Float], using random: inout SplitMix64
  ) {
    var offset = 0.0
    for _ in 0..<random.integer(in: 1...40) {
      offset += random.uniform(in: 0...60)
      offsets.append(Float((offset * 100).rounded() / 100))
    }
  }

  /// Gives `row` a random outcome.
  static func setOutcome(of row: inout LoggedRequest, using random: inout SplitMix64) {
    row.status = 200
    row.outputTokens = Int32(random.integer(in: 1...300))
    row.cachedTokens = Int32(random.integer(in: 0...Int(row.inputTokens)))
    row.ttftMilliseconds = random.uniform(in: 5...600)
    row.e2eMilliseconds =
      row.ttftMilliseconds + random.uniform(in: 5...20) * Double(row.outputTokens - 1)
    switch random.integer(in: 0...19) {
    case 0:
      row.status = 499
      row.ttftMilliseconds = .nan
      row.e2eMilliseconds = random.uniform(in: 1...900)
      row.outputTokens = -1
    case 1: row.e2eMilliseconds = .nan
    case 2:
      row.status = 499
      row.e2eMilliseconds = row.ttftMilliseconds + random.uniform(in: 0...300)
    default: break
    }
  }
}

extension LogPredictor {
  /// Every row's prediction, and its features one row after the other.
  func predictionsAndFeatures() -> (predictions: [Prediction], features: [Double]) {
    var predictions: [Prediction] = []
    var features: [Double] = []
    visit { _, prediction, row in
      predictions.append(prediction)
      features += row
    }
    return (predictions, features)
  }
}
