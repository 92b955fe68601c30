internal import CoefficientFile
internal import LinearAlgebra
internal import RoutingRuntime

/// The terms that a model may use; which ones it does is chosen on the data.
struct TermLibrary {
  /// Always in the model: what physics says a latency is made of.
  var base: [Term]
  /// In the model if they prove themselves on other stretches of time.
  var candidates: [Term]

  /// The terms for time to first token.
  static func ttft(_ table: FeatureTable, rows: [Int]) -> TermLibrary {
    let knots = KnotSource(table: table, rows: rows)
    let base: [Term] = [
      term(.queueMilliseconds, sign: true), term(.prefillMilliseconds, sign: true),
      term(.missMilliseconds, sign: true), term(.catchMilliseconds), term(.joinMilliseconds),
      term(.rareJoinMilliseconds),
    ]
    var candidates: [Term] = [
      term(.slotMilliseconds), term(.phaseMilliseconds), term(.decodeStepMilliseconds),
      term(.overdueMilliseconds), term(.recentTPOT), term(.recentTTFTRatio), term(.newTokens),
      term(.decodingRequests), term(.otherDecodingRequests), term(.otherQueuedRequests),
      term(.queuedRequests, sign: true), term(.snapshotWaiting), term(.snapshotRunning),
      term(.foreignRequests), term(.slowness), term(.averageBatch), term(.contextAfter),
      capped(.boundaryAgeMilliseconds, 200), term(.promptTokens), term(.decodingAfter),
      hinge(.recentExcess, 0), capped(.recentExcess, 0), hinge(.poolRecentExcess, 0),
      capped(.poolRecentExcess, 0), term(.arrivalWork), term(.arrivalWorkFast),
      product(.arrivalWork, .queueMilliseconds), product(.arrivalWorkFast, .queueMilliseconds),
      product(.arrivalWorkSlow, .queueMilliseconds),
      product(.arrivalWorkMedium, .queueMilliseconds),
      product(.poolArrivalWork, .queueMilliseconds),
      product(.poolArrivalWorkFast, .queueMilliseconds), term(.poolArrivalWork),
      term(.poolArrivalWorkFast), term(.poolDecodingPerEndpoint), term(.poolQueuedPerEndpoint),
      product(.poolArrivalWork, .prefillMilliseconds),
      product(.boundaryAgeMilliseconds, .decodeStepMilliseconds),
      product(.arrivalWork, .phaseMilliseconds),
      product(.recentTTFTRatio, .prefillMilliseconds),
      product(.recentTTFTRatio, .queueMilliseconds),
      product(.otherDecodingRequests, .prefillMilliseconds),
      product(.decodingRequests, .newTokens), product(.poolRecentExcess, .otherDecodingRequests),
    ]
    for feature: Feature in [
      .queueMilliseconds, .prefillMilliseconds, .newTokens, .queuedRequests, .decodingRequests,
      .otherDecodingRequests, .otherQueuedRequests, .snapshotWaiting,
    ] {
      candidates += knots.quantiles(feature).map { hinge(feature, $0) }
    }
    candidates.append(above(.queuedRequests, 0))
    return TermLibrary(base: base, candidates: candidates)
  }

  /// The terms for time per output token.
  static func tpot(_ table: FeatureTable, rows: [Int]) -> TermLibrary {
    let knots = KnotSource(table: table, rows: rows)
    let base: [Term] = [term(.decodeStepMilliseconds, sign: true)]
    var candidates: [Term] = [
      term(.interferenceMilliseconds), term(.decodeForecastMilliseconds), term(.recentTPOT),
      term(.arrivalWork), term(.arrivalWorkFast), term(.arrivalWorkSlow), term(.poolArrivalWork),
      term(.decodingAfter), term(.contextAfter), term(.averageBatch), term(.queuedRequests),
      term(.queuedTokens), term(.decodingRequests), term(.otherDecodingRequests),
      term(.otherQueuedRequests), term(.snapshotWaiting), term(.snapshotRunning),
      term(.snapshotUsage), term(.foreignRequests), term(.maximumTokens), term(.promptTokens),
      term(.newTokens), term(.recentOutputTokens), term(.slowness), term(.queueMilliseconds),
      term(.slotMilliseconds), term(.forecastMilliseconds), term(.recentTTFTRatio),
      product(.decodeStepMilliseconds, .arrivalWork),
      product(.decodeStepMilliseconds, .arrivalWorkFast),
      product(.decodeStepMilliseconds, .arrivalWorkSlow),
      product(.decodeStepMilliseconds, .poolArrivalWork),
      product(.arrivalWork, .decodingAfter), product(.arrivalWork, .queueMilliseconds),
      product(.recentTPOT, .arrivalWork), term(.latestTPOT), term(.poolDecodingPerEndpoint),
      term(.poolQueuedPerEndpoint), product(.poolDecodingPerEndpoint, .poolQueuedPerEndpoint),
      product(.decodeStepMilliseconds, .poolArrivalWorkFast),
      product(.decodeStepMilliseconds, .arrivalWorkMedium), term(.poolArrivalWorkFast),
      term(.arrivalWorkMedium),
    ]
    for feature: Feature in [
      .decodingAfter, .averageBatch, .forecastMilliseconds, .queuedTokens, .otherDecodingRequests,
      .recentTPOT, .maximumTokens, .contextAfter,
    ] {
      candidates += knots.quantiles(feature).map { hinge(feature, $0) }
    }
    return TermLibrary(base: base, candidates: candidates)
  }

  private static func term(_ feature: Feature, sign: Bool = false) -> Term {
    Term(Factor(feature: feature.rawValue), isNonNegative: sign)
  }

  private static func hinge(_ feature: Feature, _ knot: Double) -> Term {
    Term(Factor(feature: feature.rawValue, transform: .hinge, knot: knot))
  }

  private static func capped(_ feature: Feature, _ knot: Double) -> Term {
    Term(Factor(feature: feature.rawValue, transform: .capped, knot: knot))
  }

  private static func above(_ feature: Feature, _ knot: Double) -> Term {
    Term(Factor(feature: feature.rawValue, transform: .above, knot: knot))
  }

  private static func product(_ left: Feature, _ right: Feature) -> Term {
    Term(Factor(feature: left.rawValue), Factor(feature: right.rawValue))
  }
}

/// Knots where the data are: at quantiles of a feature's values above zero.
private struct KnotSource {
  let table: FeatureTable
  let rows: [Int]

  private static let sampleLimit = 20_000

  func quantiles(_ feature: Feature) -> [Double] {
    let step = max(1, rows.count / Self.sampleLimit)
    var values: [Double] = []
    for index in stride(from: 0, to: rows.count, by: step) {
      let value = Double(table.features[rows[index], Int(feature.rawValue)])
      if value > 0 { values.append(value) }
    }
    guard values.count >= 100 else { return [] }
    values.sort()
    var knots: [Double] = []
    for share in [0.5, 0.85] {
      let knot = rounded(values[Int(share * Double(values.count - 1))])
      if knots.last != knot { knots.append(knot) }
    }
    return knots
  }

  /// Two significant digits: a knot is a choice, not a measurement.
  private func rounded(_ value: Double) -> Double {
    var scale = 1.0
    while value / scale >= 100 { scale *= 10 }
    while value / scale < 10 { scale /= 10 }
    return (value / scale).rounded() * scale
  }
}
