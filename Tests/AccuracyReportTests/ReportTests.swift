import Foundation
import Testing

@testable import AccuracyReport

@Suite struct ReportTests {
  private let block = SyntheticBlock(count: 900, seed: 8)

  private func report(name: String = "new", champion: Bool = true) throws -> Report {
    var challenger = block.model(name, factor: { 1 + 0.01 * Double($0 % 3) })
    challenger.fileSizeBytes = 3_412
    challenger.provenance = [ProvenanceItem("dataset", "ab<cd")]
    challenger.terms = LatencyTarget.allCases.map {
      TermRow(
        target: $0, name: "new tokens × decode batch", unit: "ms per token", coefficient: 0.02,
        lower: 0.01, upper: 0.03, isNonNegative: true, supportMinimum: 0, supportMaximum: 4_000,
        shareOfPrediction: 0.7)
    }
    let values = block.requests.map(\.inputTokens)
    return try Report.build(
      requests: block.requests, challenger: challenger,
      champion: champion ? block.model("old") : nil, baseline: block.baseline,
      dataFindings: [
        DataFinding(code: "gap", severity: .warn, sentence: "A gap.", measured: 1, bound: 0)
      ],
      drift: [
        FeatureDistribution(name: "prompt length", unit: "tokens", training: values, judged: values)
      ])
  }

  @Test func pageIsSelfContainedAndSmall() throws {
    let page = try report().html()
    #expect(!page.contains("http:" + "//") && !page.contains("https:" + "//"))
    #expect(!page.contains("<link") && !page.contains(" src=") && !page.contains("@import"))
    #expect(page.utf8.count < 600_000)
    #expect(page.contains("prefers-color-scheme:dark"))
    for part in ["Promoted", "Calibration", "Worst cohorts", "Feature drift", "The gate"] {
      #expect(page.contains(part))
    }
  }

  @Test func namesAreEscapedEverywhere() throws {
    let evil = "<script>alert('x')</script>\"|`"
    let report = try report(name: evil)
    #expect(!report.html().contains("<script>alert"))
    #expect(report.html().contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;"))
    #expect(!report.markdown().contains("<script>alert"))
  }

  @Test(arguments: [true, false])
  func drawingsHoldOnlyNumbers(champion: Bool) throws {
    let page = try report(champion: champion).html()
    let drawings = page.components(separatedBy: "<svg").dropFirst().map {
      $0.components(separatedBy: "</svg>")[0].lowercased()
    }
    #expect(drawings.count > 10)
    for drawing in drawings {
      #expect(!drawing.contains("nan") && !drawing.contains("inf"))
      #expect(!drawing.contains("=\"\""))
    }
  }

  @Test func everyElementIsClosed() throws {
    let page = try report().html()
    let open = ["section", "figure", "table", "tr", "td", "div", "svg", "details", "span", "p"]
    for name in open {
      let opened =
        page.components(separatedBy: "<\(name) ").count
        + page.components(separatedBy: "<\(name)>").count
      let closed = page.components(separatedBy: "</\(name)>").count
      #expect(opened - 2 == closed - 1, "\(name)")
    }
  }

