internal import Foundation

/// An OpenAI completion or chat request, as far as an engine cares.
struct CompletionRequest {
  /// Why a body is refused, in the words of an answer.
  struct Refusal: Error {
    var message: String
  }

  var isChat: Bool
  var model: String
  var isStreamed = false
  var includesUsage = false
  var maximumTokens: Int?
  /// The prompt as the engine would see it.
  var prompt: [UInt8] = []

  private struct Body: Decodable {
    struct StreamOptions: Decodable {
      var include_usage: Bool?
    }
    struct Message: Decodable {
      var role: String?
      var content: Content?
    }
    struct Part: Decodable {
      var text: String?
    }
    enum Content: Decodable {
      case text(String)
      case parts([Part])

      init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let text = try? container.decode(String.self) {
          self = .text(text)
        } else {
          self = .parts(try container.decode([Part].self))
        }
      }

      var text: String {
        switch self {
        case .text(let text): text
        case .parts(let parts): parts.compactMap(\.text).joined(separator: "\n")
        }
      }
    }
    enum Prompt: Decodable {
      case text(String)
      case tokens([Int])

      init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let text = try? container.decode(String.self) {
          self = .text(text)
        } else if let tokens = try? container.decode([Int].self) {
          self = .tokens(tokens)
        } else {
          self = .text(try container.decode([String].self).joined(separator: "\n"))
        }
      }
    }
    var model: String?
    var stream: Bool?
    var stream_options: StreamOptions?
    var max_tokens: Int?
    var max_completion_tokens: Int?
    var prompt: Prompt?
    var messages: [Message]?
  }

  /// Reads a body.
  init(_ bytes: [UInt8], isChat: Bool, servedModel: String) throws(Refusal) {
    let body: Body
    do { body = try JSONDecoder().decode(Body.self, from: Data(bytes)) } catch {
      throw Refusal(message: "the body is no such request: \(Self.reason(error))")
    }
    self.isChat = isChat
    model = body.model ?? servedModel
    isStreamed = body.stream ?? false
    includesUsage = body.stream_options?.include_usage ?? false
    maximumTokens = body.max_completion_tokens ?? body.max_tokens
    if let maximumTokens, maximumTokens < 1 {
      throw Refusal(message: "max_tokens must be at least 1, got \(maximumTokens)")
    }
    if isChat {
      guard let messages = body.messages, !messages.isEmpty else {
        throw Refusal(message: "messages: a chat needs at least one")
      }
      for message in messages {
        prompt += Array("<|\(message.role ?? "")|>\n\(message.content?.text ?? "")\n".utf8)
      }
    } else {
      switch body.prompt {
      case .text(let text): prompt = Array(text.utf8)
      case .tokens(let tokens):
        // Four bytes stand for a token everywhere here.
        for token in tokens {
          let word = UInt32(truncatingIfNeeded: token)
          for shift in [24, 16, 8, 0] as [UInt32] {
            prompt.append(UInt8(truncatingIfNeeded: word >> shift))
          }
        }
      case nil: throw Refusal(message: "prompt: a completion needs one")
      }
    }
  }

  private static func reason(_ error: any Error) -> String {
    switch error {
    case DecodingError.dataCorrupted: "not JSON"
    case DecodingError.typeMismatch(_, let context):
      "a wrong type at " + context.codingPath.map(\.stringValue).joined(separator: ".")
    default: "not JSON"
    }
  }

  /// Prompt length, tokens of about four bytes, at least 1.
  var promptTokens: Int {
    let size = EndpointConfiguration.bytesPerToken
    return max(1, (prompt.count + size - 1) / size)
  }

  /// Hashes of the prompt's whole blocks, each covering all before it and the model's name.
  func blocks(ofTokens blockTokens: Int) -> [UInt64] {
    let size = blockTokens * EndpointConfiguration.bytesPerToken
    guard size > 0 else { return [] }
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in model.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    var blocks: [UInt64] = []
    blocks.reserveCapacity(prompt.count / size)
    for (index, byte) in prompt.enumerated() {
      hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3
      if (index + 1) % size == 0 { blocks.append(hash) }
    }
    return blocks
  }
}
