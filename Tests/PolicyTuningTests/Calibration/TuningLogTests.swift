import FleetSimulation
import RoutingRuntime
import Testing

@testable import PolicyTuning

@Suite struct TuningLogTests {
  private typealias Fixtures = CalibrationFixtures

  @Test func aSimulatedRunSurvivesItsLog() {
    let engine = Fixtures.engine()
    let fleet = Fixtures.fleet([("gpu", engine), ("gpu", engine)])
    let outcomes = Fleet(fleet, policy: .roundRobin).run(Fixtures.workload).outcomes
    let log = TuningLog(simulated: Fixtures.workload, outcomes: outcomes, fleet: fleet)
    let rows = 0..<log.replay.rows.count
    let workload = log.workload(rows)

    #expect(workload.blockTokens == Fixtures.workload.blockTokens)
    #expect(workload.requests.count == Fixtures.workload.requests.count)
    let shift =
      Fixtures.workload.requests[0].arrivalMilliseconds - workload.requests[0].arrivalMilliseconds
    for (logged, request) in zip(workload.requests, Fixtures.workload.requests) {
      #expect(logged.promptTokens == request.promptTokens)
      #expect(logged.outputTokens == request.outputTokens)
      #expect(logged.prefixBlocks == request.prefixBlocks)
      let difference = request.arrivalMilliseconds - logged.arrivalMilliseconds - shift
      #expect(abs(difference) < 1e-3)
    }
    let decisions = log.decisions(rows).map { log.endpointName($0) }
    #expect(decisions == outcomes.map { fleet.endpoints[Int($0.endpoint)].name })
  }

  @Test func pairsOfEndpointsAreKnownFromTheLog() {
    let engine = Fixtures.engine()
    var fleet = Fixtures.fleet([("gpu", engine), ("gpu", engine), ("gpu", engine)])
    fleet.endpoints[0].role = .prefill
    fleet.endpoints[1].role = .decode
    fleet.endpoints[2].role = .decode
    let outcomes = Fleet(fleet, policy: .leastRequest).run(Fixtures.workload).outcomes
    let log = TuningLog(simulated: Fixtures.workload, outcomes: outcomes, fleet: fleet)
    let rows = 0..<log.count

    let named = zip(log.endpoints.indices.map { log.endpointName($0) }, log.roles(rows))
    for (name, role) in named { #expect(role == (name == "e0" ? .prefill : .decode)) }
    #expect(log.endpoints.count == 3)
    #expect(log.prefillDecisions(rows).allSatisfy { $0 >= 0 && log.endpointName($0) == "e0" })
    let classes = AcceleratorClasses(log, rows: rows, model: Fixtures.model(slowness: 1))
    #expect(classes.names == ["gpu"])

    let whole = Fixtures.log(of: Fixtures.fleet([("gpu", engine), ("gpu", engine)]))
    #expect(whole.roles(0..<whole.count) == [.both, .both])
    #expect(whole.prefillDecisions(0..<whole.count).isEmpty)
  }

  @Test func theNewestShareIsOfTheTime() {
    let engine = Fixtures.engine()
    let log = Fixtures.log(of: Fixtures.fleet([("gpu", engine)]))
    let last = log.replay.rows.count - 1
    let cut = log.firstRow(ofNewest: 0.25)
    let span = log.replay.dispatchTime(last) - log.replay.dispatchTime(0)
    #expect(log.replay.dispatchTime(cut) - log.replay.dispatchTime(0) >= 0.75 * span - 1)
    #expect(log.replay.dispatchTime(cut - 1) - log.replay.dispatchTime(0) < 0.75 * span)
    #expect(log.firstRow(ofNewest: 1) == 0)
  }
}
