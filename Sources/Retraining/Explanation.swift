public import AccuracyReport
public import CoefficientFile
internal import LogReplay
internal import RequestLog
public import RoutingRuntime

/// One request's prediction, taken apart.
public struct Explanation: Sendable {
  /// One term's part of the mean head.
  public struct Part: Sendable {
    /// Which latency.
    public var target: LatencyTarget
    /// The term.
    public var name: String
    /// Its features' values at dispatch, with units.
    public var value: String
    /// What it adds to the prediction, before live correction.
    public var milliseconds: Double
  }

  /// The endpoint that served the request.
  public var endpoint: String
  /// What was predicted, corrections and the dispatch delay included.
  public var prediction: RoutingRuntime.Prediction
  /// TTFT as logged; `nan` when there is none.
  public var actualTTFTMilliseconds: Double
  /// TPOT as logged; `nan` when there is none.
  public var actualTPOTMilliseconds: Double
  /// The parts, in the model's order.
  public var parts: [Part]

  /// Replays `log` up to the request and takes its prediction apart; `nil` when it is not there.
  ///
  /// - Throws: ``RefusalError``.
  public static func of(
    _ requestID: String, model: GlideModel, log: LoadedLog
  ) throws(RefusalError) -> Explanation? {
    guard let row = log.row(requestID: requestID) else { return nil }
    let predictor = try Predictor.compile(model).get()
    let logged = log.replay.rows[row]
    let endpoint = log.replay.symbols.name(logged.endpoint) ?? ""
    let group = predictor.group(
      endpoint: endpoint, accelerator: log.replay.symbols.name(logged.accelerator) ?? "")
    var result: Explanation?
    try LogPredictor(log.replay, model: model).visit(rows: 0..<(row + 1)) {
      index, prediction, features in
      guard index == row else { return }
      let parts = predictor.contributions(features, group: group.group, head: 0)
      result = Explanation(
        endpoint: endpoint, prediction: prediction,
        actualTTFTMilliseconds: logged.ttftMilliseconds,
        actualTPOTMilliseconds: logged.tpotMilliseconds,
        parts: self.parts(model.ttft, .ttft, parts.ttft, features)
          + self.parts(model.tpot, .tpot, parts.tpot, features))
    }
    return result
  }

  private static func parts(
    _ target: TargetModel, _ kind: LatencyTarget, _ values: [Double], _ features: [Double]
  ) -> [Part] {
    var parts = target.terms.enumerated().map { index, term in
      Part(
        target: kind, name: TermTable.name(term), value: value(term, features),
        milliseconds: values[index])
    }
    parts.append(Part(target: kind, name: "constant", value: "", milliseconds: values.last ?? 0))
    return parts
  }

  private static func value(_ term: Term, _ features: [Double]) -> String {
    [term.first, term.second].compactMap { factor -> String? in
      guard let factor, let feature = Feature(rawValue: factor.feature) else { return nil }
      let value = (features[Int(factor.feature)] * 1000).rounded() / 1000
      return "\(value) \(feature.unit)"
    }.joined(separator: " · ")
  }
}
