import ArgumentParser
import Foundation

/// The toolkit's commands; each parses its arguments, calls a module and prints what came back.
@main
struct Glidepath: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "glidepath",
    abstract: "Learns request latency from an LLM gateway's logs, and proves it.",
    discussion: """
      EXIT CODES
        0   done; for `retrain`: the challenger was promoted
        1   failed: a file, the store or a fit; the message says what to do
        3   `retrain`, `promote`: the challenger was rejected, the champion stays;
            `tune`: no policy is surely better, keep yours
        4   `retrain`: the data were refused, the champion stays;
            `tune`: the simulation is not proved, no advice
        5   `retrain`: too few requests to judge, the champion stays
        64  wrong usage
      """,
    version: Version.text,
    subcommands: [
      IngestCommand.self, RetrainCommand.self, FitCommand.self, FitEntriesCommand.self,
      EvaluateCommand.self,
      PredictCommand.self, InspectCommand.self, ExplainCommand.self, PromoteCommand.self,
      RollbackCommand.self, HistoryCommand.self, WatchCommand.self, DoctorCommand.self,
      PruneCommand.self, TuneCommand.self, SimulateCommand.self,
    ])

  /// Runs the command; output that could not be written, as on a full disk, is a failure too.
  static func main() {
    main(nil)
    guard fflush(nil) == 0 else {
      exit(withError: CommandFailure("standard output cannot be written; check the free space"))
    }
  }
}

/// The tool's version; it goes into every model's provenance.
enum Version {
  static let text = "1.0.0"
}
