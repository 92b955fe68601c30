/// Why a report cannot be made.
public enum AccuracyReportError: Error, Equatable, Sendable {
  /// A model does not have one prediction per request.
  case predictionCount(model: String, expected: Int, actual: Int)
  /// There is no request to judge.
  case noRequests
  /// The report could not be written or read as JSON; the text says where.
  case json(String)
}
