public import AccuracyReport
public import CoefficientFile
internal import LogReplay
internal import RequestLog
internal import RoutingRuntime

/// Reports how well a model predicts a log.
public enum Evaluation {
  /// Judges `model` on all rows of `log`, against `champion` if given and a constant predictor.
  ///
  /// The constants are the log's own medians and levels: the best that any constant could do.
  ///
  /// - Throws: ``RefusalError``, ``AccuracyReportError``.
  public static func report(
    of model: GlideModel, named name: String, champion: GlideModel? = nil, on log: LoadedLog
  ) throws -> Report {
    let rows = 0..<log.replay.rows.count
    let judgement = try Judgement(model, log: log, range: rows)
    let evaluated = try evaluatedModel(model, name: name, judgement)
    let other = try champion.map {
      try evaluatedModel($0, name: "champion", Judgement($0, log: log, range: rows))
    }
    var report = try Report.build(
      requests: judgement.requests, challenger: evaluated, champion: other,
      baseline: baseline(log, rows), title: "Accuracy of \(name)")
    report.isEvaluation = true
    return report
  }

  static func evaluatedModel(
    _ model: GlideModel, name: String, _ judgement: Judgement, recorded: RecordedAccuracy? = nil
  ) throws(CoefficientFileError) -> EvaluatedModel {
    EvaluatedModel(
      name: name, predictions: judgement.predictions,
      fileSizeBytes: try model.encoded().count, provenance: provenance(model),
      terms: TermTable.rows(model, shares: judgement.shares), recorded: recorded)
  }

  static func baseline(_ log: LoadedLog, _ rows: Range<Int>) -> ConstantBaseline {
    var ttft: [Double] = []
    var tpot: [Double] = []
    for index in rows where log.replay.isComplete(index) {
      let row = log.replay.rows[index]
      ttft.append(row.ttftMilliseconds)
      if row.outputTokens > 8, row.tpotMilliseconds > 0 { tpot.append(row.tpotMilliseconds) }
    }
    return ConstantBaseline(trainingTTFTMilliseconds: ttft, trainingTPOTMilliseconds: tpot)
  }

  private static func provenance(_ model: GlideModel) -> [ProvenanceItem] {
    let origin = model.provenance
    return [
      ProvenanceItem("dataset", String(origin.datasetFingerprint, radix: 16)),
      ProvenanceItem("requests fitted", String(origin.sampleCount)),
      ProvenanceItem("first arrival, Unix ns", String(origin.firstReceivedNanoseconds)),
      ProvenanceItem("last arrival, Unix ns", String(origin.lastReceivedNanoseconds)),
      ProvenanceItem("served model", origin.servedModel),
      ProvenanceItem("tool", "glidepath " + origin.toolVersion),
    ]
  }

  /// How the features that matter most lie in the judged block against the fitted one.
  static func drift(fitted: Judgement, judged: Judgement) -> [FeatureDistribution] {
    let features: [Feature] = [
      .promptTokens, .newTokens, .matchedPrefixTokens, .queueMilliseconds, .prefillMilliseconds,
      .decodeStepMilliseconds, .decodingRequests, .queuedRequests, .arrivalWork,
      .poolArrivalWork, .recentTPOT, .recentOutputTokens,
    ]
    return features.map {
      FeatureDistribution(
        name: $0.title, unit: $0.unit, training: fitted.values($0), judged: judged.values($0))
    }
  }
}
