internal import CoefficientFile
internal import LinearAlgebra
internal import RoutingRuntime

/// The robust equations of one class's step coefficients: TTFT rows, then gaps.
struct StepEquations {
  private let rows: CalibrationRows
  private let classIndex: Int
  private let engine: EngineModel

  /// Relative residuals beyond this count linearly: other requests joined the step, say.
  private static let huber = 0.1
  /// Each reweighted by the fit before.
  private static let reweightings = 3

  /// The equations of `rows`, seen from the coefficients of `engine`.
  init(_ rows: CalibrationRows, classIndex: Int, engine: EngineModel) {
    self.rows = rows
    self.classIndex = classIndex
    self.engine = engine
  }

  /// Steps per gap that count in each round.
  private static func longestGap(_ round: Int) -> Double {
    round < 7 ? Double(1 << round) + 0.5 : 200
  }

  /// The normal equations that count in `round`.
  ///
  /// - Parameter gate: How far a gap may deviate from its forecast, in steps.
  func normalMatrix(
    round: Int, gate: Double, threads: Int
  ) throws(LinearAlgebraError) -> NormalMatrix {
    let size = StepFeature.count
    var (elements, targets, scales) = chosen(round: round, gate: gate)
    let design = try Design(rowCount: targets.count, columnCount: size, elements: elements)
    elements = []
    var engine = engine
    var normal = NormalMatrix(columnCount: size)
    for step in 0..<Self.reweightings {
      let weights = huberWeights(
        design, targets, scales, engine.stepCoefficients, threads: threads)
      normal = try NormalMatrix(design, targets: targets, weights: weights, threads: threads)
      guard step + 1 < Self.reweightings else { break }
      engine.stepCoefficients = try StepFit(pooled: normal, own: normal).solution(
        columns: Array(0..<size), previous: engine
      ).coefficients
    }
    return normal
  }

  private func chosen(
    round: Int, gate: Double
  ) -> (elements: [Float], targets: [Double], scales: [Double]) {
    let size = StepFeature.count
    var elements: [Float] = []
    var targets: [Double] = []
    var scales: [Double] = []
    elements.reserveCapacity(rows.features.count + rows.gapValues.count)
    for row in rows.requests where row.classIndex == classIndex {
      elements += rows.features[row.start..<(row.start + size)]
      targets.append(row.target)
      scales.append(row.scale)
    }
    let longest = Self.longestGap(round)
    let width = round < 2 ? max(gate, 0.6) : gate
    for gap in rows.gaps where gap.classIndex == classIndex {
      let (steps, elapsed) = (Double(rows.gapValues[gap.start]), gap.elapsed)
      let step = gap.predicted / max(steps, 1)
      guard steps <= longest, abs(elapsed - gap.predicted) < width * step else { continue }
      elements += rows.gapValues[gap.start..<(gap.start + size)]
      targets.append(elapsed)
      scales.append(3 * step + 0.02 * elapsed)
    }
    return (elements, targets, scales)
  }

  private func huberWeights(
    _ design: Design, _ targets: [Double], _ scales: [Double], _ coefficients: [Double],
    threads: Int
  ) -> [Double] {
    RowBlocks(rowCount: targets.count).map(threads: threads) { rows in
      let (elements, size) = (design.elements.span, design.columnCount)
      return rows.map { row in
        var sum = 0.0
        for column in 0..<size {
          sum += Double(elements[row * size + column]) * coefficients[column]
        }
        let residual = abs(targets[row] - sum) / scales[row]
        let bounded = residual < Self.huber ? 1 : Self.huber / residual
        return bounded / (scales[row] * scales[row])
      }
    }.flatMap { $0 }
  }
}
