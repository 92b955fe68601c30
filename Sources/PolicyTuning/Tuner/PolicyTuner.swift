public import CoefficientFile
internal import FleetSimulation
internal import Glibc
internal import LogReplay
internal import RequestLog
public import RoutingRuntime

/// From a log to a policy: calibrates the simulated fleet, proves it, searches, judges, audits and
/// advises.
public struct PolicyTuner: Sendable {
  /// Options.
  public struct Configuration: Sendable {
    /// Whose policy is tuned.
    public var family: PolicySpace.Family
    /// What for.
    public var objective: TuningObjective
    /// What is compared with.
    public var baseline: NamedPolicy
    /// Policies that are judged besides.
    public var rivals: [NamedPolicy]
    /// The search.
    public var search: PolicySearch.Configuration
    /// How requests are cut, and what they are held to.
    public var evaluation: FleetEvaluator.Configuration
    /// Seeds of the judging runs.
    public var judgingSeeds: [UInt64]
    /// The proof's bounds.
    public var bounds: SimulatorProof.Bounds
    /// Whether to search though the proof has failed; there is no advice then all the same.
    public var searchesUnproved: Bool
    /// Where the search's state is kept between generations; `nil` for nowhere.
    public var statePath: String?
    /// Whether to go on with the state at ``statePath``.
    public var resumes: Bool

    /// Tunes Glidepath's own policy against llm-d's blend for P90 TTFT.
    public init(
      family: PolicySpace.Family = .predictedCost,
      objective: TuningObjective = TuningObjective(
        terms: [TuningObjective.Term(.ttftP90)],
        constraints: [TuningObjective.Constraint(.tpotP90, ratio: 1.25)]),
      baseline: NamedPolicy = NamedPolicy("llm-d", .weightedScorers(ScorerWeights())),
      rivals: [NamedPolicy] = NamedPolicy.published,
      search: PolicySearch.Configuration = PolicySearch.Configuration(),
      evaluation: FleetEvaluator.Configuration = FleetEvaluator.Configuration(),
      judgingSeeds: [UInt64] = [101, 102, 103, 104, 105],
      bounds: SimulatorProof.Bounds = SimulatorProof.Bounds()
    ) {
      self.family = family
      self.objective = objective
      self.baseline = baseline
      self.rivals = rivals
      self.search = search
      self.evaluation = evaluation
      self.judgingSeeds = judgingSeeds
      self.bounds = bounds
      searchesUnproved = false
      statePath = nil
      resumes = false
    }
  }

  /// Options.
  public let configuration: Configuration
  /// Requests that are tuned on and judged by at least.
  public static let fewestRequests = 500
  /// The seed of the search's runs; those that choose among its best use the next ones.
  static let searchSeed: UInt64 = 11

  /// A tuner with these options.
  public init(_ configuration: Configuration = Configuration()) {
    self.configuration = configuration
  }

