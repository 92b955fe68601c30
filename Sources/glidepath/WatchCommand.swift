import ArgumentParser
import CoefficientFile
import Foundation
import RoutingRuntime

/// `glidepath watch`: a running scorer that reloads its coefficients as a gateway would.
struct WatchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "watch",
    abstract: "Score a sample request with the file at a path, reloading it whenever it changes.",
    discussion: "A rename, a switched link and a copy in place are all seen. Ends with Ctrl-C.")

  @Option(help: "The coefficient file, or a link to it such as models/champion.")
  var model: String

  @Option(help: "Stop after this many seconds; 0 means never.")
  var seconds = 0.0

  @Option(help: "Refuse files that this Ed25519 public key did not sign.")
  var publicKey: String?

  @OptionGroup var output: OutputOptions

  func run() throws {
    let published = PublishedModel()
    let isJSON = output.json
    let verify = try publicKey.map { try SigningKeys.verifier($0) }
    let watcher = ModelWatcher(path: model, publishingTo: published, verify: verify) { outcome in
      switch outcome {
      case .success(let version): Self.announce(version, published, isJSON)
      case .failure(let refusal):
        if isJSON {
          try? Console.print(json: ["refused": refusal.reason])
        } else {
          let stays =
            published.predictor == nil
            ? "no model is in force; waiting for one" : "the model in force stays"
          WatchCommand.say("refused: \(refusal.reason); \(stays)")
        }
      }
    }
    defer { watcher.stop() }
    let end = seconds > 0 ? Date(timeIntervalSinceNow: seconds) : .distantFuture
    while Date() < end { Thread.sleep(forTimeInterval: 0.1) }
  }

  /// Says which model is in force and what it predicts for a prompt on an idle endpoint.
  private static func announce(_ version: UInt64, _ published: PublishedModel, _ isJSON: Bool) {
    guard let predictor = published.predictor else { return }
    var pool = EndpointPool(predictor: predictor)
    let endpoint = pool.addEndpoint(engine: predictor.model.engines[0])
    let request = RequestShape(promptTokens: 1000)
    guard let prediction = pool.predict(request, on: endpoint, at: 0) else { return }
    let (ttft, tpot) = (prediction.ttft, prediction.tpot)
    if isJSON {
      try? Console.print(json: [
        "version": Int(clamping: version), "ttft_ms": ttft.mean, "tpot_ms": tpot.mean,
        "dataset": String(predictor.model.provenance.datasetFingerprint, radix: 16),
      ])
    } else {
      say(
        "model \(version) in force (\(predictor.model.provenance.sampleCount) requests, dataset "
          + "\(String(predictor.model.provenance.datasetFingerprint, radix: 16))): 1000 new tokens "
          + "on an idle endpoint: TTFT \(Console.short(ttft.mean)) ms, p90 "
          + "\(Console.short(ttft.p90)) ms; TPOT \(Console.short(tpot.mean)) ms")
    }
  }

  /// Writes a line at once, also into a pipe.
  private static func say(_ line: String) {
    FileHandle.standardOutput.write(Data((line + "\n").utf8))
  }
}
