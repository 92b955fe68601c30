/// The loss that a conditional quantile minimizes.
///
/// With `residual = observed - predicted`, a low forecast costs
/// `level * residual` and a high one `(level - 1) * residual`.
///
/// - Source: Koenker and Bassett (1978), doi:10.2307/1913643.
func pinballLoss(level: Double, observed: Double, predicted: Double) -> Double {
  let residual = observed - predicted
  return max(level * residual, (level - 1) * residual)
}

/// The 95 % interval of a share, honest near 0 and 1.
///
/// - Source: Wilson (1927), doi:10.1080/01621459.1927.10502953.
func wilsonInterval(successes: Int, count: Int) -> Interval {
  guard count > 0 else { return Interval(estimate: .nan, lower: .nan, upper: .nan) }
  let z = 1.959964
  let (n, share) = (Double(count), Double(successes) / Double(count))
  let centre = (share + z * z / (2 * n)) / (1 + z * z / n)
  let half =
    z / (1 + z * z / n) * (share * (1 - share) / n + z * z / (4 * n * n)).squareRoot()
  return Interval(
    estimate: share, lower: max(0, centre - half), upper: min(1, centre + half))
}
