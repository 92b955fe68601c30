/// All that the admin port shows at one moment.
struct AdminSnapshot: Sendable {
  var gateway: String
  var pool: String
  var unixNanoseconds: Int64
  var startedUnixNanoseconds: Int64
  var report: PickerReport
  var reloads: ReloadHistory.Totals
  var log: RequestLogQueue.Status?
  var sources: [String: SourceStatus]
  var readiness: Readiness
}

/// Whether requests should come here, and why not.
public struct Readiness: Sendable, Hashable {
  /// Why it is not ready; empty when it is.
  public internal(set) var reasons: [String] = []
  /// Whether requests should come here.
  public var isReady: Bool { reasons.isEmpty }
}