  @Test func jsonRoundTripsAndKeepsItsKeys() throws {
    let report = try report()
    let data = try report.json()
    let restored = try Report(json: data)
    #expect(restored.html() == report.html())
    #expect(try restored.json() == data)
    let text = String(decoding: data, as: UTF8.self)
    for key in [
      "formatVersion", "decision", "challenger", "champion", "baseline", "comparison", "drift",
      "dataFindings", "block", "outcome", "reasons", "checks",
    ] { #expect(text.contains("\"\(key)\"")) }
  }

  @Test func sameInputsGiveTheSameBytes() throws {
    #expect(try report().json() == report().json())
  }

  @Test func markdownShowsTheSameNumbers() throws {
    let report = try report()
    let text = report.markdown()
    let mape = Text.percent(report.challenger.ttft.metrics.mape.estimate)
    #expect(text.contains("| TTFT MAPE, better head | \(mape) |"))
    #expect(report.html().contains(mape))
    #expect(text.contains("new tokens × decode batch"))
  }

  @Test func anEvaluationPromisesNoPromotion() throws {
    var report = try report()
    #expect(report.markdown().contains("exit code"))
    report.isEvaluation = true
    for page in [report.markdown(), report.html()] {
      #expect(!page.contains("exit code") && !page.contains("Promoted"))
      #expect(page.contains("Holds its own against the other model"))
    }
    #expect(try Report(json: report.json()) == report)
  }

  @Test func aBlockWithoutAnyOutcomeStillMakesAPage() throws {
    var requests = Array(block.requests.prefix(30))
    for row in requests.indices {
      requests[row].actualTTFTMilliseconds = .nan
      requests[row].actualTPOTMilliseconds = .nan
      requests[row].status = 504
    }
    var model = block.model()
    model.predictions = Array(model.predictions.prefix(30))
    let report = try Report.build(
      requests: requests, challenger: model, baseline: block.baseline)
    #expect(report.decision.outcome == .tooLittleData)
    let drawings = report.html().components(separatedBy: "<svg").dropFirst()
    #expect(drawings.allSatisfy { !$0.components(separatedBy: "</svg>")[0].contains("nan") })
    #expect(try Report(json: report.json()).markdown() == report.markdown())
  }

  @Test func noRequestIsAnError() {
    #expect(throws: AccuracyReportError.noRequests) {
      try Report.build(
        requests: [], challenger: EvaluatedModel(name: "m", predictions: []),
        baseline: block.baseline)
    }
  }

  @Test func cohortsAreOrderedByTheirSureError() throws {
    let cohorts = try report().challenger.ttft.worstCohorts
    #expect(!cohorts.isEmpty)
    #expect(zip(cohorts, cohorts.dropFirst()).allSatisfy { $0.mape.lower >= $1.mape.lower })
  }
}

@Suite struct TextTests {
  @Test func numbersReadWell() {
    #expect(Text.compact(0.01234) == "0.0123")
    #expect(Text.compact(1_234) == "1.2k")
    #expect(Text.compact(.nan) == "–")
    #expect(Text.compact(0.000_021) == "2.1e-5")
    #expect(Text.fixed(-0.0004, 2) == "0.00")
    #expect(Text.fixed(1.999, 2) == "2.00")
    #expect(Text.milliseconds(18) == "18.0 ms")
    #expect(Text.milliseconds(12_340) == "12.3 s")
    #expect(Text.limit(milliseconds: 1_500) == "1.5 s")
    #expect(Text.count(-1_234_567) == "−1,234,567")
    #expect(Text.percent(0.123_4) == "12.3 %")
    #expect(Text.coordinate(.nan) == "0")
    #expect(Text.coordinate(-0.05) == "-0.05")
  }

  @Test func momentsAreWrittenInUTC() {
    #expect(Text.minute(0) == "1970-01-01 00:00")
    #expect(Text.minute(1_763_700_000_121_425_152) == "2025-11-21 04:40")
    #expect(Text.minute(951_782_400_000_000_000) == "2000-02-29 00:00")
    #expect(Text.hour(1_763_700_000_121_425_152) == "11-21 04h")
  }

  @Test func axesHaveAFewRoundTicksInsideTheirRange() {
    for (low, high) in [(0.0, 1.0), (3.0, 977.0), (0.0, 0.037), (-4.0, 9.0)] {
      let ticks = Axis.linear(low, high)
      #expect((3...8).contains(ticks.count))
      #expect(ticks.allSatisfy { $0 >= low - 1e-9 && $0 <= high * (1 + 1e-9) })
    }
    #expect(Axis.logarithmic(10, 1_000) == [10, 20, 50, 100, 200, 500, 1_000])
    let broken = Axis(.nan, .nan, scale: .logarithmic, title: "")
    #expect(broken.position(.nan) == 0 && broken.position(.infinity) == 0)
  }
}
