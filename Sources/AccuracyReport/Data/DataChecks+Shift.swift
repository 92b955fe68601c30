import Foundation

extension DataChecks {
  /// Medians that moved by orders of magnitude: another unit, or another column.
  func unitFindings(_ new: DatasetSummary, _ trained: DatasetSummary) -> [DataFinding] {
    let columns: [DatasetColumn] = [.ttft, .e2e, .tpot, .inputTokens, .outputTokens]
    var findings: [DataFinding] = []
    for column in columns {
      let limit = column == .inputTokens || column == .outputTokens ? 8 : configuration.unitFactor
      if let factor = moved(new.pool, trained.pool, column), factor > limit || factor < 1 / limit {
        findings.append(unitFinding(column, factor, limit, place: ""))
        continue
      }
      for name in new.endpoints.keys.sorted() {
        guard let group = new.endpoints[name],
          let factor = moved(group, trained.endpoints[name] ?? trained.pool, column),
          factor > limit || factor < 1 / limit
        else { continue }
        findings.append(unitFinding(column, factor, limit, place: " on endpoint \(name)"))
      }
    }
    return findings
  }

  private func moved(
    _ new: GroupSummary, _ old: GroupSummary, _ column: DatasetColumn
  ) -> Double? {
    guard let now = new.column(column), let before = old.column(column), now.count >= 50,
      before.count >= 50, before.median > 0, now.median > 0
    else { return nil }
    return now.median / before.median
  }

  private func unitFinding(
    _ column: DatasetColumn, _ factor: Double, _ limit: Double, place: String
  ) -> DataFinding {
    let times = factor >= 1 ? factor : 1 / factor
    let direction = factor >= 1 ? "larger" : "smaller"
    let isThousand = abs(log10(times) - 3) < 0.5
    let guess =
      isThousand
      ? "It looks like \(factor < 1 ? "seconds" : "microseconds") instead of milliseconds."
      : "It looks like another unit or another column."
    return finding(
      isThousand ? "unit-change" : "shifted-column", .block, factor, limit,
      "\(column.logName)\(place) is \(Text.compact(times)) times \(direction) than in the "
        + "champion's training log. \(guess) Check the mapping.")
  }

  /// The champion as an instrument: it knows what these latencies should roughly be.
  func residualFindings(_ new: DatasetSummary, _ trained: DatasetSummary) -> [DataFinding] {
    var findings: [DataFinding] = []
    let (now, before) = (new.pool.residual, trained.pool.residual)
    if now.count >= 200 {
      let usual = before.ratio.isFinite ? before.ratio : 1
      let factor = now.ratio / usual
      let limit = configuration.residualFactor
      if factor > limit || factor < 1 / limit {
        findings.append(
          finding(
            "shifted-outcome", .block, factor, limit,
            "TTFT is \(Text.compact(factor)) times what the champion expects for these requests. "
              + "If the engines did not change that much, a clock, a unit or a column did."))
      }
      let lost = before.correlation - now.correlation
      if lost > 0.35 {
        findings.append(
          finding(
            "shifted-column", .block, lost, 0.35,
            "TTFT no longer follows the champion's prediction (correlation "
              + "\(Text.fixed(now.correlation, 2)), was \(Text.fixed(before.correlation, 2))): "
              + "rows and latencies do not belong together. A column is probably shifted."))
      }
      let wider = now.logSpread / before.logSpread
      if wider > configuration.residualSpreadFactor, lost <= 0.35 {
        findings.append(
          finding(
            "wider-errors", .warn, wider, configuration.residualSpreadFactor,
            "The champion's relative TTFT errors are \(Text.fixed(wider, 1)) times as wide as in "
              + "its training log."))
      }
    }
    return findings + endpointResidualFindings(new, trained)
  }

  /// One endpoint that stopped behaving as the champion learned, while the others did not.
  private func endpointResidualFindings(
    _ new: DatasetSummary, _ trained: DatasetSummary
  ) -> [DataFinding] {
    let known = new.endpoints.keys.sorted().filter {
      (new.endpoints[$0]?.residual.count ?? 0) >= 200
        && (trained.endpoints[$0]?.residual.count ?? 0) >= 200
    }
    let spreads = known.map { name in
      (new.endpoints[name]?.residual.logSpread ?? .nan)
        / (trained.endpoints[name]?.residual.logSpread ?? .nan)
    }
    let ratios = known.map { name in
      (new.endpoints[name]?.residual.ratio ?? .nan)
        / (trained.endpoints[name]?.residual.ratio ?? .nan)
    }
    guard known.count > 1 else { return [] }
    return known.indices.compactMap { index in
      let others = known.indices.filter { $0 != index }
      let wider = spreads[index] / median(others.map { spreads[$0] })
      let shifted = ratios[index] / median(others.map { ratios[$0] })
      let name = known[index]
      if wider > configuration.residualSpreadFactor {
        return finding(
          "endpoint-mismatch", .block, wider, configuration.residualSpreadFactor,
          "On endpoint \(name) the champion's errors became \(Text.fixed(wider, 1)) times as wide "
            + "as elsewhere: its rows may belong to another endpoint, or its clock is off.")
      }
      if shifted > configuration.residualFactor || shifted < 1 / configuration.residualFactor {
        return finding(
          "endpoint-mismatch", .block, shifted, configuration.residualFactor,
          "On endpoint \(name) TTFT moved by a factor of \(Text.compact(shifted)) against the "
            + "other endpoints: its unit, clock or label changed.")
      }
      return nil
    }
  }

  /// Failures that used to be logged and are gone.
  func statusFindings(_ new: DatasetSummary, _ trained: DatasetSummary) -> [DataFinding] {
    func failures(_ summary: DatasetSummary) -> Int {
      summary.rowCount - summary.statusCounts["200", default: 0]
    }
    let before = Double(failures(trained)) / Double(trained.rowCount)
    let expected = before * Double(new.rowCount)
    let now = Double(failures(new))
    var findings: [DataFinding] = []
    if expected >= 10, now < 0.2 * expected {
      findings.append(
        finding(
          "dropped-timeouts", .block, now / Double(new.rowCount), before,
          "\(Text.percent(before)) of the champion's training requests were aborted or timed out; "
            + "here only \(Int(now)) of \(Text.count(new.rowCount)) are. They were probably "
            + "filtered out, which makes latencies look better than they are."))
    }
    let share = now / Double(new.rowCount)
    if share > 0.05, share > 3 * before {
      findings.append(
        finding(
          "many-failures", .warn, share, 0.05,
          "\(Text.percent(share)) of the requests failed (\(Text.percent(before)) before)."))
    }
    return findings
  }

  /// Latencies that stop dead where they used to tail off.
  ///
  /// One burst gives many equal latencies too, so the largest must lie far apart in time.
  func tailFindings(_ new: DatasetSummary, _ trained: DatasetSummary) -> [DataFinding] {
    [DatasetColumn.ttft, .e2e].compactMap { column in
      guard let now = new.pool.column(column), let before = trained.pool.column(column),
        now.count >= 2_000, before.count >= 2_000, before.tailRatio > 1.2,
        now.tailRatio < 1.08, now.maximum < 0.9 * before.maximum,
        now.tailSeconds > 0.25 * new.durationSeconds
      else { return nil }
      return finding(
        "dropped-timeouts", .block, now.tailRatio, 1.08,
        "\(column.logName) stops dead at \(Text.milliseconds(now.maximum)) where it used to tail "
          + "off to \(Text.milliseconds(before.maximum)): slow or timed-out requests are missing.")
    }
  }
}
