import CoefficientFile
import Glibc
import PolicyTuning

// What tuning is worth where the truth is known: in a simulated fleet of given engines.
//
//   PolicyBench ranks ENGINES.glide LOGGED [SCENARIO]   ranks of policies, engine against simulation;
//                                                       LOGGED made the log: llm-d, round-robin …
//   PolicyBench rivals ENGINES.glide [SCENARIO]         the tuned policy against the field's, later
//   PolicyBench loads ENGINES.glide                     default policies from low load to overload
//   PolicyBench speed ENGINES.glide                     simulated over processor time, one core
//   PolicyBench hour ENGINES.glide                      what tuning on an hour of log takes
//   PolicyBench proof LOG...                            the log's own decisions, simulated
//
// SECONDS_LOGGED of arrivals, SEEDS and WORKERS (threads) come from the environment.

func setting(_ name: String, _ otherwise: Double) -> Double {
  guard let text = unsafe getenv(name) else { return otherwise }
  return unsafe Double(String(cString: text)) ?? otherwise
}

func run(_ arguments: [String]) throws -> Int32 {
  guard arguments.count >= 2 else {
    print("usage: see the head of main.swift")
    return 64
  }
  let workers = Int(setting("WORKERS", 2))
  if arguments[0] == "proof" {
    Proofs.printHead()
    for path in arguments.dropFirst() { try Proofs.print(path, workers: workers) }
    return 0
  }
  let engines = try CoefficientFile.read(path: arguments[1])
  switch arguments[0] {
  case "speed":
    Speed(
      engines: engines, seconds: setting("SECONDS_LOGGED", 600),
      blockTokens: Int(setting("BLOCK_TOKENS", 512))
    ).print()
  case "loads":
    try Loads(
      engines: engines, seconds: setting("SECONDS_LOGGED", 600), seeds: Int(setting("SEEDS", 4)),
      workers: workers
    ).print()
  case "ranks":
    let logged = try NamedPolicy.named(arguments.count > 2 ? arguments[2] : "llm-d")
    let ranks = Ranks(
      engines: engines, seconds: setting("SECONDS_LOGGED", 480), seeds: Int(setting("SEEDS", 10)),
      workers: workers, logged: logged)
    Ranks.printHead()
    let only = arguments.count > 3 ? Int(arguments[3]) : nil
    for (index, scenario) in Workloads.all(seconds: ranks.seconds).enumerated()
    where only == nil || only == index {
      try ranks.print(scenario, seed: 9_000 + UInt64(index))
    }
  case "rivals":
    let rivals = Rivals(
      engines: engines, seconds: setting("SECONDS_LOGGED", 720), seeds: Int(setting("SEEDS", 8)),
      workers: workers, budget: setting("BUDGET", 200))
    Rivals.printHead()
    let only = arguments.count > 2 ? Int(arguments[2]) : nil
    for (index, scenario) in Workloads.all(seconds: rivals.seconds).enumerated()
    where only == nil || only == index {
      try rivals.print(scenario, seed: 7_000 + UInt64(index))
    }
  case "hour":
    try Hour(
      engines: engines, seconds: setting("SECONDS_LOGGED", 3_600), workers: workers,
      budget: setting("BUDGET", 200)
    ).print()
  default: return 64
  }
  return 0
}

do {
  exit(try run(Array(CommandLine.arguments.dropFirst())))
} catch {
  print("\(error)")
  exit(1)
}
