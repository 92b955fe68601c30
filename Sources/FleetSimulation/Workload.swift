/// A request of a workload.
public struct SimulatedRequest: Sendable, Hashable {
  /// When it reaches the gateway, ms.
  public var arrivalMilliseconds: Double
  /// Prompt tokens, at least 1.
  public var promptTokens: Int
  /// Tokens that it will generate, at least 1; the gateway does not know them.
  public var outputTokens: Int
  /// The most tokens that the client asked for; 0 when it did not say.
  public var maximumTokens: Int
  /// Hashes of the prompt's leading full blocks; each covers its block and all before it.
  public var prefixBlocks: [UInt64]
  /// What engines cache of the prompt, where that is known more finely; empty for ``prefixBlocks``.
  public var cacheBlocks = CacheBlocks()
  /// The TTFT that the client asked for, ms; 0 for none.
  public var ttftObjectiveMilliseconds: Double
  /// The TPOT that the client asked for, ms; 0 for none.
  public var tpotObjectiveMilliseconds: Double
  /// Whether it may be refused when the pool is overloaded.
  public var isSheddable: Bool

  /// A request of these sizes.
  public init(
    arrivalMilliseconds: Double, promptTokens: Int, outputTokens: Int, maximumTokens: Int = 0,
    prefixBlocks: [UInt64] = [], ttftObjectiveMilliseconds: Double = 0,
    tpotObjectiveMilliseconds: Double = 0, isSheddable: Bool = false
  ) {
    self.arrivalMilliseconds = arrivalMilliseconds
    self.promptTokens = promptTokens
    self.outputTokens = outputTokens
    self.maximumTokens = maximumTokens
    self.prefixBlocks = prefixBlocks
    self.ttftObjectiveMilliseconds = ttftObjectiveMilliseconds
    self.tpotObjectiveMilliseconds = tpotObjectiveMilliseconds
    self.isSheddable = isSheddable
  }

  /// What an engine caches of the prompt.
  var cached: CacheBlocks {
    cacheBlocks.hashes.isEmpty ? CacheBlocks(hashes: prefixBlocks) : cacheBlocks
  }
}

/// Requests in order of arrival; open loop, so that slow answers do not slow the arrivals.
public struct Workload: Sendable, Hashable {
  /// The requests, by arrival.
  public let requests: [SimulatedRequest]
  /// Tokens per prefix block.
  public let blockTokens: Int

  /// A workload of `requests` in any order.
  public init(requests: [SimulatedRequest], blockTokens: Int) {
    let isSorted = zip(requests, requests.dropFirst()).allSatisfy {
      $0.arrivalMilliseconds <= $1.arrivalMilliseconds
    }
    let sorted =
      isSorted ? requests : requests.sorted { $0.arrivalMilliseconds < $1.arrivalMilliseconds }
    // Blocks that are copied one after the other lie in memory as they will be read.
    self.requests = sorted.map { request in
      var request = request
      request.prefixBlocks = request.prefixBlocks.map { $0 }
      request.cacheBlocks.hashes = request.cacheBlocks.hashes.map { $0 }
      return request
    }
    self.blockTokens = max(blockTokens, 1)
  }

  /// From the first arrival to the last, ms.
  public var durationMilliseconds: Double {
    guard let first = requests.first, let last = requests.last else { return 0 }
    return last.arrivalMilliseconds - first.arrivalMilliseconds
  }

  // MARK: - What-ifs

  /// The same requests arriving `factor` times as fast.
  public func arriving(timesAsFast factor: Double) -> Workload {
    guard factor > 0, let first = requests.first?.arrivalMilliseconds else { return self }
    return mapped { $0.arrivalMilliseconds = first + ($0.arrivalMilliseconds - first) / factor }
  }

  /// Prompts `factor` times as long; what is added to a prompt is shared with no other.
  public func promptsLonger(by factor: Double) -> Workload {
    var unique: UInt64 = 0
    return mapped { request in
      let longer = max(1, Int((Double(request.promptTokens) * factor).rounded()))
      let full = longer / blockTokens
      request.promptTokens = longer
      request.cacheBlocks = CacheBlocks()
      if full < request.prefixBlocks.count {
        request.prefixBlocks.removeLast(request.prefixBlocks.count - full)
      }
      while request.prefixBlocks.count < full {
        unique &+= 1
        request.prefixBlocks.append(Self.hash(0x70_72_6f_6d_70_74, unique))
      }
    }
  }

  /// Answers `factor` times as long.
  public func answersLonger(by factor: Double) -> Workload {
    mapped { $0.outputTokens = max(1, Int((Double($0.outputTokens) * factor).rounded())) }
  }

  /// The objectives of requests that have none of their own, ms; 0 for none.
  public func objectives(ttftMilliseconds: Double, tpotMilliseconds: Double) -> Workload {
    mapped {
      if $0.ttftObjectiveMilliseconds <= 0 { $0.ttftObjectiveMilliseconds = ttftMilliseconds }
      if $0.tpotObjectiveMilliseconds <= 0 { $0.tpotObjectiveMilliseconds = tpotMilliseconds }
    }
  }

  /// The requests that arrive in `range`, ms.
  public func arrivals(in range: Range<Double>) -> Workload {
    Workload(
      requests: requests.filter { range.contains($0.arrivalMilliseconds) },
      blockTokens: blockTokens)
  }

  private func mapped(_ change: (inout SimulatedRequest) -> Void) -> Workload {
    Workload(
      requests: requests.map { request in
        var request = request
        change(&request)
        return request
      }, blockTokens: blockTokens)
  }

  /// Mixes two numbers into a block hash.
  static func hash(_ family: UInt64, _ position: UInt64) -> UInt64 {
    var source = NoiseSource(seed: family &* 0x9e37_79b9_7f4a_7c15 ^ position)
    return source.next()
  }
}
