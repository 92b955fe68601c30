public import Foundation

/// Everything that one evaluation found out; HTML, Markdown and JSON show the same content.
///
/// The JSON keys are the property names and stay stable within one ``formatVersion``. Durations
/// are milliseconds, shares and errors are fractions, moments are nanoseconds since 1970.
public struct Report: Sendable, Codable, Hashable {
  /// Raised when a key changes its meaning or goes away; 1 now.
  public var formatVersion = 1
  /// The page's title.
  public var title: String
  /// What the models were judged on.
  public var block: JudgedBlock
  /// What the gate decided, or would decide.
  public var decision: GateDecision
  /// Whether nothing is promoted by it: a model was judged, not a night; nil means no.
  public var isEvaluation: Bool?
  /// The new model.
  public var challenger: ModelEvaluation
  /// The serving model; nil on the first run.
  public var champion: ModelEvaluation?
  /// The predictor that knows nothing.
  public var baseline: ModelEvaluation
  /// The main numbers side by side.
  public var comparison: [ComparisonRow]
  /// What the data checks noticed.
  public var dataFindings: [DataFinding]
  /// How far each feature moved from the training window, largest first.
  public var drift: [DriftRow]

  /// Reads what ``json()`` wrote.
  public init(json: Data) throws(AccuracyReportError) {
    do {
      self = try ReportJSON.decoder().decode(Report.self, from: json)
    } catch {
      throw .json("\(error)")
    }
  }

  init(
    title: String, block: JudgedBlock, decision: GateDecision, challenger: ModelEvaluation,
    champion: ModelEvaluation?, baseline: ModelEvaluation, comparison: [ComparisonRow],
    dataFindings: [DataFinding], drift: [DriftRow]
  ) {
    self.title = title
    self.block = block
    self.decision = decision
    self.challenger = challenger
    self.champion = champion
    self.baseline = baseline
    self.comparison = comparison
    self.dataFindings = dataFindings
    self.drift = drift
  }

  /// The report as JSON with sorted keys; `"nan"` stands for an undefined number.
  public func json() throws(AccuracyReportError) -> Data {
    do {
      return try ReportJSON.encoder().encode(self)
    } catch {
      throw .json("\(error)")
    }
  }

  /// One self-contained page: no network, no library, light and dark.
  public func html() -> String { HTMLPage(report: self).text }

  /// The same content for a terminal or a chat.
  public func markdown() -> String { MarkdownPage(report: self).text }
}

/// What the models were judged on.
public struct JudgedBlock: Sendable, Codable, Hashable {
  /// Requests, censored ones included.
  public var requestCount: Int
  /// Requests without a latency: aborted, timed out, failed.
  public var censoredCount: Int
  /// Earliest arrival, nanoseconds since 1970.
  public var firstNanoseconds: Int64
  /// Latest arrival, nanoseconds since 1970.
  public var lastNanoseconds: Int64
}

/// One model on the judged block.
public struct ModelEvaluation: Sendable, Codable, Hashable {
  /// How people know it.
  public var name: String
  /// The coefficient file's size; 0 when there is none.
  public var fileSizeBytes: Int
  /// Where it comes from.
  public var provenance: [ProvenanceItem]
  /// Its terms.
  public var terms: [TermRow]
  /// The share of requests outside the range it was fitted on, 0…1.
  public var extrapolatingShare: Double
  /// Time to first token.
  public var ttft: TargetEvaluation
  /// Time per output token.
  public var tpot: TargetEvaluation

  /// The evaluation of one target.
  public func target(_ target: LatencyTarget) -> TargetEvaluation {
    target == .ttft ? ttft : tpot
  }

  /// What the gate remembers of this model for the next retrain.
  public var recorded: RecordedAccuracy {
    RecordedAccuracy(ttftMAPE: ttft.metrics.mape.estimate, tpotMAPE: tpot.metrics.mape.estimate)
  }
}

/// One target of one model on the judged block.
public struct TargetEvaluation: Sendable, Codable, Hashable {
  /// Over the whole block.
  public var metrics: TargetMetrics
  /// By every dimension, in the order in which they are shown.
  public var slices: [SliceMetrics]
  /// The worst pairs of slices, worst first.
  public var worstCohorts: [SliceMetrics]
  /// The model as a judge of limits.
  public var serviceLevels: [ServiceLevelRow]
  /// Predicted against actual; empty cells are left out.
  public var density: DensityGrid
  /// Errors over the block's time.
  public var overTime: [ResidualBin]
  /// Errors over the prefill backlog at dispatch.
  public var overBacklog: [ResidualBin]
  /// Errors over the decode batch at dispatch.
  public var overDecoding: [ResidualBin]

  /// The slices of one dimension.
  public func slices(of dimension: SliceDimension) -> [SliceMetrics] {
    slices.filter { $0.dimension == dimension.title }
  }
}

/// Counts of requests on a square grid with logarithmic axes: predicted median against actual.
public struct DensityGrid: Sendable, Codable, Hashable {
  /// Cells along each side.
  public var side: Int
  /// Where both axes begin, milliseconds.
  public var lowerMilliseconds: Double
  /// Where both axes end, milliseconds.
  public var upperMilliseconds: Double
  /// Cell index (`row × side + column`) of each filled cell; columns are actual, rows predicted.
  public var cells: [Int]
  /// Requests in each filled cell.
  public var counts: [Int]
}

/// The errors of the requests that fall into one bin.
public struct ResidualBin: Sendable, Codable, Hashable {
  /// Where the bin begins: nanoseconds since 1970, milliseconds, or requests.
  public var lower: Double
  /// Where it ends.
  public var upper: Double
  /// Requests in it.
  public var count: Int
  /// 10th percentile of predicted median over actual.
  public var ratioP10: Double
  /// Median of predicted median over actual; 1 is right.
  public var ratioP50: Double
  /// 90th percentile of predicted median over actual.
  public var ratioP90: Double
  /// Share of outcomes at or below the p90 head, 0…1.
  public var p90Coverage: Double
}

/// One number of all models.
public struct ComparisonRow: Sendable, Codable, Hashable {
  /// Which latency.
  public var target: LatencyTarget
  /// The metric's name.
  public var metric: String
  /// `share` is 0…1, `ms` is milliseconds, empty has no unit.
  public var unit: String
  /// The new model.
  public var challenger: Double
  /// The serving model; nil on the first run.
  public var champion: Double?
  /// The constant predictor.
  public var baseline: Double
  /// Challenger over champion (or over the constant predictor) with its paired time-block
  /// bootstrap interval; nil where a ratio says nothing.
  public var ratio: Interval?
}

/// How far one feature moved.
public struct DriftRow: Sendable, Codable, Hashable {
  /// Both distributions.
  public var feature: FeatureDistribution
  /// Population stability index.
  public var stabilityIndex: Double
  /// The conventional reading of it.
  public var mark: DriftMark
}
