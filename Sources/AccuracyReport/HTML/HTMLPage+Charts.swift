/// The sections that are mostly drawings: TTFT on the left, TPOT on the right.
extension HTMLPage {
  private func each(_ draw: (LatencyTarget) -> String) -> String {
    HTML.pair(draw(.ttft), draw(.tpot))
  }

  var scatterSection: String {
    HTML.section(
      "scatter", "Predicted against actual",
      "Every judged request; stronger cells hold more. On the dashed diagonal the median "
        + "prediction is exact; the dotted lines mark 1.5 times too much and too little.",
      each { target in
        let evaluation = report.challenger.target(target)
        return HTML.figure(
          target.title,
          "\(Text.count(evaluation.metrics.count)) requests · R² "
            + Text.fixed(evaluation.metrics.rSquared, 3),
          Charts.density(evaluation.density, target: target))
      })
  }

  var calibrationSection: String {
    HTML.section(
      "calibration", "Calibration",
      "How much more or less often than stated an outcome stays at or below each quantile. "
        + "On the dashed line the statement is exact; the green area is what the gate tolerates on "
        + "top of chance, whose 95 % the whiskers show.",
      legend
        + each { target in
          let metrics = report.challenger.target(target).metrics
          return HTML.figure(
            target.title,
            metrics.levels.map {
              "p\(Int(($0.level * 100).rounded())) \(Text.percent($0.coverage.estimate))"
            }.joined(separator: " · "),
            Charts.calibration(
              metrics, champion: report.champion?.target(target).metrics, target: target))
        })
  }

  var timeSection: String {
    HTML.section(
      "time", "Over time",
      "Above: predicted over actual, median (line) and middle 80 % of the requests (band). "
        + "Below: does the p90 hold 90 % of the outcomes all the time?",
      legend
        + each { target in
          HTML.figure(
            "\(target.title) residuals", "predicted ÷ actual",
            Charts.residuals(
              report.challenger.target(target).overTime,
              champion: report.champion?.target(target).overTime ?? [], axis: .time))
        }
        + each { target in
          HTML.figure(
            "\(target.title) coverage of p90", "dashed: 90 %",
            Charts.coverage(
              report.challenger.target(target).overTime,
              champion: report.champion?.target(target).overTime ?? []))
        })
  }

  var loadSection: String {
    HTML.section(
      "load", "Under load",
      "Do the errors grow or lean to one side when endpoints get busy? Each step to the right "
        + "holds the same number of requests.",
      legend
        + each { target in
          HTML.figure(
            "\(target.title) by prefill backlog", "predicted ÷ actual",
            Charts.residuals(
              report.challenger.target(target).overBacklog,
              champion: report.champion?.target(target).overBacklog ?? [], axis: .backlog))
        }
        + each { target in
          HTML.figure(
            "\(target.title) by decode batch", "predicted ÷ actual",
            Charts.residuals(
              report.challenger.target(target).overDecoding,
              champion: report.champion?.target(target).overDecoding ?? [], axis: .decoding))
        })
  }

  var sliceSection: String {
    let dimensions: [SliceDimension] = [.backlog, .decoding, .promptLength, .cachedShare]
    let drawings = dimensions.map { dimension in
      each { target in
        let slices = report.challenger.target(target).slices(of: dimension)
        return HTML.figure(
          "\(target.title) by \(dimension.title)", "MAPE with 95 % interval",
          Charts.slices(
            slices, champion: report.champion?.target(target).slices(of: dimension) ?? [],
            dimension: dimension))
      }
    }
    return HTML.section(
      "slices", "Error by decile",
      "Mean relative error in ten equal parts of the requests; values that repeat share a part.",
      legend + drawings.joined())
  }
}
