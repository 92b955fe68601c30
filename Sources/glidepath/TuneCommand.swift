import ArgumentParser
import CoefficientFile
import Foundation
import PolicyTuning
import RequestLog

/// `glidepath tune`: a log in, a routing policy out, with what it would gain and why to believe it.
struct TuneCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tune",
    abstract: "Tune the routing policy on a simulation of the log's fleet.",
    discussion: """
      Calibrates the simulation on the first 70 % of the time, proves it on the rest, searches, judges \
      the winner on the later part and audits it off-policy. OUTPUT receives report.html, report.md \
      and report.json and, where the advice is to adopt, tuned.glide or endpoint-picker-config.yaml.

      EXIT CODES
        0   the advice is to adopt the tuned policy
        3   keep what runs: nothing found is surely better
        4   no advice: the simulation or the audit does not allow one
      """)

  @Option(name: .long, parsing: .upToNextOption, help: "Log files, patterns, or - for stdin.")
  var log: [String]

  @Option(help: "The champion's coefficient file; without one, a model is fitted on the log.")
  var model: String?

  @Option(help: "ttft-p90, ttft-p99, e2e-mean, goodput, mix …, or METRIC:WEIGHT,METRIC:WEIGHT.")
  var objective = "ttft-p90"

  @Option(help: "Whose policy to tune: glidepath, llm-d or llm-d-affinity.")
  var policy = PolicySpace.Family.predictedCost.rawValue

  @Option(help: "The policy to compare with, by name.")
  var baseline = "llm-d"

  @Option(help: "Evaluations on the whole tuning part that the search may spend.")
  var budget = 200.0

  @Option(help: "The TTFT that requests without an objective are held to, ms.")
  var sloTtftMs = 0.0

  @Option(help: "The TPOT that requests without an objective are held to, ms.")
  var sloTpotMs = 0.0

  @Option(help: "The folder to write to.")
  var output = "tuning"

  @Option(help: "Seeds the search.")
  var seed: UInt64 = 1

  @Flag(help: "Go on with the search that was interrupted in OUTPUT.")
  var resume = false

  @Flag(help: "Search though the simulation failed its proof; there is still no advice.")
  var evenUnproved = false

  @Option(help: "Sign tuned.glide with this Ed25519 private key.")
  var signingKey: String?

  @OptionGroup var logOptions: LogOptions

  @Flag(help: "Print the report as one JSON document instead of text; no progress.")
  var json = false

  func run() throws {
    // Wrong names, a bad key and a folder that cannot be are told at once, not after the fit.
    let tuner = try PolicyTuner(configuration())
    let sign = try signingKey.map { try SigningKeys.signer($0) }
    let progress = Progress(isQuiet: json)
    do {
      try FileManager.default.createDirectory(atPath: output, withIntermediateDirectories: true)
    } catch {
      throw CommandFailure("\(output): cannot be made a folder; name another one with --output")
    }
    var reader = try LogReader(logOptions.configuration())
    let log = try TuningLog(reader.readAll(log))
    let model =
      try model.map { try ModelFiles.read($0) }
      ?? PolicyTuner.fit(log, threads: logOptions.threadCount, toolVersion: Version.text) {
        progress.update($0, $1)
      }
    let result = try tuner.tune(log, model: model) {
      progress.update($0, $1)
    }
    progress.finish()
    let paths = try TuningFolder.write(result, model: model, to: output, sign: sign)
    if json {
      print(TuningDocument(result).text)
    } else {
      print(TuningMarkdown.text(result))
      for path in paths { print("wrote \(path)") }
    }
    switch result.advice.decision {
    case .adopt: return
    case .keep: throw ExitCode(3)
    case .refuse: throw ExitCode(4)
    }
  }

  private func configuration() throws -> PolicyTuner.Configuration {
    guard let family = PolicySpace.Family(rawValue: policy) else {
      throw PolicyTuningError.unknownName(
        policy, known: PolicySpace.Family.allCases.map(\.rawValue))
    }
    var configuration = try PolicyTuner.Configuration(
      family: family, objective: .named(objective), baseline: .named(baseline),
      search: PolicySearch.Configuration(budget: budget, seed: seed),
      evaluation: FleetEvaluator.Configuration(
        ttftObjectiveMilliseconds: sloTtftMs, tpotObjectiveMilliseconds: sloTpotMs))
    configuration.statePath = output + "/search.json"
    configuration.resumes = resume
    configuration.searchesUnproved = evenUnproved
    return configuration
  }
}
