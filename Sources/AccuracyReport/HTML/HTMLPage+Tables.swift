/// The sections that are mostly tables.
extension HTMLPage {
  var comparisonSection: String {
    let models = ["Challenger"] + (report.champion == nil ? [] : ["Champion"]) + ["Constant"]
    let heads = models + ["÷ \(report.champion == nil ? "constant" : "champion")"]
    func head(_ name: String, _ column: Int) -> String {
      "<th class=\"n\(column == 0 ? " edge" : "")\">\(name)</th>"
    }
    let groups = LatencyTarget.allCases.map {
      "<th class=\"g edge\" colspan=\"\(heads.count)\">\($0.title)</th>"
    }.joined()
    let names = LatencyTarget.allCases.map { _ in
      heads.enumerated().map { head($0.element, $0.offset) }.joined()
    }.joined()
    let sides = LatencyTarget.allCases.map { target in
      report.comparison.filter { $0.target == target }
    }
    let rows = zip(sides[0], sides[1]).map { ttft, tpot in
      "<tr><td>\(HTML.escape(ttft.metric))</td>\(cells(ttft))\(cells(tpot))</tr>"
    }.joined(separator: "\n")
    return HTML.section(
      "compare", "Side by side",
      "Every model on the same requests. A ratio below 1 is better; it counts as better (▼) or "
        + "worse (▲) only when its 95 % interval leaves 1 out. \(Wording.leaning)",
      "<div class=\"scroll\"><table><thead><tr><th class=\"g\"></th>\(groups)</tr>"
        + "<tr><th>Metric</th>\(names)</tr></thead><tbody>\(rows)</tbody></table></div>")
  }

  private func cells(_ row: ComparisonRow) -> String {
    let values = [row.challenger] + (row.champion.map { [$0] } ?? []) + [row.baseline]
    let numbers = values.enumerated().map { column, value in
      "<td class=\"n\(column == 0 ? " edge" : "")\">\(Wording.value(value, unit: row.unit))</td>"
    }.joined()
    return numbers + "<td class=\"n\">\(row.ratio.map(ratio) ?? "")</td>"
  }

  private func ratio(_ ratio: Interval) -> String {
    let (sign, style) =
      ratio.upper < 1 ? ("▼", "good") : ratio.lower > 1 ? ("▲", "bad") : ("≈", "")
    return "<span class=\"\(style)\">\(sign) ×\(Text.fixed(ratio.estimate, 2))</span> <small>"
      + "\(Text.fixed(ratio.lower, 2))–\(Text.fixed(ratio.upper, 2))</small>"
  }

  var groupSection: String {
    let dimensions: [SliceDimension] = [.endpoint, .accelerator, .model, .hour]
    func table(_ target: LatencyTarget) -> String {
      let evaluation = report.challenger.target(target)
      let top = dimensions.flatMap { evaluation.slices(of: $0) }.map(\.mape.estimate).max() ?? 1
      let rows = dimensions.flatMap { dimension -> [[String]] in
        let slices = evaluation.slices(of: dimension)
        let shown = dimension != .endpoint && slices.count < 2 ? [] : slices
        return shown.map { slice in
          [
            "<small>\(dimension.title)</small> \(HTML.escape(slice.label))",
            Text.count(slice.count),
            HTML.bar(slice.mape.estimate / top, Text.percent(slice.mape.estimate)),
            Text.percent(slice.relativeBias), Text.percent(slice.p90Coverage),
          ]
        }
      }
      return "<div><h3>\(target.title)</h3>"
        + HTML.table(["Slice", "Requests", "MAPE", "Mean leans", "In p90"], rows) + "</div>"
    }
    return HTML.section(
      "groups", "Endpoints and accelerators",
      "The mean head leans by predicted − actual over the mean outcome (low is negative, and expected: "
        + "it minimizes relative errors); the p90 should hold 90 %.",
      HTML.pair(table(.ttft), table(.tpot)))
  }

