import Foundation
import LatencyRegression
import LinearAlgebra

/// Inputs and the answers of SciPy and statsmodels; `Fixtures/generate.py` wrote them.
enum SolverFixtures {
  struct LeastSquares: Decodable {
    let x: [[Float]], y: [Double], weights: [Double]
    let ordinary: [Double], residual_squares: Double, ordinary_errors: [Double]
    let weighted: [Double], penalties: [Double], priors: [Double], ridge: [Double]
  }
  struct Huber: Decodable {
    let x: [[Float]], y: [Double], threshold: Double
    let free: [Double], free_objective: Double, bounded: [Double], bounded_objective: Double
  }
  struct Quantile: Decodable {
    struct Level: Decodable {
      let level: Double, program: [Double], objective: Double
      let non_negative: [Double], non_negative_objective: Double, quantreg_objective: Double
    }
    let x: [[Float]], y: [Double], scales: [Double], levels: [Level]
  }
  struct NonNegative: Decodable {
    let x: [[Float]], y: [Double], coefficients: [Double], residual_norm: Double
  }
  struct Collinear: Decodable {
    let x: [[Float]], y: [Double], minimum_norm: [Double], predictions: [Double]
    let near: [[Float]], near_answer: [Double], near_predictions: [Double]
  }

  static func load<Value: Decodable>(_ name: String, as type: Value.Type) throws -> Value {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    let file = folder.appendingPathComponent("Fixtures/\(name).json")
    return try JSONDecoder().decode(type, from: Data(contentsOf: file))
  }

  static func design(_ rows: [[Float]]) throws -> Design {
    try Design(
      rowCount: rows.count, columnCount: rows[0].count, elements: rows.flatMap { $0 })
  }
}

extension Design {
  func predictions(_ coefficients: [Double]) -> [Double] {
    (0..<rowCount).map { row in
      coefficients.indices.reduce(0) { $0 + Double(self[row, $1]) * coefficients[$1] }
    }
  }
}

/// The largest difference, relative to the larger of the expected value and `floor`.
func relativeDeviation(_ values: [Double], _ expected: [Double], floor: Double = 1e-3) -> Double {
  zip(values, expected).reduce(0) { max($0, abs($1.0 - $1.1) / max(abs($1.1), floor)) }
}

/// Reproducible numbers.
struct SeededNumbers {
  var state: UInt64

  /// Uniform in 0..<1.
  mutating func uniform() -> Double {
    state &+= 0x9E37_79B9_7F4A_7C15
    var bits = state
    bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
    bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
    return Double((bits ^ (bits >> 31)) >> 11) * 0x1p-53
  }

  /// Standard normal.
  mutating func normal() -> Double {
    (-2 * Foundation.log(1 - uniform())).squareRoot() * Foundation.cos(2 * .pi * uniform())
  }
}
