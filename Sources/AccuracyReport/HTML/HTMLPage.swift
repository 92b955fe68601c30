/// Writes a report as one page.
struct HTMLPage {
  let report: Report

  var text: String {
    """
    <!doctype html>
    <html lang="en"><head><meta charset="utf-8">
    <meta name="viewport" content="width=device-width,initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>\(HTML.escape(report.title)): \(HTML.escape(report.challenger.name))</title>
    <style>\(Stylesheet.text)</style></head><body>
    \(header)\(navigation)<main>
    \(comparisonSection)\(scatterSection)\(calibrationSection)\(timeSection)\(loadSection)\
    \(sliceSection)\(groupSection)\(cohortSection)\(serviceLevelSection)\(driftSection)\
    \(termSection)\(gateSection)\(dataSection)\(provenanceSection)
    <footer>Latencies in milliseconds; judged on requests that no model was fitted on. \
    Intervals are 95 %, by resampling whole stretches of time.</footer>
    </main><div id="tip" role="tooltip"></div><script>\(Stylesheet.script)</script></body></html>

    """
  }

  private var header: String {
    let block = report.block
    let seconds = Double(block.lastNanoseconds - block.firstNanoseconds) / 1e9
    let censored =
      block.censoredCount > 0
      ? ", \(Text.count(block.censoredCount)) of them without a latency" : ""
    return """
      <header><div class="in"><div class="top"><div><div class="eyebrow">Glidepath · model \
      \(HTML.escape(report.challenger.name))</div><h1>\(HTML.escape(report.title))</h1>
      <p class="sub">Judged on \(Text.count(block.requestCount)) requests\(censored), \
      \(Text.minute(block.firstNanoseconds)) to \(Text.minute(block.lastNanoseconds)) UTC \
      (\(Text.duration(seconds: seconds)))</p></div>
      <button id="theme" type="button">Light / dark</button></div>
      \(verdict)\(cards)</div></header>

      """
  }

  private var verdict: String {
    let decision = report.decision
    let sign = decision.promoted ? "✓" : "✗"
    let reasons = decision.reasons.map { "<li>\(HTML.escape($0.sentence))</li>" }.joined()
    let only = decision.reasons.first.map { "<p>\(HTML.escape($0.sentence))</p>" } ?? ""
    return "<div class=\"verdict\(decision.promoted ? "" : " no")\"><b class=\"word\">\(sign) "
      + "\(Wording.verdict(report))</b>"
      + (decision.reasons.count > 1 ? "<ul>\(reasons)</ul>" : only) + "</div>"
  }

  private var cards: String {
    var cards: [String] = []
    for target in LatencyTarget.allCases {
      let metrics = report.challenger.target(target).metrics
      cards.append(
        card(
          "\(target.title) error (MAPE)", Text.percent(metrics.mape.estimate),
          change(target)))
    }
    for target in LatencyTarget.allCases {
      let metrics = report.challenger.target(target).metrics
      let coverage = metrics.level(0.9)?.coverage.estimate ?? .nan
      cards.append(
        card(
          "\(target.title) below its p90", Text.percent(coverage),
          "promised 90 % · p99 holds \(Text.percent(metrics.level(0.99)?.coverage.estimate ?? .nan))"
        ))
    }
    let ttft = report.challenger.ttft.metrics
    cards.append(
      card(
        "TTFT absolute error", Text.milliseconds(ttft.maeMilliseconds),
        "by the median · the mean head leans \(Wording.lean(ttft.relativeBias))"))
    cards.append(
      card(
        "Coefficient file", "\(Text.count(report.challenger.fileSizeBytes)) B",
        "\(report.challenger.terms.count) terms · "
          + "\(Text.percent(report.challenger.extrapolatingShare)) extrapolated"))
    return "<div class=\"cards\">\(cards.joined())</div>"
  }

  /// How the MAPE compares with the reference, in words.
  private func change(_ target: LatencyTarget) -> String {
    let row = report.comparison.first { $0.target == target && $0.metric.hasPrefix("MAPE, better") }
    guard let row else { return "" }
    let reference = row.champion ?? row.baseline
    let name = row.champion == nil ? "a constant" : "the champion"
    return "\(Text.percent(reference)) for \(name)"
  }

