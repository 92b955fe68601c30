/// Writes a report as Markdown.
struct MarkdownPage {
  let report: Report

  var text: String {
    [
      head, comparison, groups, cohorts, serviceLevels, drift, terms, gate, data, provenance,
    ].filter { !$0.isEmpty }.joined(separator: "\n\n") + "\n"
  }

  private var head: String {
    let block = report.block
    let reasons = report.decision.reasons.map { "- \(Self.plain($0.sentence))" }
      .joined(separator: "\n")
    return """
      # \(Self.plain(report.title)): \(Self.plain(report.challenger.name))

      **\(Wording.verdict(report))**\(exitCode)

      \(reasons)

      Judged on \(Text.count(block.requestCount)) requests \
      (\(Text.count(block.censoredCount)) without a latency), \
      \(Text.minute(block.firstNanoseconds)) to \(Text.minute(block.lastNanoseconds)) UTC.
      """
  }

  private var exitCode: String {
    report.isEvaluation == true ? "" : " (exit code \(report.decision.outcome.rawValue))"
  }

  private var comparison: String {
    let hasChampion = report.champion != nil
    let heads =
      ["Metric", "Challenger"] + (hasChampion ? ["Champion"] : []) + ["Constant", "Ratio (95 %)"]
    let rows = report.comparison.map { row -> [String] in
      var cells = [
        "\(row.target.title) \(row.metric)", Wording.value(row.challenger, unit: row.unit),
      ]
      if let champion = row.champion { cells.append(Wording.value(champion, unit: row.unit)) }
      cells.append(Wording.value(row.baseline, unit: row.unit))
      cells.append(
        row.ratio.map {
          "×\(Text.fixed($0.estimate, 2)) (\(Text.fixed($0.lower, 2))–\(Text.fixed($0.upper, 2)))"
        } ?? "")
      return cells
    }
    return "## Side by side\n\n\(Wording.leaning)\n\n" + Self.table(heads, rows)
  }

  private var groups: String {
    let rows = LatencyTarget.allCases.flatMap { target in
      report.challenger.target(target).slices.map { slice in
        [
          target.title, slice.dimension, slice.label, Text.count(slice.count),
          Text.percent(slice.mape.estimate), Text.percent(slice.relativeBias),
          Text.percent(slice.p90Coverage),
        ]
      }
    }
    return "## Slices\n\n"
      + Self.table(["Target", "By", "Slice", "Requests", "MAPE", "Mean leans", "In p90"], rows)
  }

  private var cohorts: String {
    let rows = LatencyTarget.allCases.flatMap { target in
      report.challenger.target(target).worstCohorts.map { cohort in
        [
          target.title, cohort.label, Text.count(cohort.count),
          Text.percent(cohort.mape.estimate),
          "\(Text.percent(cohort.mape.lower)) – \(Text.percent(cohort.mape.upper))",
        ]
      }
    }
    return rows.isEmpty
      ? ""
      : "## Worst cohorts\n\n"
        + Self.table(["Target", "Cohort", "Requests", "MAPE", "95 % interval"], rows)
  }

  private var serviceLevels: String {
    let rows = LatencyTarget.allCases.flatMap { target in
      report.challenger.target(target).serviceLevels.map { row in
        [
          "\(target.title) ≤ \(Text.limit(milliseconds: row.limitMilliseconds)) by \(row.head)",
          Text.percent(row.metShare), Text.percent(row.precision), Text.percent(row.recall),
        ]
      }
    }
    return "## Would it meet the limit?\n\n"
      + Self.table(["Limit", "Met", "Precision", "Recall"], rows)
  }

  private var drift: String {
    let rows = report.drift.map {
      [$0.feature.name, $0.feature.unit, Text.fixed($0.stabilityIndex, 3), $0.mark.rawValue]
    }
    return rows.isEmpty
      ? "" : "## Feature drift\n\n" + Self.table(["Feature", "Unit", "PSI", "Reading"], rows)
  }

  private var terms: String {
    let rows = report.challenger.terms.map { term in
      [
        term.target.title, term.name, term.unit, Text.compact(term.coefficient),
        "\(Text.compact(term.lower)) … \(Text.compact(term.upper))",
        "\(Text.compact(term.supportMinimum)) … \(Text.compact(term.supportMaximum))",
        Text.percent(term.shareOfPrediction),
      ]
    }
    return rows.isEmpty
      ? ""
      : "## Terms\n\n"
        + Self.table(
          ["Target", "Term", "Unit", "Coefficient", "95 % interval", "Seen", "Share"], rows)
  }

  private var gate: String {
    let rows = report.decision.checks.map { check in
      [
        check.passed ? "pass" : "**fail**", check.name, check.slice,
        Wording.value(check.measured, unit: check.unit), Wording.bound(check),
        Text.count(check.count),
      ]
    }
    return "## Gate\n\nCompared with \(Self.plain(report.decision.reference)).\n\n"
      + Self.table(["", "Check", "Slice", "Measured", "Bound", "Requests"], rows)
  }

  private var data: String {
    guard !report.dataFindings.isEmpty else { return "## Data checks\n\nNothing unusual." }
    return "## Data checks\n\n"
      + report.dataFindings.map {
        "- **\($0.severity.rawValue)** `\($0.code)`: \(Self.plain($0.sentence))"
      }.joined(separator: "\n")
  }

  private var provenance: String {
    let models =
      [("challenger", report.challenger)]
      + (report.champion.map { [("champion", $0)] } ?? [])
    let rows = models.flatMap { role, model in
      [[role, "name", model.name]] + model.provenance.map { [role, $0.name, $0.value] }
    }
    return "## Provenance\n\n" + Self.table(["Model", "Fact", "Value"], rows)
  }

  /// Text on one line, with nothing that Markdown or a table reads as markup.
  private static func plain(_ text: String) -> String {
    var plain = ""
    for character in text {
      switch character {
      case "|", "*", "_", "`", "[", "]", "<", ">", "#", "\\": plain += "\\\(character)"
      case "\n", "\r", "\r\n": plain += " "
      default: plain.append(character)
      }
    }
    return plain
  }

  private static func table(_ heads: [String], _ rows: [[String]]) -> String {
    func line(_ cells: [String]) -> String { "| " + cells.joined(separator: " | ") + " |" }
    let body = rows.map { row in
      line(row.map { $0 == "**fail**" ? $0 : plain($0) })
    }
    return ([line(heads), line(heads.map { _ in "---" })] + body).joined(separator: "\n")
  }
}
