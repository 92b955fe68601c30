internal import Glibc

/// What all endpoints share at the time of a batch.
struct LaneMoment: Sendable {
  let time: Double
  let promptTokens: Double
  let maximumTokens: Double
  let pool: PoolTotals
  /// By how much sums of each half-life have faded since the columns' epoch.
  let fast: Double
  let normal: Double
  let slow: Double
  let medium: Double
  let latest: Double

  init(_ request: RequestShape, pool: PoolTotals, epoch: Double, time: Double) {
    self.time = time
    promptTokens = request.promptTokens
    maximumTokens = request.maximumTokens
    self.pool = pool
    func fade(_ halfLife: Double) -> Double { exp2((epoch - time) / halfLife) }
    fast = fade(EndpointLoad.fastHalfLife)
    normal = fade(EndpointLoad.halfLife)
    slow = fade(EndpointLoad.slowHalfLife)
    medium = fade(EndpointLoad.mediumHalfLife)
    latest = fade(EndpointLoad.latestHalfLife)
  }
}

/// The features of one request on eight endpoints: those that a model uses.
struct LaneFeatures {
  let columns: LaneColumns
  let group: Int
  let moment: LaneMoment
  let matchedTokens: Lanes
  let newTokens: Lanes
  let forecast: LaneForecast

  /// One feature; the same formulas as ``EndpointLoad/features``.
  func value(_ feature: Feature) -> Lanes {
    switch feature {
    case .promptTokens: all(moment.promptTokens)
    case .newTokens: newTokens
    case .matchedPrefixTokens: matchedTokens
    case .maximumTokens: all(moment.maximumTokens)
    case .isMaximumKnown: all(moment.maximumTokens > 0 ? 1 : 0)
    case .queueMilliseconds: forecast.queue
    case .prefillMilliseconds: forecast.prefill
    case .phaseMilliseconds: forecast.phase
    case .missMilliseconds: forecast.miss
    case .catchMilliseconds: forecast.caught
    case .slotMilliseconds: forecast.slot
    case .decodeStepMilliseconds: forecast.decodeStep
    case .decodingAfter: forecast.decodingAfter
    case .contextAfter: forecast.contextAfter
    case .forecastMilliseconds:
      forecast.queue + forecast.prefill + columns[group, .uplink] + columns[group, .downlink]
    case .queuedRequests: columns[group, .pending]
    case .queuedTokens: columns[group, .queuedTokens]
    case .decodingRequests: columns[group, .decoding]
    case .slowness: columns[group, .slowness]
    case .interferenceMilliseconds: interference
    case .decodeForecastMilliseconds: forecast.decodeStep + interference
    default: history(feature)
    }
  }

  private func history(_ feature: Feature) -> Lanes {
    let pool = moment.pool
    return switch feature {
    case .boundaryAgeMilliseconds:
      (zero).replacing(
        with: smaller(larger(moment.time - columns[group, .lastBoundary], zero), all(10_000)),
        where: (columns[group, .pending] + columns[group, .decoding]) .> 0)
    case .arrivalWorkFast: rate(.fastWork, moment.fast, EndpointLoad.fastHalfLife, limit: 2)
    case .arrivalWork: workRate
    case .arrivalWorkSlow: rate(.slowWork, moment.slow, EndpointLoad.slowHalfLife, limit: 1)
    case .arrivalWorkMedium:
      rate(.mediumWork, moment.medium, EndpointLoad.mediumHalfLife, limit: 1.5)
    case .poolArrivalWork: all(min(pool.arrivalWork, 2))
    case .poolArrivalWorkFast: all(min(pool.arrivalWorkFast, 2))
    case .recentTPOT: columns[group, .recentTPOT]
    case .latestTPOT:
      (columns[group, .latestSum] * moment.latest + EndpointLoad.latestPrior * forecast.decodeStep)
        / (columns[group, .latestCount] * moment.latest + EndpointLoad.latestPrior)
    case .recentTTFTRatio: columns[group, .recentRatio]
    case .recentExcess: columns[group, .recentExcess]
    case .poolRecentExcess: all(pool.recentExcess)
    case .overdueMilliseconds:
      columns[group, .isBusy] * larger(zero, moment.time - columns[group, .stepEnd])
    case .recentOutputTokens: columns[group, .recentOutput]
    case .expectedRemainingTokens: columns[group, .recentOutput] * columns[group, .decoding]
    case .averageBatch: columns[group, .averageBatch]
    case .otherDecodingRequests: pool.decodingRequests - columns[group, .decoding]
    case .otherQueuedRequests: pool.pendingRequests - columns[group, .pending]
    case .poolDecodingPerEndpoint: all(pool.decodingRequests / pool.endpointCount)
    case .poolQueuedPerEndpoint: all(pool.pendingRequests / pool.endpointCount)
    default: snapshot(feature)
    }
  }

  private func snapshot(_ feature: Feature) -> Lanes {
    switch feature {
    case .snapshotWaiting: columns[group, .waiting]
    case .snapshotRunning: columns[group, .running]
    case .snapshotUsage: columns[group, .usage]
    case .snapshotAge:
      columns[group, .hasSnapshot]
        * smaller(larger(moment.time - columns[group, .snapshotTime], zero), all(10_000))
    case .foreignRequests:
      larger(
        zero,
        columns[group, .waiting] + columns[group, .running] - columns[group, .pending]
          - columns[group, .decoding])
    default: zero
    }
  }

  private var zero: Lanes { Lanes(repeating: 0) }
  private func all(_ value: Double) -> Lanes { Lanes(repeating: value) }

  private func rate(
    _ column: LaneColumn, _ fade: Double, _ halfLife: Double, limit: Double
  ) -> Lanes {
    smaller(columns[group, column] * (fade * 0.693_147_180_559_945_3 / halfLife), all(limit))
  }

  private var workRate: Lanes { rate(.work, moment.normal, EndpointLoad.halfLife, limit: 1) }

  private var interference: Lanes {
    let rate = workRate
    return forecast.decodeStep * rate / (1 - smaller(rate, all(0.8)))
  }
}
