import ArgumentParser
import CoefficientFile
import Foundation
import LinearAlgebra
import LogStore

/// `glidepath doctor`: checks that everything is in place.
struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor", abstract: "Check the libraries, the workspace and the champion.")

  @Option(name: [.customLong("workspace"), .customShort("w")], help: "A workspace to check too.")
  var directory: String?

  @OptionGroup var output: OutputOptions

  func run() throws {
    var facts: [(name: String, value: String)] = [("glidepath", Version.text)]
    var complaints: [String] = []
    let blas = BLASIdentity.current
    facts.append(("BLAS", blas.text))
    if blas.isReference {
      complaints.append(
        "the reference BLAS is linked, which is many times slower; install libopenblas-dev")
    }
    facts.append(("cores", String(ProcessInfo.processInfo.activeProcessorCount)))
    if let directory { try check(directory, &facts, &complaints) }
    if output.json {
      try Console.print(json: [
        "facts": Dictionary(facts.map { ($0.name, $0.value) }) { first, _ in first },
        "complaints": complaints,
      ])
    } else {
      let width = facts.map(\.name.count).max() ?? 0
      for fact in facts {
        print(fact.name.padding(toLength: width + 2, withPad: " ", startingAt: 0) + fact.value)
      }
      for complaint in complaints { print("problem: \(complaint)") }
      if complaints.isEmpty { print("all well") }
    }
    if !complaints.isEmpty { throw ExitCode.failure }
  }

  private func check(
    _ directory: String, _ facts: inout [(name: String, value: String)],
    _ complaints: inout [String]
  ) throws {
    let store = try Workspace(directory: directory, create: false)
    let statistics = try store.statistics()
    facts.append(("SQLite", statistics.sqliteVersion))
    facts.append(("requests", String(statistics.requests)))
    facts.append(("quarantined lines", String(statistics.quarantined)))
    facts.append(("models", String(statistics.models)))
    facts.append(("promotions", String(statistics.promotions)))
    facts.append(("database", "\(statistics.databaseBytes / 1_000_000) MB"))
    complaints += try store.verify()
    let champion = store.champion()
    facts.append(("champion", champion ?? "none"))
    if let champion {
      do {
        _ = try GlideModel(decoding: store.modelBytes(champion))
      } catch {
        complaints.append("the champion \(champion) cannot be read: \(error)")
      }
    }
    let values = try? FileManager.default.attributesOfFileSystem(forPath: directory)
    if let free = values?[.systemFreeSize] as? NSNumber {
      facts.append(("free disk", "\(free.int64Value / 1_000_000_000) GB"))
      if free.int64Value < 1_000_000_000 {
        complaints.append("less than 1 GB of disk is free; prune the workspace")
      }
    }
  }
}
