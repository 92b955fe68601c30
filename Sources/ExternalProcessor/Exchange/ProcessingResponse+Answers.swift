internal import Foundation
internal import SwiftProtobuf

/// Names that Envoy, gateways and engines agree on.
enum ProtocolName {
  /// The header, and the member of the metadata, that carries the picked address.
  static let destination = "x-gateway-destination-endpoint"
  /// The namespace of dynamic metadata that load balancing reads.
  static let loadBalancing = "envoy.lb"
  /// The namespace of metadata that restricts the choice.
  static let subsetNamespace = "envoy.lb.subset_hint"
  /// The member of ``subsetNamespace`` that lists the addresses.
  static let subset = "x-gateway-destination-endpoint-subset"
  /// The header that names the endpoint that computes the prompt.
  static let prefill = "x-prefiller-host-port"
  /// The header that tells why a request was refused.
  static let refusalReason = "x-llm-d-request-dropped-reason"
}

/// A request is refused with one of these.
enum Refusal: Int32 {
  case badRequest = 400
  case contentTooLarge = 413
  case tooManyRequests = 429
  case serviceUnavailable = 503

  /// The kind of error as OpenAI's clients know it.
  var kind: String {
    switch self {
    case .badRequest, .contentTooLarge: "invalid_request_error"
    case .tooManyRequests: "rate_limit_exceeded"
    case .serviceUnavailable: "service_unavailable"
    }
  }
}

extension ProcessingResponse {
  /// Headers may pass as they are.
  static func unchangedHeaders(ofRequest: Bool) -> Self {
    var answer = Self()
    answer.response =
      ofRequest ? .requestHeaders(HeadersResponse()) : .responseHeaders(HeadersResponse())
    return answer
  }

  /// A piece of a body may pass as it is.
  static func unchangedBody(ofRequest: Bool) -> Self {
    var answer = Self()
    answer.response = ofRequest ? .requestBody(BodyResponse()) : .responseBody(BodyResponse())
    return answer
  }

  /// Trailers may pass as they are.
  static func trailers(ofRequest: Bool) -> Self {
    var answer = Self()
    answer.response =
      ofRequest ? .requestTrailers(TrailersResponse()) : .responseTrailers(TrailersResponse())
    return answer
  }

  /// A piece of a body, to be sent in place of what came.
  static func piece(_ bytes: Data, endsStream: Bool, ofRequest: Bool) -> Self {
    var streamed = StreamedBodyResponse()
    streamed.body = bytes
    streamed.endOfStream = endsStream
    var body = BodyResponse()
    body.response.bodyMutation.streamedResponse = streamed
    var answer = Self()
    answer.response = ofRequest ? .requestBody(body) : .responseBody(body)
    return answer
  }

  /// The request goes to `address`: said by header and by metadata, which must agree.
  ///
  /// - Parameters:
  ///   - prefill: The endpoint that computes the prompt, when another one does.
  ///   - bodyLength: The length of the body, bytes, when it is passed on piece by piece.
  ///   - onBody: Whether this answers the request's body rather than its headers.
  static func destination(
    _ address: String, prefill: String?, bodyLength: Int?, onBody: Bool
  ) -> Self {
    var common = CommonResponse()
    common.clearRouteCache_p = true
    common.headerMutation.setHeaders.append(.setting(ProtocolName.destination, to: address))
    if let prefill {
      common.headerMutation.setHeaders.append(.setting(ProtocolName.prefill, to: prefill))
    } else {
      // Where prefill runs is not the client's to say.
      common.headerMutation.removeHeaders.append(ProtocolName.prefill)
    }
    if let bodyLength {
      common.headerMutation.setHeaders.append(.setting("content-length", to: "\(bodyLength)"))
    }
    var answer = Self()
    answer.dynamicMetadata = destinationMetadata(address)
    if onBody {
      var body = BodyResponse()
      body.response = common
      answer.response = .requestBody(body)
    } else {
      var headers = HeadersResponse()
      headers.response = common
      answer.response = .requestHeaders(headers)
    }
    return answer
  }

  private static func destinationMetadata(_ address: String) -> Google_Protobuf_Struct {
    var inner = Google_Protobuf_Struct()
    inner.fields[ProtocolName.destination] = Google_Protobuf_Value(stringValue: address)
    var outer = Google_Protobuf_Struct()
    outer.fields[ProtocolName.loadBalancing] = Google_Protobuf_Value(structValue: inner)
    return outer
  }

  /// The request ends here.
  ///
  /// - Parameters:
  ///   - reason: In machine's words, for the header and Envoy's access log.
  ///   - text: For whoever reads the body.
  static func refusal(_ refusal: Refusal, reason: String, _ text: String) -> Self {
    var immediate = ImmediateResponse()
    immediate.status.code = refusal.rawValue
    immediate.headers.setHeaders = [
      .setting("content-type", to: "application/json"),
      .setting(ProtocolName.refusalReason, to: reason),
    ]
    immediate.body = Data(
      #"{"error":{"message":"\#(escaped(text))","type":"\#(refusal.kind)","code":\#(refusal.rawValue)}}"#
        .utf8)
    immediate.details = "glidepath_\(reason)"
    var answer = Self()
    answer.response = .immediateResponse(immediate)
    return answer
  }

  private static func escaped(_ text: String) -> String {
    var result = ""
    for character in text.unicodeScalars where character.value >= 0x20 {
      if character == "\"" || character == "\\" { result.append("\\") }
      result.unicodeScalars.append(character)
    }
    return result
  }
}

extension HeaderValueOption {
  /// A header that has this value from now on, and no other.
  static func setting(_ name: String, to value: String) -> Self {
    var option = Self()
    option.header.key = name
    option.header.rawValue = Data(value.utf8)
    option.appendAction = .overwriteIfExistsOrAdd
    return option
  }
}

extension HeaderValue {
  /// The value, in whichever of its two members it came.
  var text: String { rawValue.isEmpty ? value : String(decoding: rawValue, as: UTF8.self) }
}

/// Which endpoints a gateway allows for an exchange.
enum SubsetHint {
  /// The addresses of the hint, if there is one; a hint of a wrong kind allows none.
  ///
  /// A list of strings, or one string with commas.
  static func addresses(in metadata: FilterMetadata) -> [String]? {
    guard let namespace = metadata.filterMetadata[ProtocolName.subsetNamespace],
      let hint = namespace.fields[ProtocolName.subset]
    else { return nil }
    switch hint.kind {
    case .listValue(let list): return list.values.map(\.stringValue).filter { !$0.isEmpty }
    case .stringValue(let text):
      return text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
    default: return []
    }
  }
}
