import AccuracyReport
import ArgumentParser
import Foundation
import LogStore
import Retraining

/// `glidepath ingest`: logs into the workspace.
struct IngestCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ingest", abstract: "Take request logs into the workspace; twice adds nothing.")

  @Argument(help: "Log files, patterns, or - for stdin; plain, gzip or zstd.")
  var logs: [String]

  @OptionGroup var workspace: WorkspaceOptions
  @OptionGroup var logOptions: LogOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let store = try workspace.open(create: true)
    let summary = try Self.ingest(logs, into: store, logOptions, output.progress)
    if output.json {
      try Console.print(json: Self.json(summary))
    } else {
      Self.print(summary)
    }
  }

  static func ingest(
    _ logs: [String], into store: Workspace, _ options: LogOptions, _ progress: Progress
  ) throws -> IngestSummary {
    let summary = try store.ingest(logs, configuration: options.configuration()) { done, total in
      progress.update("ingesting", total.map { Double(done) / Double(max($0, 1)) } ?? 0)
    }
    progress.finish()
    return summary
  }

  static func json(_ summary: IngestSummary) -> [String: Any] {
    [
      "added": summary.added, "duplicates": summary.duplicates,
      "quarantined": summary.quarantined, "skipped": summary.skipped,
      "files": summary.files.map {
        [
          "path": $0.path, "kind": $0.kind.rawValue, "added": $0.added,
          "duplicates": $0.duplicates, "quarantined": $0.quarantined,
        ] as [String: Any]
      },
    ]
  }

  static func print(_ summary: IngestSummary) {
    for file in summary.files {
      Swift.print(
        "\(file.path): \(file.kind.rawValue), \(file.added) added, \(file.duplicates) duplicates, "
          + "\(file.quarantined) quarantined")
    }
  }
}

/// `glidepath retrain`: the nightly job.
struct RetrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "retrain",
    abstract: "Ingest, fit, judge on later requests, and promote if it is better.")

  @Argument(help: "Logs to ingest first; none is fine.")
  var logs: [String] = []

  @Option(help: "Days of log to fit on.")
  var windowDays = 14.0

  @Option(help: "Sign with this Ed25519 private key (64 hexadecimal digits in a file).")
  var signingKey: String?

  @Flag(help: "Refuse a log whose newest request is older than 36 hours.")
  var refuseStale = false

  @Flag(help: "Accept new rows that cover much less time than the last retrain's.")
  var allowShort = false

  @OptionGroup var workspace: WorkspaceOptions
  @OptionGroup var logOptions: LogOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let progress = output.progress
    let sign = try signingKey.map { try SigningKeys.signer($0) }
    let store = try workspace.open(create: true)
    if !logs.isEmpty {
      let summary = try IngestCommand.ingest(logs, into: store, logOptions, progress)
      if !output.json { IngestCommand.print(summary) }
    }
    let pipeline = RetrainPipeline(
      store,
      configuration: RetrainPipeline.Configuration(
        windowDays: windowDays, threads: logOptions.threadCount,
        sign: sign, checksAge: refuseStale, allowsShort: allowShort))
    let result = try pipeline.run { progress.update($0, $1) }
    progress.finish()
    if output.json { try Console.print(json: json(result)) } else { describe(result) }
    if result.outcome != .promoted { throw ExitCode(result.outcome.rawValue) }
  }

  private func describe(_ result: RetrainResult) {
    switch result.outcome {
    case .promoted: print("promoted \(result.modelID ?? "")")
    case .challengerRejected: print("rejected \(result.modelID ?? ""); the champion stays")
    case .dataRefused: print("data refused; the champion stays")
    case .tooLittleData: print("too few requests; the champion stays")
    }
    for reason in result.reasons { print("  \(reason)") }
    for finding in result.findings where finding.severity != .block {
      print("  note: \(finding.sentence)")
    }
    if let report = result.report {
      for target in LatencyTarget.allCases {
        let ours = report.challenger.target(target).metrics
        let champion = report.champion.map {
          "the champion \(Console.percent($0.target(target).metrics.mape.estimate)), "
        }
        let constant = report.baseline.target(target).metrics.mape.estimate
        print(
          "  \(target.title): MAPE \(Console.percent(ours.mape.estimate)) (\(champion ?? "")"
            + "a constant \(Console.percent(constant))), median's MAE "
            + "\(Console.short(ours.maeMilliseconds)) ms, mean leans "
            + Console.percent(ours.relativeBias))
      }
    }
    if let path = result.reportPath { print("  report: \(path).html") }
  }

  private func json(_ result: RetrainResult) -> [String: Any] {
    var object: [String: Any] = [
      "outcome": "\(result.outcome)", "exit_code": Int(result.outcome.rawValue),
      "reasons": result.reasons, "requests": result.requestCount,
      "findings": result.findings.map {
        ["code": $0.code, "severity": $0.severity.rawValue, "sentence": $0.sentence]
      },
    ]
    object["model"] = result.modelID
    object["previous"] = result.previousID
    object["report"] = result.reportPath
    if let report = result.report {
      object["ttft_mape"] = report.challenger.recorded.ttftMAPE
      object["tpot_mape"] = report.challenger.recorded.tpotMAPE
    }
    return object
  }
}

