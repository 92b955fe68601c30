import ArgumentParser
import Foundation
import Logging
import PredictorAPI
import PredictorEntries
import ServiceLifecycle

/// `glidepath-gateway predictor`: llm-d's latency predictor, by Glidepath.
struct PredictorCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "predictor",
    abstract: "Serve the HTTP API of llm-d's latency prediction and training servers.",
    discussion: """
      An unmodified llm-d router uses it in place of the Python sidecars: give it this server's \
      addresses as PREDICTION_SERVER_URL and TRAINING_SERVER_URL. Entries and the model are kept in \
      FOLDER. Fits run as `glidepath fit-entries`, a program that lies beside this one unless \
      --fit-command says otherwise.
      """)

  @Option(help: "Where entries and the model are kept.")
  var folder = "glidepath-predictor"

  @Option(help: "The address to listen on.")
  var host = "127.0.0.1"

  @Option(help: "The prediction API's port; 0 for any free one.")
  var predictionPort = 8001

  @Option(help: "The training API's port; 0 for any free one.")
  var trainingPort = 8000

  @Option(help: "Answer with this quantile, above 0 and below 1, instead of the mean.")
  var quantile: Double?

  @Option(help: "Fit at the latest after this many seconds.")
  var retrainSeconds = 1_800.0

  @Option(help: "Fit as soon as this many entries are new.")
  var retrainEntries = 5_000

  @Option(help: "The program that fits, or 'none'.")
  var fitCommand: String?

  @Flag(help: "Answer /readyz with 503 until a first model was fitted.")
  var strictReadiness = false

  @OptionGroup var server: ServerOptions

  func validate() throws {
    if let quantile, !(quantile > 0 && quantile < 1) {
      throw ValidationError("--quantile must be above 0 and below 1")
    }
    for port in [predictionPort, trainingPort] where !(0...65_535).contains(port) {
      throw ValidationError("--prediction-port and --training-port must be 0…65535")
    }
  }

  func run() async throws {
    var configuration = PredictorConfiguration(folder: folder)
    configuration.host = host
    configuration.predictionPort = predictionPort
    configuration.trainingPort = trainingPort
    if let quantile { configuration.head = .quantile(quantile) }
    configuration.retrainSeconds = retrainSeconds
    configuration.retrainEntries = retrainEntries
    configuration.leastRetrainSeconds = min(30, retrainSeconds)
    configuration.isReadinessStrict = strictReadiness
    let logger = try server.logger("predictor")
    if let program = Self.fitProgram(fitCommand) {
      configuration.fitCommand = [program, "fit-entries"]
    } else {
      logger.warning("nothing fits here: no glidepath beside this program, or told so")
    }
    let service = try PredictorServer(configuration, logger: logger) { ports in
      print("predictions on port \(ports.prediction), training on port \(ports.training)")
      fflush(nil)
    }
    try await ServiceGroup.runUntilSignal([service], logger: logger)
  }

  /// The program that fits: the one given, or `glidepath` beside this one.
  private static func fitProgram(_ given: String?) -> String? {
    if let given { return given == "none" ? nil : given }
    let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    let beside = URL(fileURLWithPath: own).deletingLastPathComponent()
      .appendingPathComponent("glidepath").path
    return FileManager.default.isExecutableFile(atPath: beside) ? beside : nil
  }
}
