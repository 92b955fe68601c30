/// How far a picker has come in ending itself; pure, so that every call brings the time.
///
/// Serving → draining, when readiness is withdrawn but picks go on → ended, once nothing is in flight
/// and the grace period is over, or the limit is reached.
struct DrainProgress: Sendable, Hashable {
  enum Phase: Sendable, Hashable {
    case serving
    case draining(since: Double)
    case ended
  }

  let graceMilliseconds: Double
  let limitMilliseconds: Double
  private(set) var phase = Phase.serving

  init(_ configuration: PickerConfiguration.Drain) {
    graceMilliseconds = Double(configuration.graceMilliseconds)
    limitMilliseconds = Double(configuration.limitMilliseconds)
  }

  var isServing: Bool { phase == .serving }

  /// Begins to drain; returns whether that is news.
  mutating func begin(at time: Double) -> Bool {
    guard phase == .serving else { return false }
    phase = .draining(since: time)
    return true
  }

  /// Looks whether it is over.
  mutating func isOver(requestsInFlight: Int, at time: Double) -> Bool {
    guard case .draining(let since) = phase else { return phase == .ended }
    let waited = time - since
    guard waited >= limitMilliseconds || (waited >= graceMilliseconds && requestsInFlight == 0)
    else { return false }
    phase = .ended
    return true
  }
}
