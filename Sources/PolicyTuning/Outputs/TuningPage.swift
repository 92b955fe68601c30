internal import RoutingRuntime

/// A tuning as one self-contained page, light or dark as the reader's system is.
public enum TuningPage {
  /// The page of `result`.
  public static func html(_ result: TuningResult) -> String {
    let style = "<style>\(TuningStyle.text)</style>"
    let head =
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      + "content=\"width=device-width,initial-scale=1\"><title>Policy tuning</title>\(style)</head>"
    return head + "<body><header><div class=\"in\"><div class=\"eyebrow\">Glidepath</div>"
      + "<h1>Policy tuning</h1><p class=\"sub\">\(escaped(subtitle(result)))</p>"
      + verdict(result.advice) + "</div></header><main>" + proof(result) + judged(result)
      + found(result) + audit(result) + "<footer>All latencies in milliseconds. Gains are paired, "
      + "with 95 % intervals over time blocks and seeds, on requests later than those tuned on."
      + "</footer></main></body></html>\n"
  }

  private static func subtitle(_ result: TuningResult) -> String {
    let aims = result.objective.terms.map(\.metric.title).joined(separator: ", ")
    return "\(result.space.family.rawValue) for \(aims), against \(result.baseline.name); "
      + "\(Format.number(result.spent)) evaluations, judged on \(result.judgedCount) requests"
  }

  private static func verdict(_ advice: TuningAdvice) -> String {
    let isGood = advice.decision == .adopt
    return "<div class=\"verdict\(isGood ? "" : " no")\"><b class=\"word\">"
      + "\(TuningMarkdown.title(advice.decision))</b><ul>"
      + advice.sentences.map { "<li>\(escaped($0))</li>" }.joined() + "</ul></div>"
  }

  private static func proof(_ result: TuningResult) -> String {
    section(
      "Does the simulation resemble the log?",
      "The log's own decisions, replayed on its last part, which the calibration has not seen.",
      table(
        ["metric", "statistic", "logged", "simulated", "error", "bound"],
        result.proof.comparisons.filter { $0.endpoint == nil }.map(TuningMarkdown.proofRow)))
  }

  private static func judged(_ result: TuningResult) -> String {
    guard let baseline = result.rivals.first else { return "" }
    let levels = TuningResult.distributionLevels
    let chart = TuningChart(
      x: (0, 1), y: range(result.ttftDistribution + baseline.ttftDistribution),
      isLogarithmic: true, xTitle: "share of requests", yTitle: "TTFT at most, ms")
    let lines =
      chart.line(zip(levels, baseline.ttftDistribution).map { ($0, $1) }, "two")
      + chart.line(zip(levels, result.ttftDistribution).map { ($0, $1) }, "one")
    return section(
      "Before and after",
      "On the later part of the log, with common seeds. The tuned policy in blue, "
        + "\(baseline.name) in orange.",
      chart.svg(lines, label: "TTFT distribution before and after")
        + table(
          ["policy", "its P90 TTFT", "tuned saves P90 TTFT", "mean TTFT", "P90 TPOT", "goodput"],
          result.rivals.map(TuningMarkdown.rivalRow)))
  }

  private static func found(_ result: TuningResult) -> String {
    guard !result.points.isEmpty else { return "" }
    let sorted = result.points.map(\.ttftP90).filter(\.isFinite).sorted()
    let wide = (Quantile.of(sorted: sorted, 0.5)) * 3
    let shown = result.points.filter { $0.ttftP90 <= wide }
    let chart = TuningChart(
      x: range(shown.map(\.ttftP90)), y: range(shown.map(\.tpotP90)), isLogarithmic: false,
      xTitle: "P90 TTFT, ms", yTitle: "P90 TPOT, ms")
    let front = result.front.map { result.points[$0] }.filter { $0.ttftP90 <= wide }
    let marks =
      shown.map { chart.dot($0.ttftP90, $0.tpotP90, "soft", radius: 2.5) }.joined()
      + chart.line(front.map { ($0.ttftP90, $0.tpotP90) }, "one")
      + front.map { chart.dot($0.ttftP90, $0.tpotP90, "one", radius: 4) }.joined()
    let widest = max(result.sensitivity.map(\.swing).max() ?? 0, 1e-9)
    let starts = result.space.values(at: result.space.start)
    let rows = result.sensitivity.indices.map { index in
      let sensitivity = result.sensitivity[index]
      let width = Format.fixed(100 * sensitivity.swing / widest, 0)
      return [
        escaped(sensitivity.name), Format.number(result.values[index]),
        Format.number(starts[index]),
        "<span class=\"meter\"><i style=\"width:\(width)%\"></i></span> "
          + Format.number(sensitivity.swing), Format.number(sensitivity.rankCorrelation),
      ]
    }
    return section(
      "What was found",
      "Every policy that the search saw in full, on the tuning part; nothing beats those on the "
        + "line in both latencies.",
      chart.svg(marks, label: "Pareto front of TTFT against TPOT"))
      + section(
        "Which parameters matter",
        "How far the objective's cost moves when one parameter moves around the optimum, and its "
          + "rank correlation with the cost over the whole search.",
        table(
          ["parameter", "tuned", "untuned", "swing", "rank correlation"], rows, isMarkup: true))
  }

  private static func audit(_ result: TuningResult) -> String {
    guard let audit = result.audit else { return "" }
    let refusal = audit.refusal.map { "<p class=\"empty\">\(escaped($0))</p>" } ?? ""
    return section(
      "Off-policy audit",
      "What the log's \(audit.randomDecisions) random decisions say about mean TTFT without a "
        + "simulation. Such estimates take requests for independent, so they audit and never rank.",
      refusal
        + table(
          ["policy", "agreements", "effective", "weighted", "model", "doubly robust"],
          audit.estimates.map(TuningMarkdown.auditRow)))
  }

  // MARK: - Markup

  private static func section(_ title: String, _ lead: String, _ body: String) -> String {
    "<section><h2>\(escaped(title))</h2><p class=\"lead\">\(escaped(lead))</p>\(body)</section>"
  }

  private static func table(
    _ header: [String], _ rows: [[String]], isMarkup: Bool = false
  ) -> String {
    let head = header.map { "<th>\(escaped($0))</th>" }.joined()
    let body = rows.map { row in
      "<tr>" + row.map { "<td>\(isMarkup ? $0 : escaped($0))</td>" }.joined() + "</tr>"
    }.joined()
    return "<div class=\"scroll\"><table><thead><tr>\(head)</tr></thead><tbody>\(body)</tbody>"
      + "</table></div>"
  }

  static func escaped(_ text: String) -> String {
    var result = ""
    for character in text {
      switch character {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      default: result.append(character)
      }
    }
    return result
  }

  private static func range(_ values: [Double]) -> (Double, Double) {
    let finite = values.filter { $0.isFinite && $0 > 0 }
    let (low, high) = (finite.min() ?? 1, finite.max() ?? 2)
    return (low * 0.95, max(high * 1.05, low * 1.01))
  }
}
