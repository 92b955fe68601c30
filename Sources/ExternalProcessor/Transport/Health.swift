internal import EndpointPicker
internal import Synchronization

/// The services whose health the server tells, by gRPC's health checking protocol.
enum Health {
  /// How a service is.
  enum Status {
    case serving
    case notServing
    case serviceUnknown

    /// As the protocol's message says it.
    var onTheWire: HealthServingStatus {
      switch self {
      case .serving: .serving
      case .notServing: .notServing
      case .serviceUnknown: .serviceUnknown
      }
    }
  }
}

/// What all calls of a server share.
final class SharedState: Sendable {
  let picker: any PickerService
  let limits: Exchange.Limits
  let heldBytes: HeldBytes
  let unixNanoseconds: @Sendable () -> Int64
  private let isReady: @Sendable () -> Bool
  private let draining = Atomic(false)

  init(
    picker: any PickerService, limits: Exchange.Limits, heldBytes: HeldBytes,
    unixNanoseconds: @escaping @Sendable () -> Int64, isReady: @escaping @Sendable () -> Bool
  ) {
    self.picker = picker
    self.limits = limits
    self.heldBytes = heldBytes
    self.unixNanoseconds = unixNanoseconds
    self.isReady = isReady
  }

  /// Whether the server takes no new calls.
  var isDraining: Bool { draining.load(ordering: .relaxed) }

  /// Takes no new calls from now on.
  ///
  /// - Returns: Whether this was the first call.
  func beginDraining() -> Bool { !draining.exchange(true, ordering: .relaxed) }

  /// How the service of this name is; `nil` when there is none.
  func health(of service: String) -> Health.Status? {
    switch service {
    case "liveness": .serving
    case "", "readiness", "envoy.service.ext_proc.v3.ExternalProcessor":
      isReady() && !isDraining ? .serving : .notServing
    default: nil
    }
  }
}
