internal import Foundation

/// What `POST /fault` asks for: `{"kind": "slow", "factor": 5}` and its like.
struct FaultRequest: Decodable {
  /// The kinds of faults.
  enum Kind: String, Decodable {
    /// Steps take `factor` times as long.
    case slow
    /// Requests and scrapes are taken and not answered.
    case hang
    /// The engine stands still, while the server goes on taking requests and answering scrapes.
    case stall
    /// Requests are refused with 500.
    case error
    /// Connections are reset, also in the middle of an answer.
    case reset
    /// The metrics say that it is idle.
    case metrics
    /// Every request fails and the cache is lost; then it goes on.
    case kill
    /// Nothing is wrong any more.
    case heal
  }

  var kind: Kind
  var factor: Double?

  /// `nil` for a body that is no such request.
  static func parse(_ bytes: [UInt8]) -> FaultRequest? {
    guard let request = try? JSONDecoder().decode(FaultRequest.self, from: Data(bytes)) else {
      return nil
    }
    if let factor = request.factor, !(factor > 0 && factor <= 1e6) { return nil }
    return request
  }

  func apply(to driver: EngineDriver) {
    switch kind {
    case .slow: driver.setSlowness(factor ?? 5)
    case .hang: driver.hang()
    case .stall: driver.stall()
    case .error: driver.faults.insert(.errors)
    case .reset: driver.faults.insert(.resets)
    case .metrics: driver.faults.insert(.lies)
    case .kill: driver.kill()
    case .heal: driver.heal()
    }
  }
}
