import LogReplay
import RequestLog
import TestSupport

/// A log made by endpoints whose step length is known: continuous batching, first come first
/// served, a step of `base + perRequest·batch + perToken·prompt tokens` ms.
struct SyntheticFleet {
  var endpoints = 2
  var requests = 1500
  /// Mean gap between arrivals at the pool, ms.
  var meanGap = 60.0
  var base = 8.0
  var perRequest = 0.05
  var perToken = 0.02
  /// What a batch of three takes longer, ms.
  var batchOfThree = 0.0
  /// The most prompt tokens that a step computes.
  var tokenBudget = 2048.0
  /// The same of each accelerator, by the same index; empty where all have ``tokenBudget``.
  var tokenBudgets: [Double] = []
  /// The longest prompt, tokens.
  var longestPrompt = 1550.0
  /// The relative noise of a step.
  var noise = 0.02
  /// Accelerator names by endpoint, cyclic.
  var accelerators = ["a"]
  /// The slowness of each accelerator, by the same index.
  var slowness = [1.0]
  /// The further slowness of its prefill alone.
  var prefillSlowness = [1.0]
  /// Requests to the second endpoint, the newest; `nil` for equal shares.
  var requestsElsewhere: Int?
  /// The share of requests that are given up after 200 ms.
  var abortedShare = 0.0

  private struct Job {
    var row: Int
    var arrival: Double
    var remaining: Double
    var output: Int
    var generated = 0
    var first = 0.0
  }

  /// The log of `seed`.
  func log(seed: UInt64) -> ReplayLog {
    var random = SplitMix64(seed: seed)
    var symbols = SymbolTable()
    var rows: [LoggedRequest] = []
    var queues = [[Job]](repeating: [], count: endpoints)
    var time = 0.0
    for index in 0..<requests {
      time += -meanGap * logarithm(1 - random.uniform(in: 0...0.999_999))
      var endpoint = Int(random.uniform(in: 0...0.999_999) * Double(endpoints))
      if let requestsElsewhere {
        endpoint = requests - index <= 2 * requestsElsewhere && index % 2 == 0 ? 1 : 0
      }
      var row = LoggedRequest()
      row.identityLow = UInt64(index)
      row.endpoint = symbols.intern("pod-\(endpoint)")
      row.accelerator = symbols.intern(accelerators[endpoint % accelerators.count])
      row.model = symbols.intern("model")
      row.receivedNanoseconds = 1_700_000_000_000_000_000 + Int64(time * 1e6)
      row.dispatchedNanoseconds = row.receivedNanoseconds
      row.inputTokens = Int32(50 + random.uniform(in: 0...longestPrompt - 50))
      row.prefixMatchTokens = Int32(Double(row.inputTokens) * random.uniform(in: 0...0.8))
      row.outputTokens = Int32(10 + random.uniform(in: 0...80))
      rows.append(row)
      queues[endpoint].append(
        Job(
          row: index, arrival: time,
          remaining: Double(row.inputTokens - row.prefixMatchTokens),
          output: Int(row.outputTokens)))
    }
    for endpoint in 0..<endpoints {
      serve(
        queues[endpoint],
        tokenBudget: tokenBudgets.isEmpty
          ? tokenBudget : tokenBudgets[endpoint % tokenBudgets.count],
        factor: slowness[endpoint % slowness.count],
        prefillFactor: prefillSlowness[endpoint % prefillSlowness.count], &rows, &random)
    }
    for index in rows.indices where random.uniform(in: 0...1) < abortedShare {
      rows[index].status = 499
      rows[index].ttftMilliseconds = .nan
      rows[index].e2eMilliseconds = min(rows[index].e2eMilliseconds, 200)
    }
    return ReplayLog(rows: rows, symbols: symbols)
  }

  private func serve(
    _ jobs: [Job], tokenBudget: Double, factor: Double, prefillFactor: Double,
    _ rows: inout [LoggedRequest], _ random: inout SplitMix64
  ) {
    var waiting = jobs[...]
    var prefilling: [Job] = []
    var decoding: [Job] = []
    var now = 0.0
    while !waiting.isEmpty || !prefilling.isEmpty || !decoding.isEmpty {
      if prefilling.isEmpty, decoding.isEmpty, let next = waiting.first {
        now = max(now, next.arrival)
      }
      while let next = waiting.first, next.arrival <= now {
        prefilling.append(next)
        waiting = waiting.dropFirst()
      }
      var budget = tokenBudget
      var tokens = 0.0
      for index in prefilling.indices where budget > 0 {
        let taken = min(budget, prefilling[index].remaining)
        prefilling[index].remaining -= taken
        budget -= taken
        tokens += taken
      }
      let length =
        base + perRequest * Double(decoding.count) + perToken * prefillFactor * tokens
        + (decoding.count == 3 ? batchOfThree : 0)
      now += length * factor * (1 + noise * random.uniform(in: -1...1))
      for index in decoding.indices { decoding[index].generated += 1 }
      for job in decoding where job.generated >= job.output {
        rows[job.row].e2eMilliseconds = now - job.arrival + 0.8
      }
      decoding.removeAll { $0.generated >= $0.output }
      for var job in prefilling where job.remaining <= 0 {
        job.generated = 1
        rows[job.row].ttftMilliseconds = now - job.arrival + 0.8
        decoding.append(job)
      }
      prefilling.removeAll { $0.remaining <= 0 }
    }
  }

  /// Natural logarithm by argument halving and the area-tangent series; good to 1e-9 here.
  private func logarithm(_ given: Double) -> Double {
    var x = given
    var halvings = 0.0
    while x < 0.7 {
      x *= 2
      halvings += 1
    }
    let t = (x - 1) / (x + 1)
    var (sum, power) = (0.0, t)
    for odd in stride(from: 1, through: 25, by: 2) {
      sum += power / Double(odd)
      power *= t * t
    }
    return 2 * sum - halvings * 0.693_147_180_559_945_3
  }
}
