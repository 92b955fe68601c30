import Foundation
import NIOCore
import SwiftProtobuf
import TestSupport
import Testing

@testable import ExternalProcessor

/// The short way must do what decoding and encoding whole messages does.
@Suite struct ResponsePieceTests {
  private func message(_ body: Data, endsStream: Bool) -> ProcessingRequest {
    var message = ProcessingRequest.responseBody("", endsStream: endsStream)
    message.responseBody.body = body
    message.metadataContext.filterMetadata["envoy.lb"] = [
      "x-gateway-destination-endpoint": "10.0.0.1:8000"
    ]
    return message
  }

  private func isPiece(_ message: ProcessingRequest) throws -> Bool {
    let bytes: [UInt8] = try message.serializedBytes()
    return ResponsePiece(bytes.span) != nil
  }

  @Test(arguments: [0, 1, 5, 100, 119, 120, 127, 128, 16_000, 16_384, 62_000], [false, true])
  func echoIsWhatEncodingMakes(length: Int, endsStream: Bool) throws {
    var random = SplitMix64(seed: UInt64(length))
    let body = Data((0..<length).map { _ in UInt8(truncatingIfNeeded: random.next()) })
    var buffer = ByteBuffer(string: "before")
    buffer.writeBytes(try message(body, endsStream: endsStream).serializedBytes() as [UInt8])
    buffer.moveReaderIndex(forwardBy: 6)
    let found = ResponsePiece(buffer.readableBytesUInt8Span)
    let piece = try #require(found)
    var written = ByteBuffer()
    piece.writeEcho(of: buffer, to: &written)

    var expected = ByteBuffer()
    expected.writeMessage(
      try ProcessingResponse.piece(body, endsStream: endsStream, ofRequest: false)
        .serializedBytes())
    #expect(written == expected)
    #expect(piece.endsStream == endsStream)
  }

  @Test func otherMessagesAreLeftAlone() throws {
    for message in [
      ProcessingRequest.requestHeaders(), .requestBody("x"), .responseHeaders(),
      .trailersOfResponse, ProcessingRequest(),
    ] {
      #expect(try !isPiece(message))
    }
    var first = message(Data("x".utf8), endsStream: false)
    first.protocolConfig.responseBodyMode = .fullDuplexStreamed
    #expect(try !isPiece(first))
  }

  @Test(arguments: UInt64(0)..<32)
  func brokenMessagesAreReadAsTheDecoderReadsThem(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let body = Data((0..<200).map { _ in UInt8(truncatingIfNeeded: random.next()) })
    let whole: [UInt8] = try message(body, endsStream: true).serializedBytes()
    for _ in 0..<300 {
      var bytes = whole
      for _ in 0..<random.integer(in: 0...3) {
        bytes[random.integer(in: 0...bytes.count - 1)] = UInt8(truncatingIfNeeded: random.next())
      }
      bytes.removeLast(random.integer(in: 0...20))
      guard let piece = ResponsePiece(bytes.span) else { continue }
      // Metadata is passed over unread; only what is read must agree.
      guard let decoded = try? ProcessingRequest(serializedBytes: bytes) else { continue }
      #expect(Data(bytes[piece.bytes]) == decoded.responseBody.body)
      #expect(piece.endsStream == decoded.responseBody.endOfStream)
    }
  }
}
