// Feeds bytes to the readers of request and response bodies: nothing may crash, sizes stay within
// their bounds, a refusal points into the body, and a response means the same however it is cut.
// `make fuzz` builds it, with the readers' sources beside it, with libFuzzer and the address
// sanitizer.

private func readRequest(_ bytes: [UInt8]) {
  var request = InferenceRequest()
  do {
    try request.readBody(bytes.span)
    precondition(request.promptBytes >= 0 && request.promptBytes <= 4 * bytes.count)
    precondition(request.prefixBlocks.count <= 2048)
    precondition(request.maximumTokens >= 0)
    precondition(bytes.contains(UInt8(ascii: "{")), "something else than an object is accepted")
  } catch {
    precondition((0...bytes.count).contains(error.offset), "a refusal outside of the body")
    precondition(!error.reason.isEmpty, "a refusal without a reason")
  }
}

private func watch(_ bytes: [UInt8], pieceLength: Int, type: String) -> ResponseWatcher {
  var watcher = ResponseWatcher(contentType: type)
  for start in stride(from: 0, to: bytes.count, by: pieceLength) {
    let piece = Array(bytes[start..<min(start + pieceLength, bytes.count)])
    let before = watcher.streamedTokens
    let sighting = watcher.consume(piece.span)
    precondition(watcher.streamedTokens - before == sighting.tokens)
    precondition(sighting.hasFirstToken == (before == 0 && sighting.tokens > 0))
  }
  watcher.finish()
  return watcher
}

/// libFuzzer's entry.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzHTTPBodies(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
  readRequest(bytes)
  for type in ["text/event-stream", "application/json"] {
    let whole = watch(bytes, pieceLength: max(count, 1), type: type)
    for length in [1, 3, 17] {
      let cut = watch(bytes, pieceLength: length, type: type)
      precondition(cut.streamedTokens == whole.streamedTokens, "a cut changes the tokens")
      precondition(cut.usage == whole.usage, "a cut changes the usage")
      precondition(cut.isDone == whole.isDone, "a cut hides the end")
    }
  }
  return 0
}
