internal import AccuracyReport
internal import CoefficientFile
internal import LatencyRegression
internal import PredictorEntries
internal import RoutingRuntime

/// Judges models on the newest entries, as the server would have answered them.
struct EntryJudge {
  let entries: [PredictorEntry]
  let judged: Range<Int>

  /// Compares `model` with `champion`, or with a constant learned on what came before.
  func report(
    _ model: GlideModel, champion: GlideModel?, before samples: FeatureSamples
  ) throws -> Report {
    let fitted = 0..<judged.lowerBound
    return try Report.build(
      requests: judged.map(request), challenger: evaluated(model, name: "challenger"),
      champion: champion.map { try evaluated($0, name: "champion") },
      baseline: ConstantBaseline(
        trainingTTFTMilliseconds: fitted.map { samples.ttftMilliseconds[$0] },
        trainingTPOTMilliseconds: fitted.map { samples.tpotMilliseconds[$0] }),
      title: "Retrain on posted entries")
  }

  private func evaluated(_ model: GlideModel, name: String) throws -> EvaluatedModel {
    var predictor = EntryPredictor(try Predictor.compile(model).get())
    let predictions = judged.map { index in
      let heads = predictor.heads(entries[index])
      return AccuracyReport.Prediction(ttft: Self.heads(heads.ttft), tpot: Self.heads(heads.tpot))
    }
    let origin = model.provenance
    return EvaluatedModel(
      name: name, predictions: predictions, fileSizeBytes: try model.encoded().count,
      recorded: origin.validationTTFTError.isFinite
        ? RecordedAccuracy(
          ttftMAPE: origin.validationTTFTError, tpotMAPE: origin.validationTPOTError) : nil)
  }

  private func request(_ index: Int) -> EvaluatedRequest {
    let entry = entries[index]
    let (ttft, tpot) = (entry[.actualTTFT], entry[.actualTPOT])
    return EvaluatedRequest(
      requestID: "\(index)", receivedNanoseconds: Int64(entry[.receivedUnixNanoseconds]),
      endpoint: "", accelerator: entry.podType, inputTokens: entry[.inputTokens],
      cachedShare: entry[.prefixMatchFraction], decodingRequests: entry[.runningRequests],
      actualTTFTMilliseconds: ttft > 0 ? ttft : .nan,
      actualTPOTMilliseconds: tpot > 0 ? tpot : .nan)
  }

  private static func heads(_ heads: RoutingRuntime.HeadValues) -> AccuracyReport.HeadValues {
    AccuracyReport.HeadValues(
      mean: heads.mean, p50: heads.p50, p90: heads.p90, p95: heads.p95, p99: heads.p99)
  }
}
