/// The heads of one target on eight endpoints.
struct LaneHeads: Sendable {
  var mean = Lanes(repeating: 0)
  var p50 = Lanes(repeating: 0)
  var p90 = Lanes(repeating: 0)
  var p95 = Lanes(repeating: 0)
  var p99 = Lanes(repeating: 0)

  /// Raises heads to `floor` and to the level below.
  mutating func raise(to floor: Double) {
    mean = larger(mean, Lanes(repeating: floor))
    p50 = larger(p50, Lanes(repeating: floor))
    p90 = larger(p90, p50)
    p95 = larger(p95, p90)
    p99 = larger(p99, p95)
  }

  /// One endpoint's.
  subscript(lane: Int) -> HeadValues {
    HeadValues(mean: mean[lane], p50: p50[lane], p90: p90[lane], p95: p95[lane], p99: p99[lane])
  }

  /// The head that decides at `level`: 0 for the mean, else the nearest level not below it.
  func deciding(_ level: Double) -> Lanes {
    if level <= 0 { return mean }
    if level <= 0.5 { return p50 }
    if level <= 0.9 { return p90 }
    return level <= 0.95 ? p95 : p99
  }
}

/// Which heads somebody will look at.
enum HeadNeed {
  case all, mean, levels
}

extension CompiledTarget {
  /// The heads of eight endpoints before live correction.
  ///
  /// - Parameters:
  ///   - features: Shape `[Feature.count]`; those that terms use must be set.
  ///   - scale: The factor of each endpoint's group.
  ///   - need: The others are left at 0.
  ///   - scratch: Holds the terms; any length.
  /// - Complexity: O(terms), no allocation once `scratch` has grown.
  func laneHeads(
    _ features: [Lanes], scale: Lanes, for need: HeadNeed, scratch: inout [Lanes]
  ) -> LaneHeads {
    scratch.removeAll(keepingCapacity: true)
    for term in terms { scratch.append(term.lanes(features)) }
    var heads = LaneHeads()
    if need != .levels { heads.mean = lane(0, scratch, scale) }
    guard need != .mean else { return heads }
    heads.p50 = lane(1, scratch, scale)
    heads.p90 = lane(2, scratch, scale)
    heads.p95 = lane(3, scratch, scale)
    heads.p99 = lane(4, scratch, scale)
    return heads
  }

  private func lane(_ head: Int, _ values: [Lanes], _ scale: Lanes) -> Lanes {
    let terms = values.span
    let all = headCoefficients.span
    let start = head * terms.count
    var sum = Lanes(repeating: 0)
    for term in terms.indices { sum += all[start + term] * terms[term] }
    return (intercepts[head] + scale * sum) * calibrations[head]
  }
}

extension CompiledTarget.CompiledTerm {
  fileprivate func lanes(_ features: [Lanes]) -> Lanes {
    let x = first.lanes(features)
    return isProduct ? x * second.lanes(features) : x
  }
}

extension CompiledTarget.CompiledFactor {
  fileprivate func lanes(_ features: [Lanes]) -> Lanes {
    let x = features[feature]
    if isStep { return Lanes(repeating: 0).replacing(with: 1, where: x .> low) }
    return smaller(larger(x, Lanes(repeating: low)), Lanes(repeating: high)) - offset
  }
}