  /// Tunes on the first part of `log` and judges on the rest.
  ///
  /// - Parameters:
  ///   - model: Fitted on the tuning part; what the router predicts with.
  ///   - progress: Called with a stage's name and the share done, 0…1.
  /// - Throws: ``PolicyTuningError``.
  /// - Complexity: the calibration, and some budget + 60 simulations of the log.
  public func tune(
    _ log: TuningLog, model: GlideModel, progress: ((String, Double) -> Void)? = nil
  ) throws(PolicyTuningError) -> TuningResult {
    let count = log.replay.rows.count
    guard count >= Self.fewestRequests else {
      throw .tooFewRequests(count: count, needed: Self.fewestRequests)
    }
    let predictor = try Self.predictor(model)
    let cut = log.firstRow(ofNewest: 1 - configuration.evaluation.tuningShare)
    let calibration = FleetCalibrator().calibrate(log, rows: 0..<cut, model: model) {
      progress?("calibrating the simulation", $0)
    }
    let proof = SimulatorProof(
      log, calibration: calibration, judged: cut..<count, bounds: configuration.bounds)
    let router = Self.router(calibration)
    let space = PolicySpace(configuration.family, hasObjectives: hasObjectives(log))
    var result = TuningResult(
      calibration: calibration, proof: proof, space: space, objective: configuration.objective,
      baseline: configuration.baseline, prefixCapacity: router.prefixCapacity,
      advice: TuningAdvice(proof: proof, comparisons: [], violations: [], audit: nil))
    guard proof.passes || configuration.searchesUnproved else { return result }

    let evaluator = FleetEvaluator(
      fleet: calibration.fleet(router: router), predictor: predictor,
      workload: log.workload(0..<count), configuration: configuration.evaluation)
    let problem = "\(log.replay.originNanoseconds) \(count) \(model.hashValueOfParts)"
    try optimize(evaluator, from: model, problem: problem, into: &result, progress)
    progress?("auditing off-policy", 0)
    if let tuned = result.tuned {
      result.audit = OffPolicyAudit(
        LoggedDecisions(
          log, rows: cut..<count, predictor: predictor,
          policies: [tuned, configuration.baseline], calibration: calibration, router: router))
    }
    progress?("auditing off-policy", 1)
    advise(&result)
    return result
  }

  /// Searches with any evaluator, and judges; fills in all of `result` but proof and audit.
  func optimize(
    _ evaluator: some PolicyEvaluator, from model: GlideModel?, problem: String,
    into result: inout TuningResult, _ progress: ((String, Double) -> Void)?
  ) throws(PolicyTuningError) {
    let space = result.space
    let found = try search(evaluator, space, from: model, problem: problem, progress)
    result.spent = found.spent
    result.restarts = found.restarts
    let full = found.evaluations.filter { $0.share == 1 && $0.details.count == 2 }
    result.points = full.map {
      TuningResult.Point(
        ttftP90: $0.details[0], tpotP90: $0.details[1], cost: $0.value,
        values: space.values(at: $0.point))
    }
    result.front = ParetoFront.indices(result.points.map { ($0.ttftP90, $0.tpotP90) })
    let best = finalist(full, evaluator, space)
    let point = settled(best, evaluator, space, &result)
    let tuned = NamedPolicy("tuned", space.policy(at: point))
    result.tuned = tuned
    result.values = space.values(at: point)
    judge(tuned, evaluator, &result, progress)
    result.sensitivity = sensitivity(of: point, evaluator, space, found, progress)
  }

  // MARK: - Parts

  /// The runtime's form of `model`.
  ///
  /// - Throws: ``PolicyTuningError/unusableModel(_:)``.
  public static func predictor(_ model: GlideModel) throws(PolicyTuningError) -> Predictor {
    switch Predictor.compile(model) {
    case .success(let predictor): predictor
    case .failure(let refusal): throw .unusableModel("\(refusal)")
    }
  }

  /// A gateway whose prefix index holds what an engine's cache holds.
  public static func router(_ calibration: FleetCalibration) -> Router.Configuration {
    let blocks = calibration.classes.map(\.engine.kvBlocks).min() ?? 31_250
    return Router.Configuration(prefixCapacity: min(max(blocks, 16), 1_000_000))
  }

  private func hasObjectives(_ log: TuningLog) -> Bool {
    let evaluation = configuration.evaluation
    return evaluation.ttftObjectiveMilliseconds > 0 || evaluation.tpotObjectiveMilliseconds > 0
      || log.replay.rows.contains { $0.targetTTFTMilliseconds > 0 }
  }

