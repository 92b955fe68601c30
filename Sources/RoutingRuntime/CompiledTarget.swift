internal import CoefficientFile

/// One target's terms and heads, laid out for evaluation.
struct CompiledTarget: Sendable {
  /// A factor without branches: `clamp(x) − offset`, or a step at `low` where `isStep`.
  struct CompiledFactor: Sendable {
    var feature: Int
    var transform: Factor.Transform
    var low: Double
    var high: Double
    var offset: Double
    var isStep: Bool

    init(_ factor: Factor) {
      feature = Int(factor.feature)
      transform = factor.transform
      (low, high) = (-.infinity, .infinity)
      isStep = factor.transform == .above
      switch factor.transform {
      case .identity: break
      case .capped: high = factor.knot
      case .hinge, .above: low = factor.knot
      }
      offset = factor.transform == .hinge ? factor.knot : 0
    }

    func value(_ row: Span<Double>, _ start: Int) -> Double {
      let x = row[start + feature]
      if isStep { return x > low ? 1 : 0 }
      return min(max(low, x), high) - offset
    }
  }

  struct CompiledTerm: Sendable {
    var first: CompiledFactor
    var second: CompiledFactor
    var isProduct: Bool

    init(_ term: Term) {
      first = CompiledFactor(term.first)
      second = CompiledFactor(term.second ?? term.first)
      isProduct = term.second != nil
    }

    func value(_ row: Span<Double>, _ start: Int) -> Double {
      let x = first.value(row, start)
      return isProduct ? x * second.value(row, start) : x
    }
  }

  /// The coefficients of one term: the mean and p50, p90, p95; then p99 and nothing.
  struct Coefficients: Sendable {
    var lower = SIMD4<Double>(repeating: 0)
    var upper = SIMD2<Double>(repeating: 0)

    subscript(head: Int) -> Double {
      get { head < 4 ? lower[head] : upper[head - 4] }
      set { if head < 4 { lower[head] = newValue } else { upper[head - 4] = newValue } }
    }
  }

  let terms: [CompiledTerm]
  let intercepts: Coefficients
  let calibrations: Coefficients
  /// Per group, then per term.
  private let coefficients: [Coefficients]
  /// The factor by which each group scales all terms; `nil` where a group scales them differently.
  let groupScales: [Double]?

  /// - Parameter groupScales: One array per group; empty arrays scale nothing.
  init(_ target: TargetModel, groupScales: [[Float]]) {
    terms = target.terms.map(CompiledTerm.init)
    var intercepts = Coefficients()
    var calibrations = Coefficients()
    for (index, head) in target.heads.prefix(5).enumerated() {
      intercepts[index] = head.intercept
      calibrations[index] = head.calibration
    }
    self.intercepts = intercepts
    self.calibrations = calibrations
    var all: [Coefficients] = []
    for scales in groupScales {
      for term in target.terms.indices {
        var vector = Coefficients()
        for (index, head) in target.heads.prefix(5).enumerated() {
          let scale = scales.indices.contains(term) ? Double(scales[term]) : 1
          vector[index] = head.coefficients[term] * scale
        }
        all.append(vector)
      }
    }
    coefficients = all
    self.groupScales = Self.uniform(groupScales, termCount: target.terms.count)
  }

  private static func uniform(_ groupScales: [[Float]], termCount: Int) -> [Double]? {
    var uniform: [Double] = []
    for scales in groupScales {
      let first = scales.first ?? 1
      guard scales.isEmpty || (scales.count >= termCount && scales.allSatisfy { $0 == first })
      else { return nil }
      uniform.append(Double(first))
    }
    return uniform
  }

  /// The heads before live correction.
  ///
  /// - Complexity: O(terms), no allocation.
  @inline(always)
  func heads(_ row: [Double], from start: Int, group: Int) -> SIMD8<Double> {
    var lower = intercepts.lower
    var upper = intercepts.upper
    let row = row.span
    let terms = terms.span
    let coefficients = coefficients.span.extracting(
      group * terms.count..<(group + 1) * terms.count)
    for term in terms.indices {
      let x = terms[term].value(row, start)
      lower += coefficients[term].lower * x
      upper += coefficients[term].upper * x
    }
    lower *= calibrations.lower
    upper *= calibrations.upper
    return SIMD8(
      lowHalf: lower, highHalf: SIMD4(lowHalf: upper, highHalf: SIMD2(repeating: 0)))
  }

  /// The mean and the median before live correction, as ``heads(_:from:group:)`` has them.
  ///
  /// - Complexity: O(terms), no allocation.
  @inline(always)
  func lowerHeads(_ row: [Double], group: Int) -> SIMD2<Double> {
    var sums = intercepts.lower.lowHalf
    let row = row.span
    let terms = terms.span
    let coefficients = coefficients.span.extracting(
      group * terms.count..<(group + 1) * terms.count)
    for term in terms.indices {
      sums += coefficients[term].lower.lowHalf * terms[term].value(row, 0)
    }
    return sums * calibrations.lower.lowHalf
  }

  /// Each term's contribution to head `head`, ms; then the intercept.
  func contributions(_ row: [Double], group: Int, head: Int) -> [Double] {
    let base = group * terms.count
    var parts = terms.indices.map { term in
      coefficients[base + term][head] * terms[term].value(row.span, 0) * calibrations[head]
    }
    parts.append(intercepts[head] * calibrations[head])
    return parts
  }
}
