// What the crash test kills: it ingests, or promotes, and says on standard output what is done.
import Foundation
import LogStore
import RequestLog

func say(_ line: String) {
  FileHandle.standardOutput.write(Data((line + "\n").utf8))
}

func run(_ arguments: [String]) throws {
  guard arguments.count >= 4 else { throw CocoaError(.featureUnsupported) }
  let workspace = try Workspace(directory: arguments[2], create: true)
  let rest = Array(arguments[3...])
  say("open")
  switch arguments[1] {
  case "ingest":
    let configuration = try LogReader.Configuration(threads: 2)
    for path in rest {
      _ = try workspace.ingest([path], configuration: configuration)
      say(path)
    }
  default:
    let turns = Int(rest[0]) ?? 0
    for turn in 0..<turns {
      let id = "m\(turn % 7)"
      let bytes = [UInt8](repeating: UInt8(turn % 7), count: 4000)
      try workspace.record(model: ModelRecord(id: id, createdUnixSeconds: 1), bytes: bytes)
      try workspace.promote(id, reason: "turn \(turn)")
      say(id)
    }
  }
  try workspace.close()
}

do {
  try run(CommandLine.arguments)
} catch {
  say("failed: \(error)")
  exit(1)
}
