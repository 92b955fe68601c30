import Foundation
import RequestLog
import Testing

@testable import LogStore

/// Kills a process that ingests or promotes at random moments and looks at what it left.
///
/// `GLIDEPATH_KILLS` sets how many kills there are in all.
@Suite(.serialized) struct CrashTests {
  private static let kills =
    ProcessInfo.processInfo.environment["GLIDEPATH_KILLS"].flatMap(Int.init) ?? 24

  @Test func killedIngestsLoseDoubleAndHalveNothing() throws {
    let folder = try TemporaryFolder()
    let paths = try (0..<6).map { index in
      try folder.write(
        logLines(index * 1000..<index * 1000 + 1100), to: "log\(index).jsonl")
    }
    let reference = try makeWorkspace(folder, "reference")
    for path in paths { try reference.ingest(path) }
    let wanted = try reference.datasetFingerprint()
    // Files overlap by 100 requests: these are the counts between two transactions.
    let allowed: [Int64] = [0, 1100, 2100, 3100, 4100, 5100, 6100]
    var crash = try Crasher(folder, ["ingest"], paths)

    var round = 0
    while crash.killed < Self.kills / 2, round < 2 * Self.kills {
      defer { round += 1 }
      let name = "w\(round / 4)"
      let said = try crash.run(in: name)
      let workspace = try makeWorkspace(folder, name)
      let count = try workspace.rowCount()
      #expect(allowed.contains(count), "\(count) requests after \(said)")
      let reported = said.count { paths.contains($0) }
      #expect(count >= Int64(reported * 1000))
      #expect(try workspace.verify() == [])
      if round % 4 == 3 {
        for path in paths { try workspace.ingest(path) }
        #expect(try workspace.datasetFingerprint() == wanted)
        #expect(try workspace.rowCount() == 6100)
      }
    }
    #expect(crash.killed == Self.kills / 2)
  }

  @Test func killedPromotionsLeaveLinkAndHistoryInStep() throws {
    let folder = try TemporaryFolder()
    var crash = try Crasher(folder, ["promote"], ["60"])
    var before = 0
    for _ in 0..<2 * Self.kills where crash.killed < Self.kills / 2 {
      let said = try crash.run(in: "w").filter { $0.hasPrefix("m") }
      let link = FileSystem.linkTarget(folder.path + "/w/models/champion")
      let workspace = try makeWorkspace(folder, "w")
      let history = try workspace.history()

      #expect(history.last?.modelID == workspace.champion())
      #expect(workspace.champion().map { $0 + ".glide" } == link)
      for (earlier, later) in zip(history, history.dropFirst()) {
        #expect(later.previousID == earlier.modelID)
      }
      // What was reported as done is in the history; at most one more was under way. A run's
      // first turn may find its model to be the champion already.
      let added = history.count - before
      #expect((said.count - 1...said.count + 1).contains(added), "\(said.count) then \(added)")
      before = history.count
      if let champion = workspace.champion() {
        let bytes = try workspace.modelBytes(champion)
        #expect(bytes.count == 4000 && Set(bytes).count == 1)
      }
      let leftovers = FileSystem.names(in: workspace.modelsDirectory).filter { $0.hasSuffix("tmp") }
      #expect(leftovers == [])
      #expect(try workspace.verify() == [])
    }
    #expect(crash.killed == Self.kills / 2)
  }
}

/// Runs the helper and kills it after a random part of the time that a whole run takes.
private struct Crasher {
  private let folder: TemporaryFolder
  private let mode: [String]
  private let arguments: [String]
  private let helper: URL
  private var random = SplitMix64(state: UInt64(Date().timeIntervalSince1970 * 1e6))
  private var wholeSeconds = 0.0
  private(set) var killed = 0

  init(_ folder: TemporaryFolder, _ mode: [String], _ arguments: [String]) throws {
    self.folder = folder
    self.mode = mode
    self.arguments = arguments
    let here = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
    helper = here.deletingLastPathComponent().appendingPathComponent("LogStoreCrashHelper")
    let begin = Date()
    let said = try start(in: "whole", after: nil)
    wholeSeconds = Date().timeIntervalSince(begin)
    #expect(!said.contains { $0.hasPrefix("failed") }, "\(said)")
  }

  /// The lines that the helper wrote before it died.
  mutating func run(in name: String) throws -> [String] {
    let said = try start(in: name, after: Double.random(in: 0...wholeSeconds, using: &random))
    #expect(!said.contains { $0.hasPrefix("failed") }, "\(said)")
    return said
  }

  private mutating func start(in name: String, after delay: Double?) throws -> [String] {
    let process = Process()
    process.executableURL = helper
    process.arguments = mode + [folder.path + "/" + name] + arguments
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    if let delay {
      Thread.sleep(forTimeInterval: delay)
      if process.isRunning {
        kill(process.processIdentifier, SIGKILL)
        killed += 1
      } else {
        // The first run was slower than this one, beside other tests: kill earlier from now on.
        wholeSeconds = min(wholeSeconds, delay)
      }
    }
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return String(decoding: data, as: UTF8.self).split(separator: "\n").map(String.init)
  }
}
