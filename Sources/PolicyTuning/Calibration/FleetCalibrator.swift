public import CoefficientFile
internal import FleetSimulation
internal import Glibc
internal import LogReplay
internal import RequestLog
internal import RoutingRuntime

/// Learns from a request log what a simulation of its fleet needs.
///
/// Step coefficients come from two regressions: the model's own (first tokens and gaps between step
/// ends) and one on how long answers took; the KV cache from the usage that engines reported and
/// from what had been evicted; delays, noise and a few correction factors from matching simulated
/// to logged quantiles under the logged decisions. What is nearer to the log wins.
public struct FleetCalibrator: Sendable {
  /// Options.
  public struct Configuration: Sendable {
    /// Requests that are simulated per guess at most: the newest.
    public var simulatedRows: Int
    /// The first share of those that only fills the caches, 0…1.
    public var warmUpShare: Double
    /// Rounds of the search, each at half the step of the one before.
    public var rounds: Int
    /// Seeds the simulations.
    public var seed: UInt64

    /// The defaults.
    public init(
      simulatedRows: Int = 30_000, warmUpShare: Double = 0.1, rounds: Int = 4, seed: UInt64 = 1
    ) {
      self.simulatedRows = simulatedRows
      self.warmUpShare = warmUpShare
      self.rounds = rounds
      self.seed = seed
    }
  }

  private let configuration: Configuration

  /// A calibrator with these options.
  public init(_ configuration: Configuration = Configuration()) {
    self.configuration = configuration
  }

  /// Calibrates on rows `rows` of `log`, from a model that was fitted on them.
  ///
  /// - Parameter progress: Called with the share done, 0…1.
  /// - Complexity: some 200 simulations of the rows.
  public func calibrate(
    _ log: TuningLog, rows: Range<Int>, model: GlideModel,
    progress: ((Double) -> Void)? = nil
  ) -> FleetCalibration {
    let classes = AcceleratorClasses(log, rows: rows, model: model)
    let start = max(rows.lowerBound, rows.upperBound - configuration.simulatedRows)
    let warm = start + Int(configuration.warmUpShare * Double(rows.upperBound - start))
    let interval = Self.scrapeInterval(log, rows: rows)
    let bench = CalibrationBench(
      log: log, rows: start..<rows.upperBound, judged: warm..<rows.upperBound,
      classOfEndpoint: classes.classOfEndpoint, scrapeInterval: interval,
      seed: configuration.seed)
    let search = CalibrationSearch(bench: bench, classes: classes, rows: rows)
    var guesses: [FleetGuess] = []
    for (index, source) in FleetCalibration.Source.allCases.enumerated() {
      var guess = search.initial(source, rows: rows)
      search.fitCache(&guess)
      if source == .replayedSteps { guess = search.replayed(from: guess) }
      search.refine(&guess, step: 0.08, rounds: 2)
      search.fitCache(&guess)
      progress?(0.8 * Double(index + 1) / Double(FleetCalibration.Source.allCases.count))
      bench.judge(&guess, seeds: Self.finalSeeds)
      guesses.append(guess)
    }
    guard var best = search.nearest(guesses) else {
      return classes.emptyCalibration(scrapeInterval: interval)
    }
    search.refine(&best, step: 0.04, rounds: configuration.rounds)
    progress?(0.9)
    let widths = search.halfWidths(best)
    progress?(1)
    return classes.calibration(best, widths: widths, log: log, scrapeInterval: interval)
  }

  /// Simulations that judge what each source led to: the noise of one would decide among them.
  private static let finalSeeds = 3

  /// Snapshots are half an interval old on average.
  private static func scrapeInterval(_ log: TuningLog, rows: Range<Int>) -> Double {
    let ages = rows.map { Double(log.replay.rows[$0].snapshotAgeMilliseconds) }.filter(\.isFinite)
    let median = SimulationComparison.Pair.quantile(ages, 0.5)
    return median.isFinite ? min(max(2 * median, 5), 10_000) : 50
  }
}

