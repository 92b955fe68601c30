/// The few pieces of markup that every section uses.
enum HTML {
  /// Text made safe for content and for quoted attributes.
  static func escape(_ text: String) -> String {
    var escaped = ""
    escaped.reserveCapacity(text.utf8.count)
    for character in text.unicodeScalars {
      switch character {
      case "&": escaped += "&amp;"
      case "<": escaped += "&lt;"
      case ">": escaped += "&gt;"
      case "\"": escaped += "&quot;"
      case "'": escaped += "&#39;"
      case "\0"..."\u{8}", "\u{B}"..."\u{1F}": escaped += "\u{FFFD}"
      default: escaped.unicodeScalars.append(character)
      }
    }
    return escaped
  }

  /// A table; cells are markup already, columns from `numbersFrom` on are right-aligned.
  static func table(_ heads: [String], _ rows: [[String]], numbersFrom: Int = 1) -> String {
    func alignment(_ column: Int) -> String { column >= numbersFrom ? " class=\"n\"" : "" }
    let head = heads.enumerated().map { "<th\(alignment($0))>\(escape($1))</th>" }.joined()
    let body = rows.map { row in
      "<tr>" + row.enumerated().map { "<td\(alignment($0))>\($1)</td>" }.joined() + "</tr>"
    }.joined(separator: "\n")
    return "<div class=\"scroll\"><table><thead><tr>\(head)</tr></thead><tbody>\(body)"
      + "</tbody></table></div>"
  }

  /// A bar 0…1 with its number beside it.
  static func bar(_ share: Double, _ text: String, style: String = "") -> String {
    let width = Text.coordinate(min(max(share.isFinite ? share : 0, 0), 1) * 100)
    return "<span class=\"meter \(style)\"><i style=\"width:\(width)%\"></i></span>"
      + "<span class=\"barnumber\">\(escape(text))</span>"
  }

  /// A figure with its caption.
  static func figure(_ title: String, _ note: String, _ drawing: String) -> String {
    "<figure><figcaption><b>\(escape(title))</b><span>\(escape(note))</span></figcaption>"
      + "\(drawing)</figure>"
  }

  /// A section with its heading and one sentence on how to read it.
  static func section(_ id: String, _ title: String, _ lead: String, _ content: String) -> String {
    "<section id=\"\(id)\"><h2>\(escape(title))</h2><p class=\"lead\">\(escape(lead))</p>"
      + "\(content)</section>\n"
  }

  /// Two columns that become one on narrow screens.
  static func pair(_ first: String, _ second: String) -> String {
    "<div class=\"pair\">\(first)\(second)</div>"
  }
}
