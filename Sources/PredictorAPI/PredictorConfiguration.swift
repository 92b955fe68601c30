public import PredictorEntries

/// Why the predictor cannot be served.
public enum PredictorAPIError: Error, Sendable, Hashable, CustomStringConvertible {
  /// A configured value is out of its range.
  case outOfRange(name: String, value: String, allowed: String)
  /// The folder of entries cannot be used.
  case entries(PredictorEntriesError)

  /// What happened.
  public var description: String {
    switch self {
    case .outOfRange(let name, let value, let allowed): "\(name) is \(value); allowed: \(allowed)"
    case .entries(let error): "the entry log: \(error)"
    }
  }
}

/// How the predictor is served.
public struct PredictorConfiguration: Sendable {
  /// The address to listen on; loopback unless told otherwise.
  public var host = "127.0.0.1"
  /// The port of the prediction API, 0 for any free one.
  public var predictionPort = 8001
  /// The port of the training API, 0 for any free one.
  public var trainingPort = 8000
  /// Holds the posted entries (`entries/`) and the model in force (`champion.glide`).
  public var folder: String
  /// The number that the API answers with.
  public var head = EntryPredictor.Head.mean
  /// The program that fits, with its first arguments; empty when something else fits.
  ///
  /// It is called with the folder of entries, `--output` and the model's path, and is to replace the
  /// model only with a better one.
  public var fitCommand: [String] = []
  /// The longest time between fits while entries come in, s, at least 1.
  public var retrainSeconds = 1_800.0
  /// New entries that are worth a fit at once, at least 1.
  public var retrainEntries = 5_000
  /// The shortest time between fits, s, at least 0.
  public var leastRetrainSeconds = 30.0
  /// What a fit may take, s, at least 1; then it is ended.
  public var fitTimeoutSeconds = 600.0
  /// Whether `/readyz` answers 503 until a model was fitted.
  ///
  /// Off unless told otherwise: a router whose readiness depends on the predictor's would never get
  /// the traffic that a first fit learns from. `/status` says `is_ready: false` either way.
  public var isReadinessStrict = false
  /// The largest request body, bytes.
  public var maximumBodyBytes = 32 << 20
  /// How the entries are kept.
  public var entryLog = EntryLog.Configuration()

  /// The defaults, in `folder`.
  public init(folder: String) { self.folder = folder }

  /// Where the model in force lies.
  public var modelPath: String { folder + "/champion.glide" }
  /// Where posted entries are kept.
  public var entriesFolder: String { folder + "/entries" }

  func validate() throws(PredictorAPIError) {
    for (name, port) in [("prediction port", predictionPort), ("training port", trainingPort)] {
      guard (0...65_535).contains(port) else {
        throw .outOfRange(name: name, value: "\(port)", allowed: "0…65535")
      }
    }
    guard retrainSeconds >= 1, retrainSeconds.isFinite else {
      throw .outOfRange(name: "retrain interval", value: "\(retrainSeconds) s", allowed: "≥ 1 s")
    }
    guard retrainEntries >= 1 else {
      throw .outOfRange(name: "retrain entries", value: "\(retrainEntries)", allowed: "≥ 1")
    }
    guard fitTimeoutSeconds >= 1, fitTimeoutSeconds.isFinite else {
      throw .outOfRange(name: "fit timeout", value: "\(fitTimeoutSeconds) s", allowed: "≥ 1 s")
    }
    if case .quantile(let level) = head, !(level > 0 && level < 1) {
      throw .outOfRange(name: "level", value: "\(level)", allowed: "above 0, below 1")
    }
  }
}
