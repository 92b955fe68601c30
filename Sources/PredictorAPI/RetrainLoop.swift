internal import Foundation
internal import Glibc
internal import Logging
internal import PredictorEntries
internal import ServiceLifecycle
internal import Synchronization

/// Keeps the entries on disk, and has a model fitted when there is reason to.
///
/// The fit is another process: serving links no linear algebra, a fit that runs out of memory takes
/// no prediction with it, and the operating system shares the cores.
struct RetrainLoop: Service {
  let state: PredictorState
  private static let tickSeconds = 1.0

  func run() async throws {
    await cancelWhenGracefulShutdown { await loop() }
  }

  private func loop() async {
    let start = WireTime.monotonicMilliseconds()
    var lastAttempt: Double?
    while !Task.isCancelled {
      try? await Task.sleep(for: .seconds(Self.tickSeconds))
      do throws(PredictorEntriesError) {
        try state.entries.synchronize()
      } catch {
        state.logger.error("entries not on disk", metadata: ["error": "\(error)"])
      }
      guard isDue(since: lastAttempt, start: start), !Task.isCancelled else { continue }
      lastAttempt = WireTime.monotonicMilliseconds()
      await fit()
    }
  }

  /// Entries that are worth a first fit: half of them are examples of TTFT, of which a quarter
  /// judges it, and the gate wants 200.
  private static let firstFitEntries = 2_000

  /// Whether enough has come in, or long enough has passed, for another fit.
  private func isDue(since lastAttempt: Double?, start: Double) -> Bool {
    let configuration = state.configuration
    guard !configuration.fitCommand.isEmpty else { return false }
    // Entries of an earlier run that never became a model.
    if lastAttempt == nil, !state.isFitted,
      EntryLog.isAnyKept(in: configuration.entriesFolder)
    {
      return true
    }
    let new = state.counts.withLock { $0.newEntries }
    guard new > 0 else { return false }
    let now = WireTime.monotonicMilliseconds()
    let isEnough =
      new >= configuration.retrainEntries || (!state.isFitted && new >= Self.firstFitEntries)
    let isRested =
      lastAttempt.map { now - $0 >= configuration.leastRetrainSeconds * 1_000 } ?? true
    return isEnough && isRested
      || now - (lastAttempt ?? start) >= configuration.retrainSeconds * 1_000
  }

  private func fit() async {
    let configuration = state.configuration
    let taken = state.counts.withLock { $0.newEntries }
    let code = await ChildProcess(
      arguments: configuration.fitCommand + [
        configuration.entriesFolder, "--output", configuration.modelPath,
      ], timeoutSeconds: configuration.fitTimeoutSeconds
    ).run()
    let outcome = Self.words(code)
    state.counts.withLock { counts in
      counts.fits += 1
      counts.lastFit = WireTime.now()
      counts.lastFitOutcome = outcome
      if code == 0 { counts.promotions += 1 }
      // Too little data is asked about again when as much has come once more.
      counts.newEntries -= taken
    }
    state.logger.info("fit ended", metadata: ["outcome": "\(outcome)"])
  }

  private static func words(_ code: Int32?) -> String {
    switch code {
    case 0: "promoted"
    case 3: "rejected: the model in force stays"
    case 4: "data refused: the model in force stays"
    case 5: "too little data"
    case .some(let code): "failed with exit code \(code)"
    case nil: "could not be run, or took too long"
    }
  }
}

/// A program run to its end.
struct ChildProcess: Sendable {
  let arguments: [String]
  let timeoutSeconds: Double

  /// The exit code; `nil` when it could not be run, was ended by a signal or took too long.
  func run() async -> Int32? {
    guard let program = arguments.first else { return nil }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = Array(arguments.dropFirst())
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.standardError
    let (ended, continuation) = AsyncStream.makeStream(of: Int32?.self)
    process.terminationHandler = { process in
      continuation.yield(
        process.terminationReason == .exit ? process.terminationStatus : nil)
      continuation.finish()
    }
    do { try process.run() } catch { return nil }
    let identifier = process.processIdentifier
    let limit = Task {
      try await Task.sleep(for: .seconds(timeoutSeconds))
      _ = kill(identifier, SIGKILL)
    }
    defer { limit.cancel() }
    return await withTaskCancellationHandler {
      for await code in ended { return code }
      // The stream ends early only when this task was cancelled: the child goes with it.
      _ = kill(identifier, SIGTERM)
      return nil
    } onCancel: {
      _ = kill(identifier, SIGTERM)
    }
  }
}
