public import AccuracyReport
public import CoefficientFile
internal import RoutingRuntime

/// A model's terms as rows that a person can read.
public enum TermTable {
  /// The terms of both targets' mean heads, the intercepts last.
  ///
  /// - Parameter shares: Each term's mean absolute share of the prediction, TTFT then TPOT, with the
  ///   intercepts; `nan` where unknown.
  public static func rows(
    _ model: GlideModel, shares: (ttft: [Double], tpot: [Double])? = nil
  ) -> [TermRow] {
    rows(model.ttft, .ttft, model, shares?.ttft) + rows(model.tpot, .tpot, model, shares?.tpot)
  }

  private static func rows(
    _ target: TargetModel, _ kind: LatencyTarget, _ model: GlideModel, _ shares: [Double]?
  ) -> [TermRow] {
    guard let mean = target.heads.first else { return [] }
    var rows: [TermRow] = []
    for (index, term) in target.terms.enumerated() {
      let width = Double(mean.halfWidths[index + 1])
      let support = support(term, model)
      rows.append(
        TermRow(
          target: kind, name: name(term), unit: unit(term),
          coefficient: mean.coefficients[index], lower: mean.coefficients[index] - width,
          upper: mean.coefficients[index] + width, isNonNegative: term.isNonNegative,
          supportMinimum: support.low, supportMaximum: support.high,
          shareOfPrediction: shares?[index] ?? .nan))
    }
    let width = Double(mean.halfWidths[0])
    rows.append(
      TermRow(
        target: kind, name: "constant", unit: "ms", coefficient: mean.intercept,
        lower: mean.intercept - width, upper: mean.intercept + width, isNonNegative: false,
        supportMinimum: .nan, supportMaximum: .nan, shareOfPrediction: shares?.last ?? .nan))
    return rows
  }

  /// A term in words: "queue × arrival work, 10 s", "new tokens over 512".
  public static func name(_ term: Term) -> String {
    guard let second = term.second else { return name(term.first) }
    return name(term.first) + " × " + name(second)
  }

  private static func name(_ factor: Factor) -> String {
    let title = Feature(rawValue: factor.feature)?.title ?? "feature \(factor.feature)"
    switch factor.transform {
    case .identity: return title
    case .capped: return "\(title) up to \(short(factor.knot))"
    case .hinge: return "\(title) over \(short(factor.knot))"
    case .above: return "\(title) above \(short(factor.knot)) at all"
    }
  }

  private static func unit(_ term: Term) -> String {
    let units = [term.first, term.second].compactMap { factor -> String? in
      guard let factor, factor.transform != .above else { return nil }
      return Feature(rawValue: factor.feature).map { single($0.unit) }
    }
    return units.isEmpty ? "ms" : "ms per " + units.joined(separator: " · ")
  }

  /// One of a unit: `request` of `requests`.
  private static func single(_ unit: String) -> String {
    unit.hasSuffix("s") && unit.count > 3 ? String(unit.dropLast()) : unit
  }

  private static func short(_ value: Double) -> String {
    let rounded = (value * 1000).rounded() / 1000
    return rounded == rounded.rounded() ? String(Int(rounded)) : String(rounded)
  }

  /// The range of the term's first feature in training.
  private static func support(_ term: Term, _ model: GlideModel) -> (low: Double, high: Double) {
    let index = Int(term.first.feature)
    guard model.support.indices.contains(index) else { return (.nan, .nan) }
    return (Double(model.support[index].low), Double(model.support[index].high))
  }
}
