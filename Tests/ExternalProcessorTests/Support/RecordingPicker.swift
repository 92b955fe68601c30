import EndpointPicker
import Synchronization

/// Sends requests to its endpoints in turn and keeps account of them.
final class RecordingPicker: PickerService {
  struct Account: Sendable {
    var requests: [InferenceRequest] = []
    var subsets: [[String]?] = []
    var inFlight: Set<UInt64> = []
    var outcomes: [RequestOutcome] = []
    var firstTokens = 0
    var tokens = 0
    /// Events of tickets that were not in flight; there must be none.
    var strayEvents = 0
    var next: UInt64 = 0
  }

  private let state = Mutex(Account())
  private let addresses: [String]
  private let fixedOutcome: PickOutcome?
  private let beforePick: @Sendable () -> Void

  init(
    _ addresses: [String] = ["10.0.0.1:8000"], fixedOutcome: PickOutcome? = nil,
    beforePick: @escaping @Sendable () -> Void = {}
  ) {
    self.addresses = addresses
    self.fixedOutcome = fixedOutcome
    self.beforePick = beforePick
  }

  var account: Account { state.withLock { $0 } }

  func pick(
    _ request: InferenceRequest, subset: [String]?, receivedUnixNanoseconds: Int64
  ) -> PickOutcome {
    beforePick()
    return state.withLock { account in
      account.requests.append(request)
      account.subsets.append(subset)
      if let fixedOutcome { return fixedOutcome }
      let candidates = addresses.filter { subset?.contains($0) ?? true }
      guard !candidates.isEmpty else { return .noEndpoint }
      account.next += 1
      account.inFlight.insert(account.next)
      let address = candidates[Int(account.next) % candidates.count]
      return .endpoint(
        PickedEndpoint(address: address, ticket: PickTicket(identifier: account.next)))
    }
  }

  func anyEndpoint(subset: [String]?) -> String? {
    addresses.first { subset?.contains($0) ?? true }
  }

  func firstToken(_ ticket: PickTicket) {
    state.withLock { account in
      account.firstTokens += 1
      if !account.inFlight.contains(ticket.identifier) { account.strayEvents += 1 }
    }
  }

  func tokens(_ ticket: PickTicket, count: Int) {
    state.withLock { account in
      account.tokens += count
      if !account.inFlight.contains(ticket.identifier) { account.strayEvents += 1 }
    }
  }

  func finished(_ ticket: PickTicket, outcome: RequestOutcome) {
    state.withLock { account in
      account.outcomes.append(outcome)
      if account.inFlight.remove(ticket.identifier) == nil { account.strayEvents += 1 }
    }
  }
}
