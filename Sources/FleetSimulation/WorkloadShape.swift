internal import Glibc

/// What a synthetic workload looks like; ``workload(seed:)`` draws one.
///
/// Sessions begin as a Poisson process, thinned by on-off bursts. A session's prompt begins with one
/// of a few system prompts; each further turn sends all that was said before, and a new message.
public struct WorkloadShape: Sendable, Hashable {
  /// Requests per second on average, over all turns.
  public var requestsPerSecond: Double
  /// How long requests arrive, s.
  public var durationSeconds: Double
  /// Tokens of a turn's message: median, and standard deviation of the logarithm.
  public var messageTokens: LogNormalShape
  /// Tokens of an answer.
  public var answerTokens: LogNormalShape
  /// Turns per session on average, at least 1.
  public var turns: Double
  /// Between an answer's end and the next turn, s, on average.
  public var thinkSeconds: Double
  /// How many system prompts sessions share; 0 for none.
  public var systemPrompts: Int
  /// Tokens of each.
  public var systemPromptTokens: Int
  /// Arrivals in a burst are this many times as frequent as outside; 1 for none.
  public var burstFactor: Double
  /// Bursts take this share of the time, 0…1.
  public var burstShare: Double
  /// From a burst to the next, s.
  public var burstPeriodSeconds: Double
  /// The longest prompt, tokens.
  public var longestPrompt: Int
  /// Tokens per prefix block.
  public var blockTokens: Int

  /// A log-normal number of tokens, at least 1.
  public struct LogNormalShape: Sendable, Hashable {
    /// Half are smaller.
    public var median: Double
    /// The standard deviation of the logarithm.
    public var sigma: Double

    /// Half of the numbers are below `median`.
    public init(median: Double, sigma: Double) {
      self.median = median
      self.sigma = sigma
    }

    func draw(_ noise: inout NoiseSource) -> Int {
      max(1, Int((median * exp(sigma * noise.normal())).rounded()))
    }
  }

  /// A chat of single turns; change what differs.
  public init(requestsPerSecond: Double = 10, durationSeconds: Double = 600) {
    self.requestsPerSecond = requestsPerSecond
    self.durationSeconds = durationSeconds
    messageTokens = LogNormalShape(median: 800, sigma: 0.9)
    answerTokens = LogNormalShape(median: 130, sigma: 0.9)
    turns = 1
    thinkSeconds = 10
    systemPrompts = 0
    systemPromptTokens = 0
    burstFactor = 1
    burstShare = 0.2
    burstPeriodSeconds = 60
    longestPrompt = 120_000
    blockTokens = 64
  }

  // MARK: - Presets

  /// Single-turn chat without shared prefixes.
  public static func uniformChat(
    requestsPerSecond: Double, durationSeconds: Double
  ) -> WorkloadShape {
    WorkloadShape(requestsPerSecond: requestsPerSecond, durationSeconds: durationSeconds)
  }

  /// Multi-turn sessions over shared system prompts.
  public static func agenticSessions(
    requestsPerSecond: Double, durationSeconds: Double
  ) -> WorkloadShape {
    var shape = WorkloadShape(
      requestsPerSecond: requestsPerSecond, durationSeconds: durationSeconds)
    shape.messageTokens = LogNormalShape(median: 350, sigma: 0.8)
    shape.turns = 6
    shape.systemPrompts = 8
    shape.systemPromptTokens = 3000
    return shape
  }

  /// Few, long prompts with rare reuse.
  public static func longPrompts(
    requestsPerSecond: Double, durationSeconds: Double
  ) -> WorkloadShape {
    var shape = WorkloadShape(
      requestsPerSecond: requestsPerSecond, durationSeconds: durationSeconds)
    shape.messageTokens = LogNormalShape(median: 6000, sigma: 1.1)
    shape.answerTokens = LogNormalShape(median: 350, sigma: 0.6)
    shape.turns = 1.3
    shape.systemPrompts = 4
    shape.systemPromptTokens = 512
    return shape
  }

  /// Chat whose arrivals come in bursts, five times as frequent.
  public static func bursts(
    requestsPerSecond: Double, durationSeconds: Double
  ) -> WorkloadShape {
    var shape = WorkloadShape(
      requestsPerSecond: requestsPerSecond, durationSeconds: durationSeconds)
    shape.burstFactor = 5
    return shape
  }

  // MARK: - Drawing

  /// A workload that `seed` determines.
  public func workload(seed: UInt64) -> Workload {
    var noise = NoiseSource(seed: seed)
    var requests: [SimulatedRequest] = []
    requests.reserveCapacity(Int(requestsPerSecond * durationSeconds * 1.2) + 16)
    let end = durationSeconds * 1000
    let meanRate = requestsPerSecond / max(turns, 1) / 1000
    let share = min(max(burstShare, 0), 1)
    let quiet = meanRate / (1 + share * (max(burstFactor, 1) - 1))
    let peak = quiet * max(burstFactor, 1)
    var time = 0.0
    var session: UInt64 = 0
    while peak > 0 {
      time += noise.exponential() / peak
      guard time < end else { break }
      let phase = (time / (burstPeriodSeconds * 1000)).truncatingRemainder(dividingBy: 1)
      let rate = phase < share ? peak : quiet
      guard noise.uniform() * peak < rate else { continue }
      session += 1
      addSession(session, seed: seed, at: time, until: end, noise: &noise, to: &requests)
    }
    return Workload(requests: requests, blockTokens: blockTokens)
  }

  private func addSession(
    _ session: UInt64, seed: UInt64, at start: Double, until end: Double,
    noise: inout NoiseSource, to requests: inout [SimulatedRequest]
  ) {
    let group = systemPrompts > 0 ? UInt64(noise.index(below: systemPrompts)) : 0
    let system = systemPrompts > 0 ? systemPromptTokens : 0
    let own = Workload.hash(seed &+ 1, session)
    var context = system
    var time = start
    var blocks: [UInt64] = []
    while time < end {
      context += messageTokens.draw(&noise)
      guard context <= max(longestPrompt, system + 1) else { return }
      let answer = answerTokens.draw(&noise)
      while (blocks.count + 1) * blockTokens <= context {
        let position = UInt64(blocks.count)
        let isShared = (blocks.count + 1) * blockTokens <= system
        blocks.append(Workload.hash(isShared ? group &+ 0x7379_7374_656d : own, position))
      }
      requests.append(
        SimulatedRequest(
          arrivalMilliseconds: time, promptTokens: context, outputTokens: answer,
          prefixBlocks: blocks))
      context += answer
      guard noise.uniform() * turns < turns - 1 else { return }
      // Open loop: the answer is taken to need 15 ms a token.
      time += 15 * Double(answer) + 1000 * thinkSeconds * noise.exponential()
    }
  }
}
