internal import Hummingbird
internal import Logging
internal import NIOCore
internal import PredictorEntries
internal import Synchronization

/// Hummingbird's router; the runtime has one of its own.
typealias HTTPRouter = Router<BasicRequestContext>

/// What the two APIs' routes have in common.
struct HTTPAnswers: Sendable {
  let state: PredictorState

  func json(
    _ status: HTTPResponse.Status = .ok, _ build: (inout WireJSON) -> Void
  ) -> Response {
    var json = WireJSON()
    build(&json)
    return Response(
      status: status, headers: [.contentType: "application/json"],
      body: ResponseBody(byteBuffer: ByteBuffer(bytes: json.bytes)))
  }

  func failure(_ status: HTTPResponse.Status, _ reason: String) -> Response {
    json(status) { json in
      json.raw("{\"detail\":")
      json.string(reason)
      json.raw("}")
    }
  }

  /// Reads a body and hands it on; a body that breaks a rule is answered with 422 and the rules.
  func withBody(
    _ request: Request, _ answer: ([UInt8]) throws(PredictorEntriesError) -> Response
  ) async throws -> Response {
    let buffer: ByteBuffer
    do {
      buffer = try await request.body.collect(upTo: state.configuration.maximumBodyBytes)
    } catch is NIOTooManyBytesError {
      return failure(.contentTooLarge, "the body is too large")
    }
    let bytes = [UInt8](buffer.readableBytesView)
    do throws(PredictorEntriesError) {
      return try answer(bytes)
    } catch {
      state.counts.withLock { $0.refusedBodies += 1 }
      switch error {
      case .invalid(let violations):
        return json(.unprocessableContent) { $0.violations(violations) }
      case .malformed(let offset, let reason):
        let violation = EntryViolation(
          location: ["body", "\(offset)"], kind: "json_invalid",
          message: "JSON decode error: \(reason)")
        return json(.unprocessableContent) { $0.violations([violation]) }
      case .inputOutput:
        state.logger.error("entries cannot be kept", metadata: ["error": "\(error)"])
        return failure(.internalServerError, "Failed to add training data in bulk")
      }
    }
  }

  func ready(_ isReady: Bool) -> Response {
    guard isReady || !state.configuration.isReadinessStrict else {
      return failure(.serviceUnavailable, "Models are not ready")
    }
    return json { json in
      json.raw("{\"status\":\"ready\",\"model_type\":")
      json.string(PredictorState.modelType)
      json.raw(",\"quantile\":")
      json.number(state.level)
      json.raw(",\"is_fitted\":\(isReady)}")
    }
  }

  func health(_ service: StaticString) -> Response {
    json { json in
      json.raw("{\"status\":\"ok\",\"service\":\"")
      json.raw(service)
      json.raw("\"}")
    }
  }
}

extension WireJSON {
  /// `"model_type": …` and what follows it in most answers, without braces.
  mutating func model(_ state: PredictorState, _ lastLoad: String?) {
    raw("\"model_type\":\"\(PredictorState.modelType)\",\"objective_type\":\"\(state.objective)\"")
    raw(",\"quantile\":\(state.level),\"last_model_load\":")
    if let lastLoad { string(lastLoad) } else { raw("null") }
  }
}
