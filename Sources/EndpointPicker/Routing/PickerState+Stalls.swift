internal import RoutingRuntime

extension PickerState {
  /// What waits for a first token is given this many times as long as what is in the middle.
  private static let waitingPatience = 5.0
  /// And at least this many times its predicted 99th percentile.
  private static let predictionPatience = 3.0

  /// What an endpoint's streams in flight say of it.
  private struct Evidence {
    var isDecoding = false
    /// When the request was dispatched that has waited longest for a first token, ms.
    var oldestWaiting = Double.infinity
    /// How long that one may wait, ms.
    var patience = 0.0
  }

  /// An answer of the endpoint went on: whatever it had, it works.
  mutating func progressed(_ endpoint: Int, at time: Double) {
    slots[endpoint].progressAt = time
    guard slots[endpoint].isStalled else { return }
    slots[endpoint].acquit()
    applyAvailability(at: time)
  }

  /// A request that was sent after the last ejection has its first token: others may follow.
  ///
  /// Waiting for its end would leave the endpoint idle for the length of an answer.
  mutating func endProbation(_ endpoint: Int, by flight: Flight, at time: Double) {
    guard slots[endpoint].isOnProbation, flight.dispatchedAt >= slots[endpoint].ejectedUntil else {
      return
    }
    slots[endpoint].isOnProbation = false
    applyAvailability(at: time)
  }

  /// Finds the endpoints that hang: none of their streams goes on, though some should.
  ///
  /// Engines with continuous batching give every running stream a token at each step, so that a
  /// second without any is long. Answers that come whole say nothing until they are there.
  ///
  /// - Complexity: O(requests in flight + endpoints).
  mutating func findStalls(at time: Double) {
    guard settings.stallMilliseconds > 0 else { return }
    var evidence = [Evidence](repeating: Evidence(), count: slots.count)
    for flight in flights.values where flight.request.isStreaming {
      let isWaiting = flight.firstTokenAt == nil
      let computesPrompt = flight.pick.prefillEndpoint >= 0 && isWaiting
      let endpoint = computesPrompt ? flight.pick.prefillEndpoint : flight.pick.endpoint
      if !isWaiting {
        evidence[endpoint].isDecoding = true
      } else if flight.dispatchedAt < evidence[endpoint].oldestWaiting {
        evidence[endpoint].oldestWaiting = flight.dispatchedAt
        evidence[endpoint].patience = max(
          Self.waitingPatience * settings.stallMilliseconds,
          Self.predictionPatience * (flight.pick.prediction?.ttft.p99 ?? 0))
      }
    }
    for (endpoint, seen) in evidence.enumerated() {
      let isStalled = isStalled(seen, endpoint, at: time)
      if isStalled, !slots[endpoint].isStalled {
        counters.stalls += 1
        // Its clients may leave, and then nothing tells any more that it hangs.
        eject(endpoint, at: time)
      }
      slots[endpoint].isStalled = isStalled
    }
  }

  private func isStalled(_ seen: Evidence, _ endpoint: Int, at time: Double) -> Bool {
    let silence = time - slots[endpoint].progressAt
    if seen.isDecoding, silence > settings.stallMilliseconds { return true }
    return silence > seen.patience && time - seen.oldestWaiting > seen.patience
  }
}
