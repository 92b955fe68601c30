internal import CoefficientFile
internal import FleetSimulation
internal import RoutingRuntime

/// One guess at what the endpoints of an accelerator class run.
struct ClassGuess: Sendable {
  /// As the regression gave it; the factors below apply to it.
  var base: EngineModel
  var source: FleetCalibration.Source
  var decodeScale = 1.0
  /// Of what grows with the batch alone.
  var batchScale = 1.0
  /// Of what grows with the context alone.
  var contextScale = 1.0
  var prefillScale = 1.0
  var budgetScale = 1.0
  /// From the gateway to the queue, ms: uplink and overhead.
  var delay: Double
  /// What each decoding request adds to it, ms.
  var loadDelay = 0.0
  var schedulesAhead = false
  var overheadNoise = 0.2
  var stepNoise = 0.03
  var driftNoise = 0.0
  /// KV cache, tokens.
  var cacheTokens = 1_000_000.0
  var retainsAnswers = true

  init(base: EngineModel, source: FleetCalibration.Source) {
    self.base = base
    self.source = source
    delay = max(base.uplinkMilliseconds, 0)
  }

  /// What the search may change.
  enum Parameter: CaseIterable {
    case budgetScale, schedulesAhead, loadDelay, decodeScale, batchScale, contextScale, prefillScale
    case delay, overheadNoise, stepNoise, driftNoise

    /// Whether it is tried in the first round only: it has no small steps.
    var isDiscrete: Bool { self == .budgetScale || self == .schedulesAhead }
  }

  /// The same guess with `parameter` moved by `step`: a factor's logarithm, or a difference in
  /// units of `unit` ms for delays.
  func moved(_ parameter: Parameter, by step: Double, unit: Double) -> ClassGuess {
    var result = self
    switch parameter {
    case .decodeScale: result.decodeScale = max(0.2, min(decodeScale * (1 + step), 5))
    case .batchScale: result.batchScale = max(0.2, min(batchScale * (1 + step), 5))
    case .contextScale: result.contextScale = max(0.2, min(contextScale * (1 + step), 5))
    case .prefillScale: result.prefillScale = max(0.2, min(prefillScale * (1 + step), 5))
    case .delay: result.delay = max(0, delay + step * unit)
    case .loadDelay: result.loadDelay = max(0, loadDelay + 0.3 * step * unit)
    case .schedulesAhead: result.schedulesAhead = step > 0
    case .overheadNoise: result.overheadNoise = max(0, min(overheadNoise + 4 * step, 1.5))
    case .stepNoise: result.stepNoise = max(0, min(stepNoise + step, 0.5))
    case .driftNoise: result.driftNoise = max(0, min(driftNoise + step, 0.5))
    case .budgetScale: result.budgetScale = max(0.125, min(budgetScale * (step > 0 ? 2 : 0.5), 8))
    }
    return result
  }

  /// Puts new coefficients in the place of the scaled ones.
  mutating func take(coefficients: [Double], delay: Double) {
    base.stepCoefficients = coefficients
    (decodeScale, batchScale, contextScale, prefillScale) = (1, 1, 1, 1)
    self.delay = delay
    base.uplinkMilliseconds = min(max(base.uplinkMilliseconds, 0), delay)
  }

  /// As the simulation runs it.
  func configuration(blockTokens: Int) -> SimulatedEngine.Configuration {
    var engine = base
    for index in engine.stepCoefficients.indices {
      let isPrefill = (3...6).contains(index) || index >= Self.firstPrefillKnot
      let isBatch = index == 1 || (8..<Self.firstPrefillKnot).contains(index)
      engine.stepCoefficients[index] *=
        isPrefill
        ? prefillScale
        : decodeScale * (isBatch ? batchScale : index == 2 ? contextScale : 1)
    }
    engine.tokenBudget = (engine.tokenBudget * budgetScale).rounded()
    engine.uplinkMilliseconds = min(max(engine.uplinkMilliseconds, 0), delay)
    return SimulatedEngine.Configuration(
      engine: engine, blockTokens: blockTokens,
      kvBlocks: max(1, Int(cacheTokens) / blockTokens), stepNoise: stepNoise,
      driftNoise: driftNoise,
      requestOverheadMilliseconds: delay - engine.uplinkMilliseconds,
      overheadPerDecodingMilliseconds: loadDelay, overheadNoise: overheadNoise,
      schedulesAhead: schedulesAhead, retainsAnswers: retainsAnswers)
  }

  private static let firstPrefillKnot = 18
}

