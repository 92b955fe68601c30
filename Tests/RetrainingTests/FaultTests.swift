import AccuracyReport
import Foundation
import LogStore
import RequestLog
import Retraining
import Testing

/// One fault injected into an otherwise clean second night.
enum Fault: String, CaseIterable, Sendable {
  case clockSkew, unitChange, labelLeak, duplicatedRows, shiftedColumn, droppedTimeouts, staleFile
  case endpointRelabelled, nanBlock, swappedTTFTAndE2E, truncatedDay, wrongModelsLog
  case clippedLeak, snapshotLeak, lateDispatch

  /// Columns that hold the outcome, in ways that hide it.
  static let leaks: [Fault] = [.clippedLeak, .snapshotLeak, .lateDispatch]

  /// The spoiled night.
  func spoil(_ nights: Nights) -> [Nights.Row] {
    let night = nights.second
    switch self {
    case .clockSkew:
      return night.map { row in
        guard row["endpoint"] as? String == "pod-3" else { return row }
        return row.merging(["received_unix_ns": Nights.received(row) + 600_000_000_000]) { $1 }
      }
    case .unitChange:
      return night.map {
        $0.merging([
          "ttft_ms": Nights.number($0, "ttft_ms") / 1000,
          "e2e_ms": Nights.number($0, "e2e_ms") / 1000,
        ]) { $1 }.filter { $0.key != "tpot_ms" }
      }
    case .labelLeak:
      return night.map {
        $0.merging(["waiting": Int(Nights.number($0, "ttft_ms"))]) { $1 }
      }
    case .duplicatedRows:
      return night.flatMap {
        [$0, $0.merging(["request_id": "copy-\($0["request_id"] ?? "")"]) { $1 }]
      }
    case .shiftedColumn:
      return night.map {
        let output = $0["output_tokens"] ?? 0
        return $0.merging([
          "output_tokens": $0["input_tokens"] ?? 0, "input_tokens": output, "cached_tokens": 0,
          "prefix_match_tokens": 0,
        ]) { $1 }
      }
    case .droppedTimeouts:
      return night.filter { Nights.number($0, "status") == 200 }
    case .staleFile: return nights.first
    case .endpointRelabelled:
      return night.map {
        $0["endpoint"] as? String == "pod-0" ? $0.merging(["endpoint": "pod-1"]) { $1 } : $0
      }
    case .nanBlock: return night
    case .swappedTTFTAndE2E:
      return night.map {
        $0.merging(["ttft_ms": $0["e2e_ms"] ?? 0, "e2e_ms": $0["ttft_ms"] ?? 0]) { $1 }
      }
    case .truncatedDay: return Array(night.prefix(night.count / 8))
    case .wrongModelsLog:
      return night.map {
        $0.merging([
          "model": "llama-3.1-70b", "ttft_ms": Nights.number($0, "ttft_ms") * 4,
          "e2e_ms": Nights.number($0, "e2e_ms") * 4,
        ]) { $1 }
      }
    case .clippedLeak:
      return night.map {
        let leaked = min(Nights.number($0, "ttft_ms"), Nights.number($0, "input_tokens"))
        return $0.merging(["prefix_match_tokens": Int(leaked)]) { $1 }
      }
    case .snapshotLeak:
      return night.map {
        $0.merging(["snapshot_age_ms": Nights.number($0, "ttft_ms")]) { $1 }
      }
    case .lateDispatch:
      return night.map {
        let delay = Int64(Nights.number($0, "ttft_ms") * 1e6)
        return $0.merging(["dispatched_unix_ns": Nights.received($0) + delay]) { $1 }
      }
    }
  }

  /// Spoils a line's text, where the fault is none that JSON can say.
  func spoil(line: String, at index: Int) -> String {
    guard self == .nanBlock, (600..<1600).contains(index) else { return line }
    return line.replacingOccurrences(
      of: "\"ttft_ms\":[0-9.]+", with: "\"ttft_ms\":NaN", options: .regularExpression)
  }
}

@Suite(.serialized) struct FaultTests {
  private typealias FirstNight = (nights: Nights, folder: TemporaryFolder)

  /// A first night, retrained once and copied for each fault.
  ///
  /// Never changed once made, and the suite runs one test at a time.
  nonisolated(unsafe) private static let modelled = Result {
    try firstNight(Nights())
  }
  /// The same of the real engines' log.
  nonisolated(unsafe) private static let real = Result {
    try firstNight(Nights(rows: 3_600, file: "vllm-agentic.jsonl.zst"))
  }

  private static func firstNight(_ nights: Nights) throws -> FirstNight {
    let folder = try TemporaryFolder()
    let log = folder.file("night-1.jsonl")
    try Nights.write(nights.first, to: log)
    let workspace = try Workspace(directory: folder.file("workspace").path, create: true)
    _ = try workspace.ingest([log.path], configuration: LogReader.Configuration())
    let result = try RetrainPipeline(workspace).run()
    guard result.outcome == .promoted else { throw CocoaError(.featureUnsupported) }
    try workspace.close()
    return (nights, folder)
  }

  private func secondNight(
    _ first: Result<FirstNight, any Error> = modelled,
    _ rows: (Nights) -> [Nights.Row], text: (Int, String) -> String = { $1 }
  ) throws -> (RetrainResult, champion: String?, before: String?) {
    let first = try first.get()
    let folder = try TemporaryFolder()
    let copy = folder.file("workspace")
    try FileManager.default.copyItem(at: first.folder.file("workspace"), to: copy)
    let log = folder.file("night-2.jsonl")
    try Nights.write(rows(first.nights), to: log, text: text)
    let workspace = try Workspace(directory: copy.path, create: false)
    let before = workspace.champion()
    _ = try workspace.ingest([log.path], configuration: LogReader.Configuration())
    let result = try RetrainPipeline(workspace).run()
    return (result, workspace.champion(), before)
  }

  @Test func aCleanSecondNightIsNotRefused() throws {
    for night in [Self.modelled, Self.real] {
      let (result, _, _) = try secondNight(night, { $0.second })
      #expect(result.outcome != .dataRefused, "\(result.reasons)")
    }
  }

  @Test(arguments: Fault.leaks) func leaksOnTheRealLogAreNamed(fault: Fault) throws {
    let (result, champion, before) = try secondNight(Self.real, fault.spoil)
    #expect(result.outcome == .dataRefused)
    #expect(champion == before)
    #expect(result.reasons.contains { $0.contains("filled in after the response") })
  }

  @Test(arguments: Fault.allCases) func everyFaultLeavesTheChampionAndSaysWhy(fault: Fault) throws {
    do {
      let (result, champion, before) = try secondNight(
        Self.modelled, fault.spoil, text: { fault.spoil(line: $1, at: $0) })
      #expect(result.outcome != .promoted, "\(fault) was promoted")
      #expect(champion == before)
      let reason = try #require(result.reasons.first)
      #expect(reason.count > 30, "a sentence, not a code: \(reason)")
    } catch let error as LogStoreError {
      // Quarantine refused the file: nothing was taken over, and the message names the field.
      #expect("\(error)".contains("_ms"), "\(error)")
    }
  }
}
