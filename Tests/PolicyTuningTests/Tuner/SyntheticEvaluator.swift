import PolicyTuning
import RoutingRuntime

/// A world in which latency is a known function of the policy, with block effects and noise.
struct SyntheticEvaluator: PolicyEvaluator {
  var segmentCount = 6
  var noise = 0.1
  /// Its own world: everything random depends on it.
  var world: UInt64 = 1
  /// Multiplies TTFT by policy; 1 everywhere in a world where policies do not differ.
  var factor: @Sendable (RoutingPolicy) -> Double

  func tuning(_ policy: RoutingPolicy, segment: Int, seed: UInt64) -> Observations {
    run(policy, first: segment, blocks: 1, seed: seed)
  }

  func judging(_ policy: RoutingPolicy, seed: UInt64) -> Observations {
    run(policy, first: 100, blocks: 20, seed: seed)
  }

  private func run(
    _ policy: RoutingPolicy, first: Int, blocks: Int, seed: UInt64
  ) -> Observations {
    // Policies that differ draw differently, as in a fleet; block effects they share.
    var own = Random(state: world &* 0x9e37_79b9 ^ seed &* 31 ^ Self.hash(policy))
    var result = Observations()
    for block in 0..<blocks {
      var shared = Random(state: world ^ UInt64(first + block) &* 0x51ed_27f1)
      let effect = 60 * (0.7 + shared.uniform()) * (1 + noise * (own.uniform() - 0.5) * 3.46)
      for _ in 0..<30 {
        let ttft = effect * factor(policy) * (0.5 + own.uniform())
        result.append(
          block: block, ttftMilliseconds: ttft, tpotMilliseconds: 10, e2eMilliseconds: ttft + 900,
          isGood: ttft < 100)
      }
    }
    return result
  }

  private static func hash(_ policy: RoutingPolicy) -> UInt64 {
    guard case .predictedCost(let parameters) = policy else { return 17 }
    return parameters.values.reduce(7) { ($0 &* 0x100_0000_01b3) ^ $1.bitPattern }
  }

  private struct Random {
    var state: UInt64
    mutating func uniform() -> Double {
      state &+= 0x9e37_79b9_7f4a_7c15
      var mixed = state
      mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
      mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
      return Double((mixed ^ (mixed >> 31)) >> 11) * 0x1p-53
    }
  }
}
