public import AccuracyReport
internal import CoefficientFile
internal import Foundation
internal import LatencyRegression
internal import LogReplay
public import LogStore
internal import RequestLog
internal import RoutingRuntime

/// How a retrain ended.
public struct RetrainResult: Sendable {
  /// What the gate decided; its raw value is the exit code.
  public var outcome: GateOutcome
  /// Why, for a person.
  public var reasons: [String]
  /// The challenger's id; `nil` when the data were refused before a fit.
  public var modelID: String?
  /// The champion before.
  public var previousID: String?
  /// The report without extension: `.html`, `.md` and `.json` lie beside each other.
  public var reportPath: String?
  /// Findings about the data, blocking ones first.
  public var findings: [DataFinding]
  /// The report's numbers.
  public var report: Report?
  /// Requests in the window.
  public var requestCount = 0
}

/// The nightly job: window → data checks → fit → judge → gate → promote.
///
/// Time order is kept throughout: the heads are fitted on the oldest block, their levels calibrated
/// on the next, and the result judged on the newest, which begins after every fitted request ended.
public struct RetrainPipeline {
  /// Options.
  public struct Configuration: Sendable {
    /// Days of log that a fit looks back; at least 1.
    public var windowDays: Double
    /// Threads.
    public var threads: Int
    /// Signs the file; gets the bytes, gives 64.
    public var sign: (@Sendable ([UInt8]) -> [UInt8]?)?
    /// Whether the data checks ask the clock how old the log is.
    public var checksAge: Bool
    /// Whether a night much shorter than the one before is fine.
    public var allowsShort: Bool

    /// The defaults.
    public init(
      windowDays: Double = 14, threads: Int = 4,
      sign: (@Sendable ([UInt8]) -> [UInt8]?)? = nil, checksAge: Bool = false,
      allowsShort: Bool = false
    ) {
      self.allowsShort = allowsShort
      self.windowDays = windowDays
      self.threads = threads
      self.sign = sign
      self.checksAge = checksAge
    }
  }

  /// Called with a stage's name and the share of the whole that is done, 0…1.
  public typealias ProgressHandler = (String, Double) -> Void

  private let workspace: Workspace
  private let configuration: Configuration

  /// A retrain in `workspace`.
  public init(_ workspace: Workspace, configuration: Configuration = Configuration()) {
    self.workspace = workspace
    self.configuration = configuration
  }

  /// Runs it.
  ///
  /// - Throws: ``LogStoreError``, ``FitError``, ``AccuracyReportError`` and file errors; whatever is
  ///   thrown, the champion is the one from before. A second retrain of the workspace at the same
  ///   time is refused.
  public func run(progress: ProgressHandler? = nil) throws -> RetrainResult {
    try workspace.withRetrainLock { try retrain(progress) }
  }

  private func retrain(_ progress: ProgressHandler?) throws -> RetrainResult {
    progress?("loading the window", 0)
    let window = try self.window()
    let log = try LoadedLog.load(workspace, window: window)
    let champion = try self.champion()
    progress?("checking the data", 0.1)
    let night = self.night(log.replay, champion)
    let findings = try self.findings(log, night, champion)
    if findings.contains(where: { $0.severity == .block }) {
      return refusal(findings, champion, log.replay.rows.count)
    }
    let blocks = TimeBlocks(log.replay)
    guard blocks.judge.count >= 100, blocks.fit.count >= ModelFitter.smallestLog else {
      return RetrainResult(
        outcome: .tooLittleData,
        reasons: [
          "only \(log.replay.rows.count) requests in the window; ingest more of the log first"
        ], previousID: champion?.id, findings: findings, requestCount: log.replay.rows.count)
    }
    let fitted = try ModelFitter(
      ModelFitter.Configuration(threads: configuration.threads)
    ).fit(log.replay, rows: blocks.fit) { stage, share in progress?(stage, 0.15 + 0.55 * share) }

    progress?("judging", 0.75)
    let report = try judge(fitted.model, champion, log, blocks, findings)
    progress?("recording", 0.95)
    return try record(fitted.model, report, champion, log, night, findings)
  }