  var cohortSection: String {
    let tables = LatencyTarget.allCases.map { target -> String in
      let cohorts = report.challenger.target(target).worstCohorts
      let top = cohorts.map(\.mape.estimate).max() ?? 1
      let rows = cohorts.map { cohort in
        [
          HTML.escape(cohort.label), Text.count(cohort.count),
          HTML.bar(cohort.mape.estimate / top, Text.percent(cohort.mape.estimate), style: "two"),
          "\(Text.percent(cohort.mape.lower)) – \(Text.percent(cohort.mape.upper))",
          Text.percent(cohort.relativeBias), Text.milliseconds(cohort.meanActualMilliseconds),
        ]
      }
      return "<h3>\(target.title)</h3>"
        + HTML.table(
          ["Cohort", "Requests", "MAPE", "95 % interval", "Mean leans", "Mean actual"], rows)
    }
    return HTML.section(
      "cohorts", "Worst cohorts",
      "Pairs of quarters in which the error is certainly high: ordered by the lower end of its "
        + "interval, at least 50 requests and 1 % of the block.", tables.joined())
  }

  var serviceLevelSection: String {
    func table(_ target: LatencyTarget) -> String {
      let rows = report.challenger.target(target).serviceLevels.map { row in
        [
          "≤ \(Text.limit(milliseconds: row.limitMilliseconds)) <small>by \(row.head)</small>",
          Text.percent(row.metShare), Text.percent(row.precision), Text.percent(row.recall),
          Text.count(row.truePositives), Text.count(row.falsePositives),
          Text.count(row.falseNegatives), Text.count(row.trueNegatives),
        ]
      }
      return "<div><h3>\(target.title)</h3>"
        + HTML.table(
          [
            "Limit", "Met", "Precision", "Recall", "Yes, met", "Yes, missed", "No, met",
            "No, missed",
          ], rows) + "</div>"
    }
    return HTML.section(
      "slo", "Would it meet the limit?",
      "A request is said to meet the limit when the head is at or below it. Precision: of those "
        + "said to meet it, how many did. Recall: of those that met it, how many were said to.",
      table(.ttft) + table(.tpot))
  }

  var driftSection: String {
    let rows = report.drift.map { row -> [String] in
      let style = row.mark == .stable ? "good" : row.mark == .moderate ? "warn" : "bad"
      return [
        HTML.escape(row.feature.name)
          + (row.feature.unit.isEmpty ? "" : " <small>\(HTML.escape(row.feature.unit))</small>"),
        "<span class=\"\(style)\">\(row.mark.rawValue)</span>",
        HTML.bar(row.stabilityIndex / 0.5, Text.fixed(row.stabilityIndex, 3), style: style),
        Self.histogram(row.feature),
      ]
    }
    return HTML.section(
      "drift", "Feature drift",
      "Population stability index of the judged block against the training window: below 0.1 "
        + "stable, above 0.25 large. Bars: training (blue) and judged (amber) share per bin.",
      rows.isEmpty
        ? "<p class=\"empty\">No feature distributions were given.</p>"
        : HTML.table(["Feature", "Reading", "Index", "Training and judged"], rows))
  }

  /// Both distributions as a row of paired bars.
  private static func histogram(_ feature: FeatureDistribution) -> String {
    let trained = Double(max(feature.trainingCounts.reduce(0, +), 1))
    let judged = Double(max(feature.judgedCounts.reduce(0, +), 1))
    let pairs = zip(feature.trainingCounts, feature.judgedCounts).map {
      (Double($0) / trained, Double($1) / judged)
    }
    let top = max(pairs.map { max($0.0, $0.1) }.max() ?? 1, 1e-9)
    let slot = 180.0 / Double(max(pairs.count, 1))
    var bars = ""
    for (index, pair) in pairs.enumerated() {
      for (offset, share, style) in [(0.0, pair.0, "one"), (0.42, pair.1, "two")] {
        let height = 26 * share / top
        bars +=
          "<rect class=\"bar \(style)\" x=\"\(Text.coordinate((Double(index) + offset) * slot))\" "
          + "y=\"\(Text.coordinate(28 - height))\" width=\"\(Text.coordinate(slot * 0.38))\" "
          + "height=\"\(Text.coordinate(height))\"/>"
      }
    }
    return "<svg viewBox=\"0 0 180 29\" style=\"width:180px;display:inline-block\" role=\"img\" "
      + "aria-label=\"Distribution of \(HTML.escape(feature.name))\">\(bars)</svg>"
  }

