import Foundation

extension Charts {
  /// What the horizontal axis of a residual chart counts.
  enum ResidualAxis {
    case time, backlog, decoding

    var title: String {
      switch self {
      case .time: "time of arrival, UTC"
      case .backlog: "prefill backlog at dispatch, ms (equal numbers of requests)"
      case .decoding: "decode batch at dispatch, requests (equal numbers of requests)"
      }
    }
  }

  /// Predicted over actual: the median as a line, the middle 80 % as a band.
  static func residuals(
    _ bins: [ResidualBin], champion: [ResidualBin], axis: ResidualAxis
  ) -> String {
    let x = horizontal(bins, axis)
    let low = bins.map(\.ratioP10).filter { $0.isFinite && $0 > 0 }.min() ?? 0.5
    let high = bins.map(\.ratioP90).filter(\.isFinite).max() ?? 2
    let lower = max(min(0.8, low) / 1.06, 1.0 / 16)
    let upper = min(max(1.25, high) * 1.06, 16)
    var plot = Plot(
      x: x,
      y: ratioAxis(lower, upper), height: 260, label: "Predicted over actual by \(axis.title)")
    let middles = centres(bins, axis, x)
    plot.area(
      zip(middles, bins).map { (plot.px($0), plot.py(value: $1.ratioP90)) }
        + zip(middles, bins).reversed().map { (plot.px($0), plot.py(value: $1.ratioP10)) },
      "band one")
    plot.line([(plot.px(0), plot.py(value: 1)), (plot.px(1), plot.py(value: 1))], "ideal")
    plot.line(
      zip(centres(champion, axis, x), champion).map {
        (plot.px($0), plot.py(value: $1.ratioP50))
      }, "line two")
    plot.line(zip(middles, bins).map { (plot.px($0), plot.py(value: $1.ratioP50)) }, "line one")
    for (middle, bin) in zip(middles, bins) {
      plot.dot(
        plot.px(middle), plot.py(value: bin.ratioP50), "dot one", radius: 2.5,
        tip: "\(described(bin, axis)): median ×\(Text.fixed(bin.ratioP50, 2)), middle 80 % "
          + "×\(Text.fixed(bin.ratioP10, 2)) to ×\(Text.fixed(bin.ratioP90, 2)); "
          + "\(Text.count(bin.count)) requests")
    }
    return plot.svg
  }

  /// Coverage of the p90 head over time: whether the calibration holds.
  static func coverage(_ bins: [ResidualBin], champion: [ResidualBin]) -> String {
    let x = horizontal(bins, .time)
    let lowest = (bins + champion).map(\.p90Coverage).filter(\.isFinite).min() ?? 0.8
    var plot = Plot(
      x: x,
      y: Axis(min(0.8, lowest - 0.02), 1, title: "covered by p90, %") {
        Text.fixed($0 * 100, 0)
      }, height: 220, label: "Coverage of p90 over time")
    plot.line([(plot.px(0), plot.py(value: 0.9)), (plot.px(1), plot.py(value: 0.9))], "ideal")
    plot.line(
      zip(centres(champion, .time, x), champion).map {
        (plot.px($0), plot.py(value: $1.p90Coverage))
      }, "line two")
    let middles = centres(bins, .time, x)
    plot.line(
      zip(middles, bins).map { (plot.px($0), plot.py(value: $1.p90Coverage)) }, "line one")
    for (middle, bin) in zip(middles, bins) {
      plot.dot(
        plot.px(middle), plot.py(value: bin.p90Coverage), "dot one", radius: 2.5,
        tip: "\(described(bin, .time)): \(Text.percent(bin.p90Coverage)) of "
          + "\(Text.count(bin.count)) requests")
    }
    return plot.svg
  }

  private static func ratioAxis(_ lower: Double, _ upper: Double) -> Axis {
    var axis = Axis(lower, upper, scale: .logarithmic, title: "predicted ÷ actual")
    let marks: [Double] =
      upper / lower < 2.2
      ? [0.67, 0.8, 1, 1.25, 1.5]
      : upper / lower < 12
        ? [0.2, 0.33, 0.5, 0.75, 1, 1.33, 2, 3, 5] : [0.1, 0.2, 0.5, 1, 2, 5, 10]
    axis.ticks = marks.filter { $0 >= lower && $0 <= upper }.map {
      Axis.Tick(position: axis.position($0), label: "×\(Text.compact($0))")
    }
    return axis
  }

  private static func horizontal(_ bins: [ResidualBin], _ axis: ResidualAxis) -> Axis {
    guard axis == .time else {
      var x = Axis(0, 1, title: axis.title)
      let step = max(1, (bins.count + 6) / 7)
      x.ticks = bins.indices.filter { $0 % step == 0 }.map { index in
        Axis.Tick(
          position: (Double(index) + 0.5) / Double(bins.count),
          label: Text.compact((bins[index].lower + bins[index].upper) / 2))
      }
      return x
    }
    let (first, last) = (bins.first?.lower ?? 0, bins.last?.upper ?? 1)
    var x = Axis(first, last, title: axis.title)
    let seconds = (last - first) / 1e9
    let steps: [Double] = [
      60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400, 172_800,
      604_800, 2_592_000,
    ]
    let step = (steps.first { seconds / $0 <= 6 } ?? seconds / 5) * 1e9
    var moment = (first / step).rounded(.up) * step
    x.ticks = []
    while moment <= last, x.ticks.count < 12 {
      let text = Text.minute(Int64(moment))
      x.ticks.append(
        Axis.Tick(
          position: x.position(moment),
          label: String(step < 86_400e9 ? text.suffix(5) : text.prefix(10).suffix(5))))
      moment += step
    }
    return x
  }

  /// Positions 0…1 of the bins' centres.
  private static func centres(
    _ bins: [ResidualBin], _ axis: ResidualAxis, _ x: Axis
  ) -> [Double] {
    bins.indices.map { index in
      axis == .time
        ? x.position((bins[index].lower + bins[index].upper) / 2)
        : (Double(index) + 0.5) / Double(bins.count)
    }
  }

  private static func described(_ bin: ResidualBin, _ axis: ResidualAxis) -> String {
    switch axis {
    case .time: "from \(Text.minute(Int64(bin.lower)))"
    case .backlog: "backlog \(Text.compact(bin.lower)) to \(Text.compact(bin.upper)) ms"
    case .decoding: "\(Text.compact(bin.lower)) to \(Text.compact(bin.upper)) decoding"
    }
  }
}
