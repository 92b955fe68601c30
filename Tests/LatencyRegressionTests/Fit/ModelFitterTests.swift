import CoefficientFile
import LatencyRegression
import LogReplay
import RequestLog
import RoutingRuntime
import Testing

@Suite struct ModelFitterTests {
  @Test func theSameLogGivesTheSameBytesOnAnyNumberOfThreads() throws {
    let log = SyntheticFleet().log(seed: 1)
    let bytes = try (1...3).map { threads in
      let fitter = ModelFitter(ModelFitter.Configuration(threads: threads))
      return try fitter.fit(log).model.encoded()
    }
    #expect(bytes[0] == bytes[1])
    #expect(bytes[0] == bytes[2])
  }

  @Test func aFittedModelPredictsLaterRequestsFarBetterThanAConstant() throws {
    let log = SyntheticFleet(requests: 2500).log(seed: 2)
    let cut = 1750
    let model = try ModelFitter().fit(log, rows: 0..<cut).model
    let predictions = try LogPredictor(log, model: model).predictions()
    let actual = (cut..<2500).map { log.rows[$0].ttftMilliseconds }
    let median = actual.sorted()[actual.count / 2]
    var (ours, constant, covered) = (0.0, 0.0, 0.0)
    for (index, ttft) in actual.enumerated() {
      ours += abs(predictions[cut + index].ttft.p50 - ttft)
      constant += abs(median - ttft)
      covered += ttft <= predictions[cut + index].ttft.p90 ? 1 : 0
    }
    // The emulator knows queue and step; what stays unknown is who else joins the step.
    #expect(ours < 0.5 * constant, "\(ours) against \(constant)")
    // Three standard errors of a 0.9 share of 750 are 0.033.
    #expect(abs(covered / Double(actual.count) - 0.9) < 0.04)
  }

  @Test func headsLearnNothingThatEndedAfterCalibrationBegan() throws {
    let log = SyntheticFleet(requests: 800).log(seed: 8)
    var rows = log.rows
    // 85 % of 800 rows come before calibration; this one is still running when it begins.
    let long = 665
    rows[long].e2eMilliseconds += 600_000
    let fitted = try ModelFitter().fit(ReplayLog(rows: rows, symbols: log.symbols))
    #expect(fitted.report.calibrationCount == 120)
    #expect(fitted.report.sampleCount == long)
  }

  @Test func headsNeverCrossAndAreFinite() throws {
    let log = SyntheticFleet(meanGap: 25).log(seed: 3)
    let model = try ModelFitter().fit(log).model
    for prediction in try LogPredictor(log, model: model).predictions() {
      for heads in [prediction.ttft, prediction.tpot] {
        let values = [heads.p50, heads.p90, heads.p95, heads.p99]
        #expect(values.allSatisfy(\.isFinite) && heads.mean.isFinite && heads.mean > 0)
        #expect(values == values.sorted())
      }
    }
  }

  @Test func termsWithAPhysicalSignAreNeverNegative() throws {
    let model = try ModelFitter().fit(SyntheticFleet().log(seed: 4)).model
    for target in [model.ttft, model.tpot] {
      for head in target.heads {
        for (term, coefficient) in zip(target.terms, head.coefficients) where term.isNonNegative {
          #expect(coefficient >= 0)
        }
      }
    }
  }

  @Test func aSlowerAcceleratorGetsASlowerEngine() throws {
    let fleet = SyntheticFleet(accelerators: ["fast", "slow"], slowness: [1, 1.6])
    let log = fleet.log(seed: 5)
    let model = try ModelFitter().fit(log).model
    let engines = Dictionary(
      model.groups.filter { $0.kind == .accelerator }.map {
        ($0.name, StepModel(coefficients: model.engines[Int($0.engine)].stepCoefficients))
      }, uniquingKeysWith: { first, _ in first })
    var step = StepComposition()
    step.decodingRequests = 4
    let fast = try #require(engines["fast"]).milliseconds(step)
    let slow = try #require(engines["slow"]).milliseconds(step)
    #expect(abs(slow / fast - 1.6) < 0.15, "\(slow) against \(fast)")
  }

  @Test(arguments: [1, 2]) func aLogOfFiftyRowsGivesASaneModel(endpoints: Int) throws {
    let fleet = SyntheticFleet(endpoints: endpoints, requests: 50)
    let log = fleet.log(seed: 6)
    let fitted = try ModelFitter().fit(log)
    #expect(!fitted.report.warnings.isEmpty, "a small log is said to be one")
    for prediction in try LogPredictor(log, model: fitted.model).predictions() {
      #expect(prediction.ttft.p50 > 0 && prediction.ttft.p99 < 60_000)
    }
  }

  @Test func tooShortALogIsRefusedWithTheNumberNeeded() {
    let log = SyntheticFleet(requests: 20).log(seed: 7)
    let error = #expect(throws: FitError.self) { try ModelFitter().fit(log) }
    #expect("\(error.map { "\($0)" } ?? "")".contains("needs \(ModelFitter.smallestLog)"))
  }

  @Test func equalTargetsGiveThatTarget() throws {
    let log = SyntheticFleet(requests: 300).log(seed: 8)
    var rows = log.rows
    for index in rows.indices {
      rows[index].ttftMilliseconds = 100
      rows[index].e2eMilliseconds = 100 + 10 * Double(rows[index].outputTokens - 1)
    }
    let flat = ReplayLog(rows: rows, symbols: log.symbols)
    let model = try ModelFitter().fit(flat).model
    let last = try #require(LogPredictor(flat, model: model).predictions().last)
    #expect(abs(last.ttft.p50 - 100) < 5)
    #expect(abs(last.tpot.p50 - 10) < 0.5)
  }

  @Test func requestsThatWereGivenUpRaiseTheUpperLevels() throws {
    // The same traffic; in one log its slow tail was cut off by clients, and half of it is kept as
    // aborted rows, half dropped.
    let log = SyntheticFleet(meanGap: 22).log(seed: 9)
    let limit = log.rows.map(\.ttftMilliseconds).sorted()[log.rows.count * 92 / 100]
    var kept: [LoggedRequest] = []
    var dropped: [LoggedRequest] = []
    for row in log.rows {
      if row.ttftMilliseconds > limit {
        var aborted = row
        aborted.status = 499
        aborted.ttftMilliseconds = .nan
        aborted.e2eMilliseconds = limit
        kept.append(aborted)
      } else {
        kept.append(row)
        dropped.append(row)
      }
    }
    try #require(kept.count > dropped.count + 20)
    let level = { (rows: [LoggedRequest]) throws -> Double in
      let part = ReplayLog(rows: rows, symbols: log.symbols)
      let model = try ModelFitter().fit(part).model
      let values = try LogPredictor(log, model: model).predictions().map(\.ttft.p99).sorted()
      return values[values.count * 9 / 10]
    }
    #expect(try level(kept) > level(dropped))
  }
}
