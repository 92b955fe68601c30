internal import EndpointPicker
internal import Foundation
internal import SwiftProtobuf

/// One HTTP exchange as Envoy's external processing shows it: messages in, answers out.
///
/// It does no I/O and reads no clock but the one it is given, so that a test can drive it message
/// by message. Whoever drives it must call ``close(_:)`` at the end, however that comes.
struct Exchange: ~Copyable {
  /// What the picker holds back of a request, and how it passes it on.
  struct Limits: Sendable, Hashable {
    /// The largest request body, bytes; larger ones are refused with 413.
    var requestBodyBytes = 16 << 20
    /// The largest piece of a body in one message, bytes.
    var chunkBytes = 62_000
  }

  /// How far it has come.
  private enum Phase {
    /// Nothing is decided yet.
    case reading
    /// The request has been sent on its way.
    case forwarded
    /// It was refused, and Envoy will send nothing more of it.
    case refused
  }

  private let picker: any PickerService
  private let limits: Limits
  private let heldBytes: HeldBytes
  private let unixNanoseconds: @Sendable () -> Int64

  private var phase = Phase.reading
  private var requestMode = BodySendMode.fullDuplexStreamed
  private var responseMode = BodySendMode.fullDuplexStreamed
  private var request = InferenceRequest()
  private var receivedUnixNanoseconds: Int64 = 0
  private var subset: [String]?
  private var isJSON = true
  private var isHeld = false
  private var body = Data()

  private var ticket: PickTicket?
  private var status = 0
  private var watcher: ResponseWatcher?

  /// An exchange of which no message has come yet.
  ///
  /// - Parameters:
  ///   - heldBytes: Counts what all exchanges together hold.
  ///   - unixNanoseconds: The time, ns since 1970.
  init(
    picker: any PickerService, limits: Limits, heldBytes: HeldBytes,
    unixNanoseconds: @escaping @Sendable () -> Int64
  ) {
    self.picker = picker
    self.limits = limits
    self.heldBytes = heldBytes
    self.unixNanoseconds = unixNanoseconds
  }

  /// Takes Envoy's next message.
  ///
  /// - Returns: What to answer, in order; often nothing yet.
  mutating func receive(_ message: ProcessingRequest) -> [ProcessingResponse] {
    if message.hasProtocolConfig {
      requestMode = message.protocolConfig.requestBodyMode
      responseMode = message.protocolConfig.responseBodyMode
    }
    if case .refused = phase { return [] }
    switch message.request {
    case .requestHeaders(let headers):
      subset = SubsetHint.addresses(in: message.metadataContext)
      return requestHeaders(headers)
    case .requestBody(let piece): return requestBody(piece)
    case .requestTrailers: return requestTrailers()
    case .responseHeaders(let headers): return responseHeaders(headers)
    case .responseBody(let piece): return responseBody(piece)
    case .responseTrailers:
      finish(.complete)
      return [.trailers(ofRequest: false)]
    case nil: return []
    }
  }

  /// The stream to Envoy has ended; reports the end of a request that is still in flight.
  ///
  /// - Parameter end: What an unfinished exchange is reported as.
  mutating func close(_ end: RequestOutcome.End) {
    let isWhole = watcher?.isDone ?? false
    finish(isWhole ? .complete : end)
    dropBody()
  }

  private mutating func dropBody() {
    heldBytes.giveBack(body.count)
    body = Data()
  }

  // MARK: - The request

  private mutating func requestHeaders(_ headers: HttpHeaders) -> [ProcessingResponse] {
    guard case .reading = phase else { return [] }
    receivedUnixNanoseconds = unixNanoseconds()
    var length: Int?
    for header in headers.headers.headers {
      switch header.key {
      case "content-length": length = Int(header.text)
      case "content-type": isJSON = header.text.lowercased().contains("json")
      case "content-encoding" where header.text.lowercased() != "identity": isJSON = false
      default: request.readHeader(header.key, header.text)
      }
    }
    if headers.endOfStream { return decideOnHeaders() }
    if let length, length > limits.requestBodyBytes { return refuseTooLarge() }
    switch requestMode {
    case .fullDuplexStreamed, .UNRECOGNIZED:
      isHeld = true
      // A length is a claim: no more is set aside than a client may cost before it has sent it.
      body.reserveCapacity(min(length ?? 0, 1 << 18))
      return []
    case .buffered, .bufferedPartial:
      return [.unchangedHeaders(ofRequest: true)]
    case .none, .streamed:
      return decide(endsStream: false)
    }
  }

  private mutating func requestBody(_ piece: HttpBody) -> [ProcessingResponse] {
    guard case .reading = phase else {
      return requestMode == .fullDuplexStreamed
        ? echo(piece.body, endsStream: piece.endOfStream, ofRequest: true)
        : [.unchangedBody(ofRequest: true)]
    }
    guard body.count + piece.body.count <= limits.requestBodyBytes else { return refuseTooLarge() }
    guard heldBytes.take(piece.body.count) else {
      return refuse(
        .serviceUnavailable, reason: "bodies_in_memory", "Too much is being sent at once.")
    }
    body.append(piece.body)
    guard piece.endOfStream || !isHeld else { return [] }
    return decide(endsStream: piece.endOfStream)
  }

  private mutating func requestTrailers() -> [ProcessingResponse] {
    var answers: [ProcessingResponse] = []
    if case .reading = phase { answers = decide(endsStream: false) }
    if case .refused = phase { return answers }
    return answers + [.trailers(ofRequest: true)]
  }

