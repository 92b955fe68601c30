import Foundation

/// One axis of a chart: maps values to a position 0…1 and says where to write numbers.
struct Axis {
  enum Scale { case linear, logarithmic }

  struct Tick {
    let position: Double
    let label: String
  }

  let lower: Double
  let upper: Double
  let scale: Scale
  let title: String
  var ticks: [Tick] = []

  /// An axis from `lower` to `upper`; a range that is empty or not finite becomes a sane one.
  init(
    _ lower: Double, _ upper: Double, scale: Scale = .linear, title: String,
    format: (Double) -> String = Text.compact
  ) {
    var (low, high) = (lower.isFinite ? lower : 0, upper.isFinite ? upper : 1)
    if scale == .logarithmic { low = max(low, 1e-9) }
    if high <= low { high = scale == .logarithmic ? low * 10 : low + 1 }
    self.lower = low
    self.upper = high
    self.scale = scale
    self.title = title
    let values = scale == .linear ? Self.linear(low, high) : Self.logarithmic(low, high)
    ticks = values.map { Tick(position: position($0), label: format($0)) }
  }

  /// Where a value lies, clamped to 0…1.
  func position(_ value: Double) -> Double {
    guard value.isFinite else { return 0 }
    let share: Double
    switch scale {
    case .linear: share = (value - lower) / (upper - lower)
    case .logarithmic: share = log(max(value, 1e-9) / lower) / log(upper / lower)
    }
    return min(max(share, 0), 1)
  }

  /// Round numbers: about five steps of 1, 2, 2.5 or 5 times a power of ten.
  static func linear(_ lower: Double, _ upper: Double) -> [Double] {
    let rough = (upper - lower) / 6
    let scale = pow(10, log10(rough).rounded(.down))
    let step = ([1, 2, 2.5, 5, 10].first { $0 * scale >= rough } ?? 10) * scale
    var values: [Double] = []
    var index = (lower / step - 1e-9).rounded(.up)
    while index * step <= upper + step * 1e-9, values.count < 20 {
      values.append(index * step)
      index += 1
    }
    return values
  }

  /// Powers of ten; with 2 and 5 in between while there is room.
  static func logarithmic(_ lower: Double, _ upper: Double) -> [Double] {
    let decades = log10(upper / lower)
    let factors: [Double] =
      decades < 0.7 ? [1, 1.5, 2, 3, 4, 5, 6, 7, 8] : decades < 2.8 ? [1, 2, 5] : [1]
    var values: [Double] = []
    for exponent in Int(log10(lower).rounded(.down))...Int(log10(upper).rounded(.up)) {
      for factor in factors {
        let value = factor * pow(10, Double(exponent))
        if value >= lower * 0.999, value <= upper * 1.001 { values.append(value) }
      }
    }
    return values
  }
}
