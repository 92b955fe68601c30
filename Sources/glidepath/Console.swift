import ArgumentParser
import Foundation
import Synchronization

/// Progress on standard error: a bar on a terminal, plain lines elsewhere.
final class Progress: Sendable {
  private struct State {
    var stage = ""
    var tenth = -1
    var drawn = Date.distantPast
  }

  private let state = Mutex(State())
  private let isTerminal = isatty(STDERR_FILENO) == 1
  private let isQuiet: Bool

  init(isQuiet: Bool) { self.isQuiet = isQuiet }

  /// Says that `stage` is at `share`, 0…1.
  func update(_ stage: String, _ share: Double) {
    guard !isQuiet else { return }
    state.withLock { state in
      if isTerminal {
        guard state.stage != stage || Date().timeIntervalSince(state.drawn) > 0.05 else { return }
        state.drawn = Date()
        let width = 24
        let filled = min(width, max(0, Int(share * Double(width))))
        let bar =
          String(repeating: "█", count: filled) + String(repeating: "░", count: width - filled)
        write("\r\u{1B}[2K\(bar) \(Int(share * 100)) %  \(stage)")
      } else if state.stage != stage || Int(share * 10) > state.tenth {
        if state.stage != stage { write("\(stage)\n") }
        state.tenth = Int(share * 10)
      }
      state.stage = stage
    }
  }

  /// Clears the bar.
  func finish() {
    guard !isQuiet, isTerminal else { return }
    write("\r\u{1B}[2K")
  }

  private func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}

/// Standard output, as text or as JSON.
enum Console {
  /// Prints `object` as one JSON document, keys sorted.
  static func print(json object: [String: Any]) throws {
    let data = try JSONSerialization.data(
      withJSONObject: finite(object), options: [.sortedKeys, .withoutEscapingSlashes])
    Swift.print(String(decoding: data, as: UTF8.self))
  }

  /// JSON has no NaN: such numbers become null.
  private static func finite(_ value: Any) -> Any {
    switch value {
    case let number as Double: number.isFinite ? number : NSNull()
    case let list as [Any]: list.map(finite)
    case let object as [String: Any]: object.mapValues(finite)
    default: value
    }
  }

  /// A table with columns as wide as they need to be; numbers to the right.
  static func table(_ header: [String], _ rows: [[String]]) -> String {
    var widths = header.map(\.count)
    for row in rows {
      for (index, cell) in row.enumerated() { widths[index] = max(widths[index], cell.count) }
    }
    let lines = ([header] + rows).map { row in
      row.enumerated().map { index, cell in
        let space = String(repeating: " ", count: widths[index] - cell.count)
        let isNumber = cell.first.map { "+-0123456789".contains($0) } ?? false
        if isNumber { return space + cell }
        return index == row.count - 1 ? cell : cell + space
      }.joined(separator: "  ")
    }
    return lines.joined(separator: "\n")
  }

  /// A share as per cent with one decimal.
  static func percent(_ share: Double) -> String {
    share.isFinite ? String(format: "%.1f %%", 100 * share) : "–"
  }

  /// Three significant digits.
  static func short(_ value: Double) -> String {
    guard value.isFinite else { return "–" }
    return String(
      format: abs(value) >= 1000 || abs(value) < 0.001 && value != 0 ? "%.2e" : "%.4g",
      value == 0 ? 0 : value)
  }
}

/// A failure with a sentence; exits with 1.
struct CommandFailure: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}
