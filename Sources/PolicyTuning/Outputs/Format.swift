internal import Glibc

/// Numbers as reports write them.
enum Format {
  /// Three significant digits, no exponent.
  static func number(_ value: Double) -> String {
    guard value.isFinite else { return "–" }
    guard value != 0 else { return "0" }
    let digits = 2 - Int(log10(abs(value)).rounded(.down))
    return fixed(value, max(0, min(digits, 6)))
  }

  /// With `digits` digits after the point.
  static func fixed(_ value: Double, _ digits: Int) -> String {
    guard value.isFinite, abs(value) < 1e15 else { return "–" }
    let scale = pow(10, Double(digits))
    let scaled = (abs(value) * scale).rounded()
    let whole = Int(scaled / scale + (digits == 0 ? 0 : 1e-12))
    let sign = value < 0 && scaled > 0 ? "-" : ""
    guard digits > 0 else { return sign + String(Int(scaled)) }
    let rest = String(max(0, Int(scaled) - whole * Int(scale)))
    return sign + "\(whole)." + String(repeating: "0", count: max(0, digits - rest.count)) + rest
  }

  /// A share as a percentage with one digit.
  static func percent(_ share: Double, isSigned: Bool = false) -> String {
    guard share.isFinite else { return "–" }
    return (isSigned && share > 0 ? "+" : "") + fixed(share * 100, 1) + " %"
  }

  /// A gain and its 95 % interval: a share of a latency, or points of a share.
  static func gain(_ comparison: PairedComparison) -> String {
    let unit = comparison.metric.isHigherBetter ? " points" : " %"
    let numbers = [comparison.gain, comparison.lower, comparison.upper].map {
      ($0 > 0 && $0.isFinite ? "+" : "") + fixed($0 * 100, 1)
    }
    return "\(numbers[0])\(unit) (\(numbers[1]) to \(numbers[2]))"
  }
}
