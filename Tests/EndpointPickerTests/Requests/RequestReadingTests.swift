import EndpointPicker
import Testing

@Suite struct RequestReadingTests {
  private func read(_ body: String) throws -> InferenceRequest {
    var request = InferenceRequest()
    let bytes = Array(body.utf8)
    try request.readBody(bytes.span)
    return request
  }

  @Test func chatRequestIsRead() throws {
    let request = try read(
      #"""
      {"model": "llama", "stream": true, "max_tokens": 128, "temperature": 0.5e-1,
       "messages": [{"role": "system", "content": "Be brief."},
         {"role": "user", "content": [{"type": "text", "text": "Why?"}]}]}
      """#)

    #expect(request.model == "llama")
    #expect(request.isStreaming)
    #expect(request.maximumTokens == 128)
    // Four strings and what a template puts behind each: "system", "Be brief.", "user", "Why?".
    #expect(request.promptBytes == 6 + 9 + 4 + 4 + 4)
    #expect(request.promptTokens == 7)
  }

  @Test(arguments: ["max_tokens", "max_completion_tokens", "max_output_tokens"])
  func everyNameOfTheTokenLimitCounts(name: String) throws {
    #expect(try read(#"{"prompt": "a", "\#(name)": 77}"#).maximumTokens == 77)
  }

  @Test(arguments: ["1e300", "99999999999999999999"])
  func hugeTokenLimitIsCut(value: String) throws {
    #expect(try read(#"{"max_tokens": \#(value)}"#).maximumTokens == 2_147_483_647)
  }

  @Test func membersOfWrongTypesAreLeftToTheEndpoint() throws {
    let request = try read(
      #"{"model": 7, "stream": "yes", "max_tokens": -3, "messages": null, "prompt": {}}"#)

    #expect(request.model == "")
    #expect(!request.isStreaming)
    #expect(request.maximumTokens == 0)
    #expect(request.promptTokens == 0)
  }

  @Test func tokenNumbersAreCountedExactly() throws {
    let numbers = (0..<200).map(String.init).joined(separator: ",")
    let request = try read(#"{"model": "m", "prompt": [\#(numbers)]}"#)

    #expect(request.promptTokens == 200)
    #expect(request.prefixBlocks.count == 3)
  }

  @Test func escapesMeanTheSameAsTheirCharacters() throws {
    let long = String(repeating: "é😀\n", count: 100)
    let plain = try read(#"{"prompt": "\#(long.replacing("\n", with: "\\n"))"}"#)
    let escaped = String(repeating: #"\u00e9\ud83d\ude00\u000a"#, count: 100)
    let other = try read(#"{"prompt": "\#(escaped)"}"#)

    #expect(plain.promptBytes == other.promptBytes)
    #expect(plain.prefixBlocks == other.prefixBlocks)
    #expect(plain.prefixBlocks.count == 700 / 256)
  }

  @Test func nextTurnSharesThePrefixOfTheTurnBefore() throws {
    let text = String(repeating: "All work and no play. ", count: 60)
    let turn = #"{"role": "user", "content": "\#(text)"}"#
    let answer = #"{"role": "assistant", "content": "\#(String(text.reversed()))"}"#
    let first = try read(#"{"model": "m", "messages": [\#(turn)]}"#)
    let second = try read(#"{"messages": [\#(turn),\#(answer),\#(turn)], "model": "m"}"#)

    #expect(first.prefixBlocks.count == 5)
    #expect(second.prefixBlocks.count > 14)
    #expect(Array(second.prefixBlocks.prefix(5)) == first.prefixBlocks)
  }

  @Test(arguments: [
    #"{"model": "other""#, #"{"model": "m", "cache_salt": "x""#,
    #"{"model": "m", "lora_path": "x""#,
    #"{"model": "m", "tools": [{"name": "search"}]"#,
  ])
  func whatComesBeforeThePromptChangesEveryBlock(start: String) throws {
    let text = String(repeating: "x", count: 1000)
    let one = try read(#"{"model": "m", "prompt": "\#(text)"}"#)
    let other = try read(#"\#(start), "prompt": "\#(text)"}"#)

    #expect(one.prefixBlocks.count == 3)
    #expect(other.prefixBlocks.count >= 3)
    #expect(Set(one.prefixBlocks).isDisjoint(with: other.prefixBlocks))
  }

  @Test func attachmentsCountAsTokensNotAsText() throws {
    let image = "data:image/png;base64," + String(repeating: "iVBORw0K", count: 10_000)
    let request = try read(
      #"{"messages": [{"role": "user", "content": [{"image_url": {"url": "\#(image)"}}]}]}"#)

    #expect(request.promptTokens < 700)
    #expect(request.promptTokens > 500)
  }

  @Test func hashedPrefixIsBounded() throws {
    let request = try read(#"{"prompt": "\#(String(repeating: "word ", count: 400_000))"}"#)

    #expect(request.promptTokens == 500_001)
    #expect(request.prefixBlocks.count == 2048)
  }

  @Test(arguments: [
    "", " ", "{", "[]", "1", "null", #""text""#, #"{"a" 1}"#, #"{"a": }"#, #"{"a": 1,}"#,
    #"{"a": 01}"#, #"{"a": 1.}"#, #"{"a": .5}"#, #"{"a": 1e}"#, #"{"a": -}"#, #"{"a": tru}"#,
    #"{"a": nul"#, #"{"a": "b}"#, #"{"a": "\x"}"#, #"{"a": "\u12"#, #"{"a": [1 2]}"#,
    #"{"a": [1,]}"#, #"{a: 1}"#, #"{"a": 1} x"#, #"{"a": 1}{"#, #"{"a"#, "{\"a\": \"\u{1}\"}",
    #"{"messages": [{"content": "x"]}"#, "{,}", "{\"a\": NaN}",
  ])
  func malformedBodyIsRefusedWithItsPosition(body: String) throws {
    var request = InferenceRequest()
    let bytes = Array(body.utf8)
    let failure = #expect(throws: MalformedJSON.self) { try request.readBody(bytes.span) }
    #expect((0...bytes.count).contains(failure?.offset ?? -1))
  }

  @Test(arguments: 0...24)
  func everyPlaceInAStringIsLookedAt(place: Int) throws {
    let before = String(repeating: "é", count: place / 2) + String(repeating: "a", count: place % 2)
    for after in 0...17 {
      let tail = String(repeating: "z", count: after)
      let plain = try read(#"{"prompt": "\#(before)\#(tail)"}"#)
      let escaped = try read(#"{"prompt": "\#(before)\n\#(tail)"}"#)
      #expect(plain.promptBytes == place + after + 1)
      #expect(escaped.promptBytes == place + 1 + after + 1)
      #expect(throws: MalformedJSON.self) { try read("{\"prompt\": \"\(before)\u{1f}\(tail)\"}") }
      #expect(throws: MalformedJSON.self) { try read("{\"prompt\": \"\(before)\"\(tail)x\"}") }
    }
  }

  @Test func nestingIsBounded() throws {
    let deep = { (levels: Int) in
      #"{"a": "# + String(repeating: "[", count: levels) + String(repeating: "]", count: levels)
        + "}"
    }
    #expect(throws: Never.self) { try read(deep(190)) }
    #expect(throws: MalformedJSON.self) { try read(deep(1000)) }
    #expect(throws: MalformedJSON.self) { try read(String(repeating: "[", count: 1_000_000)) }
  }

  @Test func everyCutOfABodyIsRefusedAndNoneTraps() throws {
    let body = Array(
      #"{"model":"m","n":-1.5e+3,"s":"a\n\ud83d\ude00é","l":[true,false,null,{}],"prompt":[1,2]}"#
        .utf8)
    for length in body.indices {
      var request = InferenceRequest()
      #expect(throws: MalformedJSON.self, "\(length)") {
        let start = Array(body[..<length])
        try request.readBody(start.span)
      }
    }
  }

  @Test(arguments: UInt64(0)..<8)
  func mutatedBodiesNeverTrap(seed: UInt64) throws {
    let body = Array(
      #"{"model":"m","tools":[{"a":"b"}],"messages":[{"role":"user","content":"\u00e9 hi"}],"x":1e5}"#
        .utf8)
    var random = seed &* 2 &+ 1
    func next(_ bound: Int) -> Int {
      random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(random >> 33) % bound
    }
    var refused = 0
    for _ in 0..<2000 {
      var mutated = body
      for _ in 0...next(3) { mutated[next(mutated.count)] = UInt8(next(256)) }
      var request = InferenceRequest()
      do { try request.readBody(mutated.span) } catch { refused += 1 }
    }
    #expect(refused > 100)
  }

  @Test func headersSetObjectives() {
    var request = InferenceRequest()
    request.readHeader("x-slo-ttft-ms", "250")
    request.readHeader("x-llm-d-slo-tpot-ms", "30.5")
    request.readHeader("x-request-id", "abc")
    request.readHeader("traceparent", "00-1-2-01")
    request.readHeader("x-glidepath-priority", "-1")
    request.readHeader("x-llm-d-inference-objective", "batch")

    #expect(request.ttftObjectiveMilliseconds == 250)
    #expect(request.tpotObjectiveMilliseconds == 30.5)
    #expect(request.requestIdentifier == "abc")
    #expect(request.traceParent == "00-1-2-01")
    #expect(request.objective == "batch")
    #expect(request.isSheddable)
  }

  @Test(arguments: ["", "abc", "-5", "0", "nan", "inf", "1e30"])
  func objectivesThatMakeNoSenseAreIgnored(value: String) {
    var request = InferenceRequest()
    request.readHeader("x-slo-ttft-ms", value)
    #expect(request.ttftObjectiveMilliseconds == 0)
  }
}
