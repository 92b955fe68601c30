import Foundation
import Testing

@testable import AccuracyReport

/// A night's log for the data checks: four endpoints of two classes, 1 % timeouts.
private struct SyntheticNight {
  var rows: [DatasetRow] = []

  init(day: Int, seed: UInt64, count: Int = 4_000) {
    var random = SeededGenerator(seed: seed)
    let start = 1_763_700_000_000_000_000 + Int64(day) * 86_400_000_000_000
    for index in 0..<count {
      var row = DatasetRow(
        receivedNanoseconds: start + Int64(Double(index) * 20e9 + 5e9 * random.uniform()),
        endpoint: "pod-\(Int(random.uniform() * 4))")
      row.accelerator = row.endpoint < "pod-2" ? "h100" : "h200"
      row.model = "llama-3.1-8b"
      row.gateway = "gw-\(index % 2)"
      row.inputTokens = (200 + 4_000 * random.uniform()).rounded()
      row.outputTokens = (20 + 300 * random.uniform()).rounded()
      row.prefixMatchTokens = (row.inputTokens * random.uniform()).rounded()
      row.replayedInFlight = (12 * random.uniform()).rounded()
      row.running = max(0, row.replayedInFlight - (2 * random.uniform()).rounded())
      row.waiting = (3 * random.uniform()).rounded()
      row.kvCacheUsage = 0.05 * row.replayedInFlight
      row.snapshotAgeMilliseconds = 50 * random.uniform()
      row.dispatchDelayMilliseconds = 2 * random.uniform()
      row.championTTFTMilliseconds = 20 + 0.03 * row.inputTokens + 20 * row.replayedInFlight
      row.ttftMilliseconds = row.championTTFTMilliseconds * exp(0.3 * random.normal())
      let tpot = (8 + 0.2 * row.replayedInFlight) * exp(0.1 * random.normal())
      row.e2eMilliseconds = row.ttftMilliseconds + tpot * (row.outputTokens - 1)
      if random.uniform() < 0.01 { row.status = 504 }
      rows.append(row)
    }
  }

  /// The findings that block this log after the night before it.
  func blocks(_ change: (inout [DatasetRow]) -> Void = { _ in }) -> [DataFinding] {
    let before = SyntheticNight(day: 0, seed: 1)
    var trained = DatasetSummary.Builder()
    before.rows.forEach { trained.add($0) }
    let old = trained.build()
    var changed = rows
    change(&changed)
    var builder = DatasetSummary.Builder(previous: old)
    changed.forEach { builder.add($0) }
    let now = 1_763_700_000_000_000_000 + Int64(48 * 3_600) * 1_000_000_000
    return DataChecks().findings(new: builder.build(), trained: old, nowNanoseconds: now)
      .filter { $0.severity == .block }
  }
}

@Suite struct DataChecksTests {
  private let night = SyntheticNight(day: 1, seed: 2)

  private func codes(_ change: (inout [DatasetRow]) -> Void) -> Set<String> {
    let findings = night.blocks(change)
    for finding in findings {
      #expect(finding.sentence.hasSuffix(".") || finding.sentence.hasSuffix("?"))
    }
    return Set(findings.map(\.code))
  }

  @Test(arguments: UInt64(10)..<18)
  func aCleanNightIsNotBlocked(seed: UInt64) {
    #expect(SyntheticNight(day: 1, seed: seed).blocks().isEmpty)
  }

