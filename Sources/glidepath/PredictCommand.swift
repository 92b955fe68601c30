import ArgumentParser
import Foundation
import LogReplay
import Retraining
import RoutingRuntime

/// `glidepath predict`: what serving would have predicted for every request of a log.
struct PredictCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "predict",
    abstract: "Replay a log and write what would have been predicted at each dispatch.",
    discussion: """
      One line per request, in order of dispatch, made only from what was known by then; outcomes \
      seen before it feed the live correction, as they would when serving. TTFT counts from arrival.
      """)

  @Option(help: "The coefficient file.")
  var model: String

  @Option(name: .long, parsing: .upToNextOption, help: "Log files, patterns, or - for stdin.")
  var log: [String]

  @Option(help: "The file to write, - for standard output.")
  var out = "-"

  @OptionGroup var logOptions: LogOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let model = try ModelFiles.read(model)
    if out != "-" { try OutputFiles.check(out) }
    let progress = output.progress
    let loaded = try logOptions.read(log, progress)
    let writer = try LineWriter(path: out)
    var failure: (any Error)?
    var (count, extrapolating) = (0, 0)
    try LogPredictor(loaded.replay, model: model).visit { index, prediction, _ in
      guard failure == nil else { return }
      count += 1
      if prediction.isExtrapolating { extrapolating += 1 }
      do {
        try writer.write(Self.line(loaded.requestID(index), prediction))
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    try writer.finish()
    guard out != "-" else { return }
    if output.json {
      try Console.print(json: [
        "out": out, "predictions": count, "extrapolating": extrapolating,
        "quarantined": loaded.rejected.count,
      ])
    } else {
      print("\(out): \(count) predictions, \(extrapolating) of them outside the fitted range")
    }
  }

  static func line(_ requestID: String, _ prediction: Prediction) -> String {
    let flag = prediction.isExtrapolating ? ",\"extrapolating\":true" : ""
    return "{\"request_id\":\(quoted(requestID)),\"ttft_ms\":\(heads(prediction.ttft)),"
      + "\"tpot_ms\":\(heads(prediction.tpot))\(flag)}\n"
  }

  private static func heads(_ values: HeadValues) -> String {
    "{\"mean\":\(number(values.mean)),\"p50\":\(number(values.p50)),"
      + "\"p90\":\(number(values.p90)),\"p95\":\(number(values.p95)),"
      + "\"p99\":\(number(values.p99))}"
  }

  /// Microsecond resolution; every head is finite by construction.
  private static func number(_ value: Double) -> String {
    String((value * 1000).rounded() / 1000)
  }

  private static func quoted(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F && $0 != 0x22 && $0 != 0x5C }
    if isPlain { return "\"\(text)\"" }
    let data = (try? JSONEncoder().encode(text)) ?? Data("\"\"".utf8)
    return String(decoding: data, as: UTF8.self)
  }
}

/// Lines to a file or to standard output, buffered.
final class LineWriter {
  private let path: String
  private let handle: FileHandle
  private var buffer = Data()

  init(path: String) throws {
    self.path = path
    handle = path == "-" ? .standardOutput : try OutputFiles.open(path)
  }

  func write(_ line: String) throws {
    buffer.append(contentsOf: line.utf8)
    if buffer.count > 1 << 20 { try flush() }
  }

  func finish() throws { try flush() }

  private func flush() throws {
    try OutputFiles.write(buffer, to: handle, named: path)
    buffer.removeAll(keepingCapacity: true)
  }
}
