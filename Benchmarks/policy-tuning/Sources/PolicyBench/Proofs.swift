import PolicyTuning
import RequestLog

/// How well a simulation calibrated on the first 70 % of a log repeats the rest.
enum Proofs {
  static func printHead() {
    Swift.print(
      """
      | log | TTFT P50 | TTFT P90 | TPOT P50 | TPOT P90 | mean E2E | cached tokens | from | proof |
      |---|---|---|---|---|---|---|---|---|
      """)
  }

  static func print(_ path: String, workers: Int) throws {
    var reader = try LogReader(LogReader.Configuration(threads: workers))
    let log = try TuningLog(reader.readAll([path]))
    let model = try PolicyTuner.fit(log, threads: workers, toolVersion: "benchmark")
    let cut = log.firstRow(ofNewest: 0.3)
    let calibration = FleetCalibrator().calibrate(log, rows: 0..<cut, model: model)
    let proof = SimulatorProof(log, calibration: calibration, judged: cut..<log.count)
    let wanted: [(SimulatorProof.Metric, SimulatorProof.Statistic)] = [
      (.ttft, .p50), (.ttft, .p90), (.tpot, .p50), (.tpot, .p90), (.e2e, .mean),
      (.cachedTokens, .mean),
    ]
    let cells = wanted.map { metric, statistic in
      proof.comparison(metric, statistic).map { "\(rounded(100 * $0.relativeError)) %" } ?? ""
    }
    let name = path.split(separator: "/").last.map(String.init) ?? path
    let sources = calibration.classes.map { $0.source.rawValue }
    let all = [name] + cells + [sources.joined(separator: ", "), proof.passes ? "passes" : "fails"]
    Swift.print("| \(all.joined(separator: " | ")) |")
  }
}
