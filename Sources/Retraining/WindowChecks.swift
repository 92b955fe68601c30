internal import AccuracyReport
internal import LogReplay
internal import RequestLog

/// Whether a night is as long as nights are: the one check that needs the rhythm of the retrains.
struct WindowChecks {
  let log: ReplayLog
  /// The rows that are new since the champion learned.
  let night: Range<Int>
  /// How long the champion's own night was, ns; `nil` without a champion.
  let expectedNanoseconds: Int64?

  /// A night shorter than this share of the one before was cut off.
  private static let leastShare = 0.25
  private static let day: Int64 = 86_400_000_000_000

  /// The night's length, ns.
  var lengthNanoseconds: Int64 {
    guard let first = night.first, let last = night.last else { return 0 }
    return log.rows[last].receivedNanoseconds - log.rows[first].receivedNanoseconds
  }

  /// A night that is much shorter than the one before.
  var findings: [DataFinding] {
    guard let expected = expectedNanoseconds, expected > 0, !night.isEmpty else { return [] }
    let share = Double(lengthNanoseconds) / Double(min(expected, Self.day))
    guard share < Self.leastShare else { return [] }
    return [
      DataFinding(
        code: "truncated-window", severity: .block,
        sentence:
          "The new rows cover only \(Int((share * 100).rounded())) % of the time that the last "
          + "retrain had: the log seems cut off. Ingest the rest, or pass --allow-short.",
        measured: share, bound: Self.leastShare)
    ]
  }
}
