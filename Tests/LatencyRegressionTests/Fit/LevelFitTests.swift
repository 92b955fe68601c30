import LinearAlgebra
import TestSupport
import Testing

@testable import LatencyRegression

struct LevelFitTests {
  /// Rows whose middle is a queue plus half of a flood plus 5, in order of time.
  ///
  /// Columns: the queue, the flood, measures that say nothing, and the constant.
  ///
  /// - Parameter spread: By what share of the middle an outcome may lie off it.
  private func rows(
    count: Int, idleColumns: Int, spread: (_ isFlood: Bool) -> Double
  ) throws -> RegressionRows {
    var random = SplitMix64(seed: 11)
    var design = Design(columnCount: idleColumns + 3)
    var targets: [Double] = []
    var scales: [Double] = []
    for row in 0..<count {
      let isFlood = row / 50 % 2 == 1
      let queue = random.uniform(in: 5...60)
      let flood = isFlood ? random.uniform(in: 50...400) : 0
      let idle = (0..<idleColumns).map { _ in Float(random.uniform(in: 0...50)) }
      design.append([Float(queue), Float(flood)] + idle + [1])
      let middle = queue + 0.5 * flood + 5
      let chance = random.uniform(in: -1...1)
      // The cube makes high outcomes rare and far.
      targets.append(middle * (1 + spread(isFlood) * chance * chance * chance))
      scales.append(middle)
    }
    return try RegressionRows(design: design, targets: targets, scales: scales)
  }

  private func centre(of rows: RegressionRows) -> [Double] {
    [1, 0.5] + [Double](repeating: 0, count: rows.columnCount - 3) + [5]
  }

  private func fit(_ rows: RegressionRows, threads: Int = 2) -> LevelFit {
    var configuration = SmoothedQuantile.Configuration()
    configuration.threads = threads
    return LevelFit(
      rows: rows, rules: ColumnRules(columnCount: rows.columnCount),
      isFree: [true] + [Bool](repeating: false, count: rows.columnCount - 2) + [true],
      configuration: configuration)
  }

  private func plain(_ rows: RegressionRows) throws -> [FitResult] {
    try SmoothedQuantile(rules: ColumnRules(columnCount: rows.columnCount))
      .fit(rows, levels: HeadLevels.all, start: centre(of: rows))
  }

  @Test
  func aTailWithAShapeOfItsOwnKeepsIt() throws {
    let rows = try rows(count: 4_000, idleColumns: 0) { isFlood in isFlood ? 0.8 : 0.02 }
    let fit = fit(rows)
    #expect(try fit.chosenPull(centre: centre(of: rows)) < 0.1)
    let tail = try fit.fit(centre: centre(of: rows))[1].coefficients
    // (2 × 0.9 − 1)³ of the spread lies between the middle and the level.
    #expect(abs(tail[1] / 0.5 - (1 + 0.8 * 0.512)) < 0.1)
    #expect(abs(tail[0] - 1) < 0.1)
  }

  @Test
  func aTailWithTheMiddlesShapeIsDrawnToIt() throws {
    let rows = try rows(count: 1_500, idleColumns: 16) { _ in 0.8 }
    let fit = fit(rows)
    #expect(try fit.chosenPull(centre: centre(of: rows)) > 0)
    func noise(_ coefficients: [Double]) -> Double {
      coefficients[2..<18].reduce(0) { $0 + abs($1) }
    }
    let drawn = try fit.fit(centre: centre(of: rows))
    let free = try plain(rows)
    for level in 1..<HeadLevels.all.count {
      #expect(noise(drawn[level].coefficients) < noise(free[level].coefficients))
    }
    #expect(drawn[0].coefficients == free[0].coefficients)
  }

  @Test
  func threadsChangeNothing() throws {
    let rows = try rows(count: 1_500, idleColumns: 4) { _ in 0.8 }
    let one = try fit(rows, threads: 1).fit(centre: centre(of: rows))
    let four = try fit(rows, threads: 4).fit(centre: centre(of: rows))
    #expect(one.map(\.coefficients) == four.map(\.coefficients))
  }

  @Test
  func fewRowsAreFittedWithoutChoosing() throws {
    let rows = try rows(count: 400, idleColumns: 4) { _ in 0.8 }
    let levels = try fit(rows).fit(centre: centre(of: rows))
    #expect(try levels.map(\.coefficients) == plain(rows).map(\.coefficients))
  }
}