  // MARK: - Parts

  /// The rows that are new since the champion learned; all of them when none are, so that the checks
  /// can say so.
  private func night(_ log: ReplayLog, _ champion: Champion?) -> Range<Int> {
    guard let last = champion?.details.summary?.lastNanoseconds else { return 0..<log.rows.count }
    let first = log.rows.firstIndex { $0.receivedNanoseconds > last }
    return (first ?? 0)..<log.rows.count
  }

  private func findings(
    _ log: LoadedLog, _ night: Range<Int>, _ champion: Champion?
  ) throws -> [DataFinding] {
    let quarantined = try champion == nil ? Int(workspace.statistics().quarantined) : 0
    let summary = DatasetSummarizing.summary(
      log, range: night, model: champion?.model, previous: champion?.details.summary,
      quarantined: quarantined)
    var checks = DataCheckConfiguration()
    // Nights are compared with nights, by time; how many rows they have is the load's business.
    checks.minimumWindowShare = 0
    checks.minimumNewShare = 0
    let now = configuration.checksAge ? Int64(Date().timeIntervalSince1970 * 1e9) : nil
    let shape = WindowChecks(
      log: log.replay, night: night,
      expectedNanoseconds: configuration.allowsShort ? nil : champion?.details.nightNanoseconds)
    let found =
      DataChecks(configuration: checks).findings(
        new: summary, trained: champion?.details.summary, nowNanoseconds: now) + shape.findings
    return found.filter { $0.severity == .block } + found.filter { $0.severity != .block }
  }

  /// The last `windowDays` of the log, by its own clock.
  private func window() throws(LogStoreError) -> ClosedRange<Int64>? {
    guard let range = try workspace.timeRange() else { return nil }
    let length = Int64(configuration.windowDays * 86_400e9)
    return max(range.lowerBound, range.upperBound - length)...range.upperBound
  }

  private struct Champion {
    var id: String
    var model: GlideModel
    var details: ModelDetails
  }

  private func champion() throws -> Champion? {
    guard let id = workspace.champion() else { return nil }
    let record = try workspace.models().first { $0.id == id }
    let model = try GlideModel(decoding: workspace.modelBytes(id))
    return Champion(
      id: id, model: model, details: ModelDetails(json: record?.detailsJSON ?? "{}"))
  }

  private func refusal(
    _ findings: [DataFinding], _ champion: Champion?, _ count: Int
  ) -> RetrainResult {
    RetrainResult(
      outcome: .dataRefused,
      reasons: findings.filter { $0.severity == .block }.map(\.sentence),
      previousID: champion?.id, findings: findings, requestCount: count)
  }

  private func judge(
    _ model: GlideModel, _ champion: Champion?, _ log: LoadedLog, _ blocks: TimeBlocks,
    _ findings: [DataFinding]
  ) throws -> Report {
    let judgement = try Judgement(model, log: log, range: blocks.judge)
    let recent = max(blocks.fit.lowerBound, blocks.fit.upperBound - 20_000)
    let fitted = try Judgement(model, log: log, range: recent..<blocks.fit.upperBound)
    let other = try champion.map { champion in
      try Evaluation.evaluatedModel(
        champion.model, name: champion.id,
        Judgement(champion.model, log: log, range: blocks.judge),
        recorded: champion.details.recorded)
    }
    return try Report.build(
      requests: judgement.requests,
      challenger: Evaluation.evaluatedModel(model, name: "challenger", judgement),
      champion: other, baseline: Evaluation.baseline(log, blocks.fit), dataFindings: findings,
      drift: Evaluation.drift(fitted: fitted, judged: judgement),
      title: "Retrain of \(model.provenance.servedModel)")
  }

