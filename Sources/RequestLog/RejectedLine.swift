/// A line that was quarantined: where it stood, what was wrong, and what to do about it.
public struct RejectedLine: Sendable, Hashable {
  /// The input it came from; "-" is standard input.
  public var file: String
  /// Its line number, from 1.
  public var lineNumber: Int64
  /// The native name of the offending field; `nil` when the line as a whole is at fault.
  public var field: String?
  /// What was wrong.
  public var reason: Reason
  /// The part of the line that shows it, at most 160 characters.
  public var excerpt: String

  /// A line with all that is known of it.
  public init(
    file: String, lineNumber: Int64, field: String?, reason: Reason, excerpt: String
  ) {
    self.file = file
    self.lineNumber = lineNumber
    self.field = field
    self.reason = reason
    self.excerpt = excerpt
  }

  /// Why a line is quarantined.
  public enum Reason: Sendable, Hashable {
    /// The line is no JSON object, or no CSV record; the payload says how.
    case malformed(String)
    /// The line has bytes that are not UTF-8.
    case notUTF8
    /// The line ends before its record does.
    case truncated
    /// A field that every line must have is not there.
    case missing
    /// A number is NaN or infinite.
    case notFinite
    /// A number is below zero.
    case negative
    /// A value is beyond belief; the payload states the limit.
    case absurd(limit: String)
    /// A value has another type; the payload says which is expected.
    case wrongType(expected: String)
    /// Two values of the line contradict each other; the payload says how.
    case inconsistent(String)
    /// An earlier line has the same request id.
    case duplicateID
    /// The arrival lies this far (ms) before that of an earlier line.
    case clockBackwards(milliseconds: Double)
    /// The arrival lies this far (ms) after those of the lines around it.
    case clockAhead(milliseconds: Double)

    /// A stable short name, to count and to store.
    public var code: String {
      switch self {
      case .malformed: "malformed"
      case .notUTF8: "not-utf8"
      case .truncated: "truncated"
      case .missing: "missing"
      case .notFinite: "not-finite"
      case .negative: "negative"
      case .absurd: "absurd"
      case .wrongType: "wrong-type"
      case .inconsistent: "inconsistent"
      case .duplicateID: "duplicate-id"
      case .clockBackwards: "clock-backwards"
      case .clockAhead: "clock-ahead"
      }
    }
  }

  /// One sentence for a person: what is wrong with which field.
  public var sentence: String {
    let name = field.map { "`\($0)`" } ?? "the line"
    switch reason {
    case .malformed(let detail): return "the line cannot be read: \(detail)"
    case .notUTF8: return "the line has bytes that are not UTF-8"
    case .truncated: return "the line ends in the middle of its record"
    case .missing: return "\(name) is missing"
    case .notFinite: return "\(name) is not a finite number"
    case .negative: return "\(name) is negative"
    case .absurd(let limit): return "\(name) is beyond belief (\(limit))"
    case .wrongType(let expected): return "\(name) is not \(expected)"
    case .inconsistent(let detail): return "\(name) contradicts the rest of the line: \(detail)"
    case .duplicateID: return "an earlier line has the same request id"
    case .clockBackwards(let step):
      return "\(name) is \(Self.duration(step)) before an earlier line's"
    case .clockAhead(let lead):
      return "\(name) is \(Self.duration(lead)) ahead of the lines around it"
    }
  }

  /// What a person can do about it.
  public var remedy: String {
    switch reason {
    case .malformed: "Check that the log has one record a line and that the mapping fits it."
    case .notUTF8: "Write the log as UTF-8, or convert it."
    case .truncated: "Ingest the file again once the gateway has written the whole line."
    case .missing: "Let the gateway log the field, or map it from another one."
    case .notFinite: "Leave the field out where there is no value."
    case .negative: "Check the gateway's clock and counters; leave unknown values out."
    case .absurd: "Check the unit; a mapping's `factor` converts it."
    case .wrongType: "Check the field's type in the log, or the path in the mapping."
    case .inconsistent: "Check which moments the gateway's timers and counters start from."
    case .duplicateID: "Make request ids unique, and do not log a request twice."
    case .clockBackwards, .clockAhead:
      "Check the gateway's clock; sort joined logs by arrival, or ingest them one by one."
    }
  }

  private static func duration(_ milliseconds: Double) -> String {
    switch milliseconds {
    case ..<1000: "\(Int(milliseconds)) ms"
    case ..<120_000: "\(Int(milliseconds / 1000)) s"
    case ..<7_200_000: "\(Int(milliseconds / 60_000)) min"
    case ..<172_800_000: "\(Int(milliseconds / 3_600_000)) h"
    default: "\(Int(min(milliseconds / 86_400_000, 1e9))) days"
    }
  }
}

/// What a read took in.
public struct ReadSummary: Sendable, Hashable {
  /// Requests accepted.
  public var rows: Int64 = 0
  /// Lines quarantined.
  public var rejected: Int64 = 0
  /// Records that the mapping's `where` left out.
  public var skipped: Int64 = 0
  /// Lines read, blank ones included.
  public var lines: Int64 = 0
  /// Bytes of log read, uncompressed.
  public var bytes: Int64 = 0
  /// Inputs read.
  public var files = 0
  /// The byte behind the last whole line of the last input, uncompressed: where to resume when the
  /// file has grown.
  public var resumeOffset: Int64 = 0
  /// The number of that last line.
  public var resumeLine: Int64 = 0

  /// An empty summary.
  public init() {}

  /// The share of records that were quarantined, 0…1.
  public var badShare: Double {
    rows + rejected == 0 ? 0 : Double(rejected) / Double(rows + rejected)
  }
}

/// A whole log in memory.
public struct RequestLogContents: Sendable {
  /// The accepted requests.
  public var batch: RequestBatch
  /// The names behind its symbols.
  public var symbols: SymbolTable
  /// The quarantined lines.
  public var rejected: [RejectedLine]
  /// The totals.
  public var summary: ReadSummary
}

/// A line's fault, before its file and number are known.
struct Rejection: Error {
  var field: String?
  var reason: RejectedLine.Reason

  init(_ field: RequestField?, _ reason: RejectedLine.Reason) {
    self.field = field.map(\.name)
    self.reason = reason
  }
}
