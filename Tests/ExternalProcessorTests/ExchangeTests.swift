import EndpointPicker
import Foundation
import SwiftProtobuf
import TestSupport
import Testing

@testable import ExternalProcessor

@Suite struct ExchangeTests {
  private static let chat = #"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#
  private static let destination = "x-gateway-destination-endpoint"

  private let picker = RecordingPicker()

  private func exchange(
    _ picker: RecordingPicker, limit: Int = 16 << 20, held: HeldBytes = HeldBytes(limit: 1 << 30)
  ) -> Exchange {
    Exchange(
      picker: picker, limits: Exchange.Limits(requestBodyBytes: limit), heldBytes: held,
      unixNanoseconds: { 42 })
  }

  @Test func requestIsHeldUntilItsBodyIsWhole() {
    var exchange = exchange(picker)

    #expect(exchange.receive(.requestHeaders()).isEmpty)
    #expect(
      exchange.receive(.requestBody(String(Self.chat.prefix(20)), endsStream: false)).isEmpty)
    let answers = exchange.receive(.requestBody(String(Self.chat.dropFirst(20))))

    #expect(answers.count == 2)
    #expect(answers.first?.setHeaders[Self.destination] == "10.0.0.1:8000")
    #expect(answers.first?.metadataDestination == "10.0.0.1:8000")
    #expect(answers.first?.setHeaders["content-length"] == "\(Self.chat.utf8.count)")
    #expect(answers.first?.requestHeaders.response.clearRouteCache_p == true)
    #expect(answers.last?.piece?.body == Data(Self.chat.utf8))
    #expect(answers.last?.piece?.endOfStream == true)
    #expect(picker.account.requests.map(\.model) == ["m"])
    exchange.close(.interrupted)
  }

  @Test func clientCannotChooseWherePrefillRuns() {
    var exchange = exchange(picker)
    _ = exchange.receive(.requestHeaders(["x-prefiller-host-port": "10.6.6.6:1"]))
    let answers = exchange.receive(.requestBody(Self.chat))

    #expect(
      answers.first?.requestHeaders.response.headerMutation.removeHeaders
        == ["x-prefiller-host-port"])
    exchange.close(.interrupted)
  }

  @Test func prefillEndpointIsNamed() {
    let picked = PickedEndpoint(
      address: "10.0.0.2:1", prefillAddress: "10.0.0.3:1", ticket: PickTicket(identifier: 1))
    var exchange = exchange(RecordingPicker(fixedOutcome: .endpoint(picked)))
    _ = exchange.receive(.requestHeaders())
    let headers = exchange.receive(.requestBody(Self.chat)).first?.setHeaders

    #expect(headers?["x-prefiller-host-port"] == "10.0.0.3:1")
    #expect(headers?[Self.destination] == "10.0.0.2:1")
    exchange.close(.interrupted)
  }

  @Test(arguments: [1, 61_999, 62_000, 62_001, 124_000, 1_000_000])
  func bodyPassesInPiecesThatEnvoyTakes(length: Int) {
    var exchange = exchange(picker)
    let body = String(repeating: "x", count: length)
    _ = exchange.receive(.requestHeaders(["content-type": "text/plain"]))
    let pieces = exchange.receive(.requestBody(body)).dropFirst().compactMap(\.piece)

    #expect(pieces.allSatisfy { $0.body.count <= 62_000 })
    #expect(pieces.reduce(into: Data()) { $0 += $1.body } == Data(body.utf8))
    #expect(pieces.map(\.endOfStream) == pieces.indices.map { $0 == pieces.count - 1 })

    _ = exchange.receive(.responseHeaders())
    let echoed = exchange.receive(.responseBody(body, endsStream: true)).compactMap(\.piece)
    #expect(echoed.reduce(into: Data()) { $0 += $1.body } == Data(body.utf8))
    #expect(echoed.last?.endOfStream == true)
    exchange.close(.interrupted)
    #expect(picker.account.inFlight.isEmpty)
  }

  @Test func requestWithTrailersHasNoLengthAndPasses() {
    var exchange = exchange(picker)
    _ = exchange.receive(.requestHeaders())
    _ = exchange.receive(.requestBody(Self.chat, endsStream: false))
    let answers = exchange.receive(.trailersOfRequest)

    #expect(answers.count == 3)
    #expect(answers.first?.setHeaders["content-length"] == nil)
    #expect(answers[1].piece?.endOfStream == false)
    guard case .requestTrailers = answers[2].response else {
      Issue.record("the trailers are not answered")
      return
    }
    exchange.close(.interrupted)
  }

  @Test func requestWithoutBodyGoesAnywhereAndIsNotCounted() {
    var exchange = exchange(picker)
    let answers = exchange.receive(.requestHeaders([":method": "GET"], endsStream: true))
    exchange.close(.interrupted)

    #expect(answers.first?.setHeaders[Self.destination] == "10.0.0.1:8000")
    #expect(picker.account.requests.isEmpty)
    #expect(picker.account.outcomes.isEmpty)
  }

  // MARK: - Refusals

  private func refusal(
    _ picker: RecordingPicker, body: String = ExchangeTests.chat,
    headers: [String: String] = [:], subset: Google_Protobuf_Value? = nil, limit: Int = 1024
  ) -> ProcessingResponse? {
    var exchange = exchange(picker, limit: limit)
    var answers = exchange.receive(.requestHeaders(headers, subset: subset))
    if answers.isEmpty { answers = exchange.receive(.requestBody(body)) }
    #expect(exchange.receive(.requestBody("more")).isEmpty)
    exchange.close(.interrupted)
    #expect(picker.account.strayEvents == 0)
    return answers.last
  }

  @Test(arguments: ["{", "[]", "nonsense"])
  func malformedBodyGets400(body: String) {
    let answer = refusal(picker, body: body)

    #expect(answer?.immediateResponse.status.code == 400)
    #expect(throws: Never.self) {
      try JSONSerialization.jsonObject(with: answer?.immediateResponse.body ?? Data())
    }
    #expect(picker.account.requests.isEmpty)
  }

  @Test func tooLargeBodyGets413() {
    let body = #"{"prompt":"\#(String(repeating: "x", count: 2000))"}"#
    #expect(refusal(picker, body: body)?.immediateResponse.status.code == 413)
  }

  @Test func tooLargeBodyIsRefusedByItsLengthAlone() {
    var exchange = exchange(picker, limit: 1024)
    let answers = exchange.receive(.requestHeaders(["content-length": "1025"]))

    #expect(answers.first?.immediateResponse.status.code == 413)
    exchange.close(.interrupted)
  }

  @Test func bodiesTogetherAreBounded() {
    let held = HeldBytes(limit: 100)
    var first = exchange(picker, held: held)
    var second = exchange(picker, held: held)
    _ = first.receive(.requestHeaders())
    _ = second.receive(.requestHeaders())
    let half = ProcessingRequest.requestBody(String(repeating: " ", count: 60), endsStream: false)

    #expect(first.receive(half).isEmpty)
    #expect(second.receive(half).first?.immediateResponse.status.code == 503)
    #expect(held.count == 60)
    #expect(first.receive(.requestBody("{}")).first?.metadataDestination != nil)
    #expect(held.count == 0)
    first.close(.interrupted)
    second.close(.interrupted)
    #expect(held.count == 0)
  }

  @Test func exchangeThatEndsGivesItsBodyBack() {
    let held = HeldBytes(limit: 100)
    var exchange = exchange(picker, held: held)
    _ = exchange.receive(.requestHeaders())
    _ = exchange.receive(.requestBody(String(repeating: " ", count: 60), endsStream: false))
    exchange.close(.interrupted)
    exchange.close(.interrupted)

    #expect(held.count == 0)
  }

  @Test func overloadGets429WithItsReason() {
    let answer = refusal(RecordingPicker(fixedOutcome: .shed(reason: "saturated")))

    #expect(answer?.immediateResponse.status.code == 429)
    #expect(answer?.setHeaders["x-llm-d-request-dropped-reason"] == "saturated")
  }

  @Test(arguments: [
    Google_Protobuf_Value(stringValue: ""), Google_Protobuf_Value(stringValue: "10.9.9.9:1"),
    Google_Protobuf_Value(listValue: []), Google_Protobuf_Value(numberValue: 3),
    Google_Protobuf_Value(listValue: ["10.9.9.9:1"]),
  ])
  func subsetWithoutEndpointGets503(subset: Google_Protobuf_Value) {
    #expect(refusal(picker, subset: subset)?.immediateResponse.status.code == 503)
  }

  @Test(arguments: [
    Google_Protobuf_Value(stringValue: "10.9.9.9:1, 10.0.0.2:1"),
    Google_Protobuf_Value(listValue: ["10.9.9.9:1", "10.0.0.2:1"]),
  ])
  func pickStaysWithinTheSubset(subset: Google_Protobuf_Value) {
    let picker = RecordingPicker(["10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"])
    var exchange = exchange(picker)
    _ = exchange.receive(.requestHeaders(subset: subset))
    let answers = exchange.receive(.requestBody(Self.chat))

    #expect(answers.first?.setHeaders[Self.destination] == "10.0.0.2:1")
    #expect(picker.account.subsets == [["10.9.9.9:1", "10.0.0.2:1"]])
    exchange.close(.interrupted)
  }

  // MARK: - The response

  @Test func tokensAndUsageOfAStreamAreReported() throws {
    var exchange = exchange(picker)
    _ = exchange.receive(.requestHeaders())
    _ = exchange.receive(.requestBody(Self.chat))
    _ = exchange.receive(.responseHeaders())
    let event = #"data: {"choices":[{"delta":{"content":"a"}}]}"# + "\n\n"
    _ = exchange.receive(.responseBody(event))
    _ = exchange.receive(.responseBody(event + event))
    #expect(picker.account.inFlight.count == 1)
    _ = exchange.receive(
      .responseBody(
        #"data: {"usage":{"prompt_tokens":7,"completion_tokens":3}}"# + "\n\ndata: [DONE]\n\n",
        endsStream: true))
    exchange.close(.interrupted)

    let account = picker.account
    #expect(account.firstTokens == 1)
    #expect(account.tokens == 2)
    #expect(
      account.outcomes
        == [RequestOutcome(status: 200, end: .complete, outputTokens: 3, promptTokens: 7)])
    #expect(account.strayEvents == 0)
  }

  @Test func trailersEndAResponse() {
    var exchange = exchange(picker)
    _ = exchange.receive(.requestHeaders())
    _ = exchange.receive(.requestBody(Self.chat))
    _ = exchange.receive(.responseHeaders(status: 500))
    _ = exchange.receive(.trailersOfResponse)

    #expect(picker.account.outcomes.map(\.status) == [500])
    #expect(picker.account.outcomes.map(\.end) == [.complete])
    exchange.close(.interrupted)
    #expect(picker.account.outcomes.count == 1)
  }

  /// Wherever an exchange breaks off, its request is finished once, and not counted before it began.
  @Test(arguments: 0...6)
  func brokenOffExchangeIsFinishedOnce(after count: Int) {
    let messages: [ProcessingRequest] = [
      .requestHeaders(), .requestBody(Self.chat), .responseHeaders(),
      .responseBody(#"data: {"choices":[{"text":"a"}]}"# + "\n\n"),
      .responseBody("data: "), .responseBody("[DONE]\n\n", endsStream: true),
    ]
    var exchange = exchange(picker)
    for message in messages.prefix(count) { _ = exchange.receive(message) }
    exchange.close(.interrupted)
    exchange.close(.drained)

    let account = picker.account
    #expect(account.inFlight.isEmpty)
    #expect(account.outcomes.count == (count < 2 ? 0 : 1))
    #expect(account.outcomes.allSatisfy { ($0.status == 200) == (count == 6) })
    #expect(account.strayEvents == 0)
  }

  @Test(arguments: UInt64(0)..<4)
  func messagesOutOfOrderNeitherTrapNorLeakARequest(seed: UInt64) {
    let messages: [ProcessingRequest] = [
      .responseBody("x", endsStream: true), .responseHeaders(), .trailersOfRequest,
      .requestBody(Self.chat), .requestHeaders(), .trailersOfResponse, .requestBody("{"),
      ProcessingRequest(),
    ]
    var random = SplitMix64(seed: seed)
    for _ in 0..<200 {
      var exchange = exchange(picker)
      for _ in 0..<8 {
        if let message = messages.randomElement(using: &random) { _ = exchange.receive(message) }
      }
      exchange.close(.interrupted)
      #expect(picker.account.inFlight.isEmpty)
    }
    #expect(picker.account.strayEvents == 0)
  }

  // MARK: - Other modes

  @Test func bufferedBodyIsAnsweredInPlaceOfTheHeaders() {
    var exchange = exchange(picker)
    let headers = exchange.receive(.requestHeaders(mode: .buffered))
    #expect(headers.map(\.setHeaders) == [[:]])
    let answers = exchange.receive(.requestBody(Self.chat))

    #expect(answers.count == 1)
    #expect(answers.first?.setHeaders[Self.destination] == "10.0.0.1:8000")
    #expect(answers.first?.requestBody.response.hasBodyMutation == false)
    _ = exchange.receive(.responseHeaders(type: "application/json"))
    let echoed = exchange.receive(
      .responseBody(#"{"usage":{"completion_tokens":4}}"#, endsStream: true))
    #expect(echoed.map(\.responseBody.response.hasBodyMutation) == [false])
    #expect(picker.account.outcomes.map(\.outputTokens) == [4])
    exchange.close(.interrupted)
  }

  @Test func withoutBodiesThePickIsMadeOnTheHeaders() {
    var exchange = exchange(picker)
    let answers = exchange.receive(.requestHeaders(mode: .none))

    #expect(answers.first?.setHeaders[Self.destination] == "10.0.0.1:8000")
    _ = exchange.receive(.responseHeaders())
    #expect(picker.account.outcomes.map(\.status) == [200])
    exchange.close(.interrupted)
  }
}
