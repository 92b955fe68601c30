import FleetSimulation
import RoutingRuntime
import Testing

@testable import PolicyTuning

@Suite struct SharedPartsTests {
  private typealias Fixtures = CalibrationFixtures

  /// Engines that cache blocks of 16 tokens, and a gateway that hashes 64.
  private static let fine: (fleet: FleetConfiguration, workload: Workload, logged: Workload) = {
    var shape = WorkloadShape.agenticSessions(requestsPerSecond: 4, durationSeconds: 250)
    shape.blockTokens = 16
    let workload = shape.workload(seed: 1)
    let logged = Workload(
      requests: workload.requests.map { request in
        var request = request
        request.prefixBlocks = stride(from: 3, to: request.prefixBlocks.count, by: 4).map {
          request.prefixBlocks[$0]
        }
        return request
      }, blockTokens: 64)
    var engine = Fixtures.engine()
    engine.kvBlocks *= 4
    engine.blockTokens = 16
    return (Fixtures.fleet([("gpu", engine), ("gpu", engine)]), workload, logged)
  }()

  private func cached(_ outcomes: [RequestOutcome]) -> Double {
    outcomes.reduce(0) { $0 + Double($1.cachedTokens) }
  }

  @Test func cachesOfShorterBlocksFindWhatTheLogSaysTheyFound() {
    let (fleet, workload, hashed) = Self.fine
    let outcomes = Fleet(fleet, policy: .leastRequest).run(workload).outcomes
    let log = TuningLog(simulated: hashed, outcomes: outcomes, fleet: fleet)
    let engine = Fixtures.engine()
    let coarse = Fixtures.fleet([("gpu", engine), ("gpu", engine)])
    let names = coarse.endpoints.map(\.name)
    let decisions = (0..<log.count).map { row in
      names.firstIndex(of: log.endpointName(log.endpoint(ofRow: row))) ?? -1
    }
    func replayed(_ workload: Workload) -> Double {
      cached(
        Fleet(coarse, policy: .roundRobin).run(workload, routing: .forced(decisions)).outcomes)
    }
    let truth = cached(outcomes)
    let whole = replayed(hashed) / truth - 1
    let cut = replayed(log.workload(0..<log.count)) / truth - 1
    #expect(whole < -0.01)
    #expect(abs(cut) < 0.3 * abs(whole))
  }

  @Test func blocksAreCutWherePromptsPart() {
    let (fleet, workload, hashed) = Self.fine
    let outcomes = Fleet(fleet, policy: .leastRequest).run(workload).outcomes
    let log = TuningLog(simulated: hashed, outcomes: outcomes, fleet: fleet)
    var lengths: [UInt64: Int32] = [:]
    var isCut = false
    for request in log.workload(0..<log.count).requests {
      let blocks = request.cacheBlocks
      #expect(blocks.hashes.count == blocks.ends.count)
      #expect(blocks.ends.allSatisfy { $0 <= request.promptTokens })
      isCut = isCut || !blocks.ends.isEmpty
      var start: Int32 = 0
      for (hash, end) in zip(blocks.hashes, blocks.ends) {
        #expect(end > start)
        // The same hash stands for the same length everywhere.
        #expect(lengths[hash] == nil || lengths[hash] == end - start)
        lengths[hash] = end - start
        start = end
      }
    }
    #expect(isCut)
  }

  @Test func nothingIsCutWhereEnginesCacheWhatTheGatewayHashes() {
    let engine = Fixtures.engine()
    let log = Fixtures.log(of: Fixtures.fleet([("gpu", engine), ("gpu", engine)]))
    #expect(log.workload(0..<log.count).requests.allSatisfy { $0.cacheBlocks.hashes.isEmpty })
  }

  @Test func nothingIsCutWhereTokensAndHashesDoNotFit() {
    let (fleet, workload, hashed) = Self.fine
    var outcomes = Fleet(fleet, policy: .leastRequest).run(workload).outcomes
    // A tokenizer that counts a third more than the gateway.
    for index in outcomes.indices {
      outcomes[index].cachedTokens += outcomes[index].cachedTokens / 3
    }
    let log = TuningLog(simulated: hashed, outcomes: outcomes, fleet: fleet)
    #expect(log.workload(0..<log.count).requests.allSatisfy { $0.cacheBlocks.hashes.isEmpty })
  }

  @Test func promptsMadeLongerAreWholeBlocksAgain() {
    let (fleet, workload, hashed) = Self.fine
    let outcomes = Fleet(fleet, policy: .leastRequest).run(workload).outcomes
    let log = TuningLog(simulated: hashed, outcomes: outcomes, fleet: fleet)
    let longer = log.workload(0..<log.count).promptsLonger(by: 1.5)
    #expect(longer.requests.allSatisfy { $0.cacheBlocks.hashes.isEmpty })
  }
}
