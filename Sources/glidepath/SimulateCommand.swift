import ArgumentParser
import CoefficientFile
import FleetSimulation
import Foundation
import PolicyTuning
import RequestLog
import RoutingRuntime

/// `glidepath simulate`: one what-if on a simulation of the log's fleet.
struct SimulateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "simulate",
    abstract: "Try another policy, load or fleet on a simulation of the log's fleet.",
    discussion: """
      POLICY is one of round-robin, random, least-request, power-of-two, llm-d, llm-d-affinity, \
      llm-d-latency, load-product, glidepath, or `model` for the coefficient file's own.
      """)

  @Option(name: .long, parsing: .upToNextOption, help: "Log files, patterns, or - for stdin.")
  var log: [String]

  @Option(help: "The coefficient file; without one, a model is fitted on the log.")
  var model: String?

  @Option(help: "The policy.")
  var policy = "glidepath"

  @Option(help: "Requests instead of the log's: chat, agentic, long or bursts.")
  var workload: String?

  @Option(help: "Requests per second of WORKLOAD.")
  var requestsPerSecond = 10.0

  @Option(help: "How long WORKLOAD lasts, s.")
  var seconds = 600.0

  @Option(help: "Arrivals this many times as frequent.")
  var rate = 1.0

  @Option(help: "Prompts this many times as long.")
  var promptLength = 1.0

  @Option(help: "Answers this many times as long.")
  var answerLength = 1.0

  @Option(help: "How many endpoints; 0 for as many as the log has.")
  var endpoints = 0

  @Option(parsing: .upToNextOption, help: "Endpoints by accelerator class: h100=2 h200=4.")
  var accelerators: [String] = []

  @Option(help: "The TTFT that requests without an objective are held to, ms.")
  var sloTtftMs = 0.0

  @Option(help: "The TPOT that requests without an objective are held to, ms.")
  var sloTpotMs = 0.0

  @Option(help: "Find the fewest endpoints that keep this share of requests within the SLO, 0…1.")
  var capacityFor: Double?

  @Option(help: "The most endpoints that --capacity-for considers.")
  var mostEndpoints = 64

  @Option(help: "Seeds the simulation.")
  var seed: UInt64 = 1

  @OptionGroup var logOptions: LogOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    // A wrong name is told at once, not after the calibration.
    let named = policy == "model" ? nil : try NamedPolicy.named(policy).policy
    let progress = output.progress
    var reader = try LogReader(logOptions.configuration())
    let log = try TuningLog(reader.readAll(log))
    let model =
      try model.map { try ModelFiles.read($0) }
      ?? PolicyTuner.fit(log, threads: logOptions.threadCount, toolVersion: Version.text) {
        progress.update($0, $1)
      }
    let runner = try WhatIfRunner(log, model: model) { progress.update($0, $1) }
    progress.finish()
    let chosen = named ?? .predictedCost(PredictedCostParameters(model.policy))
    if let goodput = capacityFor {
      try printCapacity(runner, chosen, goodput: goodput)
      return
    }
    let asked = try workload.map {
      try WorkloadShape.named($0, requestsPerSecond: requestsPerSecond, durationSeconds: seconds)
        .workload(seed: seed)
    }
    let summary = try runner.run(
      chosen, change(), workload: asked, ttftMilliseconds: sloTtftMs,
      tpotMilliseconds: sloTpotMs, seed: seed)
    try printSummary(summary, runner.proof)
  }

  private func change() throws -> WhatIf {
    var classes: [String: Int] = [:]
    for text in accelerators {
      let parts = text.split(separator: "=", maxSplits: 1)
      guard parts.count == 2, let count = Int(parts[1]), count >= 0 else {
        throw CommandFailure("\(text): write CLASS=COUNT")
      }
      classes[String(parts[0])] = count
    }
    return WhatIf(
      rate: rate, promptLength: promptLength, answerLength: answerLength, endpoints: endpoints,
      accelerators: classes)
  }

  private func printSummary(_ summary: FleetSummary, _ proof: SimulatorProof) throws {
    if output.json {
      try Console.print(json: [
        "policy": policy, "proved": proof.passes, "requests": summary.requestCount,
        "completed": summary.completedCount, "goodput": summary.goodput,
        "cached_share": summary.cachedShare, "ttft_ms": json(summary.ttft),
        "tpot_ms": json(summary.tpot), "e2e_ms": json(summary.e2e),
      ])
      return
    }
    print(
      "\(policy): \(summary.completedCount) of \(summary.requestCount) requests completed, "
        + "goodput \(Console.short(summary.goodput)), cached share of prompts "
        + "\(Console.short(summary.cachedShare))")
    let rows = [("TTFT", summary.ttft), ("TPOT", summary.tpot), ("E2E", summary.e2e)]
    print(
      Console.table(
        ["ms", "mean", "p50", "p90", "p99"],
        rows.map { name, values in
          [name] + [values.mean, values.p50, values.p90, values.p99].map(Console.short)
        }))
    if !proof.passes {
      print("The simulation does not resemble the log closely enough to be relied on:")
      for sentence in proof.sentences { print("  \(sentence)") }
    }
  }

  private func printCapacity(
    _ runner: WhatIfRunner, _ policy: RoutingPolicy, goodput: Double
  ) throws {
    let plan = try runner.capacity(
      policy, change(), goodput: goodput, ttftMilliseconds: sloTtftMs,
      tpotMilliseconds: sloTpotMs, most: mostEndpoints)
    if output.json {
      try Console.print(json: [
        "endpoints": plan.endpoints.map { $0 as Any } ?? NSNull(), "proved": runner.proof.passes,
        "trials": plan.trials.map {
          ["endpoints": $0.endpoints, "goodput": $0.goodput] as [String: Any]
        },
      ])
      return
    }
    print(
      plan.endpoints.map { "\($0) endpoints suffice" }
        ?? "\(mostEndpoints) endpoints do not suffice")
    print(
      Console.table(
        ["endpoints", "goodput"],
        plan.trials.map { [String($0.endpoints), Console.short($0.goodput)] }))
  }

  private func json(_ values: LatencyQuantiles) -> [String: Any] {
    ["mean": values.mean, "p50": values.p50, "p90": values.p90, "p99": values.p99]
  }
}