  var termSection: String {
    let tables = LatencyTarget.allCases.map { target -> String in
      let terms = report.challenger.terms.filter { $0.target == target }
        .sorted { $0.shareOfPrediction > $1.shareOfPrediction }
      let top = max(terms.map(\.shareOfPrediction).max() ?? 1, 1e-9)
      let rows = terms.map { term in
        [
          HTML.escape(term.name) + (term.isNonNegative ? " <small>≥ 0</small>" : ""),
          "<small>\(HTML.escape(term.unit))</small>", Text.compact(term.coefficient),
          "\(Text.compact(term.lower)) … \(Text.compact(term.upper))",
          "\(Text.compact(term.supportMinimum)) … \(Text.compact(term.supportMaximum))",
          HTML.bar(term.shareOfPrediction / top, Text.percent(term.shareOfPrediction)),
        ]
      }
      guard !rows.isEmpty else { return "" }
      return "<h3>\(target.title)</h3>"
        + HTML.table(
          [
            "Term", "Unit", "Coefficient", "95 % interval", "Seen in training",
            "Share of prediction",
          ], rows, numbersFrom: 2)
    }.joined()
    return HTML.section(
      "terms", "The model, term by term",
      "Prediction = sum of coefficient × term. Terms marked ≥ 0 may not lower the latency.",
      tables.isEmpty ? "<p class=\"empty\">No terms were given.</p>" : tables)
  }

  var gateSection: String {
    let failed = report.decision.checks.filter { !$0.passed }
    let passed = report.decision.checks.filter(\.passed)
    func table(_ checks: [GateCheck]) -> String {
      HTML.table(
        ["Check", "Slice", "", "Measured", "Bound", "Requests"],
        checks.map { check in
          [
            HTML.escape(check.name), HTML.escape(check.slice),
            check.passed
              ? "<span class=\"good\">✓ pass</span>" : "<span class=\"bad\">✗ fail</span>",
            Wording.value(check.measured, unit: check.unit), Wording.bound(check),
            Text.count(check.count),
          ]
        }, numbersFrom: 3)
    }
    let overall = passed.filter { $0.slice == Gate.everything }
    let sliced = passed.filter { $0.slice != Gate.everything }
    let more =
      sliced.isEmpty
      ? ""
      : "<details><summary>\(sliced.count) passed checks of single slices</summary>"
        + "\(table(sliced))</details>"
    return HTML.section(
      "gate", "The gate",
      "Compared with \(report.decision.reference). × is a ratio to it. A check fails only when the "
        + "challenger is worse than the bound by more than chance explains: a larger ratio that passes "
        + "rests on too few separate stretches of time. Exit code "
        + "\(report.decision.outcome.rawValue).", table(failed + overall) + more)
  }

  var dataSection: String {
    let rows = report.dataFindings.map { finding in
      [
        finding.severity == .block
          ? "<span class=\"bad\">✗ blocks</span>" : "<span class=\"warn\">! warns</span>",
        "<code>\(HTML.escape(finding.code))</code>", HTML.escape(finding.sentence),
      ]
    }
    return HTML.section(
      "data", "Data checks",
      "What the new log looks like next to the log that the champion learned from.",
      rows.isEmpty
        ? "<p class=\"empty\"><span class=\"good\">✓</span> Nothing unusual was found.</p>"
        : HTML.table(["", "Finding", "What and what to do"], rows, numbersFrom: 9))
  }

  var provenanceSection: String {
    func table(_ role: String, _ model: ModelEvaluation) -> String {
      let rows =
        [["name", HTML.escape(model.name)]]
        + model.provenance.map { [HTML.escape($0.name), HTML.escape($0.value)] }
      return "<div>" + HTML.table([role, ""], rows, numbersFrom: 9) + "</div>"
    }
    return HTML.section(
      "provenance", "Provenance", "Where the models come from.",
      "<div class=\"prov\">" + table("Challenger", report.challenger)
        + (report.champion.map { table("Champion", $0) } ?? "") + "</div>")
  }
}
