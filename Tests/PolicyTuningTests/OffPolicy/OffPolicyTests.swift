import RoutingRuntime
import Testing

@testable import PolicyTuning

@Suite struct OffPolicyTests {
  /// Uniformly random decisions among four endpoints.
  ///
  /// TTFT is 100 on endpoint 0 and 200 elsewhere,
  /// times noise. The first policy always takes 0, the second always 1.
  static func decisions(
    count: Int, seed: UInt64, modelBias: Double = 1
  ) -> LoggedDecisions {
    var random = SeededGenerator(seed: seed)
    let rows = (0..<count).map { index in
      let endpoint = random.index(below: 4)
      let mean = endpoint == 0 ? 100.0 : 200
      return LoggedDecisions.Row(
        time: Double(index), outcome: mean * (0.8 + 0.4 * random.uniform()), propensity: 0.25,
        predicted: mean * modelBias, agrees: [endpoint == 0, endpoint == 1],
        predictedThere: [100 * modelBias, 200 * modelBias])
    }
    return LoggedDecisions(
      rows: rows,
      policies: [NamedPolicy("good", .roundRobin), NamedPolicy("bad", .random)],
      requestCount: count)
  }

  @Test(arguments: [1, 2, 3] as [UInt64])
  func independentRequestsAreEstimatedRightly(seed: UInt64) throws {
    let audit = OffPolicyAudit(Self.decisions(count: 2000, seed: seed))
    #expect(audit.refusal == nil)
    let good = try #require(audit.estimates.first)
    for estimate in [good.weighted, good.modelled, good.doublyRobust] {
      #expect(abs(estimate.value - 100) < 2)
      #expect(estimate.lower <= estimate.value && estimate.value <= estimate.upper)
    }
    // Agreeing with one decision in four is worth that share of the rows.
    #expect(abs(good.effectiveSampleSize - 500) < 60)
    #expect(good.largestWeight == 4)
    let gain = try #require(audit.difference).gain
    #expect(gain.lower > 0.45 && gain.upper < 0.55)
    #expect(!audit.contradictsGain)
  }

  @Test func aBiasedModelIsPutRightByWhatHappened() throws {
    let audit = OffPolicyAudit(Self.decisions(count: 4000, seed: 4, modelBias: 1.5))
    let good = try #require(audit.estimates.first)
    #expect(good.modelled.value == 150)
    #expect(abs(good.doublyRobust.value - 100) < 8)
  }

  @Test func theSameDecisionsReversedContradict() {
    var decisions = Self.decisions(count: 2000, seed: 5)
    for index in decisions.rows.indices {
      decisions.rows[index].agrees.reverse()
      decisions.rows[index].predictedThere.reverse()
    }
    #expect(OffPolicyAudit(decisions).contradictsGain)
  }

  @Test func withoutSupportItRefusesWithASentence() throws {
    let few = OffPolicyAudit(Self.decisions(count: 40, seed: 6))
    #expect(few.difference == nil)
    #expect(try #require(few.refusal).contains("propensity"))
    var disagreeing = Self.decisions(count: 1000, seed: 7)
    for index in disagreeing.rows.indices where index > 30 {
      disagreeing.rows[index].agrees[0] = false
    }
    let unsupported = OffPolicyAudit(disagreeing)
    #expect(unsupported.difference == nil)
    #expect(try #require(unsupported.refusal).contains("good"))
    #expect(!unsupported.contradictsGain)
  }
}
