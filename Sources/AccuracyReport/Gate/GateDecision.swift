/// How a retrain ended; the raw value is the process's exit code.
///
/// | code | meaning |
/// |---|---|
/// | 0 | the challenger was promoted |
/// | 3 | the challenger was judged and rejected; the champion stays |
/// | 4 | the data were refused before or beside judging; the champion stays |
/// | 5 | there were too few requests to judge; the champion stays |
///
/// Codes 1 (unexpected failure) and 64 (wrong usage) belong to the command line.
public enum GateOutcome: Int32, Sendable, Codable {
  /// The challenger serves from now on.
  case promoted = 0
  /// The challenger is worse than the champion or than a constant.
  case challengerRejected = 3
  /// The log itself is not to be trusted.
  case dataRefused = 4
  /// The judged block is too small.
  case tooLittleData = 5
}

/// One comparison that the gate made.
public struct GateCheck: Sendable, Codable, Hashable {
  /// What was compared, for example `TTFT MAPE`.
  public var name: String
  /// Which slice: `all requests`, or for example `endpoint pod-0`.
  public var slice: String
  /// The measured number, in ``unit``.
  public var measured: Double
  /// What it was compared with, in ``unit``.
  public var bound: Double
  /// How to read both: `×` is a ratio to the reference, `share` is 0…1, `count` a number.
  public var unit: String
  /// Whether the check let the challenger through.
  public var passed: Bool
  /// Requests behind the measurement.
  public var count: Int
  /// What the check says, as a sentence.
  public var sentence: String
}

/// What a person must know about a rejection, as sentences.
public struct GateReason: Sendable, Codable, Hashable {
  /// What is wrong and what to do about it.
  public var sentence: String

  /// A reason.
  public init(_ sentence: String) { self.sentence = sentence }
}

/// What the gate decided and why.
public struct GateDecision: Sendable, Codable, Hashable {
  /// How it ended; its raw value is the exit code.
  public var outcome: GateOutcome
  /// Why, most important first; never empty.
  public var reasons: [GateReason]
  /// Everything that was compared.
  public var checks: [GateCheck]
  /// What the challenger was compared with: the champion's name, or `constant predictor`.
  public var reference: String

  /// Whether the challenger serves from now on.
  public var promoted: Bool { outcome == .promoted }
}
