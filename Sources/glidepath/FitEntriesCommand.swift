import AccuracyReport
import ArgumentParser
import Foundation
import Retraining

/// `glidepath fit-entries`: posted training entries in, a better coefficient file out, or none.
struct FitEntriesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fit-entries",
    abstract: "Fit a model to the entries that an llm-d router posted.",
    discussion: """
      Judges the fit on the newest entries against the model at OUTPUT, or against a constant when \
      there is none, and replaces OUTPUT only if the gate agrees. `glidepath-gateway predictor` runs \
      it by itself. Exit codes are those of `retrain`.
      """)

  @Argument(help: "The folder of entries.")
  var folder: String

  @Option(help: "The coefficient file to replace.")
  var output: String

  @Option(help: "Look back on at most this many entries.")
  var window = 400_000

  @Option(help: "Threads; 0 means all cores.")
  var threads = 0

  @Option(help: "Sign with this Ed25519 private key (64 hexadecimal digits in a file).")
  var signingKey: String?

  @Flag(help: "Print one JSON document instead of text.")
  var json = false

  func run() throws {
    var isFolder: ObjCBool = false
    guard unsafe FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder),
      isFolder.boolValue
    else {
      throw CommandFailure(
        "\(folder): there is no such folder; name the one that `glidepath-gateway predictor` "
          + "keeps its entries in")
    }
    try OutputFiles.check(output, isReplaced: true)
    let result = try EntryRetrain(
      EntryRetrain.Configuration(
        windowEntries: window,
        threads: threads > 0 ? threads : ProcessInfo.processInfo.activeProcessorCount,
        toolVersion: Version.text, sign: signingKey.map { try SigningKeys.signer($0) })
    ).run(folder: folder, output: output)
    if json {
      try Console.print(json: [
        "outcome": "\(result.outcome)", "reasons": result.reasons, "entries": result.entryCount,
        "bad_lines": result.badLineCount, "bytes": result.fileBytes,
        "ttft_mape": result.ttftMAPE, "tpot_mape": result.tpotMAPE,
      ])
    } else {
      print(
        "\(sentence(result.outcome)): \(result.entryCount) entries, TTFT MAPE "
          + "\(Console.percent(result.ttftMAPE)), TPOT MAPE \(Console.percent(result.tpotMAPE))")
      for reason in result.reasons { print("  \(reason)") }
    }
    if result.outcome != .promoted { throw ExitCode(result.outcome.rawValue) }
  }

  private func sentence(_ outcome: GateOutcome) -> String {
    switch outcome {
    case .promoted: "\(output) written"
    case .challengerRejected: "rejected; \(output) stays as it is"
    case .dataRefused: "data refused; \(output) stays as it is"
    case .tooLittleData: "too few entries; \(output) stays as it is"
    }
  }
}
