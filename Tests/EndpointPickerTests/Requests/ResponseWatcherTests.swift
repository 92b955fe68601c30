import EndpointPicker
import Testing

@Suite struct ResponseWatcherTests {
  private static let chat = [
    #"data: {"id":"1","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#,
    #"data: {"id":"1","choices":[{"index":0,"delta":{"content":"Hel"}}]}"#,
    ": a comment",
    #"data: {"id":"1","choices":[{"index":0,"delta":{"content":"lo \ud83d\ude00"}}]}"#,
    #"data: {"id":"1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
    #"data: {"id":"1","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":5,"# + ""
      + #""prompt_tokens_details":{"cached_tokens":4}}}"#,
    "data: [DONE]",
  ]

  private func watch(_ pieces: [[UInt8]], type: String = "text/event-stream") -> (
    ResponseWatcher, [ResponseWatcher.Sighting]
  ) {
    var watcher = ResponseWatcher(contentType: type)
    let sightings = pieces.map { watcher.consume($0.span) }
    watcher.finish()
    return (watcher, sightings)
  }

  @Test(arguments: ["\n\n", "\r\n\r\n", "\r\r"])
  func streamIsReadWhereverItsChunksCutIt(separator: String) {
    let stream = Array(Self.chat.joined(separator: separator).utf8) + Array(separator.utf8)
    for size in [1, 2, 3, 7, 64, stream.count] {
      let pieces = stride(from: 0, to: stream.count, by: size).map {
        Array(stream[$0..<min($0 + size, stream.count)])
      }
      let (watcher, sightings) = watch(pieces)

      #expect(watcher.streamedTokens == 2, "chunks of \(size)")
      #expect(sightings.filter(\.hasFirstToken).count == 1)
      #expect(watcher.usage.promptTokens == 9)
      #expect(watcher.usage.cachedTokens == 4)
      #expect(watcher.outputTokens == 5)
      #expect(watcher.isDone)
    }
  }

  @Test func roleAloneIsNoToken() {
    let (_, sightings) = watch(Self.chat.prefix(2).map { Array("\($0)\n\n".utf8) })

    #expect(sightings.map(\.tokens) == [0, 1])
  }

  @Test func countedTokensStandInForUsage() {
    let (watcher, _) = watch(Self.chat.prefix(4).map { Array("\($0)\n\n".utf8) })

    #expect(watcher.outputTokens == 2)
    #expect(!watcher.isDone)
  }

  @Test func severalTokensInOneChunkAreCounted() {
    let (watcher, _) = watch([
      Array(#"data: {"choices":[{"text":"abc","token_ids":[4,5,6]}]}"#.utf8) + [10],
      Array(#"data: {"choices":[{"text":"de","usage":{}}],"usage":{"completion_tokens":5}}"#.utf8)
        + [10],
      Array(#"data: {"choices":[{"text":"f","logprobs":{"tokens":["f","g"]}}]}"#.utf8) + [10],
    ])

    #expect(watcher.streamedTokens == 3 + 5 + 2)
  }

  @Test(arguments: [
    #"{"choices":[{"delta":{"reasoning_content":"hm"}}]}"#,
    #"{"choices":[{"delta":{"tool_calls":[{"index":0}]}}]}"#,
    #"{"choices":[{"text":"x"}]}"#, #"{"type":"response.output_text.delta","delta":"x"}"#,
    #"{"type":"content_block_delta","delta":{"type":"text_delta","text":"x"}}"#,
  ])
  func everyKindOfTextIsAToken(event: String) {
    #expect(watch([Array("data: \(event)\n\n".utf8)]).0.streamedTokens == 1)
  }

  @Test(arguments: [
    #"{"usage":{"prompt_tokens":3,"completion_tokens":2}}"#,
    #"{"type":"response.completed","response":{"usage":{"input_tokens":3,"output_tokens":2}}}"#,
    #"{"choices":[{"message":{"content":"x"}}],"usage":{"prompt_tokens":3,"completion_tokens":2}}"#,
  ])
  func usageOfAWholeDocumentIsRead(document: String) {
    let bytes = Array(document.utf8)
    let (watcher, _) = watch([Array(bytes[..<9]), Array(bytes[9...])], type: "application/json")

    #expect(watcher.usage.promptTokens == 3)
    #expect(watcher.outputTokens == 2)
  }

  @Test(arguments: [
    "data: {", "data: nonsense", "data:", "data: []", #"data: {"choices":7}"#, "event: x",
    #"data: {"usage":null,"choices":[1,null]}"#, "\u{0}\u{ff}",
  ])
  func whatCannotBeReadIsPassedOver(line: String) {
    let (watcher, _) = watch([Array("\(line)\n\n".utf8), Array("\(Self.chat[1])\n\n".utf8)])

    #expect(watcher.streamedTokens == 1)
  }

  @Test func overlongLineIsForgottenAndTheNextOneRead() {
    let megabyte = Array(repeating: UInt8(ascii: "x"), count: 1 << 20)
    let pieces = [Array("data: ".utf8)] + Array(repeating: megabyte, count: 5)
    let (watcher, _) = watch(pieces + [Array("\n\n\(Self.chat[1])\n\n".utf8)])

    #expect(watcher.streamedTokens == 1)
  }

  @Test func compressedResponseIsNotRead() {
    var watcher = ResponseWatcher(contentType: "text/event-stream", contentEncoding: "gzip")
    let bytes = Array("\(Self.chat[1])\n\n".utf8)
    _ = watcher.consume(bytes.span)

    #expect(watcher.format == .opaque)
    #expect(watcher.outputTokens == nil)
  }
}
