import CoefficientFile
import FleetSimulation
import Glibc
import RoutingRuntime

// Routing policies in a simulated fleet behind the real router.
//
//   ClosedLoop log ENGINES.glide SCENARIO OUT.jsonl [MODEL.glide]   a log to fit on: under round
//                                                        robin, or by the model
//   ClosedLoop compare ENGINES.glide MODELS SEEDS        all scenarios, MODELS/NUMBER.glide
//   ClosedLoop faults ENGINES.glide MODEL.glide          each kind of fault in the middle of load
//   ClosedLoop day ENGINES.glide MODEL.glide             24 h of virtual time, memory watched

func model(_ path: String) -> GlideModel? {
  guard !path.isEmpty else { return nil }
  do { return try CoefficientFile.read(path: path) } catch {
    print("\(error)")
    return nil
  }
}

func predictor(_ path: String) -> Predictor? {
  guard let model = model(path), case .success(let predictor) = Predictor.compile(model) else {
    return nil
  }
  return predictor
}

func run(_ arguments: [String]) -> Int32 {
  guard arguments.count >= 4, let engines = model(arguments[1]) else {
    print("usage: see the head of main.swift")
    return 64
  }
  switch arguments[0] {
  case "log":
    guard let index = Int(arguments[2]), Scenario.all.indices.contains(index),
      let file = unsafe fopen(arguments[3], "w")
    else { return 64 }
    defer { unsafe fclose(file) }
    // Another seed than any that is compared.
    let scenario = Scenario.all[index]
    let workload = scenario.workload(seed: 9_999)
    let fleet = scenario.fleet(engines, seed: 9_999)
    let first = predictor(arguments[4])
    let policy: RoutingPolicy =
      first == nil ? .roundRobin : .predictedCost(PredictedCostParameters(exploration: 0.05))
    let outcomes = Fleet(fleet, predictor: first, policy: policy).run(workload).outcomes
    LogLines(workload: workload, configuration: fleet, outcomes: outcomes)
      .write { line in unsafe fputs(line + "\n", file) }
  case "compare":
    var number = -1
    for scenario in Scenario.all {
      number += 1
      let fitted = predictor("\(arguments[2])/\(number).glide")
      Comparison(
        engines: engines, predictor: { _ in fitted }, seeds: 0..<(UInt64(arguments[3]) ?? 5)
      ).print(scenario)
    }
  case "faults": Faults(engines: engines, predictor: predictor(arguments[2])).print()
  case "day": Day(engines: engines, predictor: predictor(arguments[2])).print()
  default: return 64
  }
  return 0
}

exit(run(Array(CommandLine.arguments.dropFirst()) + [""]))
