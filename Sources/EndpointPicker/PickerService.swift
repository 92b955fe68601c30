/// Picks endpoints for requests and learns how they went: what a protocol front end talks to.
///
/// A front end (Envoy's external processing, for one) reads the request, asks for an endpoint, and
/// reports what it sees of the response. Implementations read their own clock, never block for
/// long and may be called from any thread.
public protocol PickerService: Sendable {
  /// Picks an endpoint and counts the request as in flight there.
  ///
  /// - Parameters:
  ///   - request: What was read of the request.
  ///   - subset: The addresses (`ip:port`) to choose among; `nil` for the whole pool.
  ///   - receivedUnixNanoseconds: When its headers arrived, ns since 1970.
  /// - Returns: With ``PickOutcome/endpoint(_:)``, a ticket that must be given back by exactly one
  ///   call of ``finished(_:outcome:)``.
  func pick(
    _ request: InferenceRequest, subset: [String]?, receivedUnixNanoseconds: Int64
  ) -> PickOutcome

  /// An endpoint for a request that generates nothing, such as `GET /v1/models`.
  ///
  /// It is not counted as in flight.
  ///
  /// - Parameter subset: The addresses (`ip:port`) to choose among; `nil` for the whole pool.
  /// - Returns: An address, `ip:port`; `nil` when none is eligible.
  func anyEndpoint(subset: [String]?) -> String?

  /// The first token of the answer has just passed.
  func firstToken(_ ticket: PickTicket)

  /// More of a streamed answer has just passed, after the first token.
  ///
  /// - Parameter count: Tokens in what passed, at least 1, as far as the stream shows.
  func tokens(_ ticket: PickTicket, count: Int)

  /// The request is over; called exactly once per ticket, whatever happens.
  func finished(_ ticket: PickTicket, outcome: RequestOutcome)
}

/// Names one request in flight towards a ``PickerService``.
public struct PickTicket: Sendable, Hashable {
  /// Chosen by the service, never used twice.
  public let identifier: UInt64

  /// The ticket of this identifier.
  public init(identifier: UInt64) { self.identifier = identifier }
}

/// What came of asking for an endpoint.
public enum PickOutcome: Sendable, Hashable {
  /// The request is to go there.
  case endpoint(PickedEndpoint)
  /// No endpoint is eligible.
  case noEndpoint
  /// The pool is overloaded and the request may be refused; a short reason in machine's words.
  case shed(reason: String)
}

/// Where a request is to go.
public struct PickedEndpoint: Sendable, Hashable {
  /// The endpoint that answers, `ip:port`.
  public var address: String
  /// The endpoint that computes the prompt, `ip:port`, when another one does.
  public var prefillAddress: String?
  /// To report the request's events with.
  public var ticket: PickTicket

  /// A decision made of its parts.
  public init(address: String, prefillAddress: String? = nil, ticket: PickTicket) {
    self.address = address
    self.prefillAddress = prefillAddress
    self.ticket = ticket
  }
}

/// How a request ended.
public struct RequestOutcome: Sendable, Hashable {
  /// How the exchange came to its end.
  public enum End: Sendable, Hashable {
    /// The response passed whole.
    case complete
    /// The exchange broke off: the client went away, or the endpoint closed its connection.
    case interrupted
    /// The picker is shutting down and watches no longer.
    case drained
  }

  /// The HTTP status that the client saw; 499 when it left before a whole response.
  public var status: Int
  /// How it came to its end.
  public var end: End
  /// Generated tokens, as the engine says, or as counted in the stream; `nil` when unknown.
  public var outputTokens: Int?
  /// Prompt tokens as the engine says; `nil` when it does not.
  public var promptTokens: Int?
  /// Prompt tokens that the engine found in its cache; `nil` when it does not say.
  public var cachedTokens: Int?

  /// An outcome made of its parts.
  public init(
    status: Int, end: End, outputTokens: Int? = nil, promptTokens: Int? = nil,
    cachedTokens: Int? = nil
  ) {
    self.status = status
    self.end = end
    self.outputTokens = outputTokens
    self.promptTokens = promptTokens
    self.cachedTokens = cachedTokens
  }
}
