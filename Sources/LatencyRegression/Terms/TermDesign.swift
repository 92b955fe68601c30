internal import CoefficientFile
internal import LinearAlgebra
internal import RoutingRuntime

/// Evaluates terms over a feature table.
enum TermDesign {
  /// The terms' values, shape `[rows.count, terms.count + 1]`; the last column is the intercept's 1.
  static func make(
    _ terms: [Term], table: FeatureTable, rows: [Int], threads: Int
  ) -> Design {
    let source = table.features.elements
    let width = table.features.columnCount
    return Design(rowCount: rows.count, columnCount: terms.count + 1, threads: threads) {
      range, part in
      for position in range {
        let base = rows[position] * width
        let target = (position - range.lowerBound) * (terms.count + 1)
        for (index, term) in terms.enumerated() {
          var x = value(term.first, source, base)
          if let second = term.second { x *= value(second, source, base) }
          part[target + index] = Float(x)
        }
        part[target + terms.count] = 1
      }
    }
  }

  private static func value(_ factor: Factor, _ source: [Float], _ base: Int) -> Double {
    let x = Double(source[base + Int(factor.feature)])
    switch factor.transform {
    case .identity: return x
    case .capped: return min(x, factor.knot)
    case .hinge: return max(0, x - factor.knot)
    case .above: return x > factor.knot ? 1 : 0
    }
  }
}
