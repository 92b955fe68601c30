import Foundation

/// Bounds of the data checks; the defaults let ordinary nights through.
public struct DataCheckConfiguration: Sendable, Codable, Hashable {
  /// Repeated rows above this share block; default 0.005.
  public var duplicateShare = 0.005
  /// TTFT above E2E in more than this share blocks; default 0.01.
  public var impossibleShare = 0.01
  /// Quarantined or unusable rows above this share block; default 0.02.
  public var unusableShare = 0.02
  /// A dispatch-time column this correlated with an outcome blocks; default 0.985.
  public var leakCorrelation = 0.985
  /// A median that moved by this factor against the champion's training blocks; default 50.
  public var unitFactor = 50.0
  /// TTFT that moved by this factor against the champion's predictions blocks; default 3.
  public var residualFactor = 3.0
  /// Log-residuals this many times as wide as in the champion's training block; default 2.
  public var residualSpreadFactor = 4.0
  /// Fewer rows or less time than this share of the champion's training window blocks;
  /// default 0.5.
  public var minimumWindowShare = 0.5
  /// Fewer new rows than this share warns; none at all blocks; default 0.02.
  public var minimumNewShare = 0.02
  /// Arrivals this far in the future, or endpoints this far apart, seconds; default 120.
  public var clockSkewSeconds = 120.0
  /// Newest row older than this warns when the present is given, hours; default 36.
  public var maximumAgeHours = 36.0

  /// The documented defaults.
  public init() {}
}

/// Compares a new log with what the champion learned from, before any model is fitted.
///
/// Every check is a pure function of two summaries. A blocking finding refuses the log.
public struct DataChecks: Sendable {
  /// The bounds in force.
  public var configuration: DataCheckConfiguration

  /// Checks with documented bounds.
  public init(configuration: DataCheckConfiguration = DataCheckConfiguration()) {
    self.configuration = configuration
  }

  /// Everything that is odd about a log, blocking findings first.
  ///
  /// - Parameters:
  ///   - new: The log about to be learned from.
  ///   - trained: What the champion learned from; nil on the first run.
  ///   - nowNanoseconds: The present, nanoseconds since 1970; nil when it has no meaning, for
  ///     example for an old log.
  public func findings(
    new: DatasetSummary, trained: DatasetSummary?, nowNanoseconds: Int64? = nil
  ) -> [DataFinding] {
    guard new.rowCount > 0 else {
      return [
        DataFinding(
          code: "empty", severity: .block, sentence: "The log holds no request at all.",
          measured: 0, bound: 1)
      ]
    }
    var findings = rowFindings(new, trained) + plausibilityFindings(new) + leakFindings(new)
    findings += clockFindings(new, nowNanoseconds) + stepFindings(new) + labelFindings(new)
    if let trained, trained.rowCount > 0 {
      findings += windowFindings(new, trained) + unitFindings(new, trained)
      findings += residualFindings(new, trained) + statusFindings(new, trained)
      findings += tailFindings(new, trained) + nameFindings(new, trained)
    }
    return findings.enumerated()
      .sorted { ($0.element.severity, -$0.offset) > ($1.element.severity, -$1.offset) }
      .map(\.element)
  }

  func finding(
    _ code: String, _ severity: FindingSeverity, _ measured: Double, _ bound: Double,
    _ sentence: String
  ) -> DataFinding {
    DataFinding(
      code: code, severity: severity, sentence: sentence, measured: measured, bound: bound)
  }

  // MARK: Single rows