/// The accelerator classes of a log.
struct AcceleratorClasses: Sendable {
  var names: [String] = []
  /// What the model says that they run.
  var engines: [EngineModel] = []
  var classOfEndpoint: [Int] = []
  var endpointNames: [String] = []
  var sampleCounts: [Int] = []
  var roles: [EndpointRole] = []

  init(_ log: TuningLog, rows: Range<Int>, model: GlideModel) {
    var accelerators = [Symbol](repeating: .none, count: log.endpoints.count)
    var counts = [Int](repeating: 0, count: log.endpoints.count)
    for row in rows {
      let endpoint = log.endpoint(ofRow: row)
      guard endpoint >= 0 else { continue }
      accelerators[endpoint] = log.replay.rows[row].accelerator
      if log.replay.isComplete(row) { counts[endpoint] += 1 }
    }
    roles = log.roles(rows)
    // A log names the accelerator that decodes; prompts alone are taken to meet the commonest.
    let commonest = counts.indices.max { counts[$0] < counts[$1] }
    for endpoint in log.endpoints.indices where roles[endpoint] == .prefill {
      accelerators[endpoint] = commonest.map { accelerators[$0] } ?? .none
    }
    for endpoint in log.endpoints.indices {
      let name = log.replay.symbols.name(accelerators[endpoint]) ?? ""
      endpointNames.append(log.endpointName(endpoint))
      if let known = names.firstIndex(of: name) {
        classOfEndpoint.append(known)
        sampleCounts[known] += counts[endpoint]
        continue
      }
      let group = model.groups.first { $0.kind == .accelerator && $0.name == name }
      let engine = Int(group?.engine ?? 0)
      classOfEndpoint.append(names.count)
      names.append(name)
      engines.append(model.engines.indices.contains(engine) ? model.engines[engine] : .idle)
      sampleCounts.append(counts[endpoint])
    }
  }

  /// The calibration that `guess` amounts to.
  func calibration(
    _ guess: FleetGuess, widths: [CalibrationSearch.HalfWidths], log: TuningLog,
    scrapeInterval: Double
  ) -> FleetCalibration {
    var result = emptyCalibration(scrapeInterval: scrapeInterval)
    var (sum, total) = (0.0, 0)
    for index in names.indices {
      result.classes.append(
        FleetCalibration.AcceleratorClass(
          name: names[index],
          engine: guess.classes[index].configuration(blockTokens: log.blockTokens),
          sampleCount: sampleCounts[index], source: guess.classes[index].source,
          decodeHalfWidth: widths[index].decode, prefillHalfWidth: widths[index].prefill,
          cacheHalfWidth: widths[index].cache))
      if sampleCounts[index] < 200 {
        result.warnings.append(
          "class \"\(names[index])\" has only \(sampleCounts[index]) complete requests")
      }
      if guess.discrepancies[index].isFinite {
        sum += guess.discrepancies[index] * Double(sampleCounts[index])
        total += sampleCounts[index]
      }
    }
    result.discrepancy = total > 0 ? sum / Double(total) : .infinity
    return result
  }

  func emptyCalibration(scrapeInterval: Double) -> FleetCalibration {
    FleetCalibration(
      classes: [],
      endpoints: endpointNames.indices.map {
        FleetCalibration.Endpoint(
          name: endpointNames[$0], accelerator: classOfEndpoint[$0], role: roles[$0])
      }, scrapeIntervalMilliseconds: scrapeInterval, discrepancy: .infinity, warnings: [])
  }
}

extension EngineModel {
  /// Steps of 10 ms, whatever they compute: a place to start from.
  static var idle: EngineModel {
    var coefficients = [Double](repeating: 0, count: StepFeature.count)
    coefficients[0] = 10
    return EngineModel(
      stepCoefficients: coefficients,
      stepHalfWidths: [Float](repeating: 0, count: StepFeature.count), tokenBudget: 8192,
      maximumSequences: 256, uplinkMilliseconds: 0.5, downlinkMilliseconds: 0.4)
  }
}
