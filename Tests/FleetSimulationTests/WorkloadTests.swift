import Testing

@testable import FleetSimulation

@Suite struct WorkloadTests {
  @Test(arguments: [
    WorkloadShape.uniformChat(requestsPerSecond: 20, durationSeconds: 300),
    .agenticSessions(requestsPerSecond: 20, durationSeconds: 300),
    .longPrompts(requestsPerSecond: 20, durationSeconds: 300),
    .bursts(requestsPerSecond: 20, durationSeconds: 300),
  ])
  func requestsArriveInOrderAtTheRateAsked(shape: WorkloadShape) {
    let workload = shape.workload(seed: 1)
    let times = workload.requests.map(\.arrivalMilliseconds)
    #expect(zip(times, times.dropFirst()).allSatisfy { $0 <= $1 })
    // The last sessions are cut at the end, and long ones at the longest prompt.
    #expect((3600...6900).contains(workload.requests.count), "\(workload.requests.count)")
    for request in workload.requests {
      #expect(request.prefixBlocks.count == request.promptTokens / workload.blockTokens)
    }
  }

  @Test func theSeedDeterminesTheRequests() {
    let shape = WorkloadShape.agenticSessions(requestsPerSecond: 5, durationSeconds: 60)
    #expect(shape.workload(seed: 4) == shape.workload(seed: 4))
    #expect(shape.workload(seed: 4) != shape.workload(seed: 5))
  }

  @Test func sessionsShareTheirSystemPromptAndTurnsTheirHistory() {
    let shape = WorkloadShape.agenticSessions(requestsPerSecond: 10, durationSeconds: 120)
    let requests = shape.workload(seed: 1).requests
    var continued = 0
    for later in requests where later.prefixBlocks.count > shape.systemPromptTokens / 64 + 1 {
      let isContinuation = requests.contains {
        $0.arrivalMilliseconds < later.arrivalMilliseconds
          && $0.prefixBlocks.count > shape.systemPromptTokens / 64
          && later.prefixBlocks.starts(with: $0.prefixBlocks)
      }
      if isContinuation { continued += 1 }
    }
    #expect(continued * 2 > requests.count)
    let heads = Set(requests.compactMap(\.prefixBlocks.first))
    #expect(heads.count == shape.systemPrompts)
  }

  @Test func whatIfsChangeWhatTheySayAndNothingElse() {
    let shape = WorkloadShape.agenticSessions(requestsPerSecond: 5, durationSeconds: 60)
    let workload = shape.workload(seed: 2)
    let faster = workload.arriving(timesAsFast: 2)
    #expect(abs(faster.durationMilliseconds * 2 - workload.durationMilliseconds) < 1e-6)
    #expect(faster.requests.map(\.promptTokens) == workload.requests.map(\.promptTokens))
    let longer = workload.promptsLonger(by: 1.5)
    for (request, stretched) in zip(workload.requests, longer.requests) {
      #expect(stretched.prefixBlocks.starts(with: request.prefixBlocks))
      #expect(stretched.prefixBlocks.count == stretched.promptTokens / workload.blockTokens)
    }
  }

  @Test func goodputCountsWhatMeetsItsObjectives() {
    let workload = Workload(
      requests: (0..<4).map {
        SimulatedRequest(
          arrivalMilliseconds: Double($0), promptTokens: 10, outputTokens: 11,
          ttftObjectiveMilliseconds: 100, tpotObjectiveMilliseconds: 20)
      }, blockTokens: 16)
    var outcomes = [RequestOutcome](repeating: RequestOutcome(), count: 4)
    for (index, (ttft, e2e)) in [(50.0, 150.0), (150, 250), (50, 550)].enumerated() {
      outcomes[index].status = .completed
      outcomes[index].outputTokens = 11
      outcomes[index].ttftMilliseconds = ttft
      outcomes[index].e2eMilliseconds = e2e
    }
    outcomes[3].status = .failed
    let summary = FleetSummary(outcomes, of: workload)
    #expect(summary.goodput == 0.25)
    #expect(summary.completedCount == 3)
    #expect(summary.ttft.p50 == 50)
    #expect(summary.tpot.p50 == 10)
  }

  @Test func normalNoiseHasTheMomentsOfTheNormal() {
    var noise = NoiseSource(seed: 1)
    var sums = [0.0, 0, 0, 0]
    let count = 200_000
    for _ in 0..<count {
      let x = noise.normal()
      var power = 1.0
      for index in sums.indices {
        power *= x
        sums[index] += power
      }
    }
    let moments = sums.map { $0 / Double(count) }
    // Standard errors: 0.0022, 0.0032, 0.0087, 0.022.
    #expect(abs(moments[0]) < 0.01)
    #expect(abs(moments[1] - 1) < 0.015)
    #expect(abs(moments[2]) < 0.04)
    #expect(abs(moments[3] - 3) < 0.1)
  }
}
