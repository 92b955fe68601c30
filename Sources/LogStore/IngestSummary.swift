/// What an ingest did.
public struct IngestSummary: Sendable, Hashable {
  /// What became of one input.
  public struct File: Sendable, Hashable {
    /// The input as it was found.
    public var path: String
    /// How it stood to what was stored before.
    public var kind: Kind
    /// Requests stored.
    public var added: Int64 = 0
    /// Requests that were stored before, from this input or another.
    public var duplicates: Int64 = 0
    /// Lines quarantined.
    public var quarantined: Int64 = 0
    /// Records that the mapping's `where` left out.
    public var skipped: Int64 = 0
  }

  /// How an input stood to what was stored before.
  public enum Kind: String, Sendable, Hashable {
    /// It was not known.
    case new
    /// It had new lines behind the known ones; only those were read.
    case grown
    /// Nothing was new: it was not read.
    case unchanged
    /// Its name was known, its content was not: it was read from the start.
    case replaced
  }

  /// The inputs in order.
  public var files: [File] = []

  /// An ingest of nothing.
  public init() {}

  /// Requests stored.
  public var added: Int64 { files.reduce(0) { $0 + $1.added } }
  /// Requests that were stored before.
  public var duplicates: Int64 { files.reduce(0) { $0 + $1.duplicates } }
  /// Lines quarantined.
  public var quarantined: Int64 { files.reduce(0) { $0 + $1.quarantined } }
  /// Records that the mapping's `where` left out.
  public var skipped: Int64 { files.reduce(0) { $0 + $1.skipped } }
}