  @Test func clockAheadOnOneGatewayIsCaught() {
    #expect(
      codes { rows in
        for row in rows.indices where rows[row].gateway == "gw-1" {
          rows[row].receivedNanoseconds += 1_800_000_000_000
        }
      }.contains("clock-skew"))
  }

  @Test func clockInTheFutureIsCaught() {
    #expect(
      codes { rows in
        for row in rows.indices { rows[row].receivedNanoseconds += 86_400_000_000_000 }
      }.contains("clock-skew"))
  }

  @Test(arguments: [0.001, 1_000])
  func unitChangeIsCaught(factor: Double) {
    #expect(
      codes { rows in
        for row in rows.indices {
          rows[row].ttftMilliseconds *= factor
          rows[row].e2eMilliseconds *= factor
        }
      }.contains("unit-change"))
  }

  @Test func unitChangeInTheMiddleOfTheLogIsCaught() {
    #expect(
      codes { rows in
        for row in rows.indices.suffix(1_200) {
          rows[row].ttftMilliseconds /= 1_000
          rows[row].e2eMilliseconds /= 1_000
        }
      }.contains("unit-change"))
  }

  @Test func unitChangeOnOneEndpointIsCaught() {
    #expect(
      codes { rows in
        for row in rows.indices where rows[row].endpoint == "pod-3" {
          rows[row].ttftMilliseconds /= 1_000
          rows[row].e2eMilliseconds /= 1_000
        }
      }.contains("unit-change"))
  }

  @Test func labelLeakIsCaught() {
    #expect(
      codes { rows in
        for row in rows.indices { rows[row].prefixMatchTokens = rows[row].ttftMilliseconds }
      } == ["label-leak"])
  }

  @Test func aLeakThatIsClippedToThePromptIsCaught() {
    #expect(
      codes { rows in
        for row in rows.indices {
          // Half of the prompts are shorter than their TTFT in milliseconds.
          rows[row].inputTokens = 50 + Double(row % 7) * 30
          rows[row].prefixMatchTokens = min(
            rows[row].ttftMilliseconds.rounded(), rows[row].inputTokens)
        }
      }.contains("label-leak"))
  }

  @Test func aLeakThatIsBentOrCappedIsCaught() {
    #expect(
      codes { rows in
        for row in rows.indices {
          rows[row].snapshotAgeMilliseconds = rows[row].ttftMilliseconds.squareRoot()
        }
      } == ["label-leak"])
    #expect(
      codes { rows in
        for row in rows.indices {
          rows[row].running = min(150, (rows[row].ttftMilliseconds * 0.8).rounded())
        }
      }.contains("label-leak"))
  }

  @Test func aDispatchAtTheFirstTokenIsCaught() {
    #expect(
      codes { rows in
        for row in rows.indices {
          rows[row].dispatchDelayMilliseconds = rows[row].ttftMilliseconds
        }
      } == ["label-leak"])
  }

  @Test func theSampleDoesNotDependOnTheOrder() {
    var forward = DatasetSummary.Builder()
    var backward = DatasetSummary.Builder()
    let rows = SyntheticNight(day: 0, seed: 4, count: 20_000).rows
    rows.forEach { forward.add($0) }
    rows.reversed().forEach { backward.add($0) }
    for (name, one) in forward.build().outcomeCorrelations {
      let other = backward.build().outcomeCorrelations[name]
      #expect(abs(one.ttft - (other?.ttft ?? 9)) < 1e-9, "\(name)")
    }
    #expect(OutcomeSample.ranks([5, 1, 5, 9]) == [1.5, 0, 1.5, 3])
  }

  @Test func duplicatedRowsAreCaught() {
    #expect(codes { $0 += $0.prefix(400) } == ["duplicates"])
  }

  @Test func duplicatedRowsAtOtherTimesAreCaught() {
    #expect(
      codes { rows in
        var copies = Array(rows.prefix(600))
        for row in copies.indices { copies[row].receivedNanoseconds += 3_600_000_000_000 }
        rows += copies
      } == ["duplicates"])
  }

  @Test func shiftedLatencyColumnIsCaught() {
    #expect(
      codes { rows in
        let ttft = rows.map(\.ttftMilliseconds)
        let e2e = rows.map(\.e2eMilliseconds)
        for row in rows.indices.dropFirst() {
          rows[row].ttftMilliseconds = ttft[row - 1]
          rows[row].e2eMilliseconds = e2e[row - 1]
        }
      }.contains("shifted-column"))
  }

  @Test func shiftedTokenColumnIsCaught() {
    #expect(
      codes { rows in
        for row in rows.indices { rows[row].inputTokens = rows[row].outputTokens }
      }.contains("shifted-column"))
  }

  @Test func droppedTimeoutsAreCaught() {
    #expect(codes { $0.removeAll { $0.status != 200 } } == ["dropped-timeouts"])
  }

  @Test func tailCutAtALimitIsCaught() {
    #expect(
      codes { rows in rows.removeAll { $0.ttftMilliseconds > 250 } }
        .contains("dropped-timeouts"))
  }

  @Test func oneBurstOfEqualLatenciesIsNotATailCut() {
    #expect(
      codes { rows in
        rows.removeAll { $0.ttftMilliseconds > 250 }
        for row in rows.indices[500..<530] {
          rows[row].ttftMilliseconds = 400
          rows[row].championTTFTMilliseconds = 400
          rows[row].e2eMilliseconds += 400
        }
      }.isEmpty)
  }

  @Test func staleFileIsCaught() {
    #expect(
      codes { $0 = SyntheticNight(day: 0, seed: 1).rows }.contains("stale-file"))
  }

  @Test func endpointUnderAnothersNameIsCaught() {
    #expect(
      codes { rows in
        for row in rows.indices where rows[row].endpoint == "pod-3" { rows[row].endpoint = "pod-2" }
      }.contains("endpoint-relabelled"))
  }

  @Test func endpointsThatSwapNamesAcrossClassesAreCaught() {
    #expect(
      codes { rows in
        for row in rows.indices {
          switch rows[row].endpoint {
          case "pod-0": rows[row].endpoint = "pod-3"
          case "pod-3": rows[row].endpoint = "pod-0"
          default: break
          }
        }
      }.contains("endpoint-relabelled"))
  }

  @Test func aRenamedEndpointOnlyWarns() {
    #expect(
      codes { rows in
        for row in rows.indices where rows[row].endpoint == "pod-3" { rows[row].endpoint = "pod-7" }
      }.isEmpty)
  }

  @Test func notANumberBlockIsCaught() {
    #expect(
      codes { rows in
        for row in rows.indices[1_000..<1_200] { rows[row].ttftMilliseconds = .nan }
      } == ["unusable-rows"])
  }

  @Test func quarantinedLinesAreCaught() {
    var builder = DatasetSummary.Builder()
    night.rows.forEach { builder.add($0) }
    builder.addQuarantined(200)
    let findings = DataChecks().findings(new: builder.build(), trained: nil)
    #expect(findings.contains { $0.code == "unusable-rows" && $0.severity == .block })
  }

  @Test func swappedLatenciesAreCaught() {
    #expect(
      codes { rows in
        for row in rows.indices {
          (rows[row].ttftMilliseconds, rows[row].e2eMilliseconds) = (
            rows[row].e2eMilliseconds, rows[row].ttftMilliseconds
          )
        }
      }.contains("swapped-columns"))
  }

  @Test func truncatedDayIsCaught() {
    #expect(codes { $0.removeLast(2_600) } == ["truncated"])
  }

  @Test func anotherModelsLogIsCaught() {
    #expect(
      codes { rows in
        for row in rows.indices { rows[row].model = "qwen-2.5-72b" }
      } == ["wrong-model"])
  }

  @Test func anEmptyLogIsRefused() {
    let findings = DataChecks().findings(new: DatasetSummary.Builder().build(), trained: nil)
    #expect(findings.map(\.code) == ["empty"])
  }

  @Test func summariesSurviveJSON() throws {
    var builder = DatasetSummary.Builder()
    night.rows.prefix(300).forEach { builder.add($0) }
    let summary = builder.build()
    let restored = try DatasetSummary(json: try summary.json())
    #expect(restored.rowCount == summary.rowCount)
    #expect(restored.endpoints.keys.sorted() == summary.endpoints.keys.sorted())
    #expect(restored.pool.columns["ttft"] == summary.pool.columns["ttft"])
    #expect(try restored.json() == summary.json())
    #expect(throws: AccuracyReportError.self) { try DatasetSummary(json: Data("{".utf8)) }
  }

  @Test func sketchQuantilesAreWithinABin() {
    var sketch = LogSketch()
    for value in 1...10_000 { sketch.add(Double(value)) }
    #expect(abs(sketch.quantile(0.5) / 5_000 - 1) < 0.03)
    #expect(abs(sketch.quantile(0.99) / 9_900 - 1) < 0.03)
  }

  @Test func spreadsAreThoseOfTheBulk() {
    var sketch = RatioSketch()
    var random = SeededGenerator(seed: 6)
    for _ in 0..<20_000 { sketch.add(exp(0.1 * random.normal())) }
    #expect(abs(sketch.logSpread - 0.1) < 0.005)
    // Three in a hundred stall for an hour.
    for _ in 0..<600 { sketch.add(3e5) }
    #expect(abs(sketch.logSpread - 0.1) < 0.02)
  }

  @Test func aFewStallsOnOneEndpointAreNotAnotherEndpointsRows() {
    #expect(
      codes { rows in
        for row in rows.indices where rows[row].endpoint == "pod-1" && row % 40 == 0 {
          rows[row].ttftMilliseconds *= 200
          rows[row].e2eMilliseconds += 200 * rows[row].ttftMilliseconds
        }
      }.isEmpty)
  }

  @Test func rowsOfTwoMachinesUnderOneNameAreCaught() {
    #expect(
      codes { rows in
        for row in rows.indices where rows[row].endpoint == "pod-1" && row % 3 == 0 {
          rows[row].ttftMilliseconds *= 60
        }
      }.contains("endpoint-mismatch"))
  }

  @Test func repeatsAreFoundInBoundedMemory() {
    var counter = RepeatCounter(capacity: 500)
    for value in UInt64(0)..<5_000 {
      var hash = StableHash()
      hash.combine(value % 4_000)
      counter.add(hash.value)
    }
    #expect(abs(counter.share - 0.2) < 0.06)
  }
}
