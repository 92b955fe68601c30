internal import CoefficientFile
internal import LogReplay
internal import RequestLog
internal import RoutingRuntime

/// The linear equations in step coefficients that one replay yields.
struct CalibrationRows: ReplayObserver {
  struct Request {
    var classIndex: Int
    /// Where its summed step features begin in ``features``.
    var start: Int
    /// The steps' total length, ms.
    var target: Double
    /// TTFT, ms: errors count relative to it.
    var scale: Double
    /// The forecast TTFT, ms, with what joined later.
    var predicted: Double

    var relativeError: Double { min(abs(predicted - scale) / scale, 3) }
  }

  /// A request whose last step has not begun: prompts that arrive by then are computed in it, too.
  ///
  /// A forecast for serving cannot know of them. Equations must: else the engine that waits for a
  /// prompt's second step looks slow, and a larger token budget, which has no second step, right.
  private struct Waiting {
    /// Its index among ``requests``.
    var request: Int
    /// When its last step begins.
    var start: Double
    var step: StepComposition
    /// Prompt tokens that the step has room for.
    var room: Double
  }

  /// One endpoint as one gateway sees it.
  private struct Place: Hashable {
    var gateway: Symbol
    var endpoint: Int
  }

  struct Gap {
    var classIndex: Int
    /// Where its summed step features begin in ``gapValues``.
    var start: Int
    var elapsed: Double
    var predicted: Double
  }

  private let log: ReplayLog
  private let own: Range<Int>
  private let classOfSymbol: [Int]
  private let engines: [EngineModel]
  private(set) var requests: [Request] = []
  private(set) var features: [Float] = []
  private(set) var gaps: [Gap] = []
  private(set) var gapValues: [Float] = []
  private var waiting: [Place: [Waiting]] = [:]
  private var row = [Double](repeating: 0, count: Feature.count)
  /// Per gateway and endpoint, the gaps that were recorded before the first of ``own``.
  private var warmUpGaps: [Symbol: [Int]] = [:]

  /// - Parameter own: The rows whose equations count; earlier ones only warm the engines.
  init(log: ReplayLog, own: Range<Int>, classOfSymbol: [Int], engines: [EngineModel]) {
    self.log = log
    self.own = own
    self.classOfSymbol = classOfSymbol
    self.engines = engines
  }

  /// The forecast's mean relative error.
  var error: Double {
    guard !requests.isEmpty else { return .infinity }
    return requests.reduce(0) { $0 + $1.relativeError } / Double(requests.count)
  }

  mutating func willDispatch(
    _ index: Int, _ request: RequestShape, to endpoint: Int, of pool: inout EndpointPool,
    at time: Double
  ) {
    guard own.contains(index) else { return }
    let gateway = log.rows[index].gateway
    if warmUpGaps[gateway] == nil {
      warmUpGaps[gateway] = pool.endpoints.map { $0.engine.trace?.rows.count ?? 0 }
    }
    let symbol = Int(log.rows[index].endpoint.index)
    guard classOfSymbol.indices.contains(symbol) else { return }
    let place = Place(gateway: gateway, endpoint: endpoint)
    join(request, place, of: pool.endpoints[endpoint].engine, at: time)
    guard log.isComplete(index) else { return }
    let forecast = pool.features(request, on: endpoint, at: time, into: &row)
    guard let steps = pool.endpoints[endpoint].forecaster.features else { return }
    let classIndex = classOfSymbol[symbol]
    let engine = engines[classIndex]
    let ttft = log.rows[index].ttftMilliseconds - log.dispatchDelay(index)
    guard ttft > 0 else { return }
    let delays = engine.uplinkMilliseconds + engine.downlinkMilliseconds
    let elapsed = pool.endpoints[endpoint].stepElapsed(at: time)
    if forecast.lastStepMilliseconds > 0, forecast.roomTokens > 0 {
      waiting[place, default: []].append(
        Waiting(
          request: requests.count, start: time + forecast.lastStepMilliseconds,
          step: pool.endpoints[endpoint].forecaster.lastStep, room: forecast.roomTokens))
    }
    requests.append(
      Request(
        classIndex: classIndex, start: features.count, target: ttft + elapsed - delays,
        scale: ttft,
        predicted: forecast.queueMilliseconds + forecast.prefillMilliseconds + delays))
    for value in steps { features.append(Float(value)) }
  }

  /// Adds a prompt dispatched at `time` to the steps that others wait for.
  private mutating func join(
    _ request: RequestShape, _ place: Place, of engine: EngineEmulator, at time: Double
  ) {
    guard var others = waiting[place] else { return }
    waiting[place] = nil
    others.removeAll { $0.start <= time }
    for index in others.indices {
      let taken = min(request.newTokens, others[index].room)
      var step = others[index].step
      step.addPrefill(taken, context: request.promptTokens - request.newTokens + taken)
      let target = others[index].request
      requests[target].predicted +=
        (engine.stepModel.milliseconds(step) - engine.stepModel.milliseconds(others[index].step))
        * engine.slowness
      var change = [Double](repeating: 0, count: StepFeature.count)
      StepFeature.accumulate(step, weight: 1, into: &change)
      StepFeature.accumulate(others[index].step, weight: -1, into: &change)
      for column in change.indices {
        features[requests[target].start + column] += Float(change[column])
      }
      others[index].step = step
      others[index].room -= taken
    }
    others.removeAll { $0.room <= 0 }
    if !others.isEmpty { waiting[place] = others }
  }

  mutating func didReceiveFirstToken(_ index: Int, at time: Double) {}
  mutating func didFinish(_ index: Int, at time: Double) {}

  /// Takes over the gaps that the engines recorded.
  mutating func collectGaps(_ pools: [ReplayedPool]) {
    let size = StepFeature.count
    for pool in pools {
      let skipped = warmUpGaps[pool.gateway] ?? []
      for (index, endpoint) in pool.state.endpoints.enumerated() {
        guard let rows = endpoint.engine.trace?.rows else { continue }
        let classIndex = classOfSymbol[Int(pool.endpointSymbols[index].index)]
        let first = index < skipped.count ? skipped[index] : 0
        for start in stride(from: first, to: rows.count, by: StepTrace.rowSize) {
          gaps.append(
            Gap(
              classIndex: classIndex, start: gapValues.count, elapsed: rows[start + size],
              predicted: rows[start + size + 1]))
          for column in 0..<size { gapValues.append(Float(rows[start + column])) }
        }
      }
    }
  }

  /// Adds the equations of another replay.
  mutating func append(_ other: CalibrationRows) {
    let (first, firstGap) = (features.count, gapValues.count)
    features += other.features
    gapValues += other.gapValues
    requests += other.requests.map {
      var request = $0
      request.start += first
      return request
    }
    gaps += other.gaps.map {
      var gap = $0
      gap.start += firstGap
      return gap
    }
  }
}
