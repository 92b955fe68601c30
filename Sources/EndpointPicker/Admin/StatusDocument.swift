internal import CoefficientFile
internal import Foundation
internal import RoutingRuntime

/// What `/status` and `/events` send; the dashboard reads it.
struct StatusDocument: Encodable {
  struct Endpoint: Encodable {
    var name: String
    var address: String
    var accelerator: String
    var role: String
    var state: String
    var requestsInFlight: Int
    var pendingRequests: Int
    var decodingRequests: Int
    var waitingRequests: Double?
    var runningRequests: Double?
    var kvCacheUsage: Double?
    var snapshotAgeMilliseconds: Double?
    var prefixShare: Double
    var prefixFill: Double
    var predictedTTFTMilliseconds: Double?
    var predictedTTFTP90Milliseconds: Double?
    var predictedTPOTMilliseconds: Double?
    var ttftCorrection: Double
    var tpotCorrection: Double
    var picks: [String: UInt64]
    var completedRequests: UInt64
    var failedRequests: UInt64
  }

  struct Model: Encodable {
    var version: UInt64
    var servedModel: String
    var toolVersion: String
    var sampleCount: UInt64
    var dataAgeSeconds: Double
    var validationTTFTError: Double?
    var validationTPOTError: Double?
  }

  struct Outcome: Encodable {
    var endpoint: String
    var predicted: Double
    var p90: Double
    var actual: Double
  }

  struct Log: Encodable {
    var writtenLines: UInt64
    var droppedLines: UInt64
    var waitingLines: Int
    var lastError: String?
  }

  struct Source: Encodable {
    var updates: UInt64
    var refusals: UInt64
    var lastRefusal: String?
  }

  var gateway: String
  var pool: String
  var uptimeSeconds: Double
  var isReady: Bool
  var notReadyBecause: [String]
  var policy: String
  var isPanicking: Bool
  var requestsInFlight: Int
  var shedRequests: UInt64
  var unplacedRequests: UInt64
  var referenceTokens: Double
  var model: Model?
  var reloads: [ReloadHistory.Entry]
  var endpoints: [Endpoint]
  var outcomes: [Outcome]
  var log: Log?
  var sources: [String: Source]

  init(_ snapshot: AdminSnapshot) {
    let report = snapshot.report
    gateway = snapshot.gateway
    pool = snapshot.pool
    uptimeSeconds =
      Double(snapshot.unixNanoseconds - snapshot.startedUnixNanoseconds) * 1e-9
    isReady = snapshot.readiness.isReady
    notReadyBecause = snapshot.readiness.reasons
    policy = report.policyName
    isPanicking = report.isPanicking
    requestsInFlight = report.requestsInFlight
    shedRequests = report.counters.shedRequests
    unplacedRequests = report.counters.unplacedRequests
    referenceTokens = PickerReport.referenceTokens
    reloads = snapshot.reloads.entries
    endpoints = report.endpoints.map(Endpoint.init)
    outcomes = report.outcomes.map { outcome in
      Outcome(
        endpoint: outcome.endpoint,
        predicted: Self.rounded(outcome.predictedMilliseconds),
        p90: Self.rounded(outcome.predictedP90Milliseconds),
        actual: Self.rounded(outcome.actualMilliseconds))
    }
    log = snapshot.log.map {
      Log(
        writtenLines: $0.writtenLines, droppedLines: $0.droppedLines,
        waitingLines: $0.waitingLines, lastError: $0.lastError)
    }
    sources = snapshot.sources.mapValues {
      Source(updates: $0.updates, refusals: $0.refusals, lastRefusal: $0.lastRefusal)
    }
    model = report.provenance.map { provenance in
      Model(
        version: report.modelVersion, servedModel: provenance.servedModel,
        toolVersion: provenance.toolVersion, sampleCount: provenance.sampleCount,
        dataAgeSeconds: (Double(snapshot.unixNanoseconds)
          - Double(provenance.lastReceivedNanoseconds)) * 1e-9,
        validationTTFTError: Self.finite(provenance.validationTTFTError),
        validationTPOTError: Self.finite(provenance.validationTPOTError))
    }
  }

  fileprivate static func rounded(_ value: Double) -> Double { (value * 100).rounded() / 100 }
  /// JSON has no word for what is no number.
  fileprivate static func finite(_ value: Double) -> Double? { value.isFinite ? value : nil }

  /// As JSON on one line.
  func json() -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    return [UInt8]((try? encoder.encode(self)) ?? Data("{}".utf8))
  }
}

extension StatusDocument.Endpoint {
  init(_ endpoint: PickerReport.Endpoint) {
    name = endpoint.description.name
    address = endpoint.description.address
    accelerator = endpoint.description.accelerator
    role = endpoint.description.role.name
    state = endpoint.state
    requestsInFlight = endpoint.requestsInFlight
    pendingRequests = endpoint.pendingRequests
    decodingRequests = endpoint.decodingRequests
    waitingRequests = endpoint.snapshot?.waitingRequests
    runningRequests = endpoint.snapshot?.runningRequests
    kvCacheUsage = endpoint.snapshot?.kvCacheUsage
    snapshotAgeMilliseconds = endpoint.snapshotAgeMilliseconds.map(StatusDocument.rounded)
    prefixShare = endpoint.prefixShare
    prefixFill = endpoint.prefixFill
    predictedTTFTMilliseconds = endpoint.predictedTTFT.map { StatusDocument.rounded($0.p50) }
    predictedTTFTP90Milliseconds = endpoint.predictedTTFT.map { StatusDocument.rounded($0.p90) }
    predictedTPOTMilliseconds = endpoint.predictedTPOT.map { StatusDocument.rounded($0.p50) }
    ttftCorrection = endpoint.ttftCorrection
    tpotCorrection = endpoint.tpotCorrection
    picks = [:]
    for reason in PickReason.allCases where endpoint.picks[Int(reason.rawValue)] > 0 {
      picks["\(reason)"] = endpoint.picks[Int(reason.rawValue)]
    }
    completedRequests = endpoint.completedRequests
    failedRequests = endpoint.failedRequests
  }
}
