import TestSupport
import Testing

@testable import RequestLog

/// Numbers that a seed determines (SplitMix64).
struct SeededNumbers {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var word = state
    word = (word ^ (word &>> 30)) &* 0xBF58_476D_1CE4_E5B9
    word = (word ^ (word &>> 27)) &* 0x94D0_49BB_1331_11EB
    return word ^ (word &>> 31)
  }

  mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
}

@Suite struct InvarianceTests {
  /// A log with names that appear all along and faults of every kind.
  private static func lines() -> [String] {
    (0..<3000).map { index in
      switch index % 97 {
      case 5: RequestLogFixtures.line(index - 4)
      case 6: RequestLogFixtures.line(index, ["endpoint": "\"bad\(index)\"", "ttft_ms": "-1"])
      case 7: "{\"request_id\":\"cut"
      case 8: RequestLogFixtures.line(index, ["received_unix_ns": "1600000000000000000"])
      case 9: ""
      default:
        RequestLogFixtures.line(
          index,
          [
            "endpoint": "\"e\((index * index) % (3 + index / 50))\"",
            "policy": "\"p\(index / 700)\"",
          ])
      }
    }
  }

  @Test func resultIsTheSameForAnyNumberOfThreadsAndAnyBlocks() throws {
    let file = try RequestLogFixtures.file(lines: Self.lines())
    let reference = try readAll([file.path]) { $0.threads = 1 }
    #expect(reference.batch.rows.count > 2500 && reference.rejected.count > 90)
    for (threads, blockSize) in [(2, 1000), (3, 4096), (7, 333), (16, 20_000), (4, 1 << 22)] {
      let log = try readAll([file.path]) {
        $0.threads = threads
        $0.blockSize = blockSize
      }
      #expect(log.symbols.names == reference.symbols.names)
      #expect(log.rejected == reference.rejected)
      #expect(log.batch.rows.map(\.endpoint) == reference.batch.rows.map(\.endpoint))
      #expect(describe(log) == describe(reference))
      #expect(log.summary == reference.summary)
    }
  }

  @Test func symbolsAreNumberedByFirstAppearance() throws {
    let file = try RequestLogFixtures.file(lines: Self.lines())
    let log = try readAll([file.path]) {
      $0.threads = 8
      $0.blockSize = 500
    }
    var highest: Int32 = -1
    for row in log.batch.rows {
      for symbol in [row.endpoint, row.model, row.policy] {
        #expect(symbol.index <= highest + 1)
        highest = max(highest, symbol.index)
      }
    }
    #expect(Int(highest) + 1 == log.symbols.names.count)
  }

  @Test(arguments: [1, 100, 1999, 100_000])
  func batchesHaveTheirLeastRowsAndAllRows(minimum: Int) throws {
    let file = try RequestLogFixtures.file(lines: (0..<2000).map { RequestLogFixtures.line($0) })
    var configuration = try LogReader.Configuration(threads: 3, batchRows: minimum)
    configuration.blockSize = 7000
    var reader = LogReader(configuration)
    var counts: [Int] = []
    var ids: [String] = []
    let summary = try reader.read(
      [file.path],
      onBatch: { batch, _ in
        counts.append(batch.rows.count)
        ids += batch.rows.map { batch.requestID($0) }
      })
    #expect(counts.dropLast().allSatisfy { $0 >= minimum })
    #expect(ids == (0..<2000).map { "r\($0)" } && summary.rows == 2000)
  }
}

@Suite struct FastPathTests {
  /// Changes a line in one to three places, mostly by what JSON is made of.
  private static func mutate(_ line: [UInt8], _ random: inout SeededNumbers) -> [UInt8] {
    var line = line
    let pieces = [
      "\"", "\\", ",", ":", "{", "}", "[", "]", "-", ".", "0", "9", "e5", " ", "null", "true",
      "NaN", "\\u0041", "\u{E9}", "1e400", "00", "123456789012345678901234567890", "\t", "\r",
      "\"status\":499,", "\"x\":{\"y\":[1,2]},", "\"endpoint\":\"other\",",
    ].map { Array($0.utf8) }
    for _ in 0...random.below(3) where !line.isEmpty {
      let place = random.below(line.count)
      switch random.below(6) {
      case 0: line.remove(at: place)
      case 1: line[place] = UInt8(truncatingIfNeeded: random.next())
      case 2: line.insert(contentsOf: pieces[random.below(pieces.count)], at: place)
      case 3: line.removeSubrange(place..<min(line.count, place + random.below(12)))
      case 4: line.replaceSubrange(place...place, with: pieces[random.below(pieces.count)])
      default:
        let other = random.below(line.count)
        line.swapAt(place, other)
      }
    }
    return line.filter { $0 != 0x0A }
  }

  private func parse(_ bytes: [UInt8], usesFastPath: Bool) -> ParsedBlock {
    let block = ByteBlock(capacity: bytes.count)
    block.append(bytes)
    var parser = BlockParser(
      worker: 0, format: .native, limits: RequestLimits(), usesFastPath: usesFastPath)
    var parsed = ParsedBlock()
    parser.parse(block, into: &parsed)
    return parsed
  }

  private func text(_ parsed: ParsedBlock) -> [String] {
    var symbols = SymbolTable()
    for name in parsed.newNames { _ = symbols.intern(name) }
    let contents = RequestLogContents(
      batch: parsed.batch, symbols: symbols, rejected: [], summary: ReadSummary())
    let faults = parsed.rejections.map { "\($0.line) \($0.rejection) \($0.excerpt)" }
    return describe(contents) + faults + ["\(parsed.batch.text) \(parsed.lineCount)"]
  }

  @Test(arguments: UInt64(0)..<8)
  func fastPathReadsWhatSimdjsonReads(seed: UInt64) throws {
    var random = SeededNumbers(seed: seed)
    let seeds = (0..<20).map { index in
      Array(
        RequestLogFixtures.line(
          index,
          [
            "chunk_offsets_ms": "[1.5,2,0.25]", "stream": "true", "priority": "2",
            "snapshot_age_ms": "46.51", "unknown": "12.5", "prefix_blocks": "[]",
            "dispatched_unix_ns": "\(RequestLogFixtures.start + Int64(index) * 1_000_000_000)",
          ]
        ).utf8)
    }
    var compared = 0
    var accepted = 0
    for _ in 0..<75 {
      var bytes: [UInt8] = []
      for _ in 0..<20 {
        bytes += Self.mutate(seeds[random.below(seeds.count)], &random) + [0x0A]
        compared += 1
      }
      let fast = parse(bytes, usesFastPath: true)
      accepted += fast.batch.rows.count
      #expect(text(fast) == text(parse(bytes, usesFastPath: false)))
    }
    #expect(compared == 1500)
    #expect(accepted > 100)
  }

  @Test func decimalsAreTheNearestDoubles() throws {
    var random = SeededNumbers(seed: 5)
    let numbers = (0..<2000).map { _ in
      let whole = random.below(random.below(2) == 0 ? 10 : 10_000_000)
      let digits = 1 + random.below(8)
      let fraction = (0..<digits).map { _ in "\(random.below(10))" }.joined()
      return "\(whole).\(fraction)"
    }
    let lines = numbers.enumerated().map { index, number in
      RequestLogFixtures.line(index, ["ttft_ms": number, "e2e_ms": "20000000"])
    }
    let parsed = parse(Array(lines.joined(separator: "\n").utf8), usesFastPath: true)
    #expect(parsed.batch.rows.map(\.ttftMilliseconds) == numbers.compactMap(Double.init))
  }
}