  private func rowFindings(_ new: DatasetSummary, _ trained: DatasetSummary?) -> [DataFinding] {
    var findings: [DataFinding] = []
    let shares = new.shares
    if shares.duplicated > configuration.duplicateShare {
      findings.append(
        finding(
          "duplicates", .block, shares.duplicated, configuration.duplicateShare,
          "\(Text.percent(shares.duplicated)) of the rows repeat another row under a new "
            + "request id. Remove the copy of the log that was read twice."))
    }
    let usual = trained?.shares.repeatedContent ?? 0
    let repeats = max(configuration.duplicateShare, 2 * usual) + (trained == nil ? 0.05 : 0.01)
    if shares.repeatedContent > repeats, shares.duplicated <= configuration.duplicateShare {
      findings.append(
        finding(
          "duplicates", .block, shares.repeatedContent, repeats,
          "\(Text.percent(shares.repeatedContent)) of the rows have the sizes and latencies of "
            + "another row at a different time. The log was probably replayed or concatenated."))
    }
    if shares.ttftAboveE2E > configuration.impossibleShare {
      findings.append(
        finding(
          "swapped-columns", .block, shares.ttftAboveE2E, configuration.impossibleShare,
          "In \(Text.percent(shares.ttftAboveE2E)) of the rows the first token comes after the "
            + "last: ttft_ms and e2e_ms are swapped or shifted. Check the mapping."))
    }
    let usualEqual = trained?.shares.ttftEqualsE2E ?? 0
    if shares.ttftEqualsE2E > 0.2 + 2 * usualEqual {
      findings.append(
        finding(
          "equal-columns", .block, shares.ttftEqualsE2E, 0.2,
          "In \(Text.percent(shares.ttftEqualsE2E)) of the longer answers ttft_ms equals e2e_ms: "
            + "the time to first token is not really measured (buffered responses?)."))
    }
    if shares.inconsistentTPOT > 0.05 {
      findings.append(
        finding(
          "inconsistent-tpot", .block, shares.inconsistentTPOT, 0.05,
          "In \(Text.percent(shares.inconsistentTPOT)) of the rows tpot_ms is not (e2e_ms − "
            + "ttft_ms) / (output_tokens − 1): a column is shifted or in another unit."))
    }
    let late = shares.dispatchedAtFirstToken ?? 0
    // A TTFT in seconds lies before any dispatch; that is another check's to say.
    if late > 0.2, new.pool.column(.ttft)?.median ?? 0 >= 1 {
      findings.append(
        finding(
          "label-leak", .block, late, 0.2,
          "In \(Text.percent(late)) of the rows dispatched_unix_ns lies at the first token or after "
            + "it: it was filled in after the response. Log the moment of the dispatch, or leave the "
            + "column out."))
    }
    let bad = Double(new.quarantinedCount) / Double(new.quarantinedCount + new.rowCount)
    for (share, what) in [
      (bad, "of the lines were quarantined at ingest"),
      (shares.unusableLatency, "of the successful requests have no usable latency"),
    ] where share > configuration.unusableShare / 4 {
      findings.append(
        finding(
          "unusable-rows", share > configuration.unusableShare ? .block : .warn, share,
          configuration.unusableShare,
          "\(Text.percent(share)) \(what). See the quarantine table for file, line and reason."))
    }
    return findings
  }

  // MARK: Values that cannot be

  private func plausibilityFindings(_ new: DatasetSummary) -> [DataFinding] {
    let limits: [(DatasetColumn, ClosedRange<Double>)] = [
      (.ttft, 1...600_000), (.e2e, 2...3_600_000), (.tpot, 0.05...5_000),
    ]
    return limits.compactMap { column, range in
      guard let summary = new.pool.column(column), summary.count >= 50,
        !range.contains(summary.median)
      else { return nil }
      let guess = summary.median < range.lowerBound ? "seconds" : "microseconds"
      return finding(
        "unit-change", .block, summary.median,
        summary.median < range.lowerBound ? range.lowerBound : range.upperBound,
        "The median of \(column.logName) is \(Text.compact(summary.median)), which cannot be "
          + "milliseconds. It looks like \(guess): set the unit factor in the mapping.")
    }
  }

  private func leakFindings(_ new: DatasetSummary) -> [DataFinding] {
    guard new.rowCount >= 100 else { return [] }
    return DatasetColumn.knownAtDispatch.flatMap { column -> [DataFinding] in
      guard let correlation = new.outcomeCorrelations[column.rawValue] else { return [] }
      return [
        ("ttft_ms", correlation.ttft), ("e2e_ms", correlation.e2e), ("tpot_ms", correlation.tpot),
      ].compactMap { outcome, value in
        guard value > configuration.leakCorrelation else { return nil }
        return finding(
          "label-leak", .block, value, configuration.leakCorrelation,
          "\(column.logName) follows \(outcome) almost exactly (correlation "
            + "\(Text.fixed(value, 3))): it was filled in after the response. Log the value "
            + "known at dispatch, or leave the column out.")
      }
    }
  }

  /// Latency that changes by orders of magnitude between neighbouring stretches of time.
  private func stepFindings(_ new: DatasetSummary) -> [DataFinding] {
    let filled = stretches(of: new)
    guard filled.count >= 4 else { return [] }
    var worst = 1.0
    var position = 0
    for index in 2...(filled.count - 2) {
      let before = median(Array(filled[..<index].suffix(6)))
      let after = median(Array(filled[index...].prefix(6)))
      let factor = max(before / after, after / before)
      if factor > worst { (worst, position) = (factor, index) }
    }
    guard worst > 100 else { return [] }
    let share = Text.percent(Double(position) / Double(filled.count), digits: 0)
    return [
      finding(
        "unit-change", .block, worst, 100,
        "TTFT changes by a factor of \(Text.compact(worst)) after about \(share) of the log and "
          + "stays there: the unit of ttft_ms changed on the way.")
    ]
  }

  /// The geometric mean TTFT of consecutive stretches of at least 50 requests.
  private func stretches(of new: DatasetSummary) -> [Double] {
    var means: [Double] = []
    var (count, total) = (0, 0.0)
    for slot in new.slots where slot.ttftMilliseconds > 0 {
      count += slot.count
      total += Double(slot.count) * log(slot.ttftMilliseconds)
      if count >= 50 {
        means.append(exp(total / Double(count)))
        (count, total) = (0, 0)
      }
    }
    return means
  }
}