  private func card(_ key: String, _ value: String, _ detail: String) -> String {
    "<div class=\"card\"><div class=\"k\">\(HTML.escape(key))</div><div class=\"v\">"
      + "\(HTML.escape(value))</div><div class=\"d\">"
      + "\(HTML.escape(detail.replacing(" %", with: "\u{A0}%")))</div></div>"
  }

  private var navigation: String {
    let links = [
      ("compare", "Side by side"), ("scatter", "Predicted / actual"),
      ("calibration", "Calibration"),
      ("time", "Time"), ("load", "Load"), ("slices", "Deciles"), ("groups", "Endpoints"),
      ("cohorts", "Worst cohorts"), ("slo", "SLO"), ("drift", "Drift"), ("terms", "Terms"),
      ("gate", "Gate"), ("data", "Data"), ("provenance", "Provenance"),
    ].map { "<a href=\"#\($0)\">\($1)</a>" }.joined()
    return "<nav aria-label=\"Sections\"><div class=\"in\">\(links)</div></nav>"
  }

  /// Which colour is whose; nothing while there is only one model.
  var legend: String {
    guard let champion = report.champion else { return "" }
    return "<p class=\"legend\"><span><i style=\"background:var(--one)\"></i>challenger "
      + "\(HTML.escape(report.challenger.name))</span><span>"
      + "<i style=\"background:var(--two);border-radius:50%\"></i>champion "
      + "\(HTML.escape(champion.name))</span></p>"
  }
}

/// Sentences that HTML and Markdown share.
enum Wording {
  static func verdict(_ report: Report) -> String {
    if report.isEvaluation == true { return evaluation(report) }
    return switch report.decision.outcome {
    case .promoted:
      report.champion == nil ? "Promoted: the first model" : "Promoted: replaces the champion"
    case .challengerRejected:
      report.champion == nil
        ? "Rejected: no better than a constant" : "Rejected: the champion stays"
    case .dataRefused: "Refused: the log is not to be trusted"
    case .tooLittleData: "Undecided: too few requests to judge"
    }
  }

  private static func evaluation(_ report: Report) -> String {
    let other = report.champion == nil ? "a constant predictor" : "the other model"
    return switch report.decision.outcome {
    case .promoted: "Holds its own against \(other)"
    case .challengerRejected: "Worse than \(other)"
    case .dataRefused: "The log is not to be trusted"
    case .tooLittleData: "Too few requests to judge"
    }
  }

  /// Which way the mean head leans: `3.9 % low`.
  static func lean(_ bias: Double) -> String {
    guard bias.isFinite else { return "–" }
    return abs(bias) < 0.000_5
      ? "neither way" : "\(Text.percent(abs(bias))) \(bias < 0 ? "low" : "high")"
  }

  /// Why the mean head leans, for wherever its bias stands.
  static let leaning =
    "The mean head minimizes relative errors, as routing weighs them, and so leans low where latencies "
    + "scatter; for absolute errors look at the median head."

  static func value(_ value: Double, unit: String) -> String {
    switch unit {
    case "share": Text.percent(value)
    case "ms": Text.milliseconds(value)
    case "×": "×" + Text.fixed(value, 3)
    case "count": value.isFinite ? Text.count(Int(max(min(value, 1e15), -1e15))) : "–"
    case "share ±": Text.percent(value)
    default: Text.fixed(value, 3)
    }
  }

  /// A gate check's bound, read in its unit.
  static func bound(_ check: GateCheck) -> String {
    switch check.unit {
    case "×":
      (check.name.hasSuffix("plausibility") ? "≥ " : "≤ ") + value(check.bound, unit: "×")
    case "share ±": "±\(Text.percent(check.bound))"
    case "count":
      (check.name.hasSuffix("predictions") ? "≤ " : "≥ ") + value(check.bound, unit: "count")
    default: "≥ \(value(check.bound, unit: check.unit))"
    }
  }
}
