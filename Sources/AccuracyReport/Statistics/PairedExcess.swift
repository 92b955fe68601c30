import Foundation

/// Whether one model's loss surely exceeds what another's allows, block by block on the same requests.
///
/// The excess of a block is `loss − allowance`. Its sum over blocks has a standard error from the
/// scatter between blocks and, as the blocks are few and one overload may outweigh all others,
/// Student's quantile with the degrees of freedom that the blocks' fourth moment leaves.
struct PairedExcess {
  /// The sum of all excesses over its standard error; 0 when nothing varies and nothing exceeds.
  let score: Double
  /// Degrees of freedom, at least 1.
  let freedom: Double
  /// The standard error of the excess per request.
  let standardError: Double

  /// - Parameters: sums per block; shapes agree.
  init(losses: [Double], allowances: [Double], weights: [Double]) {
    let excess = zip(losses, allowances).map { $0 - $1 }
    let total = excess.reduce(0, +)
    let weight = weights.reduce(0, +)
    // Blocks differ in how many of the requests they hold; only the excess per request is chance.
    let rate = weight > 0 ? total / weight : 0
    let scatter = zip(excess, weights).map { $0 - rate * $1 }
    let blocks = Double(weights.count { $0 > 0 })
    let squares = scatter.reduce(0) { $0 + $1 * $1 }
    let fourths = scatter.reduce(0) { $0 + $1 * $1 * $1 * $1 }
    let error = blocks > 1 ? (squares * blocks / (blocks - 1)).squareRoot() : .infinity
    standardError = weight > 0 ? error / weight : .infinity
    if error > 0 {
      score = total / error
    } else {
      score = total > 0 ? .infinity : 0
    }
    let effective = fourths > 0 ? 3 * squares * squares / fourths : blocks
    freedom = max(1, min(blocks, effective) - 1)
  }

  /// The excess per request that chance alone stays below but for `probability`, one-sided.
  func allowance(probability: Double) -> Double {
    studentScore(upperTail: probability, freedom: freedom) * standardError
  }

  /// Whether chance alone gives as much with less than `probability`, one-sided.
  func isSure(probability: Double) -> Bool {
    score > studentScore(upperTail: probability, freedom: freedom)
  }
}

/// The value that a Student variable exceeds with `probability`.
///
/// - Parameters:
///   - probability: Strictly between 0 and 0.5.
///   - freedom: Degrees of freedom, at least 1.
/// - Source: Abramowitz and Stegun 26.7.5: within 1 % from 4 degrees of freedom on for tails above
///   0.001; exact for 1 and 2.
func studentScore(upperTail probability: Double, freedom: Double) -> Double {
  if freedom < 1.5 { return 1 / tan(Double.pi * probability) }
  if freedom < 2.5 {
    let a = 4 * probability * (1 - probability)
    return 2 * (0.5 - probability) * (2 / a).squareRoot()
  }
  let z = normalScore(upperTail: probability)
  let (z3, z5, z7) = (z * z * z, z * z * z * z * z, z * z * z * z * z * z * z)
  let z9 = z7 * z * z
  return z + (z3 + z) / (4 * freedom) + (5 * z5 + 16 * z3 + 3 * z) / (96 * freedom * freedom)
    + (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * freedom * freedom * freedom)
    + (79 * z9 + 776 * z7 + 1482 * z5 - 1920 * z3 - 945 * z)
    / (92_160 * freedom * freedom * freedom * freedom)
}
