import Testing

@testable import PredictorEntries

/// A row of a question with every field.
let questionRow = """
  {"kv_cache_percentage":0.42,"input_token_length":1873,"num_request_waiting":1,\
  "num_request_running":12,"num_tokens_generated":1,"prefix_cache_score":0.75,\
  "prefill_tokens_in_flight":4096,"decode_tokens_in_flight":0,"encoder_input_size":0,\
  "encoder_matched_size":0,"pod_type":"decode"}
  """

private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

private func violations(_ text: String, _ purpose: PredictorEntry.Purpose = .prediction)
  -> [EntryViolation]?
{
  do throws(PredictorEntriesError) {
    _ = try EntryParser(purpose).parseMany(bytes(text).span)
    return nil
  } catch {
    guard case .invalid(let violations) = error else { return nil }
    return violations
  }
}

@Suite struct EntryParserTests {
  @Test func everyFieldOfARowIsRead() throws {
    let entries = try EntryParser(.prediction).parseMany(
      bytes("{\"requests\":[\(questionRow)]}").span)
    let entry = try #require(entries.first)
    #expect(entries.count == 1)
    #expect(entry[.kvCacheUsage] == 0.42)
    #expect(entry[.inputTokens] == 1873)
    #expect(entry[.waitingRequests] == 1)
    #expect(entry[.runningRequests] == 12)
    #expect(entry[.prefixMatchFraction] == 0.75)
    #expect(entry[.prefillTokensInFlight] == 4096)
    #expect(entry.podType == "decode")
  }

  @Test func optionalAndUnknownFieldsMayBeMissingOrExtra() throws {
    let text = """
      {"requests":[{"kv_cache_percentage":0,"input_token_length":1,"num_request_waiting":0,
      "num_request_running":0,"num_tokens_generated":0,"prefix_cache_score":1e0,
      "timestamp":"2026-08-21T10:00:00Z","new":{"a":[1,null,true]},"pod_type":null}],"more":[1]}
      """
    let entry = try #require(try EntryParser(.prediction).parseMany(bytes(text).span).first)
    #expect(entry[.prefillTokensInFlight] == 0)
    #expect(!entry.has(.prefillTokensInFlight))
    #expect(entry[.prefixMatchFraction] == 1)
    #expect(entry.podType.isEmpty)
  }

  @Test(arguments: [
    ("kv_cache_percentage", "1.01", "less_than_equal"),
    ("kv_cache_percentage", "-0.1", "greater_than_equal"),
    ("prefix_cache_score", "2", "less_than_equal"),
    ("input_token_length", "-1", "greater_than_equal"),
    ("input_token_length", "1.5", "int_from_float"),
    ("num_request_waiting", "\"3\"", "int_type"),
    ("num_request_running", "true", "int_type"),
    ("prefix_cache_score", "null", "float_type"),
    ("pod_type", "7", "string_type"),
  ])
  func aValueOutOfItsRangeIsNamedWithItsRow(field: String, value: String, kind: String) throws {
    var bad = ""
    for part in questionRow.dropFirst().dropLast().split(separator: ",") {
      let isIt = part.hasPrefix("\"\(field)\"")
      bad += (bad.isEmpty ? "" : ",") + (isIt ? "\"\(field)\":\(value)" : String(part))
    }
    let found = try #require(violations("{\"requests\":[\(questionRow),{\(bad)}]}"))
    #expect(
      found.map(\.location) == [["body", "requests", "1", field]], "\(found)")
    #expect(found.map(\.kind) == [kind])
  }

  @Test func missingFieldsAreNamedAndManyAreCutShort() throws {
    let one = try #require(violations("{\"requests\":[{}]}"))
    #expect(one.allSatisfy { $0.kind == "missing" })
    #expect(one.map { $0.location.last ?? "" }.contains("prefix_cache_score"))
    let many = String(repeating: "{},", count: 500) + "{}"
    #expect(violations("{\"requests\":[\(many)]}")?.count == EntryParser.maximumViolations)
  }

  @Test func examplesNeedTheirOutcome() throws {
    let found = try #require(violations("{\"entries\":[\(questionRow)]}", .training))
    #expect(found.map { $0.location.last ?? "" } == ["actual_ttft_ms", "actual_tpot_ms"])
  }

  @Test(arguments: [
    "", "{", "[]x", "{\"requests\":[}", "{\"requests\":[{\"a\":01}]}", "{\"requests\":[1,]}",
    "{\"requests\":[{\"a\":\"\u{1}\"}]}", "{\"requests\":[{\"a\":1.}]}", "nul",
    "{\"requests\":[{\"a\":" + String(repeating: "[", count: 300),
  ])
  func whatIsNotJSONIsRefusedWithAPosition(text: String) {
    do throws(PredictorEntriesError) {
      _ = try EntryParser(.prediction).parseMany(bytes(text).span)
      Issue.record("it was accepted")
    } catch {
      guard case .malformed(let offset, _) = error else {
        Issue.record("\(error)")
        return
      }
      #expect(offset <= text.utf8.count)
    }
  }

  @Test(arguments: ["[]", "{}", "{\"requests\":{}}", "{\"requests\":[]}", "{\"requests\":[3]}"])
  func jsonOfAnotherShapeIsInvalid(text: String) {
    #expect(violations(text) != nil)
  }

  @Test func tenThousandRowsAreTakenAndNoMore() throws {
    let rows = Array(repeating: questionRow, count: EntryParser.maximumRows)
    let fits = "{\"requests\":[" + rows.joined(separator: ",") + "]}"
    #expect(
      try EntryParser(.prediction).parseMany(bytes(fits).span).count == EntryParser.maximumRows)
    let exceeds = "{\"requests\":[" + (rows + [questionRow]).joined(separator: ",") + "]}"
    #expect(violations(exceeds)?.map(\.kind) == ["too_long"])
  }
}
