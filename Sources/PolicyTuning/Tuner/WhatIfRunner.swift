public import CoefficientFile
public import FleetSimulation
internal import LatencyRegression
internal import LogReplay
internal import RequestLog
public import RoutingRuntime

/// A log's fleet, calibrated and proved, on which changes of the world can be tried.
public struct WhatIfRunner: Sendable {
  /// What the fleet is made of.
  public let calibration: FleetCalibration
  /// Whether it may be believed.
  public let proof: SimulatorProof
  /// The log's requests.
  public let workload: Workload
  private let predictor: Predictor
  private let router: Router.Configuration

  /// Calibrates on the first 70 % of the log's time and proves on the rest.
  ///
  /// - Throws: ``PolicyTuningError``.
  public init(
    _ log: TuningLog, model: GlideModel, progress: ((String, Double) -> Void)? = nil
  ) throws(PolicyTuningError) {
    let count = log.replay.rows.count
    guard count >= PolicyTuner.fewestRequests else {
      throw .tooFewRequests(count: count, needed: PolicyTuner.fewestRequests)
    }
    predictor = try PolicyTuner.predictor(model)
    let cut = log.firstRow(ofNewest: 0.3)
    calibration = FleetCalibrator().calibrate(log, rows: 0..<cut, model: model) {
      progress?("calibrating the simulation", $0)
    }
    proof = SimulatorProof(log, calibration: calibration, judged: cut..<count)
    router = PolicyTuner.router(calibration)
    workload = log.workload(0..<count)
  }

  /// What users see under `policy` after a change.
  ///
  /// - Parameters:
  ///   - workload: What is asked instead of the log's requests, before the change.
  ///   - ttftMilliseconds: What requests without a TTFT objective are held to, ms; 0 for none.
  ///   - tpotMilliseconds: What they are held to in TPOT, ms; 0 for none.
  public func run(
    _ policy: RoutingPolicy, _ change: WhatIf, workload other: Workload? = nil,
    ttftMilliseconds: Double = 0, tpotMilliseconds: Double = 0, seed: UInt64 = 1
  ) -> FleetSummary {
    let asked = change.applied(to: other ?? workload).objectives(
      ttftMilliseconds: ttftMilliseconds, tpotMilliseconds: tpotMilliseconds)
    var fleet = change.applied(to: calibration.fleet(seed: seed, router: router))
    fleet.router.seed = seed
    return FleetSummary(
      Fleet(fleet, predictor: predictor, policy: policy)
        .run(asked, keepsSnapshots: false).outcomes, of: asked)
  }

  /// How many endpoints keep `goodput` of the requests within these objectives, ms.
  public func capacity(
    _ policy: RoutingPolicy, _ change: WhatIf, goodput: Double, ttftMilliseconds: Double,
    tpotMilliseconds: Double, most: Int
  ) -> CapacityPlan {
    CapacityPlan(goodput: goodput, among: 1...max(most, 1)) { count in
      var sized = change
      sized.endpoints = count
      return run(
        policy, sized, ttftMilliseconds: ttftMilliseconds, tpotMilliseconds: tpotMilliseconds
      ).goodput
    }
  }
}

extension PolicyTuner {
  /// Fits a model on the first `share` of the log's time, for users who have none yet.
  ///
  /// - Throws: ``PolicyTuningError/unusableModel(_:)``.
  public static func fit(
    _ log: TuningLog, share: Double = 0.7, threads: Int, toolVersion: String,
    progress: ((String, Double) -> Void)? = nil
  ) throws(PolicyTuningError) -> GlideModel {
    let fitter = ModelFitter(
      ModelFitter.Configuration(threads: threads, toolVersion: toolVersion))
    do {
      let rows = 0..<log.firstRow(ofNewest: 1 - share)
      return try fitter.fit(log.replay, rows: rows, progress: progress).model
    } catch {
      throw .unusableModel("\(error)")
    }
  }
}

extension WorkloadShape {
  /// A preset by its name: `chat`, `agentic`, `long` or `bursts`.
  ///
  /// - Throws: ``PolicyTuningError/unknownName(_:known:)``.
  public static func named(
    _ name: String, requestsPerSecond: Double, durationSeconds: Double
  ) throws(PolicyTuningError) -> WorkloadShape {
    let make: (Double, Double) -> WorkloadShape
    switch name {
    case "chat": make = uniformChat
    case "agentic": make = agenticSessions
    case "long": make = longPrompts
    case "bursts": make = bursts
    default: throw .unknownName(name, known: ["chat", "agentic", "long", "bursts"])
    }
    return make(requestsPerSecond, durationSeconds)
  }
}
