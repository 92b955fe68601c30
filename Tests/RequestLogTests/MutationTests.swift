import Foundation
import TestSupport
import Testing

@testable import RequestLog

/// Ten thousand logs with a few bytes changed: none crashes, and every refusal has a reason.
@Suite struct MutationTests {
  /// A format with a log of it.
  enum Seed: Int, CaseIterable, Sendable {
    case native, envoy, otlp, llmD, csv

    var format: RecordFormat {
      get throws {
        switch self {
        case .native: .native
        case .envoy: .mapped(try FieldMapping.named("envoy"))
        case .otlp: .mapped(try FieldMapping.named("otel-genai"))
        case .llmD: .mapped(try FieldMapping.named("llm-d"))
        case .csv:
          .csv(
            try CSVLayout(
              header: Array(
                "request_id,received_unix_ns,endpoint,input_tokens,ttft_ms,e2e_ms".utf8),
              mapping: nil, path: "seed.csv"))
        }
      }
    }

    var lines: [String] {
      switch self {
      case .native: (0..<3).map { RequestLogFixtures.line($0) }
      case .envoy:
        (0..<3).map { index in
          """
          {"request_id":"a\(index)","start_time":"2026-08-21T10:00:0\(index).250Z",\
          "upstream_host":"10.0.0.7:8000","response_code":200,"duration":812,\
          "response_duration":95,"input_tokens":"120","output_tokens":40,"policy":"-"}
          """
        }
      case .otlp:
        [
          """
          {"resourceSpans":[{"resource":{"attributes":[{"key":"host.name","value":\
          {"stringValue":"v"}}]},"scopeSpans":[{"spans":[{"name":"llm_request","spanId":"s",\
          "startTimeUnixNano":"1790000000000000000","attributes":[{"key":\
          "gen_ai.usage.prompt_tokens","value":{"intValue":"128"}},{"key":\
          "gen_ai.latency.time_to_first_token","value":{"doubleValue":0.045}},{"key":\
          "gen_ai.latency.e2e","value":{"doubleValue":2.125}}]}]}]}]}
          """
        ]
      case .llmD:
        [
          """
          {"entries":[{"kv_cache_percentage":0.42,"input_token_length":1873,\
          "num_request_waiting":0,"num_request_running":12,"actual_ttft_ms":231,\
          "prefix_cache_score":0.5,"timestamp":"2026-08-21T10:00:00Z","pod_type":""}]}
          """
        ]
      case .csv: (0..<3).map { "\"a,\(($0))\",179000000000000000\($0),e,5,1.5,9" }
      }
    }
  }

  /// Changes one to four places, mostly by what logs are made of.
  private func mutate(_ log: [UInt8], _ random: inout SeededNumbers) -> [UInt8] {
    let pieces = [
      "\"", "\\", ",", ":", "{", "}", "[", "]", "-", "0", "1e999", "null", "NaN", "\n", "\r\n",
      "\\u0000", "\u{E9}", "99999999999999999999", "-1", "\"\"", "2026-13-01T00:00:00Z", "[[[[[[[[",
    ].map { Array($0.utf8) }
    var log = log
    for _ in 0...random.below(4) where !log.isEmpty {
      let place = random.below(log.count)
      switch random.below(5) {
      case 0: log.remove(at: place)
      case 1: log[place] = UInt8(truncatingIfNeeded: random.next())
      case 2: log.insert(contentsOf: pieces[random.below(pieces.count)], at: place)
      case 3: log.removeSubrange(place..<min(log.count, place + random.below(40)))
      default: log.append(contentsOf: log[place..<min(log.count, place + 60)])
      }
    }
    return log
  }

  private func check(_ rejected: RejectedLine) {
    #expect(rejected.lineNumber >= 1)
    #expect(rejected.sentence.count > 10 && rejected.remedy.count > 10, "\(rejected)")
  }

  @Test(arguments: Seed.allCases) func mutatedLogsAreReadOrRefusedWithAReason(seed: Seed) throws {
    var random = SeededNumbers(seed: UInt64(seed.rawValue) &+ 40)
    var parser = BlockParser(worker: 0, format: try seed.format, limits: RequestLimits())
    let clean = Array((seed.lines.joined(separator: "\n") + "\n").utf8)
    var (accepted, refused) = (0, 0)
    for _ in 0..<1_900 {
      let block = ByteBlock(capacity: 4_096)
      block.append(mutate(clean, &random))
      var parsed = ParsedBlock()
      parser.parse(block, into: &parsed)
      accepted += parsed.batch.rows.count
      refused += parsed.rejections.count
      for rejected in parsed.rejections {
        check(
          RejectedLine(
            file: "log", lineNumber: rejected.line, field: rejected.rejection.field,
            reason: rejected.rejection.reason, excerpt: rejected.excerpt))
      }
      for row in parsed.batch.rows {
        #expect(!row.ttftMilliseconds.isInfinite && !(row.ttftMilliseconds < 0))
        #expect(!row.e2eMilliseconds.isInfinite && !(row.e2eMilliseconds < 0))
      }
    }
    #expect(accepted > 100 && refused > 100, "\(accepted) accepted, \(refused) refused")
  }

  /// Whole files, packed: what is damaged is told, and the process lives.
  @Test(arguments: [InputTests.gzip, InputTests.zstd])
  func mutatedPackedLogsAreReadOrRefusedWithAReason(packed: String) throws {
    var random = SeededNumbers(seed: 9)
    let clean = Array(try #require(Data(base64Encoded: packed)))
    let file = try RequestLogFixtures.file(clean)
    var (read, refused) = (0, 0)
    for _ in 0..<250 {
      _ = try file.write(mutate(clean, &random), name: "log.jsonl")
      do {
        let log = try readAll([file.path])
        log.rejected.forEach(check)
        read += 1
      } catch let error as RequestLogError {
        #expect(error.description.count > 20)
        refused += 1
      }
    }
    #expect(read + refused == 250 && refused > 50, "\(read) read, \(refused) refused")
  }
}
