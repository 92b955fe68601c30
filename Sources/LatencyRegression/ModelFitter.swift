public import CoefficientFile
internal import LinearAlgebra
public import LogReplay
internal import RequestLog
internal import RoutingRuntime

/// Why no model could be fitted.
public enum FitError: Error, Sendable, CustomStringConvertible {
  /// Too few requests that ended well.
  case tooFewRequests(usable: Int, needed: Int)
  /// A regression failed.
  case solver(target: String, SolverError)
  /// The engines could not be calibrated.
  case engine(String)

  /// What happened and what to do.
  public var description: String {
    switch self {
    case .tooFewRequests(let usable, let needed):
      "only \(usable) requests ended well; a fit needs \(needed). Give it a longer log."
    case .solver(let target, let error): "fitting \(target): \(error)"
    case .engine(let reason): "calibrating the engines: \(reason)"
    }
  }
}

/// What a fit did, for the report and for `--json`.
public struct FitReport: Sendable {
  /// Requests that the heads were fitted on.
  public var sampleCount = 0
  /// Requests that the levels were calibrated on.
  public var calibrationCount = 0
  /// How the TTFT and TPOT means were solved: cholesky, qr or svd.
  public var methods: [String] = []
  /// The condition of those solutions.
  public var conditionNumbers: [Double] = []
  /// The emulated engines' own mean relative TTFT error.
  public var emulatorError = Double.nan
  /// What a person should know.
  public var warnings: [String] = []
}

/// A model and how it came about.
public struct FittedModel: Sendable {
  /// The model.
  public var model: GlideModel
  /// How it came about.
  public var report: FitReport
}

/// Learns a ``GlideModel`` from a request log.
///
/// The steps: calibrate the engines' step model; replay the log through them for features; choose
/// terms; fit the robust relative centre and the quantile levels; fit the groups' deviations;
/// calibrate the levels on the newest block. The same log gives the same bytes, on any number of
/// threads.
public struct ModelFitter: Sendable {
  /// Options.
  public struct Configuration: Sendable {
    /// Threads that share the work; no result depends on it.
    public var threads: Int
    /// The newest share of the requests, kept for calibrating the levels; 0…0.5.
    public var calibrationShare: Double
    /// Requests that heads and groups are fitted on at most; of longer logs, every so many-th.
    ///
    /// A few dozen coefficients are as sure then as the terms are right. All requests are replayed.
    public var maximumFitRows: Int
    /// Put into the model's provenance.
    public var toolVersion: String

    /// The defaults.
    public init(
      threads: Int = 4, calibrationShare: Double = 0.15, maximumFitRows: Int = 250_000,
      toolVersion: String = "1.0.0"
    ) {
      self.threads = threads
      self.calibrationShare = calibrationShare
      self.maximumFitRows = maximumFitRows
      self.toolVersion = toolVersion
    }
  }

  private let configuration: Configuration

  /// The fewest usable requests.
  public static let smallestLog = 40

  /// A fitter with these options.
  public init(_ configuration: Configuration = Configuration()) {
    self.configuration = configuration
  }

