internal import FleetSimulation
internal import NIOCore

/// Runs one engine in real or accelerated time, on one event loop.
///
/// Everything happens on that loop, the connections included: no lock, no thread switch, and the
/// next event's time is a timer.
final class EngineDriver {
  /// What is wrong with the endpoint.
  enum Fault: Hashable {
    /// Requests are refused with 500.
    case errors
    /// Connections are reset.
    case resets
    /// Nothing is answered.
    case hang
    /// Metrics say that it is idle.
    case lies
  }

  private var engine: SimulatedEngine
  private let loop: any EventLoop
  private let start: NIODeadline
  private let acceleration: Double
  private var listeners: [Int: (EngineEvent) -> Void] = [:]
  private var nextID = 1
  private var timer: Scheduled<Void>?
  /// What is wrong; empty for nothing.
  var faults: Set<Fault> = []

  init(_ configuration: EndpointConfiguration, loop: any EventLoop) {
    var engine = configuration.engine
    engine.emitsEveryToken = true
    self.engine = SimulatedEngine(engine, seed: configuration.seed)
    self.loop = loop
    acceleration = configuration.acceleration
    start = .now()
  }

  /// Virtual ms since the start.
  private var now: Double {
    Double((NIODeadline.now() - start).nanoseconds) * 1e-6 * acceleration
  }

  /// Tokens of a block of the prefix cache.
  var blockTokens: Int { engine.configuration.blockTokens }
  /// Blocks of the KV cache.
  var kvBlocks: Int { engine.configuration.kvBlocks }
  /// Requests that are queued or running.
  var requestsInFlight: Int { engine.requestsInFlight }

  // MARK: - Requests

  /// Submits a request; `listener` is called with each of its events.
  func submit(
    promptTokens: Int, answerTokens: Int, blocks: [UInt64],
    listener: @escaping (EngineEvent) -> Void
  ) -> Int {
    let id = nextID
    nextID += 1
    listeners[id] = listener
    catchUp()
    engine.submit(
      id: id, promptTokens: promptTokens, outputTokens: answerTokens, blocks: blocks, at: now)
    setTimer()
    return id
  }

  /// The client has gone.
  func abort(_ id: Int) {
    guard listeners.removeValue(forKey: id) != nil else { return }
    catchUp()
    engine.abort(id: id, at: now)
    setTimer()
  }

  /// The engine's metrics now.
  func metrics() -> EngineMetrics {
    catchUp()
    setTimer()
    return engine.metrics
  }

  // MARK: - Faults

  func setSlowness(_ factor: Double) {
    catchUp()
    engine.setSlowness(factor, at: now)
    setTimer()
  }

  func hang() {
    faults.insert(.hang)
    stall()
  }

  /// No request makes progress until it is healed.
  func stall() {
    catchUp()
    engine.hang(at: now)
    setTimer()
  }

  /// Dies and comes back: every request fails, the cache is empty.
  func kill() {
    catchUp()
    engine.fail(at: now)
    catchUp()
    setTimer()
  }

  /// Nothing is wrong any more.
  func heal() {
    catchUp()
    faults = []
    engine.resume(at: now)
    engine.setSlowness(1, at: now)
    setTimer()
  }

  // MARK: - Time

  private func catchUp() {
    var events: [EngineEvent] = []
    engine.advance(to: now) { events.append($0) }
    for event in events {
      guard let listener = listeners[event.id] else { continue }
      switch event.kind {
      case .finished, .rejected, .failed: listeners[event.id] = nil
      case .firstToken, .token: break
      }
      listener(event)
    }
  }

  private func setTimer() {
    timer?.cancel()
    timer = nil
    guard let next = engine.nextEventTime else { return }
    let nanoseconds = max((next - now) / acceleration * 1e6, 0)
    timer = loop.assumeIsolated().scheduleTask(
      in: .nanoseconds(Int64(min(nanoseconds, 1e15)))
    ) { [weak self] in
      self?.catchUp()
      self?.setTimer()
    }
  }
}