  /// A request without a body generates nothing: any endpoint will do.
  private mutating func decideOnHeaders() -> [ProcessingResponse] {
    guard let address = picker.anyEndpoint(subset: subset) else { return refuseNoEndpoint() }
    phase = .forwarded
    return [.destination(address, prefill: nil, bodyLength: nil, onBody: false)]
  }

  /// Chooses an endpoint, now that all is read that will be.
  ///
  /// - Parameter endsStream: Whether the request ends with the body read, without trailers.
  private mutating func decide(endsStream: Bool) -> [ProcessingResponse] {
    let isCut = requestMode == .bufferedPartial && !endsStream
    if isJSON, !body.isEmpty, !isCut {
      do throws(MalformedJSON) {
        try request.readBody(body.span)
      } catch {
        return refuse(
          .badRequest, reason: "malformed_body",
          "The body is not valid JSON: \(error.reason) at byte \(error.offset).")
      }
    }
    switch picker.pick(
      request, subset: subset, receivedUnixNanoseconds: receivedUnixNanoseconds)
    {
    case .noEndpoint: return refuseNoEndpoint()
    case .shed(let reason):
      return refuse(.tooManyRequests, reason: reason, "The pool is overloaded.")
    case .endpoint(let picked):
      phase = .forwarded
      ticket = picked.ticket
      return forward(to: picked, endsStream: endsStream)
    }
  }

  private mutating func forward(
    to picked: PickedEndpoint, endsStream: Bool
  ) -> [ProcessingResponse] {
    let onBody = requestMode == .buffered || requestMode == .bufferedPartial
    let length = isHeld && endsStream ? body.count : nil
    var answers = [
      ProcessingResponse.destination(
        picked.address, prefill: picked.prefillAddress, bodyLength: length, onBody: onBody)
    ]
    if isHeld { answers += echo(body, endsStream: endsStream, ofRequest: true) }
    dropBody()
    return answers
  }

  // MARK: - The response

  private mutating func responseHeaders(_ headers: HttpHeaders) -> [ProcessingResponse] {
    var type = ""
    var encoding = ""
    for header in headers.headers.headers {
      switch header.key {
      case ":status": status = Int(header.text) ?? 0
      case "content-type": type = header.text
      case "content-encoding": encoding = header.text
      default: break
      }
    }
    watcher = ResponseWatcher(contentType: type, contentEncoding: encoding)
    if headers.endOfStream || responseMode == .none { finish(.complete) }
    return [.unchangedHeaders(ofRequest: false)]
  }

  /// Takes a piece of the response's body, if all that is to be done is to send it on as it is.
  ///
  /// - Returns: Whether it was taken; else its message is for ``receive(_:)``.
  mutating func passResponse(_ piece: Span<UInt8>, endsStream: Bool) -> Bool {
    guard responseMode == .fullDuplexStreamed, piece.count <= limits.chunkBytes else {
      return false
    }
    if case .refused = phase { return false }
    watch(piece, endsStream: endsStream)
    return true
  }

  private mutating func watch(_ piece: Span<UInt8>, endsStream: Bool) {
    if let ticket, let sighting = watcher?.consume(piece) {
      var further = sighting.tokens
      if sighting.hasFirstToken {
        picker.firstToken(ticket)
        further -= 1
      }
      if further > 0 { picker.tokens(ticket, count: further) }
    }
    if endsStream { finish(.complete) }
  }

  private mutating func responseBody(_ piece: HttpBody) -> [ProcessingResponse] {
    watch(piece.body.span, endsStream: piece.endOfStream)
    return responseMode == .fullDuplexStreamed
      ? echo(piece.body, endsStream: piece.endOfStream, ofRequest: false)
      : [.unchangedBody(ofRequest: false)]
  }

  // MARK: - Ends

  /// Reports the end of the request in flight, if there is one.
  private mutating func finish(_ end: RequestOutcome.End) {
    guard let ticket else { return }
    self.ticket = nil
    watcher?.finish()
    picker.finished(
      ticket,
      outcome: RequestOutcome(
        status: end == .complete ? status : 499, end: end,
        outputTokens: watcher?.outputTokens, promptTokens: watcher?.usage.promptTokens,
        cachedTokens: watcher?.usage.cachedTokens))
  }

  private mutating func refuseTooLarge() -> [ProcessingResponse] {
    refuse(
      .contentTooLarge, reason: "body_too_large",
      "The body is larger than \(limits.requestBodyBytes) bytes.")
  }

  private mutating func refuseNoEndpoint() -> [ProcessingResponse] {
    refuse(.serviceUnavailable, reason: "no_endpoint", "No endpoint is available.")
  }

  private mutating func refuse(
    _ refusal: Refusal, reason: String, _ text: String
  ) -> [ProcessingResponse] {
    phase = .refused
    dropBody()
    return [.refusal(refusal, reason: reason, text)]
  }

  /// Passes on a piece of a body as it is, in messages that Envoy takes.
  private func echo(_ bytes: Data, endsStream: Bool, ofRequest: Bool) -> [ProcessingResponse] {
    guard bytes.count > limits.chunkBytes else {
      return [.piece(bytes, endsStream: endsStream, ofRequest: ofRequest)]
    }
    var answers: [ProcessingResponse] = []
    var start = bytes.startIndex
    while start < bytes.endIndex {
      let end = min(start + limits.chunkBytes, bytes.endIndex)
      answers.append(
        .piece(
          bytes[start..<end], endsStream: endsStream && end == bytes.endIndex,
          ofRequest: ofRequest))
      start = end
    }
    return answers
  }
}
