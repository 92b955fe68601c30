internal import RoutingRuntime

/// A tuning as Markdown.
public enum TuningMarkdown {
  /// The report of `result`.
  public static func text(_ result: TuningResult) -> String {
    var lines = ["# Tuning of \(result.space.family.rawValue)", ""]
    lines += ["**\(title(result.advice.decision))**", ""]
    lines += result.advice.sentences.map { "- \($0)" }
    lines += ["", "## Proof of the simulator", ""]
    lines += table(
      ["metric", "statistic", "logged", "simulated", "error", "bound"],
      result.proof.comparisons.filter { $0.endpoint == nil }.map(proofRow))
    guard !result.rivals.isEmpty else { return lines.joined(separator: "\n") + "\n" }
    lines += ["", "## Tuned against others, on the later part", ""]
    lines += table(
      ["policy", "P90 TTFT, ms", "tuned saves", "mean TTFT", "P90 TPOT", "goodput"],
      result.rivals.map(rivalRow))
    lines += ["", "## The policy", ""]
    let starts = result.space.values(at: result.space.start)
    lines += table(
      ["parameter", "tuned", "untuned", "swing of the cost", "rank correlation"],
      result.sensitivity.indices.map { index in
        let sensitivity = result.sensitivity[index]
        return [
          sensitivity.name, Format.number(result.values[index]), Format.number(starts[index]),
          Format.number(sensitivity.swing), Format.number(sensitivity.rankCorrelation),
        ]
      })
    lines += ["", "Prefix index: \(result.prefixCapacity) blocks per endpoint.", ""]
    lines += ["## Off-policy audit", ""]
    lines += auditLines(result.audit)
    return lines.joined(separator: "\n") + "\n"
  }

  static func title(_ decision: TuningAdvice.Decision) -> String {
    switch decision {
    case .adopt: "Adopt the tuned policy"
    case .keep: "Keep what runs"
    case .refuse: "No advice"
    }
  }

  static func proofRow(_ comparison: SimulatorProof.Comparison) -> [String] {
    [
      comparison.metric.rawValue, comparison.statistic.rawValue,
      Format.number(comparison.logged), Format.number(comparison.simulated),
      Format.percent(comparison.relativeError, isSigned: true),
      comparison.bound.map { Format.percent($0) + (comparison.passes ? " ✓" : " ✗") } ?? "",
    ]
  }

  static func rivalRow(_ rival: TuningResult.Rival) -> [String] {
    let main = rival.comparison(.ttftP90)
    let others: [TuningMetric] = [.ttftMean, .tpotP90, .goodput]
    return [
      rival.name, main.map { Format.number($0.baseline) } ?? "",
      main.map { Format.gain($0) } ?? "",
    ] + others.map { rival.comparison($0).map { Format.gain($0) } ?? "" }
  }

  static func auditLines(_ audit: OffPolicyAudit?) -> [String] {
    guard let audit else { return ["None was made."] }
    var lines = audit.refusal.map { [$0, ""] } ?? []
    lines += table(
      ["policy", "agreements", "effective", "weighted, ms", "model, ms", "doubly robust, ms"],
      audit.estimates.map(auditRow))
    return lines
  }

  static func auditRow(_ estimate: OffPolicyAudit.PolicyEstimate) -> [String] {
    func interval(_ value: OffPolicyAudit.Estimate) -> String {
      "\(Format.number(value.value)) (\(Format.number(value.lower)) to "
        + "\(Format.number(value.upper)))"
    }
    return [
      estimate.policy, String(estimate.agreements), Format.number(estimate.effectiveSampleSize),
      interval(estimate.weighted), interval(estimate.modelled), interval(estimate.doublyRobust),
    ]
  }

  private static func table(_ header: [String], _ rows: [[String]]) -> [String] {
    [header, header.map { _ in "---" }].map(line) + rows.map(line)
  }

  private static func line(_ cells: [String]) -> String {
    "| " + cells.joined(separator: " | ") + " |"
  }
}
