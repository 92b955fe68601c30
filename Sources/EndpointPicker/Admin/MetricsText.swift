internal import RoutingRuntime

/// Writes metrics in Prometheus' text format.
struct MetricsText {
  private(set) var text = ""

  /// Begins a metric.
  mutating func describe(_ name: String, _ kind: String, _ help: String) {
    text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind)\n"
  }

  /// One sample.
  mutating func sample(_ name: String, _ labels: [(String, String)] = [], _ value: Double) {
    text += name
    appendLabels(labels)
    text += " \(Self.number(value))\n"
  }

  /// A metric with one sample.
  mutating func single(_ name: String, _ kind: String, _ help: String, _ value: Double) {
    describe(name, kind, help)
    sample(name, [], value)
  }

  /// A histogram's series.
  mutating func histogram(_ name: String, _ labels: [(String, String)], _ histogram: Histogram) {
    var total: UInt64 = 0
    for (index, count) in histogram.counts.enumerated() {
      total += count
      let bound =
        index < histogram.bounds.count ? Self.number(histogram.bounds[index]) : "+Inf"
      sample(name + "_bucket", labels + [("le", bound)], Double(total))
    }
    sample(name + "_sum", labels, histogram.sum)
    sample(name + "_count", labels, Double(total))
  }

  private mutating func appendLabels(_ labels: [(String, String)]) {
    guard !labels.isEmpty else { return }
    text += "{"
    for (index, label) in labels.enumerated() {
      if index > 0 { text += "," }
      text += "\(label.0)=\"\(Self.escaped(label.1))\""
    }
    text += "}"
  }

  static func escaped(_ value: String) -> String {
    var result = ""
    for character in value.unicodeScalars {
      switch character {
      case "\\": result += "\\\\"
      case "\"": result += "\\\""
      case "\n": result += "\\n"
      default: result.unicodeScalars.append(character)
      }
    }
    return result
  }

  static func number(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
    if value == value.rounded(), abs(value) < 1e15 { return "\(Int64(value))" }
    return "\(value)"
  }
}
