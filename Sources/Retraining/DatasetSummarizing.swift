internal import AccuracyReport
internal import CoefficientFile
internal import LogReplay
internal import RequestLog
internal import RoutingRuntime

/// Makes the summary of a log that the data checks compare from night to night.
enum DatasetSummarizing {
  /// Summarizes rows `range`.
  ///
  /// - Parameters:
  ///   - model: The champion, for a new log; the model itself, for the log that it was fitted on.
  ///   - previous: The champion's summary.
  static func summary(
    _ log: LoadedLog, range: Range<Int>, model: GlideModel?, previous: DatasetSummary?,
    quarantined: Int
  ) -> DatasetSummary {
    var builder = DatasetSummary.Builder(previous: previous)
    builder.addQuarantined(quarantined)
    var predicted = [Double](repeating: .nan, count: range.count)
    var inFlight = predicted
    if let model, let predictor = try? LogPredictor(log.replay, model: model) {
      // Warm: a night begins with the requests of the evening still in flight.
      let start = max(0, range.lowerBound - 4_000)
      predictor.visit(rows: start..<range.upperBound) { index, prediction, row in
        guard index >= range.lowerBound else { return }
        // An instrument is read within its range alone: beyond, a first overload would look like a
        // column gone wrong.
        if !prediction.isExtrapolating {
          predicted[index - range.lowerBound] = prediction.ttft.p50
        }
        inFlight[index - range.lowerBound] =
          row[Int(Feature.queuedRequests.rawValue)] + row[Int(Feature.decodingRequests.rawValue)]
      }
    }
    for index in range {
      var row = datasetRow(log.replay.rows[index], log.replay.symbols)
      row.championTTFTMilliseconds = predicted[index - range.lowerBound]
      row.replayedInFlight = inFlight[index - range.lowerBound]
      builder.add(row)
    }
    return builder.build()
  }

  private static func datasetRow(_ logged: LoggedRequest, _ symbols: SymbolTable) -> DatasetRow {
    func count(_ value: Int32) -> Double { value >= 0 ? Double(value) : .nan }
    var row = DatasetRow(
      receivedNanoseconds: logged.receivedNanoseconds,
      endpoint: symbols.name(logged.endpoint) ?? "")
    row.gateway = symbols.name(logged.gateway) ?? ""
    row.accelerator = symbols.name(logged.accelerator) ?? ""
    row.model = symbols.name(logged.model) ?? ""
    row.status = Int(logged.status)
    row.inputTokens = count(logged.inputTokens)
    row.outputTokens = count(logged.outputTokens)
    row.prefixMatchTokens = count(logged.prefixMatchTokens)
    row.cachedTokens = count(logged.cachedTokens)
    row.ttftMilliseconds = logged.ttftMilliseconds
    row.e2eMilliseconds = logged.e2eMilliseconds
    row.waiting = count(logged.waitingRequests)
    row.running = count(logged.runningRequests)
    row.kvCacheUsage = Double(logged.kvCacheUsage)
    row.snapshotAgeMilliseconds = Double(logged.snapshotAgeMilliseconds)
    let delay = logged.dispatchedNanoseconds &- logged.receivedNanoseconds
    // A dispatch that is not logged is taken to be the arrival.
    if delay > 0 { row.dispatchDelayMilliseconds = Double(delay) * 1e-6 }
    return row
  }
}
