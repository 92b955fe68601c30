/// Why a file was not put in force.
public struct ReloadRefusal: Error, Sendable, Hashable {
  /// What kind of reason it is.
  public enum Kind: UInt8, Sendable, Hashable, CaseIterable {
    /// The file is missing, is not a regular file, or cannot be read.
    case unreadable
    /// It is larger than allowed.
    case oversized
    /// It is not a coefficient file, is cut short or fails a check.
    case malformed
    /// It was written for an older or newer format than this runtime reads.
    case unsupportedFormat
    /// A signature is required, and it has none or a wrong one.
    case untrusted
    /// It was fitted for another runtime's features.
    case schemaMismatch
  }

  /// What kind of reason it is.
  public let kind: Kind
  /// The reason in words, for a log.
  public let reason: String

  /// A refusal.
  public init(_ kind: Kind, _ reason: String) {
    self.kind = kind
    self.reason = reason
  }
}

/// What a ``ModelWatcher`` did so far.
public struct ReloadStatus: Sendable, Hashable {
  /// Models put in force.
  public internal(set) var loadedCount: UInt64 = 0
  /// Files refused.
  public internal(set) var refusedCount: UInt64 = 0
  /// Files refused, by `ReloadRefusal.Kind.rawValue`.
  public internal(set) var refusedCounts = [UInt64](
    repeating: 0, count: ReloadRefusal.Kind.allCases.count)
  /// The last refusal, kept until the next model is put in force.
  public internal(set) var lastRefusal: ReloadRefusal?
  /// How long the last model took from its first byte read to being in force, ms.
  public internal(set) var lastLoadMilliseconds = 0.0

  mutating func note(_ refusal: ReloadRefusal) {
    refusedCount += 1
    refusedCounts[Int(refusal.kind.rawValue)] += 1
    lastRefusal = refusal
  }
}
