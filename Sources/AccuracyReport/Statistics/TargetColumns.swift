/// One target of one model as columns: only requests that have an outcome and finite heads.
struct TargetColumns {
  /// Positions in the judged block, ascending in time.
  private(set) var rows: [Int] = []
  private(set) var actual: [Double] = []
  private(set) var mean: [Double] = []
  /// The quantile heads, `[level][row]`, in the order of ``HeadValues/levels``.
  private(set) var levels: [[Double]] = Array(repeating: [], count: HeadValues.levels.count)
  /// Requests with an outcome for which the model gave no finite number.
  private(set) var invalidCount = 0

  /// - Parameter other: A second model's predictions; rows where they are not finite are left out
  ///   too, so that both models are judged on the same requests.
  init(
    _ target: LatencyTarget, requests: [EvaluatedRequest], predictions: [Prediction],
    alsoFiniteIn other: [Prediction]? = nil
  ) {
    for row in requests.indices {
      let outcome = requests[row].actual(target)
      guard outcome.isFinite, outcome > 0 else { continue }
      let heads = predictions[row].heads(target)
      guard heads.isFinite else {
        invalidCount += 1
        continue
      }
      if let other, !other[row].heads(target).isFinite { continue }
      rows.append(row)
      actual.append(outcome)
      mean.append(heads.mean)
      for (level, value) in heads.levelValues.enumerated() { levels[level].append(value) }
    }
  }

  var count: Int { rows.count }

  /// The relative absolute error of every row under one head.
  func relativeErrors(_ head: [Double]) -> [Double] {
    actual.indices.map { abs(head[$0] - actual[$0]) / actual[$0] }
  }
}
