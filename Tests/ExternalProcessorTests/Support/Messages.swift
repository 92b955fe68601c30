import Foundation
import SwiftProtobuf

@testable import ExternalProcessor

extension ProcessingRequest {
  /// The request's headers, the first message of an exchange.
  static func requestHeaders(
    _ headers: [String: String] = ["content-type": "application/json"], endsStream: Bool = false,
    mode: BodySendMode = .fullDuplexStreamed, subset: Google_Protobuf_Value? = nil
  ) -> Self {
    var message = Self()
    message.requestHeaders = HttpHeaders(headers, endsStream: endsStream)
    message.protocolConfig.requestBodyMode = mode
    message.protocolConfig.responseBodyMode = mode
    if let subset {
      message.metadataContext.filterMetadata["envoy.lb.subset_hint"] = [
        "x-gateway-destination-endpoint-subset": subset
      ]
    }
    return message
  }

  static func requestBody(_ text: String, endsStream: Bool = true) -> Self {
    var message = Self()
    message.requestBody = HttpBody(text, endsStream: endsStream)
    return message
  }

  static func responseHeaders(
    status: Int = 200, type: String = "text/event-stream", endsStream: Bool = false
  ) -> Self {
    var message = Self()
    message.responseHeaders = HttpHeaders(
      [":status": "\(status)", "content-type": type], endsStream: endsStream)
    return message
  }

  static func responseBody(_ text: String, endsStream: Bool = false) -> Self {
    var message = Self()
    message.responseBody = HttpBody(text, endsStream: endsStream)
    return message
  }

  static var trailersOfRequest: Self {
    var message = Self()
    message.requestTrailers = HttpTrailers()
    return message
  }

  static var trailersOfResponse: Self {
    var message = Self()
    message.responseTrailers = HttpTrailers()
    return message
  }
}

extension HttpHeaders {
  init(_ headers: [String: String], endsStream: Bool) {
    self.init()
    self.headers.headers = headers.map { name, value in
      var header = HeaderValue()
      header.key = name
      header.rawValue = Data(value.utf8)
      return header
    }
    endOfStream = endsStream
  }
}

extension HttpBody {
  init(_ text: String, endsStream: Bool) {
    self.init()
    body = Data(text.utf8)
    endOfStream = endsStream
  }
}

extension ProcessingResponse {
  /// The headers that an answer sets.
  var setHeaders: [String: String] {
    let mutation =
      switch response {
      case .requestHeaders(let answer): answer.response.headerMutation
      case .requestBody(let answer): answer.response.headerMutation
      case .responseHeaders(let answer): answer.response.headerMutation
      case .immediateResponse(let answer): answer.headers
      default: HeaderMutation()
      }
    return Dictionary(
      mutation.setHeaders.map { ($0.header.key, $0.header.text) }, uniquingKeysWith: { $1 })
  }

  /// The piece of a body that an answer carries.
  var piece: StreamedBodyResponse? {
    let mutation: BodyMutation
    switch response {
    case .requestBody(let answer): mutation = answer.response.bodyMutation
    case .responseBody(let answer): mutation = answer.response.bodyMutation
    default: return nil
    }
    guard case .streamedResponse(let piece) = mutation.mutation else { return nil }
    return piece
  }

  /// The address in the metadata for load balancing.
  var metadataDestination: String? {
    dynamicMetadata.fields["envoy.lb"]?.structValue
      .fields["x-gateway-destination-endpoint"]?.stringValue
  }
}
