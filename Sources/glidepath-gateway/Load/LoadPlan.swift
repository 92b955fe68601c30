/// One request of a load, planned before anything is sent.
struct PlannedRequest: Sendable {
  /// When it is sent, s after the start.
  var time: Double
  /// The conversation so far, as a chat's messages: user, assistant, user, and so on.
  var messages: [String]
  /// Tokens to generate.
  var answerTokens: Int
}

/// A load of conversations: bursts of sessions, several turns each, that share system prompts.
///
/// Every time is planned from the seed alone, so that a slow gateway gets the same requests at the
/// same times as a quick one: the load is open, and latencies count from the planned time.
struct LoadPlan: Sendable {
  /// What the load is like.
  struct Configuration: Sendable {
    /// How long sessions go on arriving, s.
    var seconds = 60.0
    /// Requests a second on average.
    var requestsPerSecond = 8.0
    /// Turns of a session, on average.
    var meanTurns = 4.0
    /// Between two turns of a session, on average, s.
    var meanThinkSeconds = 4.0
    /// How many system prompts sessions share.
    var systemPrompts = 12
    /// Their length, tokens.
    var systemTokens = 1_500
    /// A user's message, on average, tokens.
    var meanMessageTokens = 250.0
    /// An answer, on average, tokens.
    var meanAnswerTokens = 80.0
    /// How much more arrives in a burst than outside; 1 for none.
    var burstiness = 3.0
    /// Of a burst, and of the calm after it, s.
    var burstSeconds = 6.0
    var seed: UInt64 = 1
  }

  /// The requests, by time.
  let requests: [PlannedRequest]

  /// Plans a load.
  init(_ configuration: Configuration) {
    var random = LoadRandom(state: configuration.seed)
    var requests: [PlannedRequest] = []
    let rate = configuration.requestsPerSecond / configuration.meanTurns
    let share = 2 / (1 + configuration.burstiness)
    // Sessions that began earlier are in the middle of their turns when the load starts.
    let warmUp = 4 * configuration.meanTurns * configuration.meanThinkSeconds
    var time = -warmUp
    var session = 0
    while true {
      let isBurst = Int((time + warmUp) / configuration.burstSeconds) % 2 == 1
      let now = rate * share * (isBurst ? configuration.burstiness : 1)
      time += random.exponential(1 / now)
      guard time < configuration.seconds else { break }
      requests += Self.session(session, at: time, configuration, &random)
      session += 1
    }
    self.requests = requests.filter { (0..<configuration.seconds).contains($0.time) }
      .sorted { $0.time < $1.time }
  }

  private static func session(
    _ number: Int, at start: Double, _ configuration: Configuration, _ random: inout LoadRandom
  ) -> [PlannedRequest] {
    let prompt = Int(random.uniform() * Double(configuration.systemPrompts))
    var messages = [
      LoadText.text(tokens: configuration.systemTokens, seed: UInt64(prompt))
    ]
    var requests: [PlannedRequest] = []
    var time = start
    var turn = 0
    repeat {
      let tokens = Int(random.logNormal(mean: configuration.meanMessageTokens)) + 1
      let text = LoadText.text(
        tokens: tokens, seed: configuration.seed &* 1_000_003 &+ UInt64(number) << 8 &+ UInt64(turn)
      )
      // The system prompt opens the first message.
      if turn == 0 { messages[0] += text } else { messages.append(text) }
      let answer = min(Int(random.logNormal(mean: configuration.meanAnswerTokens)) + 2, 2_000)
      requests.append(PlannedRequest(time: time, messages: messages, answerTokens: answer))
      messages.append(LoadText.text(tokens: answer, seed: UInt64(number) << 16 &+ UInt64(turn)))
      time += random.exponential(configuration.meanThinkSeconds)
      turn += 1
    } while random.uniform() > 1 / configuration.meanTurns
    return requests
  }
}

/// Text of a known length: four bytes a token.
enum LoadText {
  private static let letters = Array("abcdefghijklmnopqrstuvwxyz".utf8)

  static func text(tokens: Int, seed: UInt64) -> String {
    var random = LoadRandom(state: seed &+ 0x51ed_270b)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(4 * tokens)
    for _ in 0..<tokens {
      let word = random.next()
      bytes.append(UInt8(ascii: " "))
      for shift in [0, 16, 32] as [UInt64] {
        bytes.append(letters[Int((word >> shift) & 0xffff) % letters.count])
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

/// Numbers from a seed; SplitMix64 (Steele, Lea and Flood 2014).
struct LoadRandom {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  /// At least 0, below 1.
  mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

  mutating func exponential(_ mean: Double) -> Double {
    -mean * LoadMath.logarithm(1 - uniform())
  }

  /// Positive, with this mean, and a logarithm of standard deviation 0.7.
  mutating func logNormal(mean: Double) -> Double {
    let sigma = 0.7
    var normal = -6.0
    for _ in 0..<12 { normal += uniform() }
    return mean * LoadMath.exponential(sigma * normal - sigma * sigma / 2)
  }
}
