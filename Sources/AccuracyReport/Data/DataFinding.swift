/// Whether a finding stops the retrain.
public enum FindingSeverity: String, Sendable, Codable, Comparable {
  /// Worth knowing.
  case warn
  /// The log is not to be trusted; the champion stays.
  case block

  /// A warning is less than a block.
  public static func < (a: FindingSeverity, b: FindingSeverity) -> Bool {
    a == .warn && b == .block
  }
}

/// Something that a data check noticed about the new log.
public struct DataFinding: Sendable, Codable, Hashable {
  /// A stable name for programs, for example `unit-change`.
  public var code: String
  /// Whether it stops the retrain.
  public var severity: FindingSeverity
  /// What was found, and what to do about it.
  public var sentence: String
  /// The measured number.
  public var measured: Double
  /// What it was compared with.
  public var bound: Double

  /// A finding made of its parts.
  public init(
    code: String, severity: FindingSeverity, sentence: String, measured: Double, bound: Double
  ) {
    self.code = code
    self.severity = severity
    self.sentence = sentence
    self.measured = measured
    self.bound = bound
  }
}
