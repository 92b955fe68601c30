public import FleetSimulation
internal import RoutingRuntime

/// A change of the world to be tried on a simulated fleet.
public struct WhatIf: Sendable, Hashable, Codable {
  /// Arrivals this many times as frequent.
  public var rate: Double
  /// Prompts this many times as long.
  public var promptLength: Double
  /// Answers this many times as long.
  public var answerLength: Double
  /// How many endpoints; 0 for as many as there are.
  public var endpoints: Int
  /// How many endpoints of each accelerator class, instead; empty for the mix that there is.
  public var accelerators: [String: Int]

  /// No change but those given.
  public init(
    rate: Double = 1, promptLength: Double = 1, answerLength: Double = 1, endpoints: Int = 0,
    accelerators: [String: Int] = [:]
  ) {
    self.rate = rate
    self.promptLength = promptLength
    self.answerLength = answerLength
    self.endpoints = endpoints
    self.accelerators = accelerators
  }

  /// The workload after the change.
  public func applied(to workload: Workload) -> Workload {
    var result = workload
    if rate != 1 { result = result.arriving(timesAsFast: rate) }
    if promptLength != 1 { result = result.promptsLonger(by: promptLength) }
    if answerLength != 1 { result = result.answersLonger(by: answerLength) }
    return result
  }

  /// The fleet after the change; accelerator classes that it does not have are ignored.
  public func applied(to fleet: FleetConfiguration) -> FleetConfiguration {
    var result = fleet
    if !accelerators.isEmpty {
      var mixed: [FleetConfiguration.Endpoint] = []
      for (name, count) in accelerators.sorted(by: { $0.key < $1.key }) {
        let members = fleet.endpoints.filter { $0.accelerator == name }
        guard !members.isEmpty else { continue }
        for index in 0..<max(count, 0) {
          var endpoint = members[index % members.count]
          if index >= members.count { endpoint.name += "-\(index / members.count + 1)" }
          mixed.append(endpoint)
        }
      }
      if !mixed.isEmpty { result.endpoints = mixed }
    }
    return endpoints > 0 ? result.resized(to: endpoints) : result
  }
}

/// How many endpoints a workload needs.
public struct CapacityPlan: Sendable, Hashable {
  /// One size that was tried.
  public struct Trial: Sendable, Hashable {
    /// Endpoints.
    public var endpoints: Int
    /// The share of requests within their objectives, 0…1.
    public var goodput: Double
  }

  /// The fewest endpoints that suffice; `nil` when the most allowed do not.
  public var endpoints: Int?
  /// What was tried, by endpoints.
  public var trials: [Trial]

  /// Finds the fewest endpoints with at least `goodput`, by bisection.
  ///
  /// - Parameters:
  ///   - range: Endpoints to consider, at least 1.
  ///   - measure: The goodput with so many endpoints, 0…1; taken to rise with them.
  /// - Complexity: O(log range) measurements.
  public init(
    goodput: Double, among range: ClosedRange<Int>, measure: (Int) -> Double
  ) {
    var trials: [Trial] = []
    func suffices(_ count: Int) -> Bool {
      let trial = Trial(endpoints: count, goodput: measure(count))
      trials.append(trial)
      return trial.goodput >= goodput
    }
    var (low, high) = (range.lowerBound, range.upperBound)
    if suffices(high) {
      while low < high {
        let middle = (low + high) / 2
        if suffices(middle) { high = middle } else { low = middle + 1 }
      }
      endpoints = low
    } else {
      endpoints = nil
    }
    self.trials = trials.sorted { $0.endpoints < $1.endpoints }
  }
}
