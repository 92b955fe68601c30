public import AccuracyReport
internal import CoefficientFile
internal import LatencyRegression
internal import PredictorEntries
internal import RoutingRuntime

/// How a fit on posted entries ended.
public struct EntryRetrainResult: Sendable {
  /// What the gate decided; its raw value is the exit code.
  public var outcome: GateOutcome
  /// Why, for a person.
  public var reasons: [String]
  /// Entries that were read.
  public var entryCount = 0
  /// Lines of the log that are no entries.
  public var badLineCount = 0
  /// The file written; 0 when none was.
  public var fileBytes = 0
  /// TTFT MAPE of the better of the mean and median heads on the judged entries; `nan` without.
  public var ttftMAPE = Double.nan
  /// The same of TPOT.
  public var tpotMAPE = Double.nan
}

/// Learns a model from the entries that llm-d's router posted, and puts it in force if it is better.
///
/// Entries are kept in the order of their coming. The heads are fitted on the oldest part, levels
/// calibrated on the next, and the result is judged on the newest against the model in force, or
/// against a constant when there is none. Only a model that passes replaces the file, atomically, so
/// that a server that watches it never sees half a model nor a worse one.
public struct EntryRetrain: Sendable {
  /// Options.
  public struct Configuration: Sendable {
    /// Entries that are looked back on at most.
    public var windowEntries: Int
    /// The newest share of them, kept for judging; 0.1…0.5.
    public var judgedShare: Double
    /// Threads; no result depends on it.
    public var threads: Int
    /// Put into the model's provenance.
    public var toolVersion: String
    /// Signs the file; gets the bytes, gives 64.
    public var sign: (@Sendable ([UInt8]) -> [UInt8]?)?

    /// The defaults.
    public init(
      windowEntries: Int = 400_000, judgedShare: Double = 0.25, threads: Int = 4,
      toolVersion: String = "", sign: (@Sendable ([UInt8]) -> [UInt8]?)? = nil
    ) {
      self.windowEntries = max(windowEntries, 1)
      self.judgedShare = min(max(judgedShare, 0.1), 0.5)
      self.threads = threads
      self.toolVersion = toolVersion
      self.sign = sign
    }
  }

  private let configuration: Configuration

  /// The fewest entries of TTFT to learn from.
  public static let fewestEntries = 400

  /// A retrain with these options.
  public init(_ configuration: Configuration = Configuration()) {
    self.configuration = configuration
  }

  /// Fits the entries of `folder`, judges, and replaces the file at `output` if the gate agrees.
  ///
  /// - Throws: ``PredictorEntriesError``, ``FitError``, ``CoefficientFileError`` and
  ///   ``AccuracyReportError``; whatever is thrown, the file is the one from before.
  public func run(folder: String, output: String) throws -> EntryRetrainResult {
    let contents = try EntryLog.read(folder: folder, limit: configuration.windowEntries)
    var result = EntryRetrainResult(outcome: .tooLittleData, reasons: [])
    result.entryCount = contents.entries.count
    result.badLineCount = contents.badLineCount
    let samples = Self.samples(contents.entries)
    let judgedStart = samples.count - Int(configuration.judgedShare * Double(samples.count))
    let examples = contents.entries.reduce(0) { $0 + ($1[.actualTTFT] > 0 ? 1 : 0) }
    guard examples >= Self.fewestEntries else {
      result.reasons = [
        "only \(examples) entries with a TTFT; a first fit needs \(Self.fewestEntries)"
      ]
      return result
    }
    var model = try EntryTerms.fitter(threads: configuration.threads).fit(
      samples, range: 0..<judgedStart, provenance: provenance(contents.entries)
    ).model
    let judge = EntryJudge(entries: contents.entries, judged: judgedStart..<samples.count)
    // A champion that cannot be read, or is none of entries, is no champion.
    let champion = (try? CoefficientFile.read(path: output)).flatMap { model in
      (try? Predictor.compile(model).get())?.isOfEntries == true ? model : nil
    }
    let report = try judge.report(model, champion: champion, before: samples)
    result.outcome = report.decision.outcome
    result.reasons = report.decision.reasons.map(\.sentence)
    result.ttftMAPE = report.challenger.recorded.ttftMAPE
    result.tpotMAPE = report.challenger.recorded.tpotMAPE
    guard report.decision.promoted else { return result }
    model.provenance.validationTTFTError = result.ttftMAPE
    model.provenance.validationTPOTError = result.tpotMAPE
    let bytes = try model.encoded(sign: configuration.sign)
    try CoefficientFile.write(bytes, to: output)
    result.fileBytes = bytes.count
    return result
  }

  /// The entries as samples: the same features that serving will fill.
  static func samples(_ entries: [PredictorEntry]) -> FeatureSamples {
    var samples = FeatureSamples()
    var row = [Double](repeating: 0, count: Feature.count)
    for entry in entries {
      entry.fill(&row)
      let (ttft, tpot) = (entry[.actualTTFT], entry[.actualTPOT])
      samples.append(
        row, ttftMilliseconds: ttft > 0 ? ttft : .nan, tpotMilliseconds: tpot > 0 ? tpot : .nan,
        class: entry.podType)
    }
    return samples
  }

  private func provenance(_ entries: [PredictorEntry]) -> Provenance {
    var fingerprint: UInt64 = 0xcbf2_9ce4_8422_2325
    for entry in entries {
      for field in PredictorEntry.Field.allCases {
        fingerprint = (fingerprint ^ entry[field].bitPattern) &* 0x100_0000_01b3
      }
    }
    return Provenance(
      datasetFingerprint: fingerprint, sampleCount: UInt64(entries.count),
      firstReceivedNanoseconds: Int64(entries.first?[.receivedUnixNanoseconds] ?? 0),
      lastReceivedNanoseconds: Int64(entries.last?[.receivedUnixNanoseconds] ?? 0),
      toolVersion: configuration.toolVersion, servedModel: "posted entries")
  }
}
