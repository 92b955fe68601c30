// Feeds bytes to the readers of the predictor API's bodies: nothing may crash, what is accepted
// keeps the API's rules, and what is kept of it reads back the same. `make fuzz` builds it with
// libFuzzer and the address sanitizer.

private func check(_ entry: PredictorEntry) {
  for field in PredictorEntry.Field.allCases where entry.has(field) {
    precondition(
      entry[field] >= 0 && entry[field] <= field.maximum, "a value out of range was accepted")
    precondition(
      !field.isInteger || entry[field].rounded() == entry[field], "a count that is not whole")
  }
  guard PredictorEntry.Purpose.training.required.allSatisfy(entry.has) else { return }
  var line: [UInt8] = []
  entry.appendLine(to: &line, receivedUnixNanoseconds: 1)
  guard var again = try? EntryParser(.training).parseOne(line.span) else {
    preconditionFailure("a kept entry cannot be read back")
  }
  again[.receivedUnixNanoseconds] = 1
  var expected = entry
  expected[.receivedUnixNanoseconds] = 1
  for field in PredictorEntry.Field.allCases {
    precondition(again[field] == expected[field], "\(field) changed while it was kept")
  }
  precondition(again.podType == entry.podType, "the role changed while it was kept")
}

private func read(_ bytes: Span<UInt8>, _ purpose: PredictorEntry.Purpose) {
  let parser = EntryParser(purpose)
  do throws(PredictorEntriesError) {
    let entries = try parser.parseMany(bytes)
    precondition(purpose == .training || !entries.isEmpty, "an empty question was accepted")
    for entry in entries { check(entry) }
  } catch {
    precondition(!error.description.isEmpty, "a refusal without a reason")
  }
  if let entry = try? parser.parseOne(bytes) { check(entry) }
}

/// libFuzzer's entry.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzPredictorEntries(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
  read(bytes.span, .prediction)
  read(bytes.span, .training)
  var lines: [PredictorEntry] = []
  _ = EntryLog.parse(bytes, into: &lines)
  for entry in lines { check(entry) }
  return 0
}