  private func search(
    _ evaluator: some PolicyEvaluator, _ space: PolicySpace, from model: GlideModel?,
    problem: String, _ progress: ((String, Double) -> Void)?
  ) throws(PolicyTuningError) -> PolicySearch {
    let objective = configuration.objective
    let options =
      "\(problem) \(configuration.family.rawValue) \(objective) "
      + "\(configuration.baseline) \(configuration.evaluation) \(configuration.search)"
    var search = PolicySearch(
      start: start(space, model), configuration: configuration.search)
    if configuration.resumes, let path = configuration.statePath, unsafe access(path, R_OK) == 0 {
      search = try SearchState.read(path: path, problem: options)
    }
    // On all segments and on each rung's: the baseline that costs are relative to.
    var baselines: [Double: Observations] = [:]
    var failure: PolicyTuningError?
    while !search.isFinished, failure == nil {
      search.step { points, share in
        let baseline =
          baselines[share]
          ?? evaluator.tuning(
            [configuration.baseline.policy], share: share, seed: Self.searchSeed)[0]
        baselines[share] = baseline
        let seen = evaluator.tuning(
          points.map { space.policy(at: $0) }, share: share, seed: Self.searchSeed)
        return seen.map {
          PolicySearch.Value(
            objective.cost($0, baseline: baseline),
            details: [TuningMetric.ttftP90.value($0), TuningMetric.tpotP90.value($0)].map {
              $0.isFinite ? $0 : Observations.refusedMilliseconds
            })
        }
      }
      progress?("searching", search.spent / max(configuration.search.budget, 1))
      if let path = configuration.statePath {
        do throws(PolicyTuningError) {
          try SearchState(problem: options, search: search).write(to: path)
        } catch {
          failure = error
        }
      }
    }
    if let failure { throw failure }
    return search
  }

  /// The champion's own policy where it has one, or the untuned one.
  private func start(_ space: PolicySpace, _ model: GlideModel?) -> [Double] {
    guard let model, !model.policy.isEmpty else { return space.start }
    return space.position(of: .predictedCost(PredictedCostParameters(model.policy)))
      ?? space.start
  }

  /// The best of the search's best on fresh seeds: what was merely lucky drops out.
  private func finalist(
    _ evaluations: [PolicySearch.Evaluation], _ evaluator: some PolicyEvaluator,
    _ space: PolicySpace
  ) -> [Double] {
    var points: [[Double]] = []
    for evaluation in evaluations.sorted(by: { $0.value < $1.value }) {
      if points.count < Self.finalists, !points.contains(evaluation.point) {
        points.append(evaluation.point)
      }
    }
    if !points.contains(space.start) { points.append(space.start) }
    var costs = [Double](repeating: 0, count: points.count)
    for round in 1...Self.finalRounds {
      let seed = Self.searchSeed &+ 1000 &* UInt64(round)
      let baseline = evaluator.tuning([configuration.baseline.policy], share: 1, seed: seed)[0]
      let seen = evaluator.tuning(points.map { space.policy(at: $0) }, share: 1, seed: seed)
      for index in points.indices {
        costs[index] += configuration.objective.cost(seen[index], baseline: baseline)
      }
    }
    let best = costs.indices.min { costs[$0] < costs[$1] } ?? 0
    return points[best]
  }

  /// `best`, or where the search began unless `best` is surely better: on the tuning part, with
  /// fresh seeds, segment against segment.
  ///
  /// A search finds what happens to do well on the requests that it saw. Where that is within the
  /// scatter of those, the untuned policy does better on others.
  private func settled(
    _ best: [Double], _ evaluator: some PolicyEvaluator, _ space: PolicySpace,
    _ result: inout TuningResult
  ) -> [Double] {
    guard best != space.start else { return best }
    let policies = [space.policy(at: best), space.base]
    var runs: [[Observations]] = [[], []]
    for round in 1...Self.settlingRounds {
      let seen = evaluator.tuning(
        policies, share: 1, seed: Self.searchSeed &+ 100_000 &* UInt64(round))
      for index in runs.indices { runs[index].append(seen[index]) }
    }
    result.settling = configuration.objective.terms.map { term in
      PairedComparison(term.metric, candidate: runs[0], baseline: runs[1])
    }
    return result.settling.contains { $0.verdict == .win } ? best : space.start
  }

