/// What the runtime knows about a request and an endpoint at dispatch; the terms index these.
///
/// The order is part of the coefficient file's schema: append, never reorder.
public enum Feature: UInt16, BitwiseCopyable, CaseIterable, Sendable {
  // The request.
  case promptTokens
  case newTokens
  case matchedPrefixTokens
  case maximumTokens
  case isMaximumKnown

  // The endpoint's engine, emulated.
  case queueMilliseconds
  case prefillMilliseconds
  case phaseMilliseconds
  case missMilliseconds
  case catchMilliseconds
  case slotMilliseconds
  case decodeStepMilliseconds
  case decodingAfter
  case contextAfter
  case forecastMilliseconds
  case queuedRequests
  case queuedTokens
  case decodingRequests
  case boundaryAgeMilliseconds
  case slowness

  // What arrives and what was seen lately.
  case arrivalWorkFast
  case arrivalWork
  case arrivalWorkSlow
  case poolArrivalWork
  case poolArrivalWorkFast
  case arrivalWorkMedium
  case recentTPOT
  case latestTPOT
  case recentTTFTRatio
  case recentExcess
  case poolRecentExcess
  case overdueMilliseconds
  case recentOutputTokens
  case expectedRemainingTokens
  case averageBatch

  // The pool's other endpoints.
  case otherDecodingRequests
  case otherQueuedRequests
  case poolDecodingPerEndpoint
  case poolQueuedPerEndpoint

  // The engine's own snapshot.
  case snapshotWaiting
  case snapshotRunning
  case snapshotUsage
  case snapshotAge
  case foreignRequests

  // Forecasts of the decode that follow from the above.
  case interferenceMilliseconds
  case decodeForecastMilliseconds

  // Prompts that arrive later and join the prompt's last step.
  case joinMilliseconds
  case rareJoinMilliseconds

  /// How many there are.
  public static let count = Feature.allCases.count
}

extension Feature {
  /// The name that reports and `inspect` show.
  public var title: String { Self.descriptions[Int(rawValue)].0 }
  /// The unit of the feature's value.
  public var unit: String { Self.descriptions[Int(rawValue)].1 }

  /// A fingerprint of the names and their order, FNV-1a: files of another schema are refused.
  public static let schemaFingerprint = fingerprint(
    features: descriptions.count, stepFeatures: StepFeature.count)

  /// Fingerprints of schemas that this one only appended to: their files mean what they meant.
  static let earlierFingerprints = [fingerprint(features: 46, stepFeatures: 24)]

  private static func fingerprint(features: Int, stepFeatures: Int) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for description in descriptions.prefix(features) {
      for byte in (description.0 + "|" + description.1).utf8 {
        hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3
      }
    }
    for name in StepFeature.names.prefix(stepFeatures) {
      for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    }
    return hash
  }

  private static let descriptions: [(String, String)] = [
    ("prompt tokens", "tokens"),
    ("new tokens", "tokens"),
    ("matched prefix tokens", "tokens"),
    ("maximum output tokens", "tokens"),
    ("maximum output known", "0/1"),
    ("queue", "ms"),
    ("own prefill", "ms"),
    ("rest of running step", "ms"),
    ("expected boundary miss", "ms"),
    ("expected boundary catch", "ms"),
    ("wait for a slot", "ms"),
    ("decode step after prefill", "ms"),
    ("decoding after prefill", "requests"),
    ("context after prefill", "tokens"),
    ("queue and own prefill", "ms"),
    ("queued requests", "requests"),
    ("queued tokens", "tokens"),
    ("decoding requests", "requests"),
    ("age of last step boundary", "ms"),
    ("slowness", "ratio"),
    ("arrival work, 1 s", "ms/ms"),
    ("arrival work, 10 s", "ms/ms"),
    ("arrival work, 60 s", "ms/ms"),
    ("pool arrival work, 4 s", "ms/ms"),
    ("pool arrival work, 1 s", "ms/ms"),
    ("arrival work, 4 s", "ms/ms"),
    ("recent TPOT", "ms"),
    ("latest TPOT, 250 ms", "ms"),
    ("recent TTFT against forecast", "ratio"),
    ("recent TTFT over forecast", "ms"),
    ("pool's recent TTFT over forecast", "ms"),
    ("running step overdue", "ms"),
    ("recent output tokens", "tokens"),
    ("expected output tokens left", "tokens"),
    ("average batch", "requests"),
    ("other endpoints' decoding", "requests"),
    ("other endpoints' queued", "requests"),
    ("pool's decoding per endpoint", "requests"),
    ("pool's queued per endpoint", "requests"),
    ("engine's waiting", "requests"),
    ("engine's running", "requests"),
    ("engine's KV usage", "fraction"),
    ("snapshot age", "ms"),
    ("requests of other gateways", "requests"),
    ("prefill interference in decode", "ms"),
    ("decode step with interference", "ms"),
    ("later prompts in its last step", "ms"),
    ("later prompts, however few", "ms"),
  ]
}
