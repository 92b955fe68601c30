import Foundation

extension DataChecks {
  func clockFindings(_ new: DatasetSummary, _ now: Int64?) -> [DataFinding] {
    var findings = skewFindings(new.endpoints, of: "endpoint", new)
    findings += skewFindings(new.gateways, of: "gateway", new)
    if let now {
      let ahead = Double(new.lastNanoseconds - now) / 1e9
      if ahead > configuration.clockSkewSeconds {
        findings.append(
          finding(
            "clock-skew", .block, ahead, configuration.clockSkewSeconds,
            "The newest request lies \(Text.duration(seconds: ahead)) in the future: a "
              + "gateway's clock is wrong. Check time synchronization."))
      }
      let hours = -ahead / 3_600
      if hours > configuration.maximumAgeHours {
        findings.append(
          finding(
            "stale-file", .warn, hours, configuration.maximumAgeHours,
            "The newest request is \(Text.duration(seconds: -ahead)) old: was last night's log "
              + "delivered?"))
      }
    }
    if new.largestGapSeconds > max(900, 0.2 * new.durationSeconds) {
      findings.append(
        finding(
          "gap", .warn, new.largestGapSeconds, max(900, 0.2 * new.durationSeconds),
          "No request arrives for \(Text.duration(seconds: new.largestGapSeconds)): a part of "
            + "the log may be missing, or a clock jumped."))
    }
    return findings
  }

  /// Groups that both begin and end later (or earlier) than all others by about the same time.
  private func skewFindings(
    _ groups: [String: GroupSummary], of kind: String, _ new: DatasetSummary
  ) -> [DataFinding] {
    let large = groups.filter { $0.value.count >= 50 }
    guard large.count > 1 else { return [] }
    return large.keys.sorted().compactMap { name in
      let others = large.filter { $0.key != name }.values
      guard let group = large[name], let first = others.map(\.firstNanoseconds).min(),
        let last = others.map(\.lastNanoseconds).max()
      else { return nil }
      let begin = Double(group.firstNanoseconds - first) / 1e9
      let end = Double(group.lastNanoseconds - last) / 1e9
      let shift = min(abs(begin), abs(end))
      guard begin * end > 0, shift > configuration.clockSkewSeconds,
        abs(begin - end) < 0.5 * shift
      else { return nil }
      let direction = begin > 0 ? "ahead of" : "behind"
      return finding(
        "clock-skew", .block, shift, configuration.clockSkewSeconds,
        "The clock of \(kind) \(name) runs about \(Text.duration(seconds: shift)) \(direction) "
          + "the others: it begins and ends that much apart from them.")
    }
  }

  func windowFindings(_ new: DatasetSummary, _ trained: DatasetSummary) -> [DataFinding] {
    var findings: [DataFinding] = []
    let newShare = Double(new.newerRowCount) / Double(new.rowCount)
    let newest = Text.minute(trained.lastNanoseconds)
    if new.lastNanoseconds <= trained.lastNanoseconds {
      findings.append(
        finding(
          "stale-file", .block, 0, configuration.minimumNewShare,
          "Nothing here is newer than what the champion learned from (\(newest) UTC): this is an "
            + "old file, or the same one again."))
    } else if newShare < configuration.minimumNewShare {
      findings.append(
        finding(
          "stale-file", .warn, newShare, configuration.minimumNewShare,
          "Only \(Text.percent(newShare)) of the rows are newer than what the champion learned "
            + "from (\(newest) UTC)."))
    }
    let rows = Double(new.rowCount) / Double(trained.rowCount)
    let time =
      trained.durationSeconds > 0 ? new.durationSeconds / trained.durationSeconds : .infinity
    for (share, what) in [(time, "time"), (rows, "requests")]
    where share < configuration.minimumWindowShare {
      findings.append(
        finding(
          "truncated", .block, share, configuration.minimumWindowShare,
          "The log covers only \(Text.percent(share, digits: 0)) of the \(what) that the "
            + "champion learned from: a part of the day is missing. Ingest the rest, or lower "
            + "the window bound if traffic really fell."))
    }
    return findings
  }
}
