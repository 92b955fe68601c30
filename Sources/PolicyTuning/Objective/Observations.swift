public import FleetSimulation

/// What users saw in one simulated run, request by request, in order of arrival.
///
/// Requests that were refused, failed or timed out count as waits of ``refusedMilliseconds``, so that
/// refusing is no way to look fast.
public struct Observations: Sendable, Hashable {
  /// What a refused request counts as, ms.
  public static let refusedMilliseconds = 60_000.0

  /// The time block of each request, from 0.
  public var blocks: [Int32] = []
  /// Arrival to first token, ms.
  public var ttft: [Double] = []
  /// The mean gap between output tokens, ms; `nan` when fewer than two came.
  public var tpot: [Double] = []
  /// Arrival to last token, ms.
  public var e2e: [Double] = []
  /// Whether it met its objectives.
  public var isGood: [Bool] = []

  /// Nothing seen yet.
  public init() {}

  /// Requests.
  public var count: Int { ttft.count }

  /// Adds one request.
  public mutating func append(
    block: Int, ttftMilliseconds: Double, tpotMilliseconds: Double, e2eMilliseconds: Double,
    isGood good: Bool
  ) {
    blocks.append(Int32(block))
    ttft.append(ttftMilliseconds.isFinite ? ttftMilliseconds : Self.refusedMilliseconds)
    tpot.append(tpotMilliseconds)
    e2e.append(e2eMilliseconds.isFinite ? e2eMilliseconds : Self.refusedMilliseconds)
    isGood.append(good)
  }

  /// Adds one request with what became of it.
  public mutating func append(
    block: Int, _ request: SimulatedRequest, _ outcome: RequestOutcome
  ) {
    let isComplete = outcome.status == .completed
    append(
      block: block,
      ttftMilliseconds: isComplete ? outcome.ttftMilliseconds : .infinity,
      tpotMilliseconds: isComplete ? outcome.tpotMilliseconds : .nan,
      e2eMilliseconds: isComplete ? outcome.e2eMilliseconds : .infinity,
      isGood: outcome.meets(
        ttftMilliseconds: request.ttftObjectiveMilliseconds,
        tpotMilliseconds: request.tpotObjectiveMilliseconds))
  }

  /// Adds those of another run, whose blocks are other blocks.
  public mutating func append(_ other: Observations, blockOffset: Int = 0) {
    blocks += other.blocks.map { $0 + Int32(blockOffset) }
    ttft += other.ttft
    tpot += other.tpot
    e2e += other.e2e
    isGood += other.isGood
  }
}
