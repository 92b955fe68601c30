/// Writes what an OpenAI-compatible server answers, piece by piece.
struct CompletionAnswer {
  let identifier: Int
  let request: CompletionRequest
  let createdUnixSeconds: Int64

  /// What the simulated model says: words of four bytes, blank included.
  private static let words = [
    " the", " cat", " sat", " and", " saw", " one", " fox", " run", " far", " off", " out", " now",
  ]

  /// The text of token `index`, from 0.
  func text(_ index: Int) -> String {
    Self.words[(identifier &* 7 &+ index &* 5 &+ index / 12) % Self.words.count]
  }

  /// An event of the stream with `text`; with `isLast` it says why the answer ends.
  func event(_ text: String, isFirst: Bool, isLast: Bool) -> String {
    let reason = isLast ? "\"length\"" : "null"
    let choice =
      request.isChat
      ? "{\"index\":0,\"delta\":{\(isFirst ? "\"role\":\"assistant\"," : "")"
        + "\"content\":\"\(text)\"},\"logprobs\":null,\"finish_reason\":\(reason)}"
      : "{\"index\":0,\"text\":\"\(text)\",\"logprobs\":null,\"finish_reason\":\(reason)}"
    return "data: {\(head(isChunk: true)),\"choices\":[\(choice)]}\n\n"
  }

  /// The stream's event that tells the usage.
  func usageEvent(answerTokens: Int, cachedTokens: Int) -> String {
    "data: {\(head(isChunk: true)),\"choices\":[],\(usage(answerTokens, cachedTokens))}\n\n"
  }

  /// The stream's end.
  static let done = "data: [DONE]\n\n"

  /// The whole answer of a request that is not streamed.
  func whole(answerTokens: Int, cachedTokens: Int) -> String {
    let text = (0..<answerTokens).map(text).joined()
    let choice =
      request.isChat
      ? "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"\(text)\"},"
        + "\"logprobs\":null,\"finish_reason\":\"length\"}"
      : "{\"index\":0,\"text\":\"\(text)\",\"logprobs\":null,\"finish_reason\":\"length\"}"
    return
      "{\(head(isChunk: false)),\"choices\":[\(choice)],\(usage(answerTokens, cachedTokens))}"
  }

  private func head(isChunk: Bool) -> String {
    let object =
      request.isChat ? (isChunk ? "chat.completion.chunk" : "chat.completion") : "text_completion"
    return "\"id\":\"\(request.isChat ? "chatcmpl" : "cmpl")-\(identifier)\","
      + "\"object\":\"\(object)\",\"created\":\(createdUnixSeconds),"
      + "\"model\":\(Self.quoted(request.model))"
  }

  private func usage(_ answerTokens: Int, _ cachedTokens: Int) -> String {
    "\"usage\":{\"prompt_tokens\":\(request.promptTokens),"
      + "\"total_tokens\":\(request.promptTokens + answerTokens),"
      + "\"completion_tokens\":\(answerTokens),"
      + "\"prompt_tokens_details\":{\"cached_tokens\":\(cachedTokens)}}"
  }

  /// An error in OpenAI's form.
  static func error(_ status: Int, _ message: String) -> String {
    let kind = status == 400 ? "BadRequestError" : status == 404 ? "NotFoundError" : "ServerError"
    return "{\"error\":{\"message\":\(quoted(message)),\"type\":\"\(kind)\",\"param\":null,"
      + "\"code\":\(status)}}"
  }

  static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": result += "\\" + String(scalar)
      case "\u{0}"..<"\u{20}":
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