  private static let settlingRounds = 4
  private static let finalists = 5
  private static let finalRounds = 2

  private func judge(
    _ tuned: NamedPolicy, _ evaluator: some PolicyEvaluator, _ result: inout TuningResult,
    _ progress: ((String, Double) -> Void)?
  ) {
    progress?("judging", 0)
    let baseline = configuration.baseline
    let others = [baseline] + configuration.rivals.filter { $0.name != baseline.name }
    let runs = evaluator.judging(
      [tuned.policy] + others.map(\.policy), seeds: configuration.judgingSeeds)
    result.judgedCount = runs[0].first?.count ?? 0
    result.ttftDistribution = Self.distribution(runs[0])
    let aims = configuration.objective.terms.map(\.metric)
    let metrics = aims + TuningMetric.allCases.filter { !aims.contains($0) }
    result.rivals = parallelMap(others.count) { index in
      TuningResult.Rival(
        name: others[index].name,
        comparisons: metrics.map {
          PairedComparison($0, candidate: runs[0], baseline: runs[index + 1])
        }, ttftDistribution: Self.distribution(runs[index + 1]))
    }
    var (candidate, reference) = (Observations(), Observations())
    for run in runs[0] { candidate.append(run) }
    for run in runs[1] { reference.append(run) }
    result.advice = TuningAdvice(
      proof: result.proof, comparisons: result.rivals.first?.comparisons ?? [],
      violations: configuration.objective.violations(candidate, baseline: reference), audit: nil)
    progress?("judging", 1)
  }

  private static func distribution(_ runs: [Observations]) -> [Double] {
    let sorted = runs.flatMap(\.ttft).sorted()
    return TuningResult.distributionLevels.map { Quantile.of(sorted: sorted, $0) }
  }

  /// With the audit in hand.
  private func advise(_ result: inout TuningResult) {
    guard result.advice.decision == .adopt else { return }
    result.advice = TuningAdvice(
      proof: result.proof, comparisons: result.rivals.first?.comparisons ?? [], violations: [],
      audit: result.audit)
  }

  private func sensitivity(
    of best: [Double], _ evaluator: some PolicyEvaluator, _ space: PolicySpace,
    _ search: PolicySearch, _ progress: ((String, Double) -> Void)?
  ) -> [ParameterSensitivity] {
    progress?("sensitivity", 0)
    let steps = [-0.5, -0.25, 0, 0.25, 0.5]
    let baseline = evaluator.tuning(
      [configuration.baseline.policy], share: 1, seed: Self.searchSeed)[0]
    let points = best.indices.flatMap { dimension in
      steps.map { step in
        var point = best
        point[dimension] = min(max(best[dimension] + step, 0), 1)
        return point
      }
    }
    let seen = evaluator.tuning(
      points.map { space.policy(at: $0) }, share: 1, seed: Self.searchSeed)
    let costs = seen.map { configuration.objective.cost($0, baseline: baseline) }
    let full = search.evaluations.filter { $0.share == 1 }
    progress?("sensitivity", 1)
    return best.indices.map { dimension in
      let range = (dimension * steps.count)..<((dimension + 1) * steps.count)
      return ParameterSensitivity(
        name: space.dimensions[dimension].name,
        values: points[range].map { space.dimensions[dimension].value($0[dimension]) },
        costs: Array(costs[range]),
        rankCorrelation: ParameterSensitivity.rankCorrelation(
          full.map { $0.point[dimension] }, full.map(\.value)))
    }
  }
}

extension GlideModel {
  /// What tells models apart, the same in every process.
  fileprivate var hashValueOfParts: String {
    let sums = [ttft, tpot].map { target in
      target.heads.reduce(0.0) { $0 + $1.intercept + $1.coefficients.reduce(0, +) }
    }
    return "\(provenance.datasetFingerprint) \(sums) \(policy.map(\.value))"
  }
}