  /// Fits a model to rows `rows` of `log` (all, when `nil`).
  ///
  /// - Parameter progress: Called with a stage's name and the share done, 0…1.
  /// - Throws: ``FitError``.
  /// - Complexity: a few replays of the log, O(*n p²*) for the regressions.
  public func fit(
    _ logged: ReplayLog, rows: Range<Int>? = nil, progress: ((String, Double) -> Void)? = nil
  ) throws(FitError) -> FittedModel {
    let range = rows ?? 0..<logged.rows.count
    let usable = sum(over: range) { logged.isComplete($0) ? 1 : 0 }
    guard usable >= Self.smallestLog else {
      throw .tooFewRequests(usable: usable, needed: Self.smallestLog)
    }
    let changes = SpeedChanges.find(logged, in: range, threads: configuration.threads)
    let log = changes.isEmpty ? logged : Self.retold(logged, changes)
    progress?("calibrating engines", 0)
    let engines = try calibrateEngines(log, range)
    progress?("replaying", 0.3)
    let stride = max(
      1, (range.count + configuration.maximumFitRows - 1) / configuration.maximumFitRows)
    let table = FeatureTable.collect(
      log, range: range, assignment: engines.assignment, stride: stride,
      threads: configuration.threads)
    let calibrationStart =
      table.sampleCount - Int(configuration.calibrationShare * Double(table.sampleCount))
    let fitted = 0..<Self.embargoed(log, table, before: calibrationStart)
    var report = FitReport()
    report.sampleCount = fitted.count
    report.calibrationCount = table.sampleCount - calibrationStart
    report.emulatorError = engines.error
    report.warnings += changes.map { Self.sentence($0, logged) }
    progress?("fitting TTFT and TPOT", 0.45)
    let (ttft, tpot) = try fitTargets(table, fitted, &report)
    var model = GlideModel(
      schemaFingerprint: Feature.schemaFingerprint, engines: engines.engines, groups: [],
      ttft: ttft, tpot: tpot, correction: Self.correction,
      support: support(table), policy: [], provenance: provenance(logged, range))
    progress?("fitting groups", 0.85)
    model.groups = GroupFit(
      log: log, table: table, engines: engines, threads: configuration.threads
    ).groups(&model)
    progress?("calibrating levels", 0.95)
    LevelCalibration(
      log: log, range: range, share: configuration.calibrationShare, threads: configuration.threads
    ).apply(to: &model)
    return FittedModel(model: model, report: report)
  }

  /// The log as it would be, had endpoints always been as quick as they are at its end.
  private static func retold(_ log: ReplayLog, _ changes: [SpeedChanges.Change]) -> ReplayLog {
    log.latencies { index in
      let logarithm = changes.logarithm(row: index, endpoint: log.rows[index].endpoint)
      return logarithm == 0 ? 1 : Exponential.value(logarithm)
    }
  }

  private static func sentence(_ change: SpeedChanges.Change, _ log: ReplayLog) -> String {
    let percent = Int((100 * (Exponential.value(change.logarithm) - 1)).rounded())
    let whose = log.symbols.name(change.endpoint).map { "endpoint \($0)" } ?? "the fleet"
    return "\(whose) later became \(abs(percent)) % \(percent > 0 ? "slower" : "quicker"); "
      + "\(change.rows.count) requests from before are told at the newest speed"
  }

  /// Where the heads' samples end, so that their outcomes were known when sample `start`, the first
  /// that calibrates, was dispatched.
  ///
  /// At most ``embargoShare`` of the samples are left out: a request that hangs for an hour must not
  /// cost a small log its newest half.
  private static func embargoed(
    _ log: ReplayLog, _ table: FeatureTable, before start: Int
  ) -> Int {
    guard start < table.sampleCount else { return start }
    let time = log.dispatchTime(table.rows[start])
    let first = start - Int(embargoShare * Double(start))
    return (first..<start).first { log.endTime(table.rows[$0]) > time } ?? start
  }

  private static let embargoShare = 0.05

  private func calibrateEngines(
    _ log: ReplayLog, _ range: Range<Int>
  ) throws(FitError) -> EngineCalibration.Result {
    do {
      return try EngineCalibration(
        log, configuration: EngineCalibration.Configuration(), threads: configuration.threads
      ).run(range)
    } catch {
      throw .engine("\(error)")
    }
  }

