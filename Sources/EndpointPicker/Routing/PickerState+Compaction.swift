internal import RoutingRuntime

extension PickerState {
  /// Endpoints that left and are kept for their return, at least.
  private static let keptEndpoints = 32

  /// Forgets the endpoints that left, once they are many and more than those that stayed.
  ///
  /// The router cannot lose an endpoint, so a new one is made and the requests in flight are told to
  /// it again, in order. It begins with cold prefix indices: endpoints that come and go by the dozen
  /// had cold caches too.
  mutating func compact(at time: Double) {
    let gone = slots.indices.filter { !slots[$0].isPresent && slots[$0].requestsInFlight == 0 }
    guard gone.count > max(Self.keptEndpoints, slots.count - gone.count) else { return }
    counters.compactions += 1
    var map = [Int](repeating: -1, count: slots.count)
    var kept: [EndpointSlot] = []
    var fresh = Router(
      predictor: predictor, policy: router.policy, configuration: settings.router)
    for (index, slot) in slots.enumerated() where slot.isPresent || slot.requestsInFlight > 0 {
      map[index] = fresh.addEndpoint(
        named: slot.description.name, accelerator: slot.description.accelerator,
        role: slot.description.role, engine: .unfitted)
      if let snapshot = slot.snapshot { fresh.observe(snapshot, on: map[index]) }
      kept.append(slot)
    }
    retell(to: &fresh, map)
    indices = indices.mapValues { map[$0] }
    slots = kept
    router = fresh
  }

  private enum Event { case dispatch, firstToken, tokens }

  /// Tells `fresh` the dispatches and tokens of the requests in flight as they came.
  private mutating func retell(to fresh: inout Router, _ map: [Int]) {
    var events: [(time: Double, ticket: UInt64, kind: Event)] = []
    for (ticket, flight) in flights {
      events.append((flight.dispatchedAt, ticket, .dispatch))
      guard let first = flight.firstTokenAt else { continue }
      events.append((first, ticket, .firstToken))
      for offset in flight.chunkOffsets { events.append((first + Double(offset), ticket, .tokens)) }
    }
    events.sort { ($0.time, $0.ticket) < ($1.time, $1.ticket) }
    for event in events {
      guard var flight = flights[event.ticket] else { continue }
      let routed = Self.routed(flight.request)
      switch event.kind {
      case .dispatch:
        flight.pick.endpoint = map[flight.pick.endpoint]
        if flight.pick.prefillEndpoint >= 0 {
          flight.pick.prefillEndpoint = map[flight.pick.prefillEndpoint]
        }
        let first =
          flight.pick.prefillEndpoint >= 0 ? flight.pick.prefillEndpoint : flight.pick.endpoint
        // A prefill endpoint may have left: then its share of the load is nobody's.
        flight.handle =
          first >= 0
          ? fresh.dispatched(routed, to: first, at: event.time)
          : EndpointPool.Handle(bits: .max)
      case .firstToken:
        if flight.pick.prefillEndpoint >= 0 {
          flight.handle = fresh.handedOff(
            flight.handle, routed, to: flight.pick.endpoint, at: event.time)
        }
        fresh.firstToken(flight.handle, at: event.time)
      case .tokens: fresh.tokens(flight.handle, at: event.time)
      }
      flights[event.ticket] = flight
    }
  }
}
