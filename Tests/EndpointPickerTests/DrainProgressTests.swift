import Testing

@testable import EndpointPicker

@Suite struct DrainProgressTests {
  private func progress(grace: Int = 100, limit: Int = 1_000) -> DrainProgress {
    var configuration = PickerConfiguration.Drain()
    configuration.graceMilliseconds = grace
    configuration.limitMilliseconds = limit
    return DrainProgress(configuration)
  }

  /// Whether it is over at each time, with so many requests in flight, having begun at 0.
  private func isOver(_ steps: [(requests: Int, time: Double)]) -> [Bool] {
    var progress = progress()
    _ = progress.begin(at: 0)
    return steps.map { progress.isOver(requestsInFlight: $0.requests, at: $0.time) }
  }

  @Test func graceIsKeptEvenWhenIdle() {
    #expect(isOver([(0, 0), (0, 99), (0, 100), (0, 101)]) == [false, false, true, true])
  }

  @Test func requestsInFlightAreWaitedForUpToTheLimit() {
    #expect(isOver([(1, 100), (1, 999), (1, 1_000)]) == [false, false, true])
    #expect(isOver([(1, 500), (0, 501)]) == [false, true])
  }

  @Test func secondBeginIsNoNews() {
    var progress = progress()
    _ = progress.begin(at: 0)
    let isNews = progress.begin(at: 500)
    #expect(!isNews)
    #expect(progress.phase == .draining(since: 0))
  }

  @Test func nothingIsOverBeforeItBegins() {
    var progress = progress()
    let isOver = progress.isOver(requestsInFlight: 0, at: 1e9)
    #expect(!isOver)
    #expect(progress.isServing)
  }
}
