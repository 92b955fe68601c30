internal import Glibc

/// A drawing area with two axes, as inline SVG.
struct TuningChart {
  let x: (low: Double, high: Double)
  let y: (low: Double, high: Double)
  let isLogarithmic: Bool
  let xTitle: String
  let yTitle: String
  private static let (width, height) = (760.0, 320.0)
  private static let (left, right, top, bottom) = (64.0, 14.0, 12.0, 44.0)

  init(
    x: (Double, Double), y: (Double, Double), isLogarithmic: Bool, xTitle: String, yTitle: String
  ) {
    self.x = x
    self.y = y
    self.isLogarithmic = isLogarithmic
    self.xTitle = xTitle
    self.yTitle = yTitle
  }

  func line(_ points: [(Double, Double)], _ style: String) -> String {
    let text = points.filter { $0.0.isFinite && $0.1.isFinite }
      .map { "\(Format.fixed(px($0.0), 1)),\(Format.fixed(py($0.1), 1))" }
    guard text.count >= 2 else { return "" }
    return "<polyline class=\"line \(style)\" points=\"\(text.joined(separator: " "))\"/>"
  }

  func dot(_ horizontal: Double, _ vertical: Double, _ style: String, radius: Double) -> String {
    guard horizontal.isFinite, vertical.isFinite else { return "" }
    return "<circle class=\"dot \(style)\" cx=\"\(Format.fixed(px(horizontal), 1))\" "
      + "cy=\"\(Format.fixed(py(vertical), 1))\" r=\"\(Format.fixed(radius, 1))\"/>"
  }

  func svg(_ body: String, label: String) -> String {
    var axes = ""
    for step in 0...5 {
      let share = Double(step) / 5
      let (at, value) = (px(x.low + share * (x.high - x.low)), x.low + share * (x.high - x.low))
      axes +=
        "<text x=\"\(Format.fixed(at, 1))\" y=\"\(Format.fixed(Self.height - 26, 1))\" "
        + "text-anchor=\"middle\">\(Format.number(value))</text>"
      let level =
        isLogarithmic ? y.low * pow(y.high / y.low, share) : y.low + share * (y.high - y.low)
      let row = Format.fixed(py(level), 1)
      axes +=
        "<line class=\"grid\" x1=\"\(Self.left)\" x2=\"\(Self.width - Self.right)\" y1=\"\(row)\" "
        + "y2=\"\(row)\"/><text x=\"\(Self.left - 6)\" y=\"\(row)\" text-anchor=\"end\" "
        + "dominant-baseline=\"middle\">\(Format.number(level))</text>"
    }
    axes +=
      "<text class=\"title\" x=\"\((Self.left + Self.width) / 2)\" y=\"\(Self.height - 6)\" "
      + "text-anchor=\"middle\">\(TuningPage.escaped(xTitle))</text>"
      + "<text class=\"title\" transform=\"translate(14 \(Self.height / 2)) rotate(-90)\" "
      + "text-anchor=\"middle\">\(TuningPage.escaped(yTitle))</text>"
    return "<figure><svg viewBox=\"0 0 \(Self.width) \(Self.height)\" role=\"img\" "
      + "aria-label=\"\(TuningPage.escaped(label))\">\(axes)\(body)</svg></figure>"
  }

  private func px(_ value: Double) -> Double {
    let share = min(max((value - x.low) / (x.high - x.low), 0), 1)
    return Self.left + share * (Self.width - Self.left - Self.right)
  }

  private func py(_ value: Double) -> Double {
    let raw =
      isLogarithmic
      ? log(max(value, 1e-9) / y.low) / log(y.high / y.low) : (value - y.low) / (y.high - y.low)
    return Self.height - Self.bottom
      - min(max(raw, 0), 1) * (Self.height - Self.top - Self.bottom)
  }
}

/// How the page looks: the colours of the accuracy report.
enum TuningStyle {
  static let text = """
    :root{color-scheme:light;--page:#f7f8fa;--card:#fff;--ink:#17202b;--soft:#596675;
    --line:#dfe4ea;--grid:#eceff3;--one:#0072b2;--two:#d98200;--good:#007a5a;--bad:#c2410c;
    --tint:#eef3f8}
    @media(prefers-color-scheme:dark){:root{color-scheme:dark;--page:#0f141a;--card:#171e26;
    --ink:#e8edf3;--soft:#9aa8b7;--line:#2a3440;--grid:#232c36;--one:#56b4e9;--two:#f0a830;
    --good:#3fcf9f;--bad:#ff8a5c;--tint:#1d2731}}
    *{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--ink);
    font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",Arial,sans-serif}
    main,header .in{max-width:1100px;margin:0 auto;padding:0 24px}header{padding:34px 0 0}
    .eyebrow{font-size:12px;letter-spacing:.1em;text-transform:uppercase;color:var(--soft)}
    h1{font-size:30px;line-height:1.2;margin:4px 0 6px}h2{font-size:20px;margin:0 0 2px}
    .sub,.lead{color:var(--soft);margin:0 0 16px;max-width:78ch}section{margin:44px 0 0}
    .verdict{border:1px solid var(--line);border-left:6px solid var(--good);border-radius:12px;
    background:var(--card);padding:18px 22px;margin-top:22px}
    .verdict.no{border-left-color:var(--bad)}
    .verdict b.word{font-size:20px;display:block;color:var(--good)}
    .verdict.no b.word{color:var(--bad)}.verdict ul{margin:6px 0 0;padding-left:20px}
    figure{margin:0 0 16px;background:var(--card);border:1px solid var(--line);
    border-radius:12px;padding:14px}svg{display:block;width:100%;height:auto}
    svg text{font-size:12px;fill:var(--soft)}svg .title{fill:var(--ink)}
    .grid{stroke:var(--grid)}.one{--c:var(--one)}.two{--c:var(--two)}.soft{--c:var(--soft)}
    .line{stroke:var(--c);stroke-width:2;fill:none}.dot{fill:var(--c);stroke:var(--card)}
    .dot.soft{opacity:.5}.scroll{overflow-x:auto;background:var(--card);
    border:1px solid var(--line);border-radius:12px}
    table{border-collapse:collapse;width:100%;font-size:13.5px;font-variant-numeric:tabular-nums}
    th{font-size:12px;color:var(--soft);text-align:left;background:var(--tint)}
    th,td{padding:7px 14px;border-bottom:1px solid var(--line);white-space:nowrap}
    .meter{display:inline-block;width:84px;height:8px;border-radius:4px;background:var(--grid);
    overflow:hidden}.meter i{display:block;height:100%;background:var(--one)}
    .empty{background:var(--card);border:1px solid var(--line);border-radius:12px;
    padding:14px 18px;color:var(--soft)}
    footer{color:var(--soft);font-size:12.5px;padding:40px 0 50px}
    """
}
