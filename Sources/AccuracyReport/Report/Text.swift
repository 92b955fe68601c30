import Foundation

/// Numbers and moments as people read them; independent of locale.
enum Text {
  /// A fixed number of decimals; `–` when not finite.
  static func fixed(_ value: Double, _ digits: Int) -> String {
    guard value.isFinite else { return "–" }
    guard abs(value) < 1e15 else { return "\(value)" }
    let scale = pow(10, Double(digits))
    let scaled = (abs(value) * scale).rounded()
    let whole = (scaled / scale).rounded(.down)
    let sign = value < 0 && scaled > 0 ? "−" : ""
    guard digits > 0 else { return sign + "\(Int64(scaled))" }
    let fraction = "\(Int64(scaled - whole * scale))"
    let padding = String(repeating: "0", count: max(0, digits - fraction.count))
    return "\(sign)\(Int64(whole)).\(padding)\(fraction)"
  }

  /// A coordinate for SVG: plain ASCII, at most two decimals.
  static func coordinate(_ value: Double) -> String {
    guard value.isFinite else { return "0" }
    let hundredths = Int64((min(max(value, -1e6), 1e6) * 100).rounded())
    let (whole, rest) = abs(hundredths).quotientAndRemainder(dividingBy: 100)
    let sign = hundredths < 0 ? "-" : ""
    if rest == 0 { return "\(sign)\(whole)" }
    if rest % 10 == 0 { return "\(sign)\(whole).\(rest / 10)" }
    return "\(sign)\(whole).\(rest < 10 ? "0" : "")\(rest)"
  }

  /// Three significant digits: 0.0123, 1.23, 12.3, 123, 1.2k, 3.4M.
  static func compact(_ value: Double) -> String {
    guard value.isFinite else { return "–" }
    let size = abs(value)
    switch size {
    case 0: return "0"
    case ..<1e-4: return scientific(value)
    case ..<1: return trimmed(fixed(value, 2 - Int(log10(size).rounded(.down))))
    case ..<9.995: return trimmed(fixed(value, 2))
    case ..<99.95: return trimmed(fixed(value, 1))
    case ..<999.5: return fixed(value, 0)
    case ..<9_950: return trimmed(fixed(value / 1e3, 1)) + "k"
    case ..<999_500: return fixed(value / 1e3, 0) + "k"
    case ..<999_500_000: return trimmed(fixed(value / 1e6, 1)) + "M"
    default: return trimmed(fixed(value / 1e9, 1)) + "G"
    }
  }

  /// A duration with its unit: `0.82 ms`, `82.1 ms`, `1.24 s`.
  static func milliseconds(_ value: Double) -> String {
    guard value.isFinite else { return "–" }
    return abs(value) >= 10_000
      ? significant(value / 1_000) + " s" : significant(value) + " ms"
  }

  /// A round limit: `0.5 ms`, `50 ms`, `1.5 s`.
  static func limit(milliseconds value: Double) -> String {
    value >= 1_000 ? compact(value / 1_000) + " s" : compact(value) + " ms"
  }

  /// Three significant digits, zeros kept so that columns line up: 0.820, 18.0, 1,234.
  static func significant(_ value: Double) -> String {
    let size = abs(value)
    guard size.isFinite, size >= 0.000_5, size < 1e15 else { return compact(value) }
    switch size {
    case ..<9.995: return fixed(value, min(2 - Int(log10(size).rounded(.down)), 5))
    case ..<99.95: return fixed(value, 1)
    case ..<999.5: return fixed(value, 0)
    default: return count(Int(value.rounded()))
    }
  }

  /// A share as per cent.
  static func percent(_ fraction: Double, digits: Int = 1) -> String {
    fraction.isFinite ? fixed(fraction * 100, digits) + " %" : "–"
  }

  /// A count with thousands separated.
  static func count(_ value: Int) -> String {
    let digits = Array(String(value.magnitude))
    var text = ""
    for (position, digit) in digits.enumerated() {
      if position > 0, (digits.count - position) % 3 == 0 { text.append(",") }
      text.append(digit)
    }
    return (value < 0 ? "−" : "") + text
  }

  /// `2025-11-23 03:10`, UTC.
  static func minute(_ nanoseconds: Int64) -> String {
    let (year, month, day) = date(nanoseconds)
    let seconds = flooredSeconds(nanoseconds)
    let ofDay = seconds - seconds.flooredQuotient(86_400) * 86_400
    return "\(year)-\(two(month))-\(two(day)) \(two(ofDay / 3_600)):\(two(ofDay % 3_600 / 60))"
  }

  /// `11-23 03h`, UTC.
  static func hour(_ nanoseconds: Int64) -> String {
    let text = minute(nanoseconds)
    return String(text.dropFirst(5).dropLast(3)) + "h"
  }

  /// A stretch of time: `42 s`, `17 min`, `5.2 h`, `3.1 days`.
  static func duration(seconds: Double) -> String {
    switch abs(seconds) {
    case ..<120: compact(seconds) + " s"
    case ..<7_200: compact(seconds / 60) + " min"
    case ..<172_800: compact(seconds / 3_600) + " h"
    default: compact(seconds / 86_400) + " days"
    }
  }

  private static func scientific(_ value: Double) -> String {
    let exponent = Int(log10(abs(value)).rounded(.down))
    return "\(trimmed(fixed(value / pow(10, Double(exponent)), 2)))e\(exponent)"
  }

  private static func trimmed(_ text: String) -> String {
    guard text.contains(".") else { return text }
    var text = text
    while text.hasSuffix("0") { text.removeLast() }
    if text.hasSuffix(".") { text.removeLast() }
    return text
  }

  private static func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }

  private static func flooredSeconds(_ nanoseconds: Int64) -> Int64 {
    nanoseconds.flooredQuotient(1_000_000_000)
  }

  /// The civil date of a moment, UTC.
  ///
  /// - Source: Hinnant (2013), chrono-compatible low-level date algorithms, `civil_from_days`.
  private static func date(_ nanoseconds: Int64) -> (Int64, Int64, Int64) {
    let days = flooredSeconds(nanoseconds).flooredQuotient(86_400) + 719_468
    let era = days.flooredQuotient(146_097)
    let ofEra = days - era * 146_097
    let year = (ofEra - ofEra / 1_460 + ofEra / 36_524 - ofEra / 146_096) / 365
    let ofYear = ofEra - (365 * year + year / 4 - year / 100)
    let shifted = (5 * ofYear + 2) / 153
    let month = shifted < 10 ? shifted + 3 : shifted - 9
    return (year + era * 400 + (month <= 2 ? 1 : 0), month, ofYear - (153 * shifted + 2) / 5 + 1)
  }
}

extension Int64 {
  /// Division that rounds towards minus infinity.
  fileprivate func flooredQuotient(_ divisor: Int64) -> Int64 {
    let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? quotient - 1 : quotient
  }
}