/// `glidepath evaluate`: a report on one model and one log.
struct EvaluateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate", abstract: "Report how accurate a model is on a log.")

  @Option(help: "The coefficient file.")
  var model: String

  @Option(help: "Another coefficient file to compare with.")
  var champion: String?

  @Option(name: .long, parsing: .upToNextOption, help: "Log files, patterns, or - for stdin.")
  var log: [String]

  @Option(help: "The report to write: .html, .md or .json by its ending.")
  var out: String?

  @OptionGroup var logOptions: LogOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard let out, ![".html", ".md", ".json"].contains(where: out.hasSuffix) else { return }
    throw ValidationError("\(out): a report ends in .html, .md or .json")
  }

  func run() throws {
    if let out { try OutputFiles.check(out) }
    let judged = try ModelFiles.read(model)
    let other = try champion.map { try ModelFiles.read($0) }
    let loaded = try logOptions.read(log, output.progress)
    let report = try Evaluation.report(of: judged, named: model, champion: other, on: loaded)
    if let out {
      let data: Data
      if out.hasSuffix(".html") {
        data = Data(report.html().utf8)
      } else if out.hasSuffix(".md") {
        data = Data(report.markdown().utf8)
      } else {
        data = try report.json()
      }
      try OutputFiles.write(data, to: out)
    }
    if output.json {
      print(String(decoding: try report.json(), as: UTF8.self))
    } else if out == nil {
      print(report.markdown())
    } else {
      print("\(out ?? ""): \(report.block.requestCount) requests judged")
    }
  }
}

/// `glidepath promote`: a stored model becomes the champion.
struct PromoteCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "promote",
    abstract: "Make a stored model the champion; one that the gate rejected needs --force.")

  @Argument(help: "The model's id, as `history` shows it.")
  var id: String

  @Option(help: "Why, for the history.")
  var reason = "promoted by hand"

  @Flag(help: "Promote even a model that the gate rejected.")
  var force = false

  @OptionGroup var workspace: WorkspaceOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let store = try workspace.open()
    let rejected = try store.evaluations(of: id).last.map { $0.verdict == "rejected" } ?? false
    if rejected, !force {
      let sentence = "\(id) was rejected by the gate; promote it with --force if you know better\n"
      FileHandle.standardError.write(Data(sentence.utf8))
      throw ExitCode(GateOutcome.challengerRejected.rawValue)
    }
    try store.promote(id, reason: reason)
    try Champion.print(id, "champion is now \(id)", output)
  }
}

/// `glidepath rollback`: the champion before comes back.
struct RollbackCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rollback", abstract: "Bring back the champion before the present one.")

  @Option(help: "Why, for the history.")
  var reason = "rolled back by hand"

  @OptionGroup var workspace: WorkspaceOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let id = try workspace.open().rollback(reason: reason)
    try Champion.print(id, "champion is again \(id)", output)
  }
}

private enum Champion {
  static func print(_ id: String, _ sentence: String, _ output: OutputOptions) throws {
    if output.json {
      try Console.print(json: ["champion": id])
    } else {
      Swift.print(sentence)
    }
  }
}

/// `glidepath history`: every promotion and every rejected challenger.
struct HistoryCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "history", abstract: "Show evaluations, promotions and rollbacks.")

  @OptionGroup var workspace: WorkspaceOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let store = try workspace.open()
    let promotions = try store.history()
    let evaluations = try store.evaluations(of: nil)
    let champion = store.champion()
    if output.json {
      try Console.print(json: [
        "champion": champion ?? NSNull(),
        "promotions": promotions.map {
          [
            "id": $0.id, "model": $0.modelID, "previous": $0.previousID ?? NSNull(),
            "kind": $0.kind.rawValue, "at_unix_s": $0.atUnixSeconds, "reason": $0.reason,
            "dataset": $0.datasetFingerprint ?? NSNull(),
          ] as [String: Any]
        },
        "evaluations": evaluations.map {
          [
            "model": $0.modelID, "champion": $0.championID ?? NSNull(), "verdict": $0.verdict,
            "reason": $0.reason, "at_unix_s": $0.createdUnixSeconds,
            "report": $0.report ?? NSNull(),
          ] as [String: Any]
        },
      ])
      return
    }
    print("champion: \(champion ?? "none")")
    print(
      Console.table(
        ["what", "model", "instead of", "when (UTC)", "why"],
        promotions.map {
          [
            $0.kind.rawValue, $0.modelID, $0.previousID ?? "–", Self.moment($0.atUnixSeconds),
            $0.reason,
          ]
        }
          + evaluations.filter { $0.verdict != "promoted" }.map {
            [
              $0.verdict, $0.modelID, $0.championID ?? "–", Self.moment($0.createdUnixSeconds),
              $0.reason,
            ]
          }))
  }

  private static func moment(_ seconds: Int64) -> String {
    Date(timeIntervalSince1970: Double(seconds)).formatted(.iso8601)
  }
}

/// `glidepath prune`: retention.
struct PruneCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "prune", abstract: "Remove requests older than some days from the workspace.")

  @Option(help: "Days to keep.")
  var days: Double

  @OptionGroup var workspace: WorkspaceOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let removed = try workspace.open().prune(olderThanDays: days)
    if output.json {
      try Console.print(json: ["removed": removed])
    } else {
      print("\(removed) requests removed")
    }
  }
}
