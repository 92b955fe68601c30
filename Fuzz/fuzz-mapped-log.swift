// Feeds bytes to the readers of other formats: mapped JSON, OTLP, CSV with and without a mapping, whole
// files plain or packed, and mapping files. The first byte chooses. Nothing may crash, every refusal has
// a reason, and what is accepted is possible. `make fuzz` builds it with libFuzzer and the address
// sanitizer.

import Glibc

@testable import RequestLog

private func fail(_ what: String) -> Never { fatalError(what) }

private func check(_ line: RejectedLine) {
  guard line.lineNumber >= 1, !line.sentence.isEmpty, !line.remedy.isEmpty else {
    fail("a refusal without place or reason: \(line)")
  }
}

private func check(_ row: LoggedRequest) {
  guard row.receivedNanoseconds > 0, row.inputTokens >= -1, row.outputTokens >= -1 else {
    fail("an impossible request: \(row)")
  }
  for latency in [row.ttftMilliseconds, row.e2eMilliseconds] where !latency.isNaN {
    guard latency.isFinite, latency >= 0 else { fail("an impossible latency: \(row)") }
  }
}

/// One block of lines.
private func readBlock(_ bytes: [UInt8], _ format: RecordFormat) {
  let block = ByteBlock(capacity: bytes.count)
  block.append(bytes)
  var parser = BlockParser(worker: 0, format: format, limits: RequestLimits())
  var parsed = ParsedBlock()
  parser.parse(block, into: &parsed)
  for row in parsed.batch.rows { check(row) }
  for rejected in parsed.rejections {
    check(
      RejectedLine(
        file: "fuzz", lineNumber: rejected.line, field: rejected.rejection.field,
        reason: rejected.rejection.reason, excerpt: rejected.excerpt))
  }
}

/// A CSV file: its first line is the header.
private func readCSV(_ bytes: [UInt8], _ mapping: FieldMapping?) {
  let end = bytes.firstIndex(of: 0x0A) ?? bytes.count
  do throws(RequestLogError) {
    let layout = try CSVLayout(
      header: Array(bytes[..<end]), mapping: mapping, path: "fuzz.csv")
    readBlock(Array(bytes[min(end + 1, bytes.count)...]), .csv(layout))
  } catch {
    guard !error.description.isEmpty else { fail("a refusal without reason") }
  }
}

/// A file without a name, for all runs.
private let descriptor: CInt = {
  var name = Array("/tmp/fuzz-mapped-log-XXXXXX".utf8CString)
  let descriptor = unsafe mkstemp(&name)
  _ = unsafe unlink(name)
  return descriptor
}()

/// A whole file, packed or not.
private func readFile(_ bytes: [UInt8]) {
  guard descriptor >= 0, ftruncate(descriptor, 0) == 0 else { return }
  _ = unsafe bytes.withUnsafeBytes { unsafe pwrite(descriptor, $0.baseAddress, $0.count, 0) }
  do throws(RequestLogError) {
    var reader = LogReader(try LogReader.Configuration(threads: 1, maximumBadShare: 1))
    let log = try reader.readAll(["/proc/self/fd/\(descriptor)"])
    log.rejected.forEach(check)
    log.batch.rows.forEach(check)
  } catch {
    guard !error.description.isEmpty else { fail("a refusal without reason") }
  }
}

private let mappings: [FieldMapping] = FieldMapping.readyMade.keys.sorted().compactMap {
  try? FieldMapping.named($0)
}

private let csvMapping = try? FieldMapping(
  yaml: """
    format: csv
    where: [{path: kind, equals: [chat, text]}]
    fields:
      request_id: id
      received_unix_ns: {path: at, factor: 1000000}
      endpoint: {path: host, values: {"h1": "gpu-1"}}
      input_tokens: [prompt, tokens]
      ttft_ms: {path: first, factor: 1000}
      e2e_ms: total
      prefix_match_tokens: {path: score, times: prompt}
    """, name: "fuzz")

/// libFuzzer's entry.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzMappedLog(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
  guard let choice = bytes.first else { return 0 }
  let rest = Array(bytes.dropFirst())
  switch Int(choice) % 8 {
  case 0..<3 where mappings.count > Int(choice) % 8:
    readBlock(rest, .mapped(mappings[Int(choice) % 8]))
  case 3: readCSV(rest, nil)
  case 4: readCSV(rest, csvMapping)
  case 5, 6: readFile(rest)
  default:
    do throws(RequestLogError) {
      _ = try FieldMapping(yaml: String(decoding: rest, as: UTF8.self), name: "fuzz")
    } catch {
      guard !error.description.isEmpty else { fail("a refusal without reason") }
    }
  }
  return 0
}
