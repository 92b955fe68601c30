internal import Foundation
internal import RoutingRuntime

/// A tuning as one JSON document.
public struct TuningDocument: Encodable {
  struct Parameter: Encodable {
    var name: String
    var value: Double
    var start: Double
  }

  struct Rival: Encodable {
    struct Entry: Encodable {
      var metric: String
      var baseline: Double
      var tuned: Double
      var gain: Double
      var lower: Double
      var upper: Double
      var verdict: String
    }
    var name: String
    var comparisons: [Entry]
  }

  struct Proof: Encodable {
    struct Entry: Encodable {
      var metric: String
      var statistic: String
      var logged: Double
      var simulated: Double
      var bound: Double?
      var passes: Bool
    }
    var passes: Bool
    var requests: Int
    var comparisons: [Entry]
    var sentences: [String]
  }

  let advice: TuningAdvice
  let baseline: String
  let family: String
  let objective: TuningObjective
  let parameters: [Parameter]
  let rivals: [Rival]
  let proof: Proof
  let audit: OffPolicyAudit?
  let sensitivity: [ParameterSensitivity]
  let front: [TuningResult.Point]
  let evaluations: Double
  let restarts: Int
  let judgedRequests: Int
  let prefixCapacity: Int
  let warnings: [String]

  /// The document of `result`.
  public init(_ result: TuningResult) {
    advice = result.advice
    baseline = result.baseline.name
    family = result.space.family.rawValue
    objective = result.objective
    let starts = result.space.values(at: result.space.start)
    parameters = zip(result.space.dimensions, zip(result.values, starts)).map {
      Parameter(name: $0.name, value: $1.0, start: $1.1)
    }
    rivals = result.rivals.map { rival in
      Rival(
        name: rival.name,
        comparisons: rival.comparisons.map {
          Rival.Entry(
            metric: $0.metric.rawValue, baseline: $0.baseline, tuned: $0.candidate, gain: $0.gain,
            lower: $0.lower, upper: $0.upper, verdict: $0.verdict.rawValue)
        })
    }
    proof = Proof(
      passes: result.proof.passes, requests: result.proof.requestCount,
      comparisons: result.proof.comparisons.filter { $0.endpoint == nil }.map {
        Proof.Entry(
          metric: $0.metric.rawValue, statistic: $0.statistic.rawValue, logged: $0.logged,
          simulated: $0.simulated, bound: $0.bound, passes: $0.passes)
      }, sentences: result.proof.sentences)
    audit = result.audit
    sensitivity = result.sensitivity
    front = result.front.map { result.points[$0] }
    evaluations = result.spent
    restarts = result.restarts
    judgedRequests = result.judgedCount
    prefixCapacity = result.prefixCapacity
    warnings = result.calibration.warnings
  }

  /// As JSON text, keys sorted; numbers that are not finite become texts.
  public var text: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "infinity", negativeInfinity: "-infinity", nan: "nan")
    return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
  }
}
