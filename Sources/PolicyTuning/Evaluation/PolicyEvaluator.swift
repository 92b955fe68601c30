internal import Dispatch
public import RoutingRuntime
internal import Synchronization

/// Runs policies on requests; the same arguments always give the same result.
public protocol PolicyEvaluator: Sendable {
  /// How many segments the tuning part of the requests has, ordered so that any first few are as
  /// mixed in load as all.
  var segmentCount: Int { get }
  /// A run on one tuning segment.
  func tuning(_ policy: RoutingPolicy, segment: Int, seed: UInt64) -> Observations
  /// A run on the judging part, which is later and disjoint.
  func judging(_ policy: RoutingPolicy, seed: UInt64) -> Observations
}

extension PolicyEvaluator {
  /// Runs policies on the first `share` of the segments, all cores at once.
  ///
  /// - Returns: Per policy, what was seen on all of these segments.
  public func tuning(
    _ policies: [RoutingPolicy], share: Double, seed: UInt64
  ) -> [Observations] {
    let segments = max(1, min(segmentCount, Int((share * Double(segmentCount)).rounded(.up))))
    let runs = parallelMap(policies.count * segments) { task in
      let (policy, segment) = task.quotientAndRemainder(dividingBy: segments)
      return tuning(policies[policy], segment: segment, seed: seed &+ UInt64(segment))
    }
    return policies.indices.map { policy in
      var all = Observations()
      for segment in 0..<segments {
        let offset = Int(all.blocks.max() ?? -1) + 1
        all.append(runs[policy * segments + segment], blockOffset: offset)
      }
      return all
    }
  }

  /// Runs policies on the judging part with each of `seeds`, all cores at once.
  ///
  /// - Returns: Per policy, one run per seed.
  public func judging(_ policies: [RoutingPolicy], seeds: [UInt64]) -> [[Observations]] {
    let runs = parallelMap(policies.count * seeds.count) { task in
      let (policy, seed) = task.quotientAndRemainder(dividingBy: seeds.count)
      return judging(policies[policy], seed: seeds[seed])
    }
    return policies.indices.map { Array(runs[($0 * seeds.count)..<(($0 + 1) * seeds.count)]) }
  }
}

/// The results of independent tasks, in their order, computed on all cores.
func parallelMap<Result: Sendable>(
  _ count: Int, _ task: @Sendable (Int) -> Result
) -> [Result] {
  let results = Mutex<[Result?]>([Result?](repeating: nil, count: count))
  DispatchQueue.concurrentPerform(iterations: count) { index in
    let result = task(index)
    results.withLock { $0[index] = result }
  }
  return results.withLock { $0.compactMap { $0 } }
}
