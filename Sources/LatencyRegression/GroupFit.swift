internal import CoefficientFile
internal import LinearAlgebra
internal import LogReplay
internal import RequestLog
internal import RoutingRuntime

/// How accelerator classes and endpoints deviate from the pool, shrunk by how much is known.
///
/// The deviation is one factor a target and group: the mean of log(actual / predicted), which with
/// *n* examples counts as n/(n + κ). An accelerator's factor is learned first; its endpoints' then
/// from what it leaves, so a new endpoint starts from its class, and a new class from the pool.
struct GroupFit {
  let log: ReplayLog
  let table: FeatureTable
  let engines: EngineCalibration.Result
  let threads: Int

  /// Examples at which a group's own word counts as much as its parent's.
  private static let shrinkage = 150.0
  /// One example's log ratio is bounded: floods are not an endpoint's nature.
  private static let clip = 0.3

  private struct Sum {
    var ttft = 0.0
    var ttftCount = 0.0
    var tpot = 0.0
    var tpotCount = 0.0

    mutating func add(ttft residual: Double) {
      guard residual.isFinite else { return }
      ttft += min(max(residual, -GroupFit.clip), GroupFit.clip)
      ttftCount += 1
    }

    mutating func add(tpot residual: Double) {
      guard residual.isFinite else { return }
      tpot += min(max(residual, -GroupFit.clip), GroupFit.clip)
      tpotCount += 1
    }

    /// As many examples that say nothing.
    var withoutDeviation: Sum { Sum(ttftCount: ttftCount, tpotCount: tpotCount) }

    var ttftLog: Double { ttftCount > 0 ? ttft / (ttftCount + GroupFit.shrinkage) : 0 }
    var tpotLog: Double { tpotCount > 0 ? tpot / (tpotCount + GroupFit.shrinkage) : 0 }
  }

  /// The groups of the log, accelerators first.
  func groups(_ model: inout GlideModel) -> [Group] {
    guard case .success(let predictor) = Predictor.compile(model) else { return [] }
    let examples = examples
    let residuals = residuals(predictor, examples)
    var classSums = [Sum](repeating: Sum(), count: engines.classes.count)
    for (index, sample) in examples.enumerated() {
      let classIndex = classOf(sample)
      classSums[classIndex].add(ttft: residuals.ttft[index])
      classSums[classIndex].add(tpot: residuals.tpot[index])
    }
    // With one class, its deviation from the pool is noise by definition.
    if engines.classes.count == 1 { classSums = [classSums[0].withoutDeviation] }
    var endpointSums: [Int32: Sum] = [:]
    for (index, sample) in examples.enumerated() {
      let parent = classSums[classOf(sample)]
      let symbol = log.rows[table.rows[sample]].endpoint.index
      endpointSums[symbol, default: Sum()].add(ttft: residuals.ttft[index] - parent.ttftLog)
      endpointSums[symbol, default: Sum()].add(tpot: residuals.tpot[index] - parent.tpotLog)
    }
    var groups: [Group] = []
    for (index, symbol) in engines.classes.enumerated() {
      groups.append(
        group(
          .accelerator, log.symbols.name(symbol) ?? "", parent: -1, engine: index,
          count: classSums[index].ttftCount, ttft: classSums[index].ttftLog,
          tpot: classSums[index].tpotLog, model))
    }
    let named = endpointSums.keys.sorted().prefix(Self.endpointLimit)
    for symbol in named {
      guard let sum = endpointSums[symbol], symbol >= 0 else { continue }
      let classIndex = engines.assignment.engineOfSymbol[Int(symbol)]
      groups.append(
        group(
          .endpoint, log.symbols.name(Symbol(index: symbol)) ?? "", parent: Int32(classIndex),
          engine: classIndex, count: sum.ttftCount,
          ttft: classSums[classIndex].ttftLog + sum.ttftLog,
          tpot: classSums[classIndex].tpotLog + sum.tpotLog, model))
    }
    return groups
  }

  /// Beyond this many endpoints the file would grow; further ones use their accelerator's group.
  private static let endpointLimit = 24

  private func classOf(_ sample: Int) -> Int {
    let symbol = Int(log.rows[table.rows[sample]].endpoint.index)
    return symbol >= 0 ? engines.assignment.engineOfSymbol[symbol] : 0
  }

  private func group(
    _ kind: Group.Kind, _ name: String, parent: Int32, engine: Int, count: Double, ttft: Double,
    tpot: Double, _ model: GlideModel
  ) -> Group {
    Group(
      kind: kind, name: name, parent: parent, engine: UInt16(engine),
      sampleCount: UInt64(count),
      ttftScales: [Float](repeating: Float(Exponential.value(ttft)), count: model.ttft.terms.count),
      tpotScales: [Float](repeating: Float(Exponential.value(tpot)), count: model.tpot.terms.count))
  }

  /// More examples than this, taken evenly, say no more about two dozen groups.
  private static let mostExamples = 120_000

  private var examples: [Int] {
    let step = (table.sampleCount + Self.mostExamples - 1) / Self.mostExamples
    return stride(from: 0, to: table.sampleCount, by: max(1, step)).filter {
      !table.isCensored[$0]
    }
  }

  private func residuals(
    _ predictor: Predictor, _ examples: [Int]
  ) -> (ttft: [Double], tpot: [Double]) {
    let parts = RowBlocks(rowCount: examples.count).map(threads: threads) { rows in
      var part: (ttft: [Double], tpot: [Double]) = ([], [])
      var row = [Double](repeating: 0, count: Feature.count)
      for sample in examples[rows] {
        for feature in 0..<Feature.count { row[feature] = Double(table.features[sample, feature]) }
        let medians = predictor.medians(row)
        part.ttft.append(Exponential.logarithm(table.ttft[sample] / medians.ttft))
        part.tpot.append(Exponential.logarithm(table.tpot[sample] / medians.tpot))
      }
      return part
    }
    return (parts.flatMap(\.ttft), parts.flatMap(\.tpot))
  }
}