  private func fitTargets(
    _ table: FeatureTable, _ range: Range<Int>, _ report: inout FitReport
  ) throws(FitError) -> (ttft: TargetModel, tpot: TargetModel) {
    let threads = configuration.threads
    @Sendable func fitted(
      _ target: TargetFitter.Target
    ) -> Result<TargetFitter.Fitted, FitError> {
      do throws(SolverError) {
        return .success(
          try TargetFitter(target: target, table: table, threads: threads).fit(range))
      } catch {
        return .failure(.solver(target: target.rawValue, error))
      }
    }
    // Where one waits for a small system's solution, the other has rows to sum.
    let (ttft, tpot) = SideBySide.run(threads: threads) {
      fitted(.ttft)
    } _: {
      fitted(.tpot)
    }
    var models: [TargetModel] = []
    for (target, outcome) in [(TargetFitter.Target.ttft, ttft), (.tpot, tpot)] {
      let fitted = try outcome.get()
      report.methods.append(fitted.method.rawValue)
      report.conditionNumbers.append(fitted.conditionNumber)
      if fitted.crossValidationError.isNaN {
        report.warnings.append(
          "\(target.rawValue): too few requests to choose terms; only the base terms are used")
      }
      models.append(fitted.model)
    }
    return (models[0], models[1])
  }

  /// How outcomes correct predictions between fits; chosen on the bundled logs' fit blocks.
  private static let correction = CorrectionModel(
    gain: 0.02, bound: 3, halfLifeMilliseconds: 600_000, conformalStep: 0.005)

  /// Where the samples lie, but for a thousandth at either end.
  private func support(_ table: FeatureTable) -> [FeatureSupport] {
    RowBlocks(rowCount: Feature.count, blockRows: 1).map(threads: configuration.threads) { block in
      let step = max(1, table.sampleCount / 20_000)
      let values = stride(from: 0, to: table.sampleCount, by: step).map {
        table.features[$0, block.lowerBound]
      }
      let count = values.count / 1000 + 1
      let least = Self.least(count, of: values)
      let greatest = Self.least(count, of: values.map { -$0 })
      guard let low = least.last, let high = greatest.last, let last = greatest.first else {
        return FeatureSupport(low: 0, high: 0)
      }
      return FeatureSupport(low: low, high: max(low, -high)).including(last: -last)
    }
  }

  /// The `count` least of `values`, in rising order.
  private static func least(_ count: Int, of values: [Float]) -> [Float] {
    var kept: [Float] = []
    for value in values {
      if kept.count == count {
        guard let last = kept.last, value < last else { continue }
        kept.removeLast()
      }
      kept.insert(value, at: kept.firstIndex { value < $0 } ?? kept.count)
    }
    return kept
  }

  /// The wrapping sum of `value` over rows.
  private func sum<Value: FixedWidthInteger & Sendable>(
    over range: Range<Int>, _ value: @Sendable (Int) -> Value
  ) -> Value {
    RowBlocks(rowCount: range.count).map(threads: configuration.threads) { rows in
      rows.reduce(0) { $0 &+ value(range.lowerBound + $1) }
    }.reduce(0, &+)
  }

  private func provenance(_ log: ReplayLog, _ range: Range<Int>) -> Provenance {
    let fingerprint = sum(over: range) { index -> UInt64 in
      let row = log.rows[index]
      return (row.identityHigh ^ row.identityLow) &* 0x9E37_79B9_7F4A_7C15
        &+ row.ttftMilliseconds.bitPattern &* 0xBF58_476D_1CE4_E5B9
        &+ row.e2eMilliseconds.bitPattern
    }
    let first = range.isEmpty ? 0 : log.rows[range.lowerBound].receivedNanoseconds
    let last = range.isEmpty ? 0 : log.rows[range.upperBound - 1].receivedNanoseconds
    let served = range.isEmpty ? nil : log.symbols.name(log.rows[range.lowerBound].model)
    return Provenance(
      datasetFingerprint: fingerprint, sampleCount: UInt64(range.count),
      firstReceivedNanoseconds: first, lastReceivedNanoseconds: last,
      toolVersion: configuration.toolVersion, servedModel: served ?? "")
  }
}

extension FeatureSupport {
  /// A range of one value also supports the largest seen.
  fileprivate func including(last: Float) -> FeatureSupport {
    high > low ? self : FeatureSupport(low: low, high: max(high, last))
  }
}
