public import Foundation

/// What a log looks like in a few kilobytes: kept beside every model, so that the next night's log
/// can be compared with what the champion learned from.
public struct DatasetSummary: Sendable, Codable, Equatable {
  /// Rows summarized.
  public var rowCount = 0
  /// Lines that the ingest put aside.
  public var quarantinedCount = 0
  /// Earliest arrival, nanoseconds since 1970.
  public var firstNanoseconds = Int64.max
  /// Latest arrival, nanoseconds since 1970.
  public var lastNanoseconds = Int64.min
  /// Rows newer than anything in the previous summary; all rows when there was none.
  public var newerRowCount = 0
  /// The time range in at most 240 equal slots, empty ones included.
  public var slots: [TimeSlot] = []
  /// The longest time without any arrival, seconds, to the minute.
  public var largestGapSeconds = 0.0
  /// Rows per HTTP status.
  public var statusCounts: [String: Int] = [:]
  /// Rows per served model.
  public var modelCounts: [String: Int] = [:]
  /// All rows together.
  public var pool = GroupSummary()
  /// Rows per endpoint.
  public var endpoints: [String: GroupSummary] = [:]
  /// Rows per gateway replica.
  public var gateways: [String: GroupSummary] = [:]
  /// Shares of rows with some oddity.
  public var shares = OddityShares()
  /// How closely each dispatch-time column follows an outcome, by column name.
  public var outcomeCorrelations: [String: OutcomeCorrelation] = [:]

  /// Length of the time range, seconds.
  public var durationSeconds: Double {
    rowCount > 0 ? Double(lastNanoseconds - firstNanoseconds) / 1e9 : 0
  }

  /// Reads what ``json()`` wrote.
  public init(json: Data) throws(AccuracyReportError) {
    do {
      self = try ReportJSON.decoder().decode(DatasetSummary.self, from: json)
    } catch {
      throw .json("\(error)")
    }
  }

  init() {}

  /// Stable, sorted keys.
  public func json() throws(AccuracyReportError) -> Data {
    do {
      return try ReportJSON.encoder().encode(self)
    } catch {
      throw .json("\(error)")
    }
  }
}

/// One slot of the time range.
public struct TimeSlot: Sendable, Codable, Equatable {
  /// Rows that arrived in it.
  public var count: Int
  /// Geometric mean of their TTFT, milliseconds; `nan` when there is none.
  public var ttftMilliseconds: Double
}

/// Rows that belong together.
public struct GroupSummary: Sendable, Codable, Equatable {
  /// Rows.
  public var count = 0
  /// Earliest arrival, nanoseconds since 1970.
  public var firstNanoseconds = Int64.max
  /// Latest arrival, nanoseconds since 1970.
  public var lastNanoseconds = Int64.min
  /// Rows per accelerator class.
  public var accelerators: [String: Int] = [:]
  /// The numeric columns, by column name; those without a value are left out.
  public var columns: [String: ColumnSummary] = [:]
  /// How the champion's TTFT predictions compare with the outcomes.
  public var residual = ResidualSummary()
  /// The engine's waiting + running over the replay's in-flight requests; `nan` when unknown.
  public var engineOverReplay = Double.nan

  func column(_ column: DatasetColumn) -> ColumnSummary? { columns[column.rawValue] }
}

/// One numeric column.
public struct ColumnSummary: Sendable, Codable, Equatable {
  /// Finite values.
  public var count: Int
  /// Their mean.
  public var mean: Double
  /// Quantiles at 0.01, 0.1, 0.5, 0.9, 0.99, to about 2 %.
  public var quantiles: [Double]
  /// The largest value.
  public var maximum: Double
  /// The largest value over the twentieth largest; near 1 when the tail is cut.
  public var tailRatio: Double
  /// The time between the first and the last of those twenty, seconds.
  public var tailSeconds: Double

  /// The median, to about 2 %.
  public var median: Double { quantiles.count > 2 ? quantiles[2] : .nan }
}

/// The champion's TTFT predictions against the outcomes: actual / predicted.
public struct ResidualSummary: Sendable, Codable, Equatable {
  /// Rows that have both.
  public var count = 0
  /// Geometric mean of actual / predicted.
  public var ratio = Double.nan
  /// Spread of the logarithm of actual / predicted, as a standard deviation: from the 5th to the 95th
  /// percentile, so that a few stalled requests do not count.
  public var logSpread = Double.nan
  /// Correlation of the logarithms of actual and predicted.
  public var correlation = Double.nan
}

/// Shares of rows with some oddity, 0…1.
public struct OddityShares: Sendable, Codable, Equatable {
  /// TTFT later than E2E.
  public var ttftAboveE2E = 0.0
  /// TTFT equal to E2E although more than one token was generated.
  public var ttftEqualsE2E = 0.0
  /// A latency that is negative, infinite or absent although the status is 200.
  public var unusableLatency = 0.0
  /// The same arrival, endpoint, sizes and latencies as an earlier row.
  public var duplicated = 0.0
  /// The same endpoint, sizes and latencies as an earlier row, whatever the arrival.
  public var repeatedContent = 0.0
  /// A logged TPOT that is not (E2E − TTFT) / (output tokens − 1), by more than 10 %.
  public var inconsistentTPOT = 0.0
  /// A dispatch that is logged with, or after, the first token, of the rows that log it; nil in
  /// summaries written before it was looked at.
  public var dispatchedAtFirstToken: Double?
}

/// The largest correlation, of values, their logarithms or their ranks, with each outcome.
public struct OutcomeCorrelation: Sendable, Codable, Equatable {
  /// With TTFT.
  public var ttft: Double
  /// With E2E.
  public var e2e: Double
  /// With TPOT.
  public var tpot: Double
}