/// One guess at a whole fleet, with how far its simulation is from the log.
struct FleetGuess: Sendable {
  var classes: [ClassGuess]
  /// Per class, with ``SimulationComparison/discrepancy``.
  var discrepancies: [Double] = []

  /// The mean of the classes' discrepancies.
  var discrepancy: Double {
    discrepancies.reduce(0, +) / Double(max(discrepancies.count, 1))
  }
}

/// Simulates a log's decisions on guesses, and compares.
struct CalibrationBench: Sendable {
  let log: TuningLog
  /// Simulated rows; the judged ones are among them.
  let rows: Range<Int>
  /// Rows that count: those before only fill the caches.
  let judged: Range<Int>
  let classOfEndpoint: [Int]
  let scrapeInterval: Double
  let seed: UInt64
  private let workload: Workload
  private let decisions: [Int]
  private let prefills: [Int]
  private let classOfRow: [Int]
  /// Rows of each class, in order, cut into windows of about this many.
  private static let windowRows = 150

  init(
    log: TuningLog, rows: Range<Int>, judged: Range<Int>, classOfEndpoint: [Int],
    scrapeInterval: Double, seed: UInt64
  ) {
    self.log = log
    self.rows = rows
    self.judged = judged
    self.classOfEndpoint = classOfEndpoint
    self.scrapeInterval = scrapeInterval
    self.seed = seed
    workload = log.workload(rows)
    decisions = log.decisions(rows)
    prefills = log.prefillDecisions(rows)
    classOfRow = decisions.map { $0 >= 0 ? classOfEndpoint[$0] : -1 }
  }

  /// What happens under the logged decisions if `guess` is right.
  func simulate(_ guess: FleetGuess, seed: UInt64? = nil) -> [RequestOutcome] {
    run(guess, seed: seed ?? self.seed, isTraced: false).outcomes
  }

  /// The same, with what each endpoint's steps computed.
  func trace(_ guess: FleetGuess) -> (outcomes: [RequestOutcome], runs: [[EngineRun]]) {
    let result = run(guess, seed: seed, isTraced: true)
    return (result.outcomes, result.runs)
  }

  private func run(_ guess: FleetGuess, seed: UInt64, isTraced: Bool) -> Fleet.Result {
    let endpoints = classOfEndpoint.indices.map { index in
      FleetConfiguration.Endpoint(
        name: "\(index)", accelerator: "",
        engine: guess.classes[classOfEndpoint[index]].configuration(blockTokens: log.blockTokens))
    }
    let configuration = FleetConfiguration(
      endpoints: endpoints, router: Router.Configuration(prefixCapacity: 1, requestCapacity: 1),
      scrapeIntervalMilliseconds: scrapeInterval, seed: seed)
    return Fleet(configuration, policy: .roundRobin).run(
      workload, routing: .forced(decisions, prefill: prefills), isTraced: isTraced)
  }

  /// The comparison of class `index` over `judged` or a part of it.
  func comparison(
    _ outcomes: [RequestOutcome], classIndex: Int, in part: Range<Int>? = nil
  ) -> SimulationComparison {
    SimulationComparison(log, outcomes, firstRow: rows.lowerBound, rows: part ?? judged) {
      classOfRow[$0 - rows.lowerBound] == classIndex
    }
  }

  /// Fills in the discrepancies of `guess`.
  ///
  /// - Parameter seeds: Simulations to average over, at least 1.
  func judge(_ guess: inout FleetGuess, seeds: Int = 1) {
    guess.discrepancies = [Double](repeating: 0, count: guess.classes.count)
    for offset in 0..<seeds {
      let outcomes = simulate(guess, seed: seed &+ 7919 &* UInt64(offset))
      for index in guess.classes.indices {
        guess.discrepancies[index] += discrepancy(outcomes, classIndex: index) / Double(seeds)
      }
    }
  }

  /// How far class `classIndex` is from the log: on the whole, and window by window, so that what
  /// is wrong at one time cannot make up for what is wrong at another.
  func discrepancy(
    _ outcomes: [RequestOutcome], classIndex: Int, in part: Range<Int>? = nil
  ) -> Double {
    let all = comparison(outcomes, classIndex: classIndex, in: part)
    let whole = all.discrepancy
    guard whole.isFinite else { return whole }
    let windows =
      0.5 * all.ttft.windowDiscrepancy(rows: Self.windowRows)
      + 0.5 * all.tpot.windowDiscrepancy(rows: Self.windowRows)
    return 0.5 * whole + 0.5 * windows
  }
}
