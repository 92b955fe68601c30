import CoefficientFile
import FleetSimulation
import Glibc
import RoutingRuntime

/// A day of virtual time through one router, hour by hour, with the memory that it takes.
struct Day {
  let engines: GlideModel
  let predictor: Predictor?

  func print() {
    let scenario = Scenario(
      name: "day", shape: .agenticSessions(requestsPerSecond: 8, durationSeconds: 86_400))
    let workload = scenario.workload(seed: 1)
    let start = seconds()
    var hour = 0
    let outcomes = Fleet(
      scenario.fleet(engines, seed: 1), predictor: predictor,
      policy: .predictedCost(PredictedCostParameters())
    ).run(workload) { share in
      let now = Int(share * 24)
      guard now > hour else { return }
      hour = now
      Swift.print("hour \(hour): \(residentMegabytes()) MB")
    }.outcomes
    let completed = outcomes.count { $0.status == .completed }
    let taken = seconds() - start
    Swift.print(
      "\(outcomes.count) requests, \(completed) completed, \(ms(taken)) s, "
        + "\(Int(86_400 / taken)) times faster than real time")
  }

  private func seconds() -> Double {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  /// What this process keeps in memory, from the second field of `statm`.
  private func residentMegabytes() -> Int {
    guard let file = unsafe fopen("/proc/self/statm", "r") else { return -1 }
    defer { unsafe fclose(file) }
    var buffer = [CChar](repeating: 0, count: 128)
    guard unsafe fgets(&buffer, 128, file) != nil else { return -1 }
    let text = String(
      decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    let fields = text.split(separator: " ")
    return fields.count > 1 ? (Int(fields[1]) ?? 0) * 4_096 / 1_000_000 : -1
  }
}
