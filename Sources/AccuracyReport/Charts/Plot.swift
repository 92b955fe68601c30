/// A drawing area with two axes, written as inline SVG; colours come from the page's stylesheet.
struct Plot {
  static let width = 560.0
  let height: Double
  let x: Axis
  let y: Axis
  /// What a screen reader says.
  let label: String
  private let left = 66.0
  private let right = 14.0
  private let top = 12.0
  private let bottom = 46.0
  private var body = ""

  init(x: Axis, y: Axis, height: Double = 300, label: String) {
    self.x = x
    self.y = y
    self.height = height
    self.label = label
  }

  var innerWidth: Double { Self.width - left - right }
  var innerHeight: Double { height - top - bottom }

  func px(_ share: Double) -> Double { left + share * innerWidth }
  func py(_ share: Double) -> Double { top + (1 - share) * innerHeight }
  func px(value: Double) -> Double { px(x.position(value)) }
  func py(value: Double) -> Double { py(y.position(value)) }

  /// Adds a line through points in pixels.
  mutating func line(_ points: [(Double, Double)], _ style: String) {
    guard !points.isEmpty else { return }
    body += "<path class=\"\(style)\" d=\"\(Self.path(points))\"/>"
  }

  /// Adds a closed area through points in pixels.
  mutating func area(_ points: [(Double, Double)], _ style: String) {
    guard !points.isEmpty else { return }
    body += "<path class=\"\(style)\" d=\"\(Self.path(points))Z\"/>"
  }

  mutating func rectangle(
    _ x: Double, _ y: Double, _ width: Double, _ height: Double, _ style: String,
    radius: Double = 0, tip: String = ""
  ) {
    let corner = radius > 0 ? " rx=\"\(Self.number(radius))\"" : ""
    body +=
      "<rect class=\"\(style)\" x=\"\(Self.number(x))\" y=\"\(Self.number(y))\" "
      + "width=\"\(Self.number(max(width, 0)))\" height=\"\(Self.number(max(height, 0)))\""
      + "\(corner)\(Self.tip(tip))/>"
  }

  mutating func dot(
    _ x: Double, _ y: Double, _ style: String, radius: Double = 4, tip: String = ""
  ) {
    body +=
      "<circle class=\"\(style)\" cx=\"\(Self.number(x))\" cy=\"\(Self.number(y))\" "
      + "r=\"\(Self.number(radius))\"\(Self.tip(tip))/>"
  }

  mutating func note(_ text: String, _ x: Double, _ y: Double, anchor: String = "start") {
    body +=
      "<text class=\"note\" x=\"\(Self.number(x))\" y=\"\(Self.number(y))\" "
      + "text-anchor=\"\(anchor)\">\(HTML.escape(text))</text>"
  }

  /// Adds ready-made path data.
  mutating func path(_ data: String, _ style: String, opacity: Double) {
    body +=
      "<path class=\"\(style)\" fill-opacity=\"\(Self.number(opacity))\" d=\"\(data)\"/>"
  }

  /// The finished drawing.
  var svg: String {
    var text =
      "<svg viewBox=\"0 0 \(Self.number(Self.width)) \(Self.number(height))\" role=\"img\" "
      + "aria-label=\"\(HTML.escape(label))\">"
    for tick in y.ticks {
      let at = Self.number(py(tick.position))
      text +=
        "<line class=\"grid\" x1=\"\(Self.number(left))\" x2=\"\(Self.number(px(1)))\" "
        + "y1=\"\(at)\" y2=\"\(at)\"/><text class=\"tick\" x=\"\(Self.number(left - 8))\" "
        + "y=\"\(Self.number(py(tick.position) + 4))\" text-anchor=\"end\">"
        + "\(HTML.escape(tick.label))</text>"
    }
    for tick in x.ticks {
      let at = Self.number(px(tick.position))
      text +=
        "<line class=\"mark\" x1=\"\(at)\" x2=\"\(at)\" y1=\"\(Self.number(py(0)))\" "
        + "y2=\"\(Self.number(py(0) + 4))\"/><text class=\"tick\" x=\"\(at)\" "
        + "y=\"\(Self.number(py(0) + 18))\" text-anchor=\"middle\">\(HTML.escape(tick.label))</text>"
    }
    text +=
      "<line class=\"axis\" x1=\"\(Self.number(left))\" x2=\"\(Self.number(px(1)))\" "
      + "y1=\"\(Self.number(py(0)))\" y2=\"\(Self.number(py(0)))\"/>"
    text += body
    text +=
      "<text class=\"title\" x=\"\(Self.number(px(0.5)))\" y=\"\(Self.number(height - 8))\" "
      + "text-anchor=\"middle\">\(HTML.escape(x.title))</text>"
    text +=
      "<text class=\"title\" text-anchor=\"middle\" transform=\"translate(12 "
      + "\(Self.number(py(0.5)))) rotate(-90)\">\(HTML.escape(y.title))</text></svg>"
    return text
  }

  static func number(_ value: Double) -> String { Text.coordinate(value) }

  private static func path(_ points: [(Double, Double)]) -> String {
    points.enumerated().map { index, point in
      "\(index == 0 ? "M" : "L")\(number(point.0)) \(number(point.1))"
    }.joined()
  }

  private static func tip(_ text: String) -> String {
    text.isEmpty ? "" : " data-tip=\"\(HTML.escape(text))\""
  }
}
