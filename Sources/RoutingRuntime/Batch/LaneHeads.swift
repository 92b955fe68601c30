internal import CoefficientFile

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

/// Which heads somebody will look at: all, or the mean alone.
enum HeadNeed {
  case all, mean
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
    while scratch.count < terms.count { scratch.append(Lanes(repeating: 0)) }
    evaluate(features.span, into: &scratch)
    guard need != .mean else {
      var heads = LaneHeads()
      heads.mean = finished(0, sum(scratch.span.extracting(first: terms.count), head: 0), scale)
      return heads
    }
    let (low, high) = (
      sums(scratch.span.extracting(first: terms.count), isHigh: false),
      sums(scratch.span.extracting(first: terms.count), isHigh: true)
    )
    return LaneHeads(
      mean: finished(0, Lanes(lowHalf: low.mean, highHalf: high.mean), scale),
      p50: finished(1, Lanes(lowHalf: low.p50, highHalf: high.p50), scale),
      p90: finished(2, Lanes(lowHalf: low.p90, highHalf: high.p90), scale),
      p95: finished(3, Lanes(lowHalf: low.p95, highHalf: high.p95), scale),
      p99: finished(4, Lanes(lowHalf: low.p99, highHalf: high.p99), scale))
  }

  private func evaluate(_ features: Span<Lanes>, into values: inout [Lanes]) {
    let terms = terms.span
    var values = values.mutableSpan
    for term in terms.indices {
      var x = terms[term].first.lanes(features)
      if terms[term].isProduct { x *= terms[term].second.lanes(features) }
      values[term] = x
    }
  }

  private func finished(_ head: Int, _ sum: Lanes, _ scale: Lanes) -> Lanes {
    (intercepts[head] + scale * sum) * calibrations[head]
  }

  private func sum(_ terms: Span<Lanes>, head: Int) -> Lanes {
    let coefficients = laneCoefficients.span
    var sum = Lanes(repeating: 0)
    for term in terms.indices { sum += coefficients[5 * term + head] * terms[term] }
    return sum
  }

  /// The five heads of four endpoints: their sums stay in registers while each term is read once.
  private func sums(_ terms: Span<Lanes>, isHigh: Bool) -> HalfSums {
    let coefficients = laneCoefficients.span
    var sums = HalfSums()
    for term in terms.indices {
      let x = isHigh ? terms[term].highHalf : terms[term].lowHalf
      let first = 5 * term
      sums.mean += coefficients[first] * x
      sums.p50 += coefficients[first + 1] * x
      sums.p90 += coefficients[first + 2] * x
      sums.p95 += coefficients[first + 3] * x
      sums.p99 += coefficients[first + 4] * x
    }
    return sums
  }
}

/// Sums of the five heads on four endpoints.
private struct HalfSums {
  var mean = SIMD4<Double>(repeating: 0)
  var p50 = SIMD4<Double>(repeating: 0)
  var p90 = SIMD4<Double>(repeating: 0)
  var p95 = SIMD4<Double>(repeating: 0)
  var p99 = SIMD4<Double>(repeating: 0)
}

extension CompiledTarget.CompiledFactor {
  @inline(__always)
  fileprivate func lanes(_ features: Span<Lanes>) -> Lanes {
    let x = features[feature]
    switch transform {
    case .identity: return x
    case .capped: return smaller(x, Lanes(repeating: high))
    case .hinge: return larger(x, Lanes(repeating: low)) - offset
    case .above: return Lanes(repeating: 0).replacing(with: 1, where: x .> low)
    }
  }
}