  private func record(
    _ given: GlideModel, _ judged: Report, _ champion: Champion?, _ log: LoadedLog,
    _ night: Range<Int>, _ findings: [DataFinding]
  ) throws -> RetrainResult {
    var (model, report) = (given, judged)
    model.provenance.validationTTFTError = report.challenger.recorded.ttftMAPE
    model.provenance.validationTPOTError = report.challenger.recorded.tpotMAPE
    let bytes = try model.encoded(sign: configuration.sign)
    let now = Int64(Date().timeIntervalSince1970)
    let id = Self.modelID(bytes, now)
    // Somebody may have promoted or rolled back meanwhile: then it was judged against the wrong one.
    guard workspace.champion() == champion?.id else {
      throw LogStoreError.promotionOvertaken(model: id)
    }
    report.challenger.name = id
    let summary = DatasetSummarizing.summary(
      log, range: night, model: model, previous: nil, quarantined: 0)
    let shape = WindowChecks(log: log.replay, night: night, expectedNanoseconds: nil)
    let details = ModelDetails(
      summary: summary, recorded: report.challenger.recorded,
      nightNanoseconds: shape.lengthNanoseconds)
    let window =
      log.replay.rows.isEmpty
      ? nil : model.provenance.firstReceivedNanoseconds...model.provenance.lastReceivedNanoseconds
    let digest = String(model.provenance.datasetFingerprint, radix: 16)
    try workspace.record(
      model: ModelRecord(
        id: id, createdUnixSeconds: now, datasetFingerprint: digest, window: window,
        detailsJSON: details.json()), bytes: bytes)
    let path = workspace.reportsDirectory + "/" + id
    try Data(report.html().utf8).write(to: URL(fileURLWithPath: path + ".html"))
    try Data(report.markdown().utf8).write(to: URL(fileURLWithPath: path + ".md"))
    try report.json().write(to: URL(fileURLWithPath: path + ".json"))
    let reasons = report.decision.reasons.map(\.sentence)
    let evaluation = try workspace.record(
      evaluation: EvaluationRecord(
        modelID: id, championID: champion?.id, createdUnixSeconds: now,
        datasetFingerprint: digest, window: window,
        verdict: report.decision.promoted ? "promoted" : "rejected",
        reason: reasons.joined(separator: " "),
        metricsJSON: details.recordedJSON, report: "reports/\(id).html"))
    if report.decision.promoted {
      try workspace.promote(
        id, reason: reasons.first ?? "better than the champion", evaluation: evaluation)
    }
    return RetrainResult(
      outcome: report.decision.outcome, reasons: reasons, modelID: id, previousID: champion?.id,
      reportPath: path, findings: findings, report: report,
      requestCount: log.replay.rows.count)
  }

  /// Sortable by time, distinct by content: `20261123-031500-1a2b3c4d`.
  private static func modelID(_ bytes: [UInt8], _ seconds: Int64) -> String {
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_US_POSIX")
    formatter.timeZone = TimeZone(identifier: "UTC")
    formatter.dateFormat = "yyyyMMdd-HHmmss"
    let stamp = formatter.string(from: Date(timeIntervalSince1970: Double(seconds)))
    // The file ends with its own checksum, over which a checksum would be the same for all.
    let check = String(CRC32C.checksum(bytes.reversed()), radix: 16)
    return stamp + "-" + String(repeating: "0", count: 8 - check.count) + check
  }
}

/// What is kept beside a model for the next night: its data's summary and its accuracy.
struct ModelDetails: Codable {
  var summary: DatasetSummary?
  var recorded: RecordedAccuracy?
  var nightNanoseconds: Int64?

  init(summary: DatasetSummary, recorded: RecordedAccuracy, nightNanoseconds: Int64) {
    self.summary = summary
    self.recorded = recorded
    self.nightNanoseconds = nightNanoseconds
  }

  /// Details that cannot be read count as absent: the checks that need them are skipped.
  init(json: String) {
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    if let read = try? decoder.decode(ModelDetails.self, from: Data(json.utf8)) {
      self = read
    } else {
      summary = nil
      recorded = nil
      nightNanoseconds = nil
    }
  }

  func json() throws -> String { String(decoding: try Self.encoder.encode(self), as: UTF8.self) }

  /// The accuracy alone; `{}` when there is none.
  var recordedJSON: String {
    guard let recorded, let data = try? Self.encoder.encode(recorded) else { return "{}" }
    return String(decoding: data, as: UTF8.self)
  }

  private static var encoder: JSONEncoder {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    return encoder
  }
}
