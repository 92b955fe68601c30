internal import Glibc

/// Why a log could not be read.
public enum RequestLogError: Error, Sendable {
  /// The configuration is impossible; the payload says why.
  case badConfiguration(String)
  /// No file matches the path or pattern.
  case noSuchInput(String)
  /// The system refused to open, read or write a file.
  case inputOutput(path: String, errno: Int32)
  /// A gzip or zstd stream is damaged at an uncompressed offset.
  case damagedCompression(path: String, offset: Int64, detail: String)
  /// The file is in a format that is not read here.
  case foreignFormat(path: String, format: ForeignFormat)
  /// A line is longer than any log line should be.
  case lineTooLong(path: String, offset: Int64, limit: Int)
  /// A mapping file is wrong.
  case badMapping(name: String, detail: String)
  /// A CSV header lacks the columns that are needed.
  case badHeader(path: String, detail: String)
  /// Too many lines were quarantined; nothing of the read should be kept.
  case tooManyRejected(summary: ReadSummary, maximumShare: Double, reasons: [RejectedCount])
  /// The log names more endpoints, models and the like than a log should.
  case tooManyNames(limit: Int)
  /// The caller's own code stopped the read.
  case stopped(by: any Error)
}

/// How often one fault was met, with the first line that has it.
public struct RejectedCount: Sendable, Hashable {
  /// How many lines have it.
  public var count: Int64
  /// The first of them.
  public var example: RejectedLine
}

extension RequestLogError: CustomStringConvertible {
  /// What happened, and what to do, for a person.
  public var description: String {
    switch self {
    case .badConfiguration(let detail): return "the reader cannot be set up so: \(detail)"
    case .noSuchInput(let path): return "there is no log at \(path)"
    case .inputOutput(let path, let code):
      let message = "\(path): \(Self.systemMessage(code))"
      return code == EISDIR ? message + "; name its files, as \"\(path)/*.jsonl\"" : message
    case .damagedCompression(let path, let offset, let detail):
      return "\(path): the compressed log is damaged after byte \(offset) (\(detail))"
    case .foreignFormat(let path, let format):
      return "\(path) is \(format.title), which is not read here. \(format.remedy(path))"
    case .lineTooLong(let path, let offset, let limit):
      return
        "\(path): the line at byte \(offset) is longer than \(limit >> 20) MiB; is this a request log?"
    case .badMapping(let name, let detail): return "mapping \(name): \(detail)"
    case .badHeader(let path, let detail): return "\(path): \(detail)"
    case .tooManyRejected(let summary, let share, let reasons):
      return Self.describe(summary, share, reasons)
    case .tooManyNames(let limit):
      return "the log has over \(limit) names of endpoints, models and the like; is a request id"
        + " mapped to one of them?"
    case .stopped(let error): return "\(error)"
    }
  }

  private static func describe(
    _ summary: ReadSummary, _ share: Double, _ reasons: [RejectedCount]
  ) -> String {
    let total = summary.rows + summary.rejected
    var lines = [
      "\(summary.rejected) of \(total) lines are bad (\(percent(summary.badShare)), allowed"
        + " \(percent(share))); nothing was taken over"
    ]
    for reason in reasons {
      let line = reason.example
      lines.append(
        "  \(reason.count) × \(line.sentence); first at \(line.file):\(line.lineNumber):"
          + " \(line.excerpt)")
      lines.append("      \(line.remedy)")
    }
    return lines.joined(separator: "\n")
  }

  private static func percent(_ share: Double) -> String {
    "\((share * 1000).rounded() / 10) %"
  }
}
