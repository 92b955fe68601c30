import Foundation

/// The report's drawings: the challenger in one colour, the champion in another.
enum Charts {
  /// Predicted medians against outcomes, darker where there are more requests.
  static func density(_ grid: DensityGrid, target: LatencyTarget) -> String {
    let (low, high) = (grid.lowerMilliseconds, grid.upperMilliseconds)
    var plot = Plot(
      x: Axis(low, high, scale: .logarithmic, title: "actual \(target.title), ms"),
      y: Axis(low, high, scale: .logarithmic, title: "predicted median, ms"), height: 400,
      label: "Predicted against actual \(target.title)")
    let (width, height) = (
      plot.innerWidth / Double(grid.side), plot.innerHeight / Double(grid.side)
    )
    let peak = log1p(Double(grid.counts.max() ?? 1))
    var paths = [String](repeating: "", count: 8)
    for (cell, count) in zip(grid.cells, grid.counts) {
      let (row, column) = cell.quotientAndRemainder(dividingBy: grid.side)
      let strength = min(Int(log1p(Double(count)) / peak * 8), 7)
      let left = plot.px(Double(column) / Double(grid.side))
      let top = plot.py(Double(row + 1) / Double(grid.side))
      paths[strength] +=
        "M\(Plot.number(left)) \(Plot.number(top))h\(Plot.number(width))"
        + "v\(Plot.number(height))h\(Plot.number(-width))z"
    }
    for (strength, path) in paths.enumerated() where !path.isEmpty {
      plot.path(path, "heat", opacity: 0.16 + 0.12 * Double(strength))
    }
    for (factor, style) in [(1.0, "ideal"), (1.5, "guide"), (1 / 1.5, "guide")] {
      let start = max(low, low / factor)
      let end = min(high, high / factor)
      plot.line(
        [
          (plot.px(value: start), plot.py(value: start * factor)),
          (plot.px(value: end), plot.py(value: end * factor)),
        ], style)
    }
    return plot.svg
  }

  /// Coverage minus level for every level, with intervals.
  static func calibration(
    _ challenger: TargetMetrics, champion: TargetMetrics?, target: LatencyTarget
  ) -> String {
    let deviations = (challenger.levels + (champion?.levels ?? [])).flatMap {
      [$0.blockCoverage.lower - $0.level, $0.blockCoverage.upper - $0.level]
    }.filter(\.isFinite)
    let reach = max(0.04, (deviations.map { abs($0) }.max() ?? 0) * 1.1)
    let levels = challenger.levels
    var x = Axis(0, Double(levels.count), title: "stated level")
    x.ticks = levels.enumerated().map { index, judged in
      Axis.Tick(
        position: (Double(index) + 0.5) / Double(levels.count),
        label: "p\(Int((judged.level * 100).rounded()))")
    }
    var plot = Plot(
      x: x,
      y: Axis(-reach, reach, title: "observed − stated, points") {
        ($0 > 1e-9 ? "+" : "") + Text.fixed($0 * 100, reach < 0.08 ? 1 : 0)
      }, label: "Calibration of \(target.title)")
    let tolerances = GateConfiguration().coverageTolerances
    for (index, tolerance) in tolerances.enumerated() where index < levels.count {
      let left = plot.px((Double(index) + 0.1) / Double(levels.count))
      let top = plot.py(value: tolerance)
      plot.rectangle(
        left, top, plot.innerWidth / Double(levels.count) * 0.8,
        plot.py(value: -tolerance) - top, "tolerance", radius: 3)
    }
    plot.line([(plot.px(0), plot.py(value: 0)), (plot.px(1), plot.py(value: 0))], "ideal")
    let models = [(champion?.levels, "two", 8.0), (levels, "one", champion == nil ? 0 : -8.0)]
    for (judged, style, offset) in models {
      guard let judged else { continue }
      for (index, level) in judged.enumerated() {
        let at = plot.px((Double(index) + 0.5) / Double(judged.count)) + offset
        let (low, high) = (level.blockCoverage.lower, level.blockCoverage.upper)
        plot.line(
          [(at, plot.py(value: low - level.level)), (at, plot.py(value: high - level.level))],
          "whisker \(style)")
        plot.dot(
          at, plot.py(value: level.coverage.estimate - level.level), "dot \(style)", radius: 5,
          tip: "p\(Int((level.level * 100).rounded())): "
            + "\(Text.percent(level.coverage.estimate)) observed, 95 % interval "
            + "\(Text.percent(low)) to \(Text.percent(high))")
      }
    }
    return plot.svg
  }

  /// Error of every slice as bars, the champion's as a dot.
  static func slices(
    _ slices: [SliceMetrics], champion: [SliceMetrics], dimension: SliceDimension
  ) -> String {
    let old = Dictionary(champion.map { ($0.label, $0) }) { first, _ in first }
    // A single wild slice must not flatten the others.
    let values = slices.map(\.mape.upper) + slices.compactMap { old[$0.label]?.mape.estimate }
    let sorted = values.filter(\.isFinite).sorted()
    let top = min(sorted.last ?? 1, 3 * quantile(ofSorted: sorted, 0.5))
    let unit = dimension.unit.isEmpty ? "" : ", \(dimension.unit)"
    var x = Axis(0, 1, title: dimension.title + unit)
    let fits = max(1, (slices.count + 5) / 6)
    x.ticks = slices.enumerated().filter { $0.offset % fits == 0 }.map { index, slice in
      Axis.Tick(position: (Double(index) + 0.5) / Double(slices.count), label: slice.label)
    }
    var plot = Plot(
      x: x, y: Axis(0, max(top * 1.08, 0.01), title: "MAPE, %") { Text.compact($0 * 100) },
      height: 260, label: "Error by \(dimension.title)")
    let step = plot.innerWidth / Double(max(slices.count, 1))
    for (index, slice) in slices.enumerated() {
      let middle = plot.px((Double(index) + 0.5) / Double(slices.count))
      let width = min(step * 0.62, 54)
      let roof = plot.py(value: slice.mape.estimate)
      let rival = old[slice.label].map {
        "; champion \(Text.percent($0.mape.estimate))"
      }
      plot.rectangle(
        middle - width / 2, roof, width, plot.py(0) - roof, "bar one", radius: 2,
        tip: "\(dimension.title) \(slice.label): MAPE \(Text.percent(slice.mape.estimate)) "
          + "(\(Text.percent(slice.mape.lower)) to \(Text.percent(slice.mape.upper)))"
          + "\(rival ?? ""); \(Text.count(slice.count)) requests")
      plot.line(
        [(middle, plot.py(value: slice.mape.lower)), (middle, plot.py(value: slice.mape.upper))],
        "whisker ink")
      if let rival = old[slice.label] {
        plot.dot(middle, plot.py(value: rival.mape.estimate), "dot two", radius: 4)
      }
    }
    return plot.svg
  }
}
