import ArgumentParser
import CoefficientFile
import Foundation
import LatencyRegression
import LogReplay
import Retraining

/// `glidepath fit`: a log in, a coefficient file out; no workspace, no gate.
struct FitCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fit", abstract: "Fit a model to request logs and write its coefficient file.")

  @Option(name: .long, parsing: .upToNextOption, help: "Log files, patterns, or - for stdin.")
  var log: [String]

  @Option(name: .long, help: "The coefficient file to write.")
  var out: String

  @Option(help: "Sign with this Ed25519 private key (64 hexadecimal digits in a file).")
  var signingKey: String?

  @OptionGroup var logOptions: LogOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let clock = ContinuousClock()
    let start = clock.now
    try OutputFiles.check(out, isReplaced: true)
    let sign = try signingKey.map { try SigningKeys.signer($0) }
    let progress = output.progress
    let loaded = try logOptions.read(log, progress, isForFit: true)
    let read = clock.now
    let fitter = ModelFitter(
      ModelFitter.Configuration(threads: logOptions.threadCount, toolVersion: Version.text))
    let fitted = try fitter.fit(loaded.replay) { progress.update($0, $1) }
    progress.finish()
    let bytes = try fitted.model.encoded(sign: sign)
    try CoefficientFile.write(bytes, to: out)
    let end = clock.now

    let report = fitted.report
    if output.json {
      try Console.print(json: [
        "out": out, "bytes": bytes.count, "requests": loaded.replay.rows.count,
        "fitted": report.sampleCount, "calibrated": report.calibrationCount,
        "ttft_terms": fitted.model.ttft.terms.count, "tpot_terms": fitted.model.tpot.terms.count,
        "methods": report.methods, "condition_numbers": report.conditionNumbers,
        "emulator_error": report.emulatorError, "warnings": report.warnings,
        "read_seconds": seconds(read - start), "fit_seconds": seconds(end - read),
        "quarantined": loaded.rejected.count, "left_out": loaded.leftOut,
      ])
    } else {
      print(
        "\(out): \(bytes.count) bytes, \(fitted.model.ttft.terms.count) TTFT and "
          + "\(fitted.model.tpot.terms.count) TPOT terms from \(loaded.replay.rows.count) requests "
          + "(read in \(Console.short(seconds(read - start))) s, fitted in "
          + "\(Console.short(seconds(end - read))) s)")
      if loaded.leftOut > 0 {
        print("the newest requests were used; \(loaded.leftOut) older ones were left out")
      }
      for warning in report.warnings { print("warning: \(warning)") }
    }
  }

  private func seconds(_ duration: Duration) -> Double { duration / .seconds(1) }
}
