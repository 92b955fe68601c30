/// A bounded search for the least value of a function of the unit box: CMA-ES with restarts and
/// races, a fixed budget, and a state that can be saved between any two generations.
///
/// Every value is computed on the same parts of the problem with the same seeds, so that points
/// differ by nothing else (common random numbers). In a race all points of a generation are seen on
/// the first parts, the better half of them on more, and so on; what drops out ranks behind. When
/// a run has converged, the next begins elsewhere with twice the points (IPOP).
///
/// - Source: Auger and Hansen (2005), doi:10.1109/CEC.2005.1554902; Jamieson and Talwalkar (2016),
///   arXiv:1502.07943.
public struct PolicySearch: Sendable, Hashable, Codable {
  /// Options.
  public struct Configuration: Sendable, Hashable, Codable {
    /// Evaluations on the whole problem that may be spent; a race's parts count as parts.
    public var budget: Double
    /// The first step, as a share of the box, 0…1.
    public var stepSize: Double
    /// Points per generation; 0 for the dimension's default.
    public var populationSize: Int
    /// Shares of the problem that the rungs of a race see, rising to 1.
    public var rungs: [Double]
    /// Seeds the drawing of points.
    public var seed: UInt64

    /// The defaults.
    public init(
      budget: Double = 200, stepSize: Double = 0.3, populationSize: Int = 0,
      rungs: [Double] = [1.0 / 3, 1], seed: UInt64 = 1
    ) {
      self.budget = budget
      self.stepSize = stepSize
      self.populationSize = populationSize
      self.rungs = rungs.filter { $0 > 0 && $0 < 1 }.sorted() + [1]
      self.seed = seed
    }
  }

  /// What an evaluation found.
  public struct Value: Sendable, Hashable {
    /// Less is better; not finite for points that cannot be used.
    public var value: Double
    /// Finite numbers to be kept beside it.
    public var details: [Double]

    /// A value, and what to keep beside it.
    public init(_ value: Double, details: [Double] = []) {
      self.value = value
      self.details = details
    }
  }

  /// A point that was evaluated.
  public struct Evaluation: Sendable, Hashable, Codable {
    /// In the unit box.
    public var point: [Double]
    /// The share of the problem that it was evaluated on, 0…1.
    public var share: Double
    /// What was found; less is better.
    public var value: Double
    /// What the evaluation says besides; the search does not look at it.
    public var details: [Double]
    /// In which restart.
    public var restart: Int
  }

  /// Options.
  public let configuration: Configuration
  /// What was evaluated, in order.
  public private(set) var evaluations: [Evaluation] = []
  /// Evaluations on the whole problem, spent so far.
  public private(set) var spent = 0.0
  /// How often it began anew.
  public private(set) var restarts = 0
  /// The best point evaluated on the whole problem; `nil` before the first.
  public private(set) var best: Evaluation?
  private let start: [Double]
  private var strategy: EvolutionStrategy
  private var random: SeededGenerator
  private var isStartKnown = false

  /// A search from `start`, in the unit box.
  public init(start: [Double], configuration: Configuration = Configuration()) {
    self.configuration = configuration
    self.start = start
    strategy = EvolutionStrategy(
      start: start, stepSize: configuration.stepSize,
      populationSize: configuration.populationSize > 0
        ? configuration.populationSize
        : EvolutionStrategy.defaultPopulation(dimension: start.count))
    random = SeededGenerator(seed: configuration.seed)
  }

  /// Whether the budget is spent.
  public var isFinished: Bool {
    start.isEmpty ? isStartKnown : configuration.budget - spent < cheapestGeneration
  }

  private var cheapestGeneration: Double {
    isStartKnown ? Double(strategy.populationSize) * (configuration.rungs.first ?? 1) : 1
  }

  /// Runs one generation; the first evaluates the start alone.
  ///
  /// - Parameter evaluate: The values of points on a share of the problem.
  public mutating func step(_ evaluate: (_ points: [[Double]], _ share: Double) -> [Value]) {
    guard !isFinished else { return }
    guard isStartKnown else {
      isStartKnown = true
      _ = record([start], share: 1, evaluate)
      return
    }
    let points = strategy.ask(&random)
    strategy.tell(ranking: race(points, evaluate))
    if strategy.isConverged { restart() }
  }

  /// Runs to the end of the budget.
  ///
  /// - Parameter onGeneration: Called after each generation, to save the state or to show it.
  public mutating func run(
    evaluate: (_ points: [[Double]], _ share: Double) -> [Value],
    onGeneration: (PolicySearch) -> Void = { _ in }
  ) {
    while !isFinished {
      step(evaluate)
      onGeneration(self)
    }
  }

  /// The points' ranking, best first.
  private mutating func race(
    _ points: [[Double]], _ evaluate: ([[Double]], Double) -> [Value]
  ) -> [Int] {
    var racing = Array(points.indices)
    var dropped: [Int] = []
    for (rung, share) in configuration.rungs.enumerated() {
      // What the budget no longer affords is ranked as it stands.
      let affordable = Int((configuration.budget - spent) / share + 1e-9)
      if affordable < racing.count {
        guard affordable > 0 else { break }
        dropped = racing[affordable...] + dropped
        racing.removeLast(racing.count - affordable)
      }
      let values = record(racing.map { points[$0] }, share: share, evaluate)
      let order = racing.indices.sorted {
        (values[$0], racing[$0]) < (values[$1], racing[$1])
      }
      racing = order.map { racing[$0] }
      guard rung + 1 < configuration.rungs.count else { break }
      let kept = max(1, (racing.count + 1) / 2)
      dropped = racing[kept...] + dropped
      racing.removeLast(racing.count - kept)
    }
    return racing + dropped
  }

  private mutating func record(
    _ points: [[Double]], share: Double, _ evaluate: ([[Double]], Double) -> [Value]
  ) -> [Double] {
    let results = evaluate(points, share)
    let values = results.map { $0.value.isFinite ? $0.value : .greatestFiniteMagnitude }
    spent += share * Double(points.count)
    for ((point, value), result) in zip(zip(points, values), results) {
      let evaluation = Evaluation(
        point: point, share: share, value: value, details: result.details, restart: restarts)
      evaluations.append(evaluation)
      if share == 1, value < (best?.value ?? .infinity) { best = evaluation }
    }
    return values
  }

  private mutating func restart() {
    restarts += 1
    strategy = EvolutionStrategy(
      start: start.map { _ in random.uniform() }, stepSize: configuration.stepSize,
      populationSize: strategy.populationSize * 2)
  }
}
